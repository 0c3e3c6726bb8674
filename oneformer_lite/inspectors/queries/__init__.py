"""QueryInspector: what a query sees and says, layer by layer."""
