"""Models on disk: reading and writing weights. Only safetensors and ``weights_only`` files are read."""

from .folder import from_folder, save_pretrained
from .hub import from_pretrained

__all__ = ["from_folder", "from_pretrained", "save_pretrained"]
