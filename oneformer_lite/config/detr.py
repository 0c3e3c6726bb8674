"""DETR's named configurations: the three panoptic models of its authors, and Toytown's.

Values are those of the official ``main.py`` and ``hubconf.py``; scores are the README's, in percent: PQ, AP of boxes
and AP of masks on COCO. Trained in two stages, boxes first, then masks:

>>> first = ofl.train(c := ofl.config.detr_coco_r50("boxes"), recipe_for(c, out="runs/boxes", evaluations=0))
>>> ofl.train(c := ofl.config.detr_coco_r50("masks"), recipe_for(c, out="runs/masks", start_from="runs/boxes/model"))
"""

from __future__ import annotations

from ..data.by_name import UNUSED
from ..data.classes import class_list
from ..data.sample import Category
from .base import for_classes
from .family import DetrConfig

__all__ = ["detr_coco_r50", "detr_coco_r50_dc5", "detr_coco_r101", "detr_toytown"]


def detr_coco_r50(stage: str = "masks") -> DetrConfig:
    """COCO, ResNet-50, 500 epochs of boxes and 25 of masks: 43.4; 38.8 and 31.1."""
    return _coco("resnet50.tv_in1k", stage=stage)


def detr_coco_r50_dc5(stage: str = "masks") -> DetrConfig:
    """COCO, ResNet-50 whose last stage is dilated, so that its map has stride 16: 44.6; 40.2 and 31.9."""
    return _coco("resnet50.tv_in1k", stage=stage, backbone_options={"output_stride": 16})


def detr_coco_r101(stage: str = "masks") -> DetrConfig:
    """COCO, ResNet-101: 45.1; 40.1 and 33.0."""
    return _coco("resnet101.tv_in1k", stage=stage)


def detr_toytown(stage: str = "joint") -> DetrConfig:
    """The laptop model beside :func:`~.presets.toytown`, trained in one go."""
    from ..data.toytown import CATEGORIES

    base = DetrConfig(
        num_classes=len(CATEGORIES), data_set="toytown", stage=stage, image_size=128, test_size=160,
        backbone="tf_efficientnet_lite0", backbone_norm="affine", hidden_dim=96, num_heads=8, num_queries=32,
        encoder_layers=2, encoder_ffn=256, decoder_layers=6, decoder_ffn=384, dropout=0.0, object_mask_threshold=0.5,
    )  # fmt: skip
    return for_classes(base, CATEGORIES)


def _coco(backbone: str, **fields) -> DetrConfig:
    sizes = {"image_size": 800, "test_size": 800, "test_max_size": 1333}
    return DetrConfig(backbone=backbone, **coco_classes(), **sizes, **fields)


def coco_classes() -> dict:
    """The fields of a configuration with these classes."""
    columns = zip(*((c.name, c.is_thing, c.color, c.id) for c in coco_by_number()))
    fields = dict(zip(("class_names", "is_thing", "class_colors", "category_ids"), columns))
    return {"num_classes": len(fields["class_names"]), "data_set": "coco", **fields}


def coco_by_number() -> list[Category]:
    """COCO's classes as DETR numbers them: the index is the id of the annotation file, which leaves gaps."""
    known = {category.id: category for category in class_list("coco")}
    return [known.get(i, Category(i, f"{UNUSED}{i}", is_thing=i <= 90)) for i in range(250)]
