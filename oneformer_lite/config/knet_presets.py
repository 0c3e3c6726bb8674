"""K-Net's named configurations: those for COCO that were published, and Toytown's.

Values are those of the official ``configs/det/knet/*.py``; scores are the README's, in percent: PQ, and of the models
for instances AP of masks.
"""

from __future__ import annotations

from ..data.classes import class_list
from ..errors import ConfigError
from .base import for_classes
from .knet import KNetConfig

__all__ = ["knet_coco_r50", "knet_coco_r101", "knet_coco_r101_dcn", "knet_coco_swin_l", "knet_toytown"]


def knet_coco_r50(task: str = "panoptic") -> KNetConfig:
    """COCO, ResNet-50, 36 epochs: 47.1; instance 37.8."""
    return _coco(task, "resnet50.tv_in1k")


def knet_coco_r101(task: str = "panoptic") -> KNetConfig:
    """COCO, ResNet-101, 36 epochs: 48.4; instance 39.2."""
    return _coco(task, "resnet101.tv_in1k")


def knet_coco_r101_dcn(task: str = "panoptic") -> KNetConfig:
    """COCO, ResNet-101 whose last three stages choose where they look (DCN), 36 epochs: 49.6; instance 40.5."""
    return _coco(task, "resnet101.tv_in1k", backbone_options={"deformable": (0, 1, 1, 1)})


def knet_coco_swin_l(task: str = "panoptic") -> KNetConfig:
    """COCO, Swin-Large with windows of 7, 36 epochs, panoptic alone: 54.6."""
    if task != "panoptic":
        raise ConfigError(f"no K-Net with Swin-L was published for {task!r}: take 'panoptic'")
    return _coco(task, "swin_large_patch4_window7_224.ms_in22k", backbone_options={"drop_path_rate": 0.2})


def knet_toytown() -> KNetConfig:
    """The laptop model beside :func:`~.presets.toytown`: features at a quarter of the picture's size, for its things
    are small."""
    from ..data.toytown import CATEGORIES

    base = KNetConfig(
        num_classes=len(CATEGORIES), data_set="toytown", image_size=128, test_size=160, early_layers_learn=True,
        backbone="tf_efficientnet_lite0", hidden_dim=96, num_heads=8, thing_kernels=24, feature_stride=4, stage_ffn=384,
    )  # fmt: skip
    return for_classes(base, CATEGORIES)


def published() -> dict[str, KNetConfig]:
    """All of them, by how they are called: ``"knet_coco_r50('instance')"``."""
    calls = [(name, task) for name in __all__[:3] for task in ("panoptic", "instance")]
    found = {f"{name}({task!r})": globals()[name](task) for name, task in calls}
    return found | {"knet_coco_swin_l()": knet_coco_swin_l()}


def _coco(task: str, backbone: str, **fields) -> KNetConfig:
    categories = [c for c in class_list("coco") if c.is_thing or task != "instance"]
    base = KNetConfig(
        num_classes=len(categories), data_set="coco", trained_task=task, backbone=backbone, image_size=800,
        test_size=800, test_max_size=1333, rank_weight=0.1 if task == "panoptic" else 0.0, **fields,
    )  # fmt: skip
    return for_classes(base, categories)
