"""Mask2Former's named configurations: one function for every published data set and backbone.

There is a model for each task; ``task`` says which, and those that were published are checked. Values are those of the
official ``configs/*/*-segmentation/**.yaml``; scores are the paper's and the model zoo's, in percent, at a single
scale: PQ / AP / mIoU of the panoptic models, and AP or mIoU of the models for that task alone.
"""

from __future__ import annotations

from ..data.classes import class_list
from ..errors import ConfigError
from .base import for_classes
from .family import Mask2FormerConfig

__all__ = [
    "mask2former_toytown",
    "mask2former_coco_r50", "mask2former_coco_r101", "mask2former_coco_swin_t", "mask2former_coco_swin_s",
    "mask2former_coco_swin_b", "mask2former_coco_swin_b_21k", "mask2former_coco_swin_l",
    "mask2former_ade20k_r50", "mask2former_ade20k_r101", "mask2former_ade20k_swin_t", "mask2former_ade20k_swin_s",
    "mask2former_ade20k_swin_b", "mask2former_ade20k_swin_b_21k", "mask2former_ade20k_swin_l",
    "mask2former_cityscapes_r50", "mask2former_cityscapes_r101", "mask2former_cityscapes_swin_t",
    "mask2former_cityscapes_swin_s", "mask2former_cityscapes_swin_b_21k", "mask2former_cityscapes_swin_l",
    "mask2former_mapillary_r50", "mask2former_mapillary_swin_l",
]  # fmt: skip

_DROP_PATH = {"backbone_options": {"drop_path_rate": 0.3}}
# the part of a name after the dot says which ImageNet weights training starts from
R50, R101 = {"backbone": "resnet50.tv_in1k"}, {"backbone": "resnet101.tv_in1k"}
SWIN_T = {"backbone": "swin_tiny_patch4_window7_224", **_DROP_PATH}
SWIN_S = {"backbone": "swin_small_patch4_window7_224", **_DROP_PATH}
SWIN_B = {"backbone": "swin_base_patch4_window12_384.ms_in1k", **_DROP_PATH}
SWIN_B_21K = {"backbone": "swin_base_patch4_window12_384.ms_in22k", **_DROP_PATH}
SWIN_L = {"backbone": "swin_large_patch4_window12_384", **_DROP_PATH}


def mask2former_coco_r50(task: str = "panoptic") -> Mask2FormerConfig:
    """COCO, ResNet-50, 50 epochs: 51.9 / 41.7 / 61.7; instance 43.7."""
    return _coco(task, R50)


def mask2former_coco_r101(task: str = "panoptic") -> Mask2FormerConfig:
    """COCO, ResNet-101, 50 epochs: 52.6 / 42.6 / 62.4; instance 44.2."""
    return _coco(task, R101)


def mask2former_coco_swin_t(task: str = "panoptic") -> Mask2FormerConfig:
    """COCO, Swin-Tiny, 50 epochs: 53.2 / 43.3 / 63.2; instance 45.0."""
    return _coco(task, SWIN_T)


def mask2former_coco_swin_s(task: str = "panoptic") -> Mask2FormerConfig:
    """COCO, Swin-Small, 50 epochs: 54.6 / 44.7 / 64.2; instance 46.3."""
    return _coco(task, SWIN_S)


def mask2former_coco_swin_b(task: str = "panoptic") -> Mask2FormerConfig:
    """COCO, Swin-Base from ImageNet-1k, 50 epochs: 55.1 / 45.2 / 65.1; instance 46.7."""
    return _coco(task, SWIN_B)


def mask2former_coco_swin_b_21k(task: str = "panoptic") -> Mask2FormerConfig:
    """COCO, Swin-Base from ImageNet-21k, 50 epochs: 56.4 / 46.3 / 67.1; instance 48.1."""
    return _coco(task, SWIN_B_21K)


def mask2former_coco_swin_l(task: str = "panoptic") -> Mask2FormerConfig:
    """COCO, Swin-Large, 200 queries, 100 epochs: 57.8 / 48.6 / 67.4; instance 50.1."""
    return _coco(task, SWIN_L, num_queries=200)


def mask2former_ade20k_r50(task: str = "panoptic") -> Mask2FormerConfig:
    """ADE20K, ResNet-50: 39.7 / 26.5 / 46.1; instance 26.4; semantic 47.2."""
    return _ade20k(task, R50)


def mask2former_ade20k_r101(task: str = "semantic") -> Mask2FormerConfig:
    """ADE20K, ResNet-101 whose BatchNorm learns, semantic alone: 47.8."""
    return _ade20k(_only("semantic", task), R101, backbone_norm="batch")


def mask2former_ade20k_swin_t(task: str = "semantic") -> Mask2FormerConfig:
    """ADE20K, Swin-Tiny, semantic alone: 47.7."""
    return _ade20k(_only("semantic", task), SWIN_T)


def mask2former_ade20k_swin_s(task: str = "semantic") -> Mask2FormerConfig:
    """ADE20K, Swin-Small, semantic alone: 51.3."""
    return _ade20k(_only("semantic", task), SWIN_S)


def mask2former_ade20k_swin_b(task: str = "semantic") -> Mask2FormerConfig:
    """ADE20K, Swin-Base from ImageNet-1k, semantic alone: 52.4."""
    return _ade20k(_only("semantic", task), SWIN_B, crop=640)


def mask2former_ade20k_swin_b_21k(task: str = "semantic") -> Mask2FormerConfig:
    """ADE20K, Swin-Base from ImageNet-21k, semantic alone: 53.9."""
    return _ade20k(_only("semantic", task), SWIN_B_21K, crop=640)


def mask2former_ade20k_swin_l(task: str = "panoptic") -> Mask2FormerConfig:
    """ADE20K, Swin-Large: 48.1 / 34.2 / 54.5; instance 34.9; semantic 56.1. 200 queries, for semantic 100."""
    return _ade20k(task, SWIN_L, crop=640, num_queries=_queries_of_swin_l(task))


def mask2former_cityscapes_r50(task: str = "panoptic") -> Mask2FormerConfig:
    """Cityscapes, ResNet-50 whose BatchNorm learns: 62.1 / 37.3 / 77.5; instance 37.4; semantic 79.4."""
    return _cityscapes(task, R50, backbone_norm="batch")


def mask2former_cityscapes_r101(task: str = "panoptic") -> Mask2FormerConfig:
    """Cityscapes, ResNet-101 whose BatchNorm learns: 62.4 / 37.7 / 78.6; instance 38.5; semantic 80.1."""
    return _cityscapes(task, R101, backbone_norm="batch")


def mask2former_cityscapes_swin_t(task: str = "panoptic") -> Mask2FormerConfig:
    """Cityscapes, Swin-Tiny: 63.9 / 39.1 / 80.5; instance 39.7; semantic 82.1."""
    return _cityscapes(task, SWIN_T)


def mask2former_cityscapes_swin_s(task: str = "panoptic") -> Mask2FormerConfig:
    """Cityscapes, Swin-Small: 64.8 / 40.7 / 81.8; instance 41.8; semantic 82.6."""
    return _cityscapes(task, SWIN_S)


def mask2former_cityscapes_swin_b_21k(task: str = "panoptic") -> Mask2FormerConfig:
    """Cityscapes, Swin-Base from ImageNet-21k: 66.1 / 42.8 / 82.7; instance 42.0; semantic 83.3."""
    return _cityscapes(task, SWIN_B_21K)


def mask2former_cityscapes_swin_l(task: str = "panoptic") -> Mask2FormerConfig:
    """Cityscapes, Swin-Large: 66.6 / 43.6 / 82.9; instance 43.7; semantic 83.3. 200 queries, for semantic 100."""
    return _cityscapes(task, SWIN_L, num_queries=_queries_of_swin_l(task))


def mask2former_mapillary_r50(task: str = "panoptic") -> Mask2FormerConfig:
    """Mapillary Vistas, ResNet-50: PQ 36.3, mIoU 50.7; semantic 57.4."""
    return _mapillary(task, R50)


def mask2former_mapillary_swin_l(task: str = "panoptic") -> Mask2FormerConfig:
    """Mapillary Vistas, Swin-Large, 200 queries, for semantic 100: PQ 45.5, mIoU 60.8; semantic 63.2."""
    return _mapillary(task, SWIN_L, num_queries=_queries_of_swin_l(task))


def published() -> dict[str, Mask2FormerConfig]:
    """All of them, by how they are called: ``"mask2former_coco_r50('instance')"``."""
    found = {}
    for name in __all__:
        for task in ("panoptic", "instance", "semantic") if name != "mask2former_toytown" else ():
            try:
                found[f"{name}({task!r})"] = globals()[name](task)
            except ConfigError:  # not published for this task
                continue
    return found | {"mask2former_toytown()": mask2former_toytown()}


def mask2former_toytown() -> Mask2FormerConfig:
    """The laptop model beside :func:`~.presets.toytown`, in whose sizes it is built."""
    from ..data.toytown import CATEGORIES

    base = Mask2FormerConfig(
        num_classes=len(CATEGORIES), data_set="toytown", image_size=128, test_size=160,
        backbone="tf_efficientnet_lite0", backbone_norm="affine", hidden_dim=96, num_heads=8, num_queries=32,
        encoder_layers=2, encoder_ffn=256, decoder_layers=6, decoder_ffn=384, num_points=1024,
        object_mask_threshold=0.5,
    )  # fmt: skip
    return for_classes(base, CATEGORIES)


def _preset(task: str, data_set: str, backbone: dict, **fields) -> Mask2FormerConfig:
    """Of the classes those that the task has: things alone for instances."""
    classes = [c for c in class_list(data_set) if c.is_thing or task != "instance"]
    base = Mask2FormerConfig(num_classes=len(classes), trained_task=task, data_set=data_set, **backbone, **fields)
    return for_classes(base, classes)


def _coco(task: str, backbone: dict, **fields) -> Mask2FormerConfig:
    _only("panoptic or instance", task)
    return _preset(task, "coco", backbone, image_size=1024, test_size=800, test_max_size=1333, **fields)


def _ade20k(task: str, backbone: dict, crop: int = 512, **fields) -> Mask2FormerConfig:
    side = crop if task == "semantic" else 640
    sizes = {"image_size": side, "test_size": side, "test_max_size": 4 * side}
    return _preset(task, "ade20k", backbone, **sizes, **fields)


def _cityscapes(task: str, backbone: dict, **fields) -> Mask2FormerConfig:
    sizes = {"image_size": 1024, "test_size": 1024, "test_max_size": 2048}  # crop 512 x 1024
    return _preset(task, "cityscapes", backbone, **sizes, **fields)


def _mapillary(task: str, backbone: dict, **fields) -> Mask2FormerConfig:
    sizes = {"image_size": 1024, "test_size": 2048, "test_max_size": 2048}
    _only("panoptic or semantic", task)
    return _preset(task, "mapillary", backbone, object_mask_threshold=0.0, **sizes, **fields)


def _queries_of_swin_l(task: str) -> int:
    return 100 if task == "semantic" else 200


def _only(published: str, task: str) -> str:
    """``task``; raises :class:`ConfigError` unless it is one of those ``published``."""
    if task not in published.split(" or "):
        raise ConfigError(f"this Mask2Former was published for {published} segmentation, not {task!r}")
    return task
