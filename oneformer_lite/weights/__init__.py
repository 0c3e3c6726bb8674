"""Models on disk: reading and writing weights. Nothing but safetensors and ``weights_only`` files is read."""

from .folder import from_folder, save_pretrained
from .hub import from_pretrained
from .huggingface import save_huggingface
from .onnx import save_onnx

__all__ = ["from_folder", "from_pretrained", "save_huggingface", "save_onnx", "save_pretrained"]
