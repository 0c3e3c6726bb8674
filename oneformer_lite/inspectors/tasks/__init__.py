"""TaskInspector: what changes when the model is told another task."""
