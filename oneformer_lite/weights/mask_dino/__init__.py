"""Mask DINO as its authors have it, beside ours."""
