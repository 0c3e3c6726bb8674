"""OneFormer and its parts, one file each, in the order of the forward pass."""

from .oneformer import OneFormer
from .output import OneFormerOutput, Predictions, Trace

__all__ = ["OneFormer", "OneFormerOutput", "Predictions", "Trace"]
