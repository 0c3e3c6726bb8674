"""The augmentation recipes by name, each a function of the training size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..checks import check_number
from ..errors import ConfigError
from .color_jitter import ColorJitter
from .equalize import Equalize
from .object_squares import ObjectSquare
from .quarter_turns import QuarterTurns
from .random_sizes import RandomSizeCrop, Sometimes
from .stretch import Stretch
from .transforms import (
    Compose,
    FixedSizeCrop,
    HorizontalFlip,
    LargeScaleJitter,
    RandomCrop,
    ResizeShortestSide,
)

ACROSS = 3.5, 7.0  # how many objects a square of a microscope picture is wide


def augmentation(name: str, image_size: int, equalize: bool = False, stretch: bool = False) -> Compose:
    """The recipe of this name; with ``equalize`` or ``stretch`` (see ``ModelConfig``) it gets such pictures."""
    if name not in AUGMENTATIONS:
        raise ConfigError(f"there is no augmentation {name!r}; there are {', '.join(AUGMENTATIONS)}")
    check_number("image_size", image_size, 2, whole=True)
    recipe = AUGMENTATIONS[name](image_size)
    recipe = Compose([Stretch(), recipe]) if stretch else recipe
    return Compose([Equalize(), recipe]) if equalize else recipe


def fit_recipe(image_size: int) -> Compose:
    """No augmentation: scale to fit into the training size and pad (to overfit on purpose)."""
    fit = LargeScaleJitter(image_size, min_scale=1.0, max_scale=1.0)
    return Compose([fit, FixedSizeCrop(image_size)])


def flip_recipe(image_size: int) -> Compose:
    """Mirror only: for pictures that have the training size already."""
    return Compose([HorizontalFlip(), fit_recipe(image_size)])


def coco_recipe(image_size: int) -> Compose:
    """COCO: large-scale jitter, then a crop of fixed size."""
    return Compose([HorizontalFlip(), LargeScaleJitter(image_size), FixedSizeCrop(image_size)])


def detr_recipe(image_size: int, longest: int = 1333) -> Compose:
    """DETR's and MaskFormer's on COCO: the shorter side becomes one of eleven lengths up to ``image_size`` (480, 512,
    ..., 800), the longer at most ``longest`` of it; half the time what is scaled so is a crop of a smaller picture.

    What comes out has no fixed size: a batch pads to its largest (official ``datasets/coco_panoptic.py``;
    ``longest`` is counted for an ``image_size`` of 800).
    """
    lengths = tuple(image_size * share // 25 for share in range(15, 26))
    smaller = tuple(image_size * share // 8 for share in (4, 5, 6))  # 400, 500, 600
    crop = RandomSizeCrop(image_size * 12 // 25, image_size * 3 // 4)  # 384 to 600
    return Compose([
        HorizontalFlip(),
        # no longest side there; this one keeps a picture of one row from becoming a gigabyte
        Sometimes(Compose([ResizeShortestSide(smaller, 10 * image_size), crop])),
        ResizeShortestSide(lengths, image_size * longest // 800),
    ])


def shorter_side_recipe(image_size: int) -> Compose:
    """K-Net's on COCO: the shorter side becomes any length up to ``image_size`` (640 to 800), the longer one at most
    1333; a batch pads to its largest picture."""
    lengths = range(image_size * 4 // 5, image_size + 1)
    return Compose([HorizontalFlip(), ResizeShortestSide(lengths, image_size * 1333 // 800)])


def eomt_recipe(image_size: int) -> Compose:
    """EoMT's on COCO: the same, but what is padded is black, as in its pictures for inference."""
    return Compose([HorizontalFlip(), LargeScaleJitter(image_size), FixedSizeCrop(image_size, pad_value=0)])


def eomt_colors_recipe(image_size: int) -> Compose:
    """EoMT's on ADE20K, panoptic: colours as well."""
    return Compose([ColorJitter(), eomt_recipe(image_size)])


def eomt_semantic_recipe(image_size: int) -> Compose:
    """EoMT's for semantic segmentation: colours, and scales of 0.5 to 2 alone."""
    jitter = LargeScaleJitter(image_size, min_scale=0.5)
    return Compose([ColorJitter(), HorizontalFlip(), jitter, FixedSizeCrop(image_size, pad_value=0)])


def ade20k_recipe(image_size: int) -> Compose:
    """ADE20K: the shorter side at 0.5 to 2 times the crop, a square crop, colours."""
    return _scale_and_crop(image_size, image_size, image_size)


def cityscapes_recipe(image_size: int) -> Compose:
    """Cityscapes: ``image_size`` is the width of a crop half as high (512 x 1024), and what scales start from."""
    return _scale_and_crop(image_size, image_size // 2, image_size)


def small_streets_recipe(image_size: int) -> Compose:
    """Small pictures of streets: ``image_size`` is the width of a crop half as high (128 x 256), out of pictures a
    tenth larger (140 x 280), and nothing else."""
    height = image_size // 2
    return Compose([
        ResizeShortestSide((height * 35 // 32,), 4 * height),
        RandomCrop(height, image_size),
        FixedSizeCrop((height, image_size)),
    ])


def mapillary_recipe(image_size: int) -> Compose:
    """Mapillary Vistas: as ADE20K, but the pictures are scaled to twice the crop (2048) on average."""
    return _scale_and_crop(2 * image_size, image_size, image_size)


def small_photographs_recipe(image_size: int) -> Compose:
    """Small photographs: the shorter side at 1.1 to 2.2 times the crop, so that thin things keep some cells of a mask;
    a square crop, colours."""
    return _random_crop(tuple(image_size * tenths // 10 for tenths in range(11, 23)), image_size, image_size)


def microscope_recipe(image_size: int) -> Compose:
    """Microscope pictures, which have no upper side and any magnification: a square of 3.5 to 7 times the width of the
    picture's median object, resized to ``image_size``; colours, and any of the eight ways to turn and mirror it."""
    return Compose([
        ObjectSquare(*ACROSS),
        ColorJitter(),
        fit_recipe(image_size),
        HorizontalFlip(),
        QuarterTurns(),
    ])


def _scale_and_crop(scale: int, height: int, width: int) -> Compose:
    """The recipe of the street and scene data sets (official ``oneformer_unified_dataset_mapper.py``).

    Sixteen lengths of the shorter side, 0.5 to 2 times ``scale``; the longer side is at most 4 times it.
    The official configurations name a largest share of one class in a crop, but set it to 1: no rule.
    """
    lengths = tuple(scale * tenths // 10 for tenths in range(5, 21))
    return _random_crop(lengths, height, width)


def _random_crop(lengths: tuple[int, ...], height: int, width: int) -> Compose:
    """A crop of a picture whose shorter side became one of ``lengths``, in other colours, mirrored half the time."""
    return Compose([
        ResizeShortestSide(lengths, 2 * max(lengths)),
        RandomCrop(height, width),
        ColorJitter(),
        HorizontalFlip(),
        FixedSizeCrop((height, width)),
    ])


AUGMENTATIONS: dict[str, Callable[[int], Compose]] = {
    "fit": fit_recipe,
    "flip": flip_recipe,
    "coco": coco_recipe,
    "ade20k": ade20k_recipe,
    "cityscapes": cityscapes_recipe,
    "mapillary": mapillary_recipe,
    "small_streets": small_streets_recipe,
    "small_photographs": small_photographs_recipe,
    "microscope": microscope_recipe,
    "detr": detr_recipe,
    "detr_1000": partial(detr_recipe, longest=1000),  # MaskFormer with Swin-L
    "shorter_side": shorter_side_recipe,
    "eomt": eomt_recipe,
    "eomt_colors": eomt_colors_recipe,
    "eomt_semantic": eomt_semantic_recipe,
}
