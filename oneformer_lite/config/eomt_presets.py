"""EoMT's named configurations: one function for every published data set, task and size.

Values are those of the official ``configs/dinov2/**.yaml`` and ``configs/dinov3/**.yaml``; scores are the model zoo's,
in percent: PQ of panoptic models, AP of instance models, mIoU of semantic ones. The published EoMT-7B is left out: its
transformer, Web-DINO's, is not in timm, and no configuration of the official code says which blocks have queries.
"""

from __future__ import annotations

from dataclasses import replace

from ..data.classes import class_list
from ..errors import ConfigError
from .base import for_classes
from .eomt import EomtConfig

__all__ = [
    "eomt_toytown",
    "eomt_coco_s", "eomt_coco_b", "eomt_coco_l", "eomt_coco_g",
    "eomt_ade20k_l", "eomt_ade20k_g", "eomt_cityscapes_l",
    "eomt_dinov3_coco_s", "eomt_dinov3_coco_b", "eomt_dinov3_coco_l", "eomt_dinov3_ade20k_l",
]  # fmt: skip

# width, heads, last blocks that the queries join
_SIZES = {"small": (384, 6, 3), "base": (768, 12, 3), "large": (1024, 16, 4), "giant": (1536, 24, 5)}


def eomt_coco_s() -> EomtConfig:
    """COCO, ViT-S, 640 x 640, 24 epochs: 46.7."""
    return _dinov2("small", "coco", "panoptic", 640)


def eomt_coco_b() -> EomtConfig:
    """COCO, ViT-B, 640 x 640, 24 epochs: 51.6."""
    return _dinov2("base", "coco", "panoptic", 640)


def eomt_coco_l(task: str = "panoptic", side: int = 640) -> EomtConfig:
    """COCO, ViT-L, 12 epochs, 640 x 640: 56.0, instance 45.2; 1280 x 1280: 58.3, instance 48.8."""
    return _dinov2("large", "coco", _one_of(task, "panoptic", "instance"), _one_of(side, 640, 1280))


def eomt_coco_g(side: int = 640) -> EomtConfig:
    """COCO, ViT-g, 12 epochs, 640 x 640: 57.0; 1280 x 1280: 59.2."""
    return _dinov2("giant", "coco", "panoptic", _one_of(side, 640, 1280))


def eomt_ade20k_l(task: str = "panoptic", side: int | None = None) -> EomtConfig:
    """ADE20K, ViT-L, 31 epochs: panoptic, from COCO's weights, 640 x 640: 50.6, 1280 x 1280: 51.7; semantic, 512 x 512
    and 100 queries: 58.4."""
    if _one_of(task, "panoptic", "semantic") == "semantic":
        return _dinov2("large", "ade20k", task, _one_of(side or 512, 512), num_queries=100)
    return _dinov2("large", "ade20k", task, _one_of(side or 640, 640, 1280))


def eomt_ade20k_g(side: int = 640) -> EomtConfig:
    """ADE20K, ViT-g, from COCO's weights, 31 epochs, 640 x 640: 51.3; 1280 x 1280: 52.8."""
    return _dinov2("giant", "ade20k", "panoptic", _one_of(side, 640, 1280))


def eomt_cityscapes_l() -> EomtConfig:
    """Cityscapes, ViT-L, semantic, 1024 x 1024, 107 epochs: 84.2."""
    return _dinov2("large", "cityscapes", "semantic", 1024, num_queries=100)


def eomt_dinov3_coco_s() -> EomtConfig:
    """COCO, DINOv3's ViT-S, 640 x 640, 24 epochs: 47.2."""
    return _dinov3("small", "coco", "panoptic", 640)


def eomt_dinov3_coco_b() -> EomtConfig:
    """COCO, DINOv3's ViT-B, 640 x 640, 24 epochs: 53.1."""
    return _dinov3("base", "coco", "panoptic", 640)


def eomt_dinov3_coco_l(task: str = "panoptic", side: int = 640) -> EomtConfig:
    """COCO, DINOv3's ViT-L, 12 epochs, 640 x 640: 56.8, instance 45.9; 1280 x 1280: 58.9, instance 49.9."""
    return _dinov3("large", "coco", _one_of(task, "panoptic", "instance"), _one_of(side, 640, 1280))


def eomt_dinov3_ade20k_l() -> EomtConfig:
    """ADE20K, DINOv3's ViT-L, semantic, 512 x 512, 16 epochs, 100 queries: 59.5."""
    return _dinov3("large", "ade20k", "semantic", 512, num_queries=100)


def published() -> dict[str, EomtConfig]:
    """All of them, by how they are called: ``"eomt_coco_l('instance', 1280)"``."""
    calls = {
        "eomt_coco_s": [()], "eomt_coco_b": [()], "eomt_cityscapes_l": [()], "eomt_coco_g": [(640,), (1280,)],
        "eomt_coco_l": [("panoptic", 640), ("panoptic", 1280), ("instance", 640), ("instance", 1280)],
        "eomt_ade20k_l": [("panoptic", 640), ("panoptic", 1280), ("semantic",)], "eomt_ade20k_g": [(640,), (1280,)],
        "eomt_dinov3_coco_s": [()], "eomt_dinov3_coco_b": [()], "eomt_dinov3_ade20k_l": [()],
        "eomt_dinov3_coco_l": [("panoptic", 640), ("panoptic", 1280), ("instance", 640), ("instance", 1280)],
        "eomt_toytown": [()],
    }  # fmt: skip
    return {
        f"{name}({', '.join(map(repr, given))})": globals()[name](*given)
        for name, variants in calls.items() for given in variants
    }  # fmt: skip


def eomt_toytown() -> EomtConfig:
    """The laptop model beside :func:`~.presets.toytown`: a small transformer that learns from nothing."""
    from ..data.toytown import CATEGORIES

    base = EomtConfig(
        num_classes=len(CATEGORIES), data_set="toytown", image_size=128, pretrained=False,
        backbone="vit_small_patch16_dinov3_qkvb", backbone_options={"depth": 6, "init_values": 1.0}, norm_eps=1e-5,
        hidden_dim=192, num_heads=6, num_queries=32, query_blocks=3, rope_rescale=1.0, num_points=1024,
        object_mask_threshold=0.5,
    )  # fmt: skip
    return for_classes(base, CATEGORIES)


def _dinov2(size: str, data_set: str, task: str, side: int, **fields) -> EomtConfig:
    return _preset(size, data_set, task, side, backbone=f"vit_{size}_patch14_reg4_dinov2.lvd142m", **fields)


def _dinov3(size: str, data_set: str, task: str, side: int, **fields) -> EomtConfig:
    """The first block's masks fade out within 3000 steps, but for instances."""
    c = _preset(
        size, data_set, task, side, backbone=f"vit_{size}_patch16_dinov3_qkvb.lvd1689m", norm_eps=1e-5, **fields
    )
    if task == "instance":
        return c
    (_, *starts), (_, *ends) = zip(*c.annealing)
    steps = c.recipe["steps"]
    return replace(c, anneal_starts=(0.0, *starts), anneal_ends=(3000 / steps, *ends))


def _preset(size: str, data_set: str, task: str, side: int, **fields) -> EomtConfig:
    """Of the classes those that the task has: things alone for instances."""
    classes = [c for c in class_list(data_set) if c.is_thing or task != "instance"]
    width, heads, blocks = _SIZES[size]
    base = EomtConfig(
        num_classes=len(classes), trained_task=task, data_set=data_set, image_size=side, hidden_dim=width,
        num_heads=heads, query_blocks=blocks, **fields,
    )  # fmt: skip
    return for_classes(base, classes)


def _one_of(given, *known):
    """``given``; raises :class:`ConfigError` unless it is one of those ``known``."""
    if given not in known:
        raise ConfigError(f"this EoMT was published for {' and '.join(map(repr, known))}, not {given!r}")
    return given
