"""Which device a model runs on, chosen by name: the command line's ``--device``, ``from_pretrained(device=...)``."""

from __future__ import annotations

import torch

from .errors import ConfigError

CHOICES = ("auto", "cuda", "mps", "cpu")


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """The device of this name, known to work: "auto" (a GPU where there is one), "cuda", "cuda:1", "mps" or "cpu".

    Raises :class:`ConfigError` for names that are none and for devices that this machine does not have.
    """
    if isinstance(name, str) and name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in CHOICES:
        raise ConfigError(f"there is no device {name!r} here: expected one of {', '.join(CHOICES)}, or cuda:NUMBER")
    if reason := _missing(device):
        raise ConfigError(f'the device {str(device)!r} cannot be used: {reason}. "auto" takes what there is')
    return device


def _missing(device: torch.device) -> str | None:
    """Why this machine cannot compute on ``device``; None if it can."""
    if device.type == "cuda" and not torch.cuda.is_available():
        if not (torch.version.cuda or torch.version.hip):
            return f"this PyTorch ({torch.__version__}) is built for CPUs alone, install one with CUDA"
        return "PyTorch finds no GPU with a working driver, which nvidia-smi shows where there is one"
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        return f"there are {torch.cuda.device_count()} GPUs, counted from 0"
    if device.type == "mps" and not _has_mps():
        return "that is the GPU of a Mac with Apple's own chip"
    if device.type == "cpu" and device.index:
        return "there is one CPU device, cpu"
    return None


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
