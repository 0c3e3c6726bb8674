"""MaskFormer's named configurations: one function for every published data set and backbone.

There are panoptic models of COCO and ADE20K, and semantic ones of all data sets but COCO; ``task`` says which, where
there are both. Values are those of the official ``configs/*/**.yaml``; scores are the model zoo's, in percent, at a
single scale: PQ of the panoptic models, mIoU of the semantic ones. R101c is DeepLab's ResNet-101: three small
convolutions for the first large one, and a last stage whose blocks look 1, 2 and 4 pixels far.
"""

from __future__ import annotations

from ..data.classes import class_list
from ..errors import ConfigError
from .base import for_classes
from .family import MaskFormerConfig
from .mask2former import R50, R101, SWIN_B_21K, SWIN_L, SWIN_S, SWIN_T

__all__ = [
    "maskformer_toytown",
    "maskformer_coco_r50", "maskformer_coco_r101", "maskformer_coco_swin_t", "maskformer_coco_swin_s",
    "maskformer_coco_swin_b_21k", "maskformer_coco_swin_l",
    "maskformer_ade20k_r50", "maskformer_ade20k_r101", "maskformer_ade20k_r101c",
    "maskformer_ade20k_swin_t", "maskformer_ade20k_swin_s",
    "maskformer_ade20k_swin_b_21k", "maskformer_ade20k_swin_l",
    "maskformer_ade20k_full_r50", "maskformer_ade20k_full_r101", "maskformer_ade20k_full_r101c",
    "maskformer_coco_stuff_r50", "maskformer_coco_stuff_r101", "maskformer_coco_stuff_r101c",
    "maskformer_cityscapes_r101", "maskformer_cityscapes_r101c", "maskformer_mapillary_r50",
]  # fmt: skip

R101C = {"backbone": "resnet101s.gluon_in1k", "backbone_options": {"multi_grid": (1, 2, 4)}}


def maskformer_coco_r50() -> MaskFormerConfig:
    """COCO, ResNet-50 with 6 encoder layers: 46.5."""
    return _coco(R50, encoder_layers=6)


def maskformer_coco_r101() -> MaskFormerConfig:
    """COCO, ResNet-101 with 6 encoder layers: 47.6."""
    return _coco(R101, encoder_layers=6)


def maskformer_coco_swin_t() -> MaskFormerConfig:
    """COCO, Swin-Tiny: 47.7."""
    return _coco(SWIN_T)


def maskformer_coco_swin_s() -> MaskFormerConfig:
    """COCO, Swin-Small: 49.7."""
    return _coco(SWIN_S)


def maskformer_coco_swin_b_21k() -> MaskFormerConfig:
    """COCO, Swin-Base from ImageNet-21k: 51.8."""
    return _coco(SWIN_B_21K)


def maskformer_coco_swin_l() -> MaskFormerConfig:
    """COCO, Swin-Large from ImageNet-21k: 52.7."""
    return _coco(SWIN_L)


def maskformer_ade20k_r50(task: str = "semantic") -> MaskFormerConfig:
    """ADE20K, ResNet-50: mIoU 44.5; panoptic, with 6 encoder layers: PQ 34.7."""
    return _ade20k(R50, task)


def maskformer_ade20k_r101(task: str = "semantic") -> MaskFormerConfig:
    """ADE20K, ResNet-101: mIoU 45.5; panoptic, with 6 encoder layers: PQ 35.7."""
    return _ade20k(R101, task)


def maskformer_ade20k_r101c() -> MaskFormerConfig:
    """ADE20K, R101c: 46.0."""
    return _ade20k(R101C)


def maskformer_ade20k_swin_t() -> MaskFormerConfig:
    """ADE20K, Swin-Tiny: 46.7."""
    return _ade20k(SWIN_T)


def maskformer_ade20k_swin_s() -> MaskFormerConfig:
    """ADE20K, Swin-Small: 49.8."""
    return _ade20k(SWIN_S)


def maskformer_ade20k_swin_b_21k() -> MaskFormerConfig:
    """ADE20K, Swin-Base from ImageNet-21k, crop 640: 52.7."""
    return _ade20k(SWIN_B_21K, crop=640)


def maskformer_ade20k_swin_l() -> MaskFormerConfig:
    """ADE20K, Swin-Large from ImageNet-21k, crop 640: 54.1."""
    return _ade20k(SWIN_L, crop=640)


def maskformer_ade20k_full_r50() -> MaskFormerConfig:
    """ADE20K's 847 classes, ResNet-50: 16.0. The classes' names come with a file of the hub or a data set."""
    return _unnamed("ade20k_full", 847, R50, 512)


def maskformer_ade20k_full_r101() -> MaskFormerConfig:
    """ADE20K's 847 classes, ResNet-101: 16.8. The classes' names come with a file of the hub or a data set."""
    return _unnamed("ade20k_full", 847, R101, 512)


def maskformer_ade20k_full_r101c() -> MaskFormerConfig:
    """ADE20K's 847 classes, R101c: 17.4. The classes' names come with a file of the hub or a data set."""
    return _unnamed("ade20k_full", 847, R101C, 512)


def maskformer_coco_stuff_r50() -> MaskFormerConfig:
    """COCO-Stuff-10k's 171 classes, ResNet-50: 37.1. The classes' names come with a file of the hub or a data set."""
    return _unnamed("coco_stuff", 171, R50, 640)


def maskformer_coco_stuff_r101() -> MaskFormerConfig:
    """COCO-Stuff-10k's 171 classes, ResNet-101: 38.1. The classes' names come with a file of the hub or a data set."""
    return _unnamed("coco_stuff", 171, R101, 640)


def maskformer_coco_stuff_r101c() -> MaskFormerConfig:
    """COCO-Stuff-10k's 171 classes, R101c: 38.0. The classes' names come with a file of the hub or a data set."""
    return _unnamed("coco_stuff", 171, R101C, 640)


def maskformer_cityscapes_r101() -> MaskFormerConfig:
    """Cityscapes, ResNet-101: 78.5."""
    return _cityscapes(R101)


def maskformer_cityscapes_r101c() -> MaskFormerConfig:
    """Cityscapes, R101c: 79.7."""
    return _cityscapes(R101C)


def maskformer_mapillary_r50() -> MaskFormerConfig:
    """Mapillary Vistas, ResNet-50, crop 1280: 53.1."""
    sizes = {"image_size": 1280, "test_size": 2048, "test_max_size": 2048}
    return _preset("mapillary", R50, trained_task="semantic", **sizes)


def published() -> dict[str, MaskFormerConfig]:
    """All of them, by how they are called: ``"maskformer_ade20k_r50('panoptic')"``."""
    found = {f"{name}()": globals()[name]() for name in __all__}
    both = (maskformer_ade20k_r50, maskformer_ade20k_r101)
    return found | {f"{preset.__name__}('panoptic')": preset("panoptic") for preset in both}


def maskformer_toytown() -> MaskFormerConfig:
    """The laptop model beside :func:`~.presets.toytown`, in whose sizes it is built."""
    from ..data.toytown import CATEGORIES

    base = MaskFormerConfig(
        num_classes=len(CATEGORIES), data_set="toytown", image_size=128, test_size=160,
        backbone="tf_efficientnet_lite0", backbone_norm="affine", hidden_dim=96, num_heads=8, num_queries=32,
        encoder_layers=2, encoder_ffn=256, decoder_layers=6, decoder_ffn=384, dropout=0.0, object_mask_threshold=0.5,
    )  # fmt: skip
    return for_classes(base, CATEGORIES)


def _preset(data_set: str, backbone: dict, **fields) -> MaskFormerConfig:
    classes = class_list(data_set)
    base = MaskFormerConfig(num_classes=len(classes), data_set=data_set, **backbone, **fields)
    return for_classes(base, classes)


def _coco(backbone: dict, **fields) -> MaskFormerConfig:
    """Pictures are not padded to multiples of 32 there."""
    sizes = {"image_size": 800, "test_size": 800, "test_max_size": 1333, "padding_multiple": 1}
    return _preset("coco", backbone, **sizes, **fields)


def _ade20k(backbone: dict, task: str = "semantic", crop: int = 512) -> MaskFormerConfig:
    if task == "panoptic":
        fields = {"encoder_layers": 6, "object_mask_threshold": 0.7}
        return _preset("ade20k", backbone, image_size=640, test_size=640, test_max_size=2560, **fields)
    if task != "semantic":
        raise ConfigError(f"this MaskFormer was published for panoptic or semantic segmentation, not {task!r}")
    sizes = {"image_size": crop, "test_size": crop, "test_max_size": 4 * crop}
    return _preset("ade20k", backbone, trained_task="semantic", **sizes)


def _cityscapes(backbone: dict) -> MaskFormerConfig:
    sizes = {"image_size": 1024, "test_size": 1024, "test_max_size": 2048}  # crop 512 x 1024
    return _preset("cityscapes", backbone, trained_task="semantic", **sizes)


def _unnamed(data_set: str, classes: int, backbone: dict, crop: int) -> MaskFormerConfig:
    """Classes with numbers for names, as their list is not in the package."""
    sizes = {"image_size": crop, "test_size": crop, "test_max_size": 4 * crop}
    fields = {"trained_task": "semantic", "is_thing": (False,) * classes, **sizes}
    return MaskFormerConfig(num_classes=classes, data_set=data_set, **backbone, **fields)
