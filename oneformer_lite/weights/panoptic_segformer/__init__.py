"""Panoptic SegFormer as its authors have it, beside ours."""
