"""DETR as its authors and transformers have it, beside ours."""
