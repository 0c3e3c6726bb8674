"""The configurations of what came before: U-Net and Seq2Seg, which give a mask for each class and know no queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import ConfigError
from .family import OneTaskConfig


@dataclass(frozen=True)
class FromScratchConfig(OneTaskConfig):
    """Of members whose network is their own and learns from nothing: ``backbone`` is its name and cannot be changed."""

    backbone: str = "none"
    backbone_norm: str = "batch"  # whatever norms there are learn all they have
    pretrained: bool = False
    mask_stride: int = 1
    compared_on: str = "pixels"

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = OneTaskConfig.CHOICES | {
        "compared_on": ("pixels",), "backbone_norm": ("batch",),
    }  # fmt: skip

    def has_term(self, name: str) -> bool:
        """A weight of 0 costs nothing, as losses are compared here."""
        return super().has_term(name) and getattr(self, f"{name}_weight") > 0

    def __post_init__(self) -> None:
        super().__post_init__()
        own = type(self).backbone
        if self.backbone != own or self.backbone_options:
            raise ConfigError(
                f"a {self.model_type} has a network of its own, so backbone stays {own!r} without backbone_options; "
                f"got {self.backbone!r}: its sizes are fields of {type(self).__name__}"
            )


@dataclass(frozen=True)
class SemanticConfig(FromScratchConfig):
    """Of members with a mask for each class: query k is class k, so there are as many, and nothing is matched.

    Each pixel with a class is learned, by the binary cross-entropy of each mask, the classes that a picture has not
    among them (``mask_loss="bce"`` or "focal"); or by one cross-entropy over all classes ("softmax"); ``dice_weight``
    adds the overlap of each class.
    """

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = FromScratchConfig.CHOICES | {
        "trained_task": ("semantic",), "mask_loss": ("bce", "focal", "softmax"),
    }  # fmt: skip

    trained_task: str = "semantic"
    num_queries: int = 133  # always num_classes
    class_weight: float = 0.0  # there is no loss of classes
    mask_weight: float = 1.0
    dice_weight: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_queries", self.num_classes)
        super().__post_init__()
        if self.class_weight or not self.mask_weight + self.dice_weight:
            raise ConfigError(
                f"a {self.model_type} learns from mask_weight and dice_weight, one of which must be above 0, and has "
                f"no loss of classes: class_weight is {self.class_weight:g}, leave it out"
            )

    @property
    def fixed_queries(self) -> Mapping[int, int]:
        return {label: label for label in range(self.num_classes)}

    @property
    def learns_absence(self) -> bool:
        return True


@dataclass(frozen=True)
class UNetConfig(SemanticConfig):
    """Every size and switch of one U-Net; defaults are those of the comparison with :class:`Seq2SegConfig` on
    Cityscapes: 32 channels at the picture's size, 512 at a sixteenth of it."""

    model_type: ClassVar[str] = "unet"
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = SemanticConfig.CHOICES | {"norm": ("batch", "group")}

    backbone: str = "unet"
    base_channels: int = field(default=32, metadata={"range": (1, 4096)})
    depth: int = field(default=4, metadata={"range": (1, 5)})  # times that the size is halved; 32 divides all pictures
    norm: str = "batch"  # or "group": GroupNorm in 8 groups, fewer where 8 does not divide, for small batches

    @property
    def recipe(self) -> Mapping[str, object]:
        return from_scratch_recipe(self.data_set, lr=1e-3, epochs=30)


@dataclass(frozen=True)
class BertSizes:
    """Of the members with BERT over patches: ``hidden_dim``, ``num_heads`` and the ``encoder_`` fields are its own."""

    hidden_dim: int = 768
    num_heads: int = 12
    encoder_layers: int = field(default=6, metadata={"range": (1, 256)})
    encoder_ffn: int = 3072
    encoder_dropout: float = 0.1  # also of attention weights and of what is embedded
    patch_size: int = field(default=16, metadata={"range": (1, 32)})
    # rows and columns of patches of the training crop, whose positions come first in a table of max_positions
    grid_rows: int = field(default=8, metadata={"range": (1, 1024)})
    grid_columns: int = field(default=16, metadata={"range": (1, 1024)})
    max_positions: int = field(default=512, metadata={"range": (1, 65_536)})

    def check_patches(self, queries: int = 0) -> None:
        """Raises :class:`ConfigError` for patches that do not cover a picture, or have no positions after those of
        ``queries``."""
        if 32 % self.patch_size:
            raise ConfigError(f"patch_size {self.patch_size} must divide 32, to multiples of which pictures are padded")
        if self.grid_rows * self.grid_columns + queries > self.max_positions:
            raise ConfigError(
                f"{self.grid_rows} x {self.grid_columns} patches{f' and {queries} queries' * bool(queries)} need as "
                f"many positions, but max_positions is {self.max_positions}: raise it, or take larger patches"
            )

    @property
    def grid(self) -> tuple[int, int]:
        return self.grid_rows, self.grid_columns


@dataclass(frozen=True)
class Seq2SegConfig(BertSizes, SemanticConfig):
    """Every size and switch of one Seq2Seg; defaults are BERT's with 6 layers, for crops of 128 x 256."""

    model_type: ClassVar[str] = "seq2seg"
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = SemanticConfig.CHOICES | {"hidden_states": ("sum", "last")}

    backbone: str = "bert"
    # what the patches are read from: the "sum" of the hidden states of all layers (with sum_embeddings also of what
    # enters the first one, which transformers counts among them), or the "last" alone
    hidden_states: str = "sum"
    sum_embeddings: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_patches()

    @property
    def recipe(self) -> Mapping[str, object]:
        """Without the sum 1e-4 diverges on Cityscapes."""
        return from_scratch_recipe(self.data_set, lr=1e-4 if self.hidden_states == "sum" else 5e-5, epochs=45)


def from_scratch_recipe(data_set: str, lr: float, epochs: int) -> Mapping[str, object]:
    """On Cityscapes 123 steps of 24 pictures an epoch without decay, at a rate that falls (here along a cosine); the
    small models of other data sets learn at a rate of 1e-3."""
    if data_set != "cityscapes":
        return {"lr": 1e-3}
    return {
        "augmentation": "small_streets", "batch_size": 24, "steps": 123 * epochs, "schedule": "cosine", "lr": lr,
        "weight_decay": 0.0, "precision": "float32",
    }  # fmt: skip
