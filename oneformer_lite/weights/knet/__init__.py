"""K-Net as its authors have it, beside ours."""
