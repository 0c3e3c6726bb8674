"""The named configurations: Toytown's, and one function for every published data set and backbone.

Change one with ``dataclasses.replace(config.coco_r50(), num_queries=100)``. All values are those of the
official ``configs/*/*.yaml``; combinations that have no official file (ConvNeXt on COCO, Swin-T on
Cityscapes) are left out. Scores are the README's, in percent: PQ / AP / mIoU at a single scale.
"""

from __future__ import annotations

from dataclasses import replace

from ..data.classes import class_list
from .base import for_classes
from .model import ModelConfig

__all__ = [
    "toytown", "toytown_crowded",
    "coco_r50", "coco_swin_t", "coco_swin_l", "coco_dinat_l",
    "ade20k_r50", "ade20k_swin_t", "ade20k_swin_l", "ade20k_convnext_l", "ade20k_convnext_xl",
    "ade20k_dinat_l", "ade20k_dinat_l_from_coco",
    "cityscapes_r50", "cityscapes_swin_l", "cityscapes_convnext_l", "cityscapes_convnext_xl", "cityscapes_dinat_l",
    "mapillary_r50", "mapillary_swin_l", "mapillary_convnext_l", "mapillary_convnext_xl", "mapillary_dinat_l",
]  # fmt: skip

# -- data sets: classes, training crop, size in inference (shorter side, longest side), merge threshold

_COCO = ModelConfig(num_classes=133, image_size=1024, test_size=800, test_max_size=1333)
_ADE20K = ModelConfig(
    num_classes=150, image_size=512, test_size=512, test_max_size=2048, object_mask_threshold=0.5
)
_CITYSCAPES = ModelConfig(num_classes=19, image_size=1024, test_size=1024, test_max_size=2048)  # crop 512 x 1024
_MAPILLARY = ModelConfig(num_classes=65, image_size=1024, test_size=2048, test_max_size=2048)

# -- backbones; the part of a name after the dot says which ImageNet weights training starts from

_R50 = {"backbone": "resnet50.tv_in1k"}
_SWIN_T = {"backbone": "swin_tiny_patch4_window7_224", "backbone_options": {"drop_path_rate": 0.3}}
_SWIN_L = {"backbone": "swin_large_patch4_window12_384", "backbone_options": {"drop_path_rate": 0.3}}
_CONVNEXT_L = {"backbone": "convnext_large.fb_in22k_ft_in1k_384", "backbone_options": {"drop_path_rate": 0.4}}
_CONVNEXT_XL = {"backbone": "convnext_xlarge.fb_in22k_ft_in1k_384", "backbone_options": {"drop_path_rate": 0.4}}


def _dinat_l(kernel_size: int, *dilations: tuple[int, ...]) -> dict:
    """DiNAT-L with one dilation for each block of its four levels."""
    options = {"kernel_size": kernel_size, "dilations": dilations, "drop_path_rate": 0.3}
    return {"backbone": "dinat_large", "backbone_options": options}


# kernel x dilation covers the feature map of the training crop, so the dilations grow with the crop
_DINAT_L = _dinat_l(
    11, (1, 20, 1), (1, 5, 1, 10), (1, 2, 1, 3, 1, 4, 1, 5, 1, 2, 1, 3, 1, 4, 1, 5, 1, 5), (1, 2, 1, 2, 1)
)
_DINAT_L_1280 = _dinat_l(
    11, (1, 28, 1), (1, 7, 1, 14), (1, 3, 1, 5, 1, 5, 1, 7, 1, 3, 1, 5, 1, 5, 1, 7, 1, 7), (1, 3, 1, 3, 1)
)
_DINAT_L_CITYSCAPES = _dinat_l(
    7, (1, 18, 1), (1, 5, 1, 9), (1, 2, 1, 3, 1, 4, 1, 2, 1, 3, 1, 4, 1, 2, 1, 3, 1, 4), (1, 2, 1, 2, 1)
)


def coco_r50() -> ModelConfig:
    """COCO, ResNet-50, 50 epochs: 51.5 / 42.5 / 61.2 (the paper's ablations)."""
    return _coco(_R50)


def coco_swin_t() -> ModelConfig:
    """COCO, Swin-Tiny, 50 epochs: no published score."""
    return _coco(_SWIN_T)


def coco_swin_l() -> ModelConfig:
    """COCO, Swin-Large, 100 epochs: 57.9 / 49.0 / 67.4."""
    return _coco(_SWIN_L)


def coco_dinat_l() -> ModelConfig:
    """COCO, DiNAT-Large, 100 epochs: 58.0 / 49.2 / 68.1."""
    return _coco(_DINAT_L)


def ade20k_r50() -> ModelConfig:
    """ADE20K, ResNet-50: 41.9 / 27.3 / 47.3 (the paper's ablations)."""
    return _ade20k(_R50)


def ade20k_swin_t() -> ModelConfig:
    """ADE20K, Swin-Tiny: no published score."""
    return _ade20k(_SWIN_T)


def ade20k_swin_l(crop: int = 640) -> ModelConfig:
    """ADE20K, Swin-Large: 49.8 / 35.9 / 57.0; crop 896: 51.1 / 37.6 / 57.4; crop 1280: 51.4 / 37.8 / 57.0."""
    return _ade20k(_SWIN_L, crop, num_queries=250)


def ade20k_convnext_l() -> ModelConfig:
    """ADE20K, ConvNeXt-Large: 50.0 / 36.2 / 56.6."""
    return _ade20k(_CONVNEXT_L, 640, num_queries=250)


def ade20k_convnext_xl() -> ModelConfig:
    """ADE20K, ConvNeXt-XLarge: 50.1 / 36.3 / 57.4."""
    return _ade20k(_CONVNEXT_XL, 640, num_queries=250)


def ade20k_dinat_l(crop: int = 640) -> ModelConfig:
    """ADE20K, DiNAT-Large: 50.5 / 36.0 / 58.3; crop 896: 51.2 / 36.8 / 58.1; crop 1280: 51.5 / 37.1 / 58.3."""
    return _ade20k(_DINAT_L_1280 if crop >= 1280 else _DINAT_L, crop, num_queries=250)


def ade20k_dinat_l_from_coco() -> ModelConfig:
    """ADE20K, crop 1280, DiNAT-Large trained on COCO first, whose 150 queries it keeps: 53.4 / 40.2 / 58.4."""
    return _ade20k(_DINAT_L_1280, 1280)


def cityscapes_r50() -> ModelConfig:
    """Cityscapes, ResNet-50 whose BatchNorm learns: no published score."""
    return _preset(_CITYSCAPES, "cityscapes", _R50, backbone_norm="batch")


def cityscapes_swin_l() -> ModelConfig:
    """Cityscapes, Swin-Large: 67.2 / 45.6 / 83.0."""
    return _cityscapes(_SWIN_L)


def cityscapes_convnext_l() -> ModelConfig:
    """Cityscapes, ConvNeXt-Large: 68.5 / 46.5 / 83.0; trained on Mapillary first: 70.1 / 48.7 / 84.6."""
    return _cityscapes(_CONVNEXT_L)


def cityscapes_convnext_xl() -> ModelConfig:
    """Cityscapes, ConvNeXt-XLarge: 68.4 / 46.7 / 83.6; trained on Mapillary first: 69.7 / 48.9 / 84.5."""
    return _cityscapes(_CONVNEXT_XL)


def cityscapes_dinat_l() -> ModelConfig:
    """Cityscapes, DiNAT-Large with kernel 7: 67.6 / 45.6 / 83.1."""
    return _cityscapes(_DINAT_L_CITYSCAPES)


def mapillary_r50() -> ModelConfig:
    """Mapillary Vistas, ResNet-50 whose BatchNorm learns: no published score."""
    return _preset(_MAPILLARY, "mapillary", _R50, backbone_norm="batch")


def mapillary_swin_l() -> ModelConfig:
    """Mapillary Vistas, Swin-Large: 46.7 PQ, 62.9 mIoU."""
    return _mapillary(_SWIN_L)


def mapillary_convnext_l() -> ModelConfig:
    """Mapillary Vistas, ConvNeXt-Large: 47.9 PQ, 63.2 mIoU."""
    return _mapillary(_CONVNEXT_L)


def mapillary_convnext_xl() -> ModelConfig:
    """Mapillary Vistas, ConvNeXt-XLarge: no published score; Cityscapes' ConvNeXt-XLarge started from it."""
    return _mapillary(_CONVNEXT_XL)


def mapillary_dinat_l() -> ModelConfig:
    """Mapillary Vistas, DiNAT-Large: 47.8 PQ, 64.0 mIoU."""
    return _mapillary(_DINAT_L)


def toytown() -> ModelConfig:
    """The laptop model: the whole of OneFormer at small widths, for 128-pixel Toytown scenes.

    Like the published models it is tested at a larger size than it was trained at: masks have a quarter of it.
    """
    from ..data.toytown import CATEGORIES

    base = ModelConfig(
        num_classes=len(CATEGORIES),
        data_set="toytown",
        image_size=128,
        test_size=160,
        backbone="tf_efficientnet_lite0",
        backbone_norm="affine",
        hidden_dim=96,
        num_heads=8,
        num_queries=32,
        encoder_layers=2,
        encoder_ffn=256,
        encoder_dropout=0.0,
        query_layers=1,
        query_ffn=256,
        query_dropout=0.0,
        decoder_layers=6,
        decoder_ffn=384,
        text_context=4,
        text_width=64,
        text_layers=2,
        num_points=1024,
        object_mask_threshold=0.5,
    )
    return for_classes(base, CATEGORIES)


def toytown_crowded() -> ModelConfig:
    """The laptop model for crowded Toytown: 256-pixel scenes of up to 40 things, 64 queries.

    Its other sizes are :func:`toytown`'s, whose weights it can start from.
    """
    return replace(toytown(), image_size=256, test_size=256, num_queries=64)


def _preset(base: ModelConfig, data_set: str, backbone: dict, **changes) -> ModelConfig:
    return for_classes(replace(base, data_set=data_set, **backbone, **changes), class_list(data_set))


def _coco(backbone: dict) -> ModelConfig:
    return _preset(_COCO, "coco", backbone)  # 150 queries for every backbone


def _ade20k(backbone: dict, crop: int = 512, num_queries: int = 150) -> ModelConfig:
    sizes = {"image_size": crop, "test_size": crop, "test_max_size": 4 * crop}
    return _preset(_ADE20K, "ade20k", backbone, num_queries=num_queries, **sizes)


def _cityscapes(backbone: dict) -> ModelConfig:
    return _preset(_CITYSCAPES, "cityscapes", backbone, num_queries=250)


def _mapillary(backbone: dict) -> ModelConfig:
    return _preset(_MAPILLARY, "mapillary", backbone, num_queries=250)
