"""ContrastInspector: what the contrastive loss makes of images and their texts."""
