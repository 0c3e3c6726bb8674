"""Data sets, targets and batches: everything the model is fed with."""

import importlib

_NAMES = {
    "Batch": "batch",
    "Category": "sample",
    "InstanceDataset": "instance",
    "PanopticDataset": "panoptic",
    "Sample": "sample",
    "SegmentInfo": "sample",
    "SemanticDataset": "semantic",
    "TASKS": "sample",
    "Targets": "targets",
    "Toytown": "toytown",
    "collate": "batch",
    "download_ade20k": "ade20k",
    "download_coco": "coco",
    "normalise": "batch",
    "prepare_cityscapes": "cityscapes",
    "targets_for": "targets",
    "write_panoptic": "panoptic",
    "write_toytown": "toytown",
}
__all__ = [*_NAMES]


def __getattr__(name: str):
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
