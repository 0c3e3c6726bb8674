"""What every model of the package is configured with; a member adds the few fields of its own.

Defaults are OneFormer's published values, most of which are Mask2Former's.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self, TypeVar

from ..checks import meant, only_known_names
from ..data.by_name import warn_of_twins
from ..data.sample import Category
from ..errors import ConfigError
from .backbone import check_backbone
from .checks import ALSO_CALLED, ELSEWHERE, check_fields, check_list, shown
from .traits import Traits

_DATA_SET = re.compile(r"[a-z0-9_]{0,40}")


@dataclass(frozen=True)
class BaseConfig(Traits):
    """Every size and switch that models share. Lengths are pixels, points or channels; weights have no unit.

    A member's configuration is a frozen dataclass of it with its own fields, for those that take one of a few words the
    ``CHOICES``, and what else makes it itself (:class:`.Traits`). Fields are checked as their types say: numbers also
    against their range (:mod:`.checks`; a field's ``metadata={"range": (least, most)}`` says another).
    """

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "mask_loss": ("bce", "focal"),
        "dice_loss": ("plain", "squared", "vnet"),
        "compared_on": ("points", "pixels", "cells"),
        "backbone_norm": ("frozen", "affine", "batch"),
    }

    # -- classes: index = class id everywhere in the package; "no object" comes after the last
    num_classes: int = 133
    class_names: tuple[str, ...] = ()
    is_thing: tuple[bool, ...] = ()
    class_colors: tuple[tuple[int, int, int], ...] = ()  # for pictures; grey means: choose one
    # the annotation files' own numbers of the classes, which result files use; 1, 2, ... if not given
    category_ids: tuple[int, ...] = ()
    # the data set whose published recipe fits ("coco", "toytown" ...; "": none), whatever the classes became since
    data_set: str = ""

    # -- input: side of the training crop (Cityscapes: the longer one); in inference the shorter side of the
    # picture becomes test_size (image_size if not set), the longer at most test_max_size (else twice that)
    image_size: int = 1024
    test_size: int | None = None
    test_max_size: int | None = None
    # equalise the histograms of every picture, in training and in prediction (data/equalize.py)
    equalize: bool = False
    # stretch the values of every picture over the whole range, in training and in prediction (data/stretch.py)
    stretch: bool = False

    # -- backbone: a timm name with features at strides 4, 8, 16, 32, or "dinat_large"
    backbone: str = "resnet50"
    # sizes in which the network differs from the named one, by the names of its constructor, such as
    # {"depths": (1, 1, 2, 1), "drop_path_rate": 0.3}; kept as sorted pairs
    backbone_options: tuple[tuple[str, object], ...] = ()
    pretrained: bool = True  # ImageNet weights (timm's download, or the package that ships lite0's)
    # BatchNorm of the backbone. "frozen": nothing of it learns (detectron2's FrozenBatchNorm2d, as
    # published); "affine": statistics stay, scale and shift learn; "batch": all learns (over processes)
    backbone_norm: str = "frozen"

    # -- widths shared by all parts
    hidden_dim: int = 256
    num_heads: int = 8
    num_queries: int = 150

    # -- loss weights, those of class, mask and dice the matching costs' as well
    class_weight: float = 2.0
    mask_weight: float = 5.0
    dice_weight: float = 5.0
    no_object_weight: float = 0.1
    mask_loss: str = "bce"
    # "squared": V-Net's, whose denominator has squares of probabilities and labels; "vnet": the same without the 1s
    dice_loss: str = "plain"

    # -- where masks are compared: on points; on all "pixels" as MaskFormer does, matched at the size of the masks and
    # learned at that of the targets; or on all "cells" of the masks, to whose size targets are
    # resized (losses/pixels.py)
    compared_on: str = "points"
    num_points: int = 12544
    oversample_ratio: float = 3.0
    importance_ratio: float = 0.75

    # -- reading the result (inference/): of the panoptic merge the score that a query needs, the share of its mask
    # that it must keep, and whether pixels outside a query's own mask stay void though it wins them; of the instance
    # task how many pairs of query and class are kept, None: as many as there are queries, and the IoU with a surer
    # instance of its class above which one is a duplicate and left out, None: all stay, as published
    object_mask_threshold: float = 0.8
    overlap_threshold: float = 0.8
    merge_within_masks: bool = True
    max_instances: int | None = None
    duplicate_iou: float | None = None
    # how many objects wide the windows are through which pictures of any magnification are seen (predict's
    # windows=True); None: as many pixels as the model looks at otherwise
    objects_across: float | None = None
    # pixels of the padded picture to a cell of its mask logits, and the multiples to which pictures are padded
    mask_stride: int = 4
    padding_multiple: int = 32

    def __new__(cls, *args: object, **values: object) -> Self:
        """A name that is no field is answered with what was probably meant; ``dataclasses.replace`` comes here too."""
        names = [field.name for field in fields(cls)]
        if unknown := [name for name in values if name not in names]:
            words = meant(unknown[0], names, ALSO_CALLED, ELSEWHERE)
            raise ConfigError(f"{cls.__name__} has no field {unknown[0]!r}{words}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        check_fields(self)
        for field, choices in self.CHOICES.items():
            if getattr(self, field) not in choices:
                raise ConfigError(f"{field} is {getattr(self, field)!r}; expected one of {choices}")
        if not _DATA_SET.fullmatch(self.data_set):
            raise ConfigError(f"data_set must be a name such as 'coco', or '', got {shown(self.data_set)}")
        if self.hidden_dim % self.num_heads or self.hidden_dim % 4:
            raise ConfigError(
                f"hidden_dim {self.hidden_dim} must be divisible by num_heads ({self.num_heads}) and by 4"
            )
        object.__setattr__(self, "backbone_options", check_backbone(self.backbone, self.backbone_options))
        self._check_classes()

    def _check_classes(self) -> None:
        """Names, thing flags, colours and ids follow ``num_classes``; stale ones (after replace) go with a warning."""
        defaults = {
            "class_names": tuple(f"class {i}" for i in range(self.num_classes)),
            "is_thing": (True,) * self.num_classes,
            "class_colors": (Category.color,) * self.num_classes,
            "category_ids": tuple(range(1, self.num_classes + 1)),
        }
        given = {name: check_list(name, getattr(self, name)) for name in defaults}
        if stale := [name for name, values in given.items() if len(values) not in (0, self.num_classes)]:
            warnings.warn(
                f"num_classes is {self.num_classes}, but {', '.join(stale)} are for another number: they "
                "fall back to generic names, all things. config.for_classes(config, dataset.categories) "
                "sets everything about the classes.",
                stacklevel=5,
            )
        for name, default in defaults.items():
            object.__setattr__(self, name, default if name in stale else given[name] or default)
        if len(set(self.category_ids)) < self.num_classes:
            twice = next(i for i in self.category_ids if self.category_ids.count(i) > 1)
            raise ConfigError(f"category_ids must differ, but {twice} stands for more than one class")

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes as the data set lists them."""
        rows = zip(self.category_ids, self.class_names, self.is_thing, self.class_colors)
        return tuple(Category(*row) for row in rows)

    def inference_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which a picture of this size is segmented. Lesson 15.

        detectron2's rule (``ResizeShortestEdge``) in its order of operations, which decides roundings.
        """
        short = self.test_size or self.image_size
        longest = self.test_max_size or 2 * short
        near, far = float(short), max(height, width) * (short / min(height, width))
        if far > longest:
            near, far = near * (longest / far), far * (longest / far)
        sides = max(1, int(near + 0.5)), max(1, int(far + 0.5))
        return sides if height < width else sides[::-1]


Config = TypeVar("Config", bound=BaseConfig)


def check_config(config: object) -> None:
    """Raises :class:`ConfigError` unless this is a model's configuration."""
    if not isinstance(config, BaseConfig):
        raise ConfigError(f"expected a model's configuration, such as ofl.config.toytown(), got {shown(config)}")


@only_known_names
def for_classes(config: Config, categories: Sequence[Category]) -> Config:
    """``config`` with the classes of a data set (``dataset.categories``). Two of one name are a warning.

    Raises :class:`ConfigError` for names alone, as which classes are things decides how they are segmented, and for
    sets, which have no order: the classes would be numbered anew in each process.
    """
    check_config(config)
    unordered = isinstance(categories, (Set, str, Mapping)) or not isinstance(categories, Iterable)
    entries = [categories] if unordered else list(categories)
    if wrong := [entry for entry in entries if not isinstance(entry, Category)]:
        raise ConfigError(
            f"categories must be a data set's, got {shown(wrong[0])}: take dataset.categories, or write "
            "[ofl.data.Category(1, name, is_thing), ...]"
        )
    if unordered or not entries:
        came = shown(categories)
        raise ConfigError(f"categories must be a list of at least one, in the order of the classes, got {came}")
    categories = tuple(entries)
    warn_of_twins([category.name for category in categories], "categories")
    return replace(
        config,
        num_classes=len(categories),
        class_names=tuple(c.name for c in categories),
        is_thing=tuple(c.is_thing for c in categories),
        class_colors=tuple(c.color for c in categories),
        category_ids=tuple(c.id for c in categories),
    )
