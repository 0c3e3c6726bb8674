"""transformers' Mask2Former beside ours."""
