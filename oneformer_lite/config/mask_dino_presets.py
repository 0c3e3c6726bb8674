"""Mask DINO's named configurations: the published ones, and Toytown's.

Values are those of the official ``configs/*/*-segmentation/**.yaml``; scores are the README's, in percent, at a single
scale: PQ, AP of masks and AP of boxes, and mIoU of the panoptic models, else what the task has; sizes are in millions
of parameters.
"""

from __future__ import annotations

from ..data.classes import class_list
from ..errors import ConfigError
from .base import for_classes
from .mask2former import R50, SWIN_L
from .mask_dino import MaskDinoConfig

__all__ = [
    "mask_dino_coco_r50", "mask_dino_coco_r50_hid1024", "mask_dino_coco_swin_l", "mask_dino_ade20k_r50",
    "mask_dino_cityscapes_r50", "mask_dino_toytown",
]  # fmt: skip

# encoders of half the width run their maps the other way round, which lets proposals have DINO's sizes
_NARROW = {"encoder_ffn": 1024, "extra_maps": 0, "proposal_sizes": "dino"}
_SEMANTIC = {
    **_NARROW, "trained_task": "semantic", "num_queries": 100, "two_stage": False, "class_loss": "softmax",
    "object_mask_threshold": 0.8,
}  # fmt: skip


def mask_dino_coco_r50(task: str = "panoptic") -> MaskDinoConfig:
    """COCO, ResNet-50, 50 epochs: 53.0 / 44.3 / 48.8 / 60.6; instance 46.3 and 51.7. 52.1 M."""
    return _coco(task, R50, initial_boxes="mask2box" if task == "instance" else "selected")


def mask_dino_coco_r50_hid1024() -> MaskDinoConfig:
    """COCO instances, ResNet-50, three maps and a narrower encoder ("hid 1024"), 50 epochs: 46.1 and 51.5. 43.9 M."""
    return _coco("instance", R50, initial_boxes="bitmask", **_NARROW)


def mask_dino_coco_swin_l(task: str = "panoptic", initial_boxes: str | None = None) -> MaskDinoConfig:
    """COCO, Swin-Large, five maps from 1/4 on, 50 epochs: 58.3 / 50.6 / 56.2 / 67.5; instance 52.3 and 59.0, or with
    ``initial_boxes="selected"`` 52.1 and 58.3. 223 M."""
    boxes = initial_boxes or ("bitmask" if task == "instance" else "selected")
    return _coco(task, SWIN_L, encoder_maps=4, initial_boxes=boxes)


def mask_dino_ade20k_r50() -> MaskDinoConfig:
    """ADE20K semantic, ResNet-50, 100 learned queries: 48.7. 43.9 M."""
    return _preset("ade20k", image_size=512, test_size=512, test_max_size=2048, **R50, **_SEMANTIC)


def mask_dino_cityscapes_r50() -> MaskDinoConfig:
    """Cityscapes semantic, ResNet-50 whose BatchNorm learns, 100 learned queries: 79.8. 43.8 M."""
    sizes = {"image_size": 1024, "test_size": 1024, "test_max_size": 2048}  # crop 512 x 1024
    return _preset("cityscapes", backbone_norm="batch", **sizes, **R50, **_SEMANTIC)


def mask_dino_toytown() -> MaskDinoConfig:
    """The laptop model beside :func:`~.presets.toytown`, in whose sizes it is built: DINO's proposals, and classes that
    start rare, as suits a small training."""
    from ..data.toytown import CATEGORIES

    base = MaskDinoConfig(
        num_classes=len(CATEGORIES), data_set="toytown", image_size=128, test_size=160,
        backbone="tf_efficientnet_lite0", backbone_norm="affine", hidden_dim=96, num_heads=8, num_queries=32,
        encoder_layers=2, encoder_ffn=256, decoder_layers=4, decoder_ffn=384, num_points=1024, extra_maps=0,
        proposal_sizes="dino", class_prior=0.01, denoising_queries=30,
    )  # fmt: skip
    return for_classes(base, CATEGORIES)


def published() -> dict[str, MaskDinoConfig]:
    """All of them, by how they are called."""
    return {
        "mask_dino_coco_r50()": mask_dino_coco_r50(),
        "mask_dino_coco_r50('instance')": mask_dino_coco_r50("instance"),
        "mask_dino_coco_r50_hid1024()": mask_dino_coco_r50_hid1024(),
        "mask_dino_coco_swin_l()": mask_dino_coco_swin_l(),
        "mask_dino_coco_swin_l('instance')": mask_dino_coco_swin_l("instance"),
        "mask_dino_coco_swin_l('instance', 'selected')": mask_dino_coco_swin_l("instance", "selected"),
        "mask_dino_ade20k_r50()": mask_dino_ade20k_r50(),
        "mask_dino_cityscapes_r50()": mask_dino_cityscapes_r50(),
        "mask_dino_toytown()": mask_dino_toytown(),
    }


def _coco(task: str, backbone: dict, **fields) -> MaskDinoConfig:
    if task not in ("panoptic", "instance"):
        raise ConfigError(f"this Mask DINO was published for panoptic or instance segmentation, not {task!r}")
    sizes = {"image_size": 1024, "test_size": 800, "test_max_size": 1333}
    return _preset("coco", trained_task=task, **sizes, **backbone, **fields)


def _preset(data_set: str, trained_task: str, **fields) -> MaskDinoConfig:
    """Of the classes those that the task has: things alone for instances."""
    classes = [c for c in class_list(data_set) if c.is_thing or trained_task != "instance"]
    base = MaskDinoConfig(num_classes=len(classes), data_set=data_set, trained_task=trained_task, **fields)
    return for_classes(base, classes)
