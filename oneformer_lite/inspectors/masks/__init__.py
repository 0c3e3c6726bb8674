"""MaskInspector: segments over their picture, predicted and annotated, and who is right."""
