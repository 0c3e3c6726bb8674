"""The configurations of what came before with queries all the same: Seq2Seg's before its patches, and a U-Net's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import ConfigError
from .roots import BertSizes, FromScratchConfig, from_scratch_recipe


@dataclass(frozen=True)
class HungarianUNetConfig(FromScratchConfig):
    """Every size and switch of one U-Net with queries: by default each is an output channel, whose class is read from
    the pooled coarsest map; 100 of them, for crops of Cityscapes of 128 x 256, learned by dice and cross-entropy.

    Transformer layers between the two halves (``transformer_layers``; ``hidden_dim``, ``num_heads``, ``ffn`` and
    ``dropout`` are theirs) let the cells of the coarsest map look at each other. With ``masks="product"`` the queries
    are tokens among them, whose classes and mask embeddings are read after each layer. With ``masks="decoder"`` they
    read the maps of the way up, in the ``decoder_layers`` of Mask2Former's masked decoder.
    """

    model_type: ClassVar[str] = "hungarian_unet"
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = FromScratchConfig.CHOICES | {
        "norm": ("batch", "group"), "masks": ("channels", "product", "decoder"),
    }  # fmt: skip

    backbone: str = "unet"
    num_queries: int = 100
    base_channels: int = field(default=32, metadata={"range": (1, 4096)})
    depth: int = field(default=4, metadata={"range": (1, 5)})
    norm: str = "batch"
    start_stride: int = field(default=1, metadata={"range": (1, 32)})  # pixels to a cell of the first map
    masks: str = "channels"
    # of mask embeddings; those of a decoder have hidden_dim
    mask_dim: int = field(default=32, metadata={"range": (1, 65_536)})
    decoder_layers: int = field(default=6, metadata={"range": (1, 256)})  # of masks="decoder"
    transformer_layers: int = field(default=0, metadata={"range": (0, 256)})
    ffn: int = field(default=1024, metadata={"range": (1, 65_536)})
    dropout: float = field(default=0.0, metadata={"range": (0.0, 0.99)})
    matched_stride: int = field(default=4, metadata={"range": (1, 64)})  # pixels to a cell at which masks are matched

    class_weight: float = 1.0
    mask_weight: float = 0.0
    dice_weight: float = 1.0
    dice_loss: str = "squared"
    # of the masks of queries that answer for nothing, which are learned to be empty; published models have no such loss
    empty_weight: float = 0.0
    object_mask_threshold: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask_stride", self.start_stride if self.masks == "channels" else 1)
        super().__post_init__()
        if 32 % (self.start_stride * 2**self.depth):
            raise ConfigError(
                f"start_stride {self.start_stride} halved {self.depth} times is a stride of "
                f"{self.start_stride * 2**self.depth}, which must divide 32, to multiples of which pictures are padded"
            )
        if self.masks == "product" and not self.transformer_layers:
            raise ConfigError("masks='product' needs transformer_layers, through which queries see the picture")

    @property
    def matching_shrink(self) -> int:
        return max(1, self.matched_stride // self.mask_stride)

    @property
    def recipe(self) -> Mapping[str, object]:
        """The small ones at Toytown's rate."""
        return from_scratch_recipe(self.data_set, lr=1e-3, epochs=30) if self.data_set == "cityscapes" else {}


@dataclass(frozen=True)
class QuerySeq2SegConfig(BertSizes, FromScratchConfig):
    """Every size and switch of one Seq2Seg with object queries; defaults are those of scattered digits: pictures of 64
    x 64, 6 queries before the patches, dice and a tenth of the cross-entropy.

    A query's mask is read from its last state: all of it at once, ``mask_size`` cells a side, by a linear layer
    ("linear"), which fixes the size of pictures (``image_size``, to which they are padded); or from where it would look
    among the patches ("attention"), or as a dot product with the pixels of each patch ("product").
    """

    model_type: ClassVar[str] = "query_seq2seg"
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = FromScratchConfig.CHOICES | {
        "masks": ("linear", "attention", "product"),
    }  # fmt: skip

    backbone: str = "bert"
    image_size: int = 64
    num_queries: int = 6
    hidden_dim: int = 512
    num_heads: int = 8
    encoder_layers: int = field(default=4, metadata={"range": (1, 256)})
    encoder_ffn: int = 2048
    patch_size: int = field(default=8, metadata={"range": (1, 32)})
    grid_rows: int = field(default=8, metadata={"range": (1, 1024)})
    grid_columns: int = field(default=8, metadata={"range": (1, 1024)})
    masks: str = "linear"
    mask_size: int = field(default=32, metadata={"range": (1, 1024)})
    mask_dim: int = field(default=32, metadata={"range": (1, 65_536)})  # of the embeddings of "product"
    # whether queries have rows of the table of positions, the first ones, as the words of a sentence would; without,
    # their place in the sequence means nothing
    query_positions: bool = False

    trained_task: str = "instance"
    class_weight: float = 0.1
    no_object_weight: float = 0.5
    mask_weight: float = 0.0
    dice_weight: float = 1.0
    dice_loss: str = "squared"
    object_mask_threshold: float = 0.5

    def __post_init__(self) -> None:
        whole = self.masks == "linear"
        if whole:
            object.__setattr__(self, "padding_multiple", self.image_size)
        strides = {"linear": self.image_size // self.mask_size, "attention": self.patch_size, "product": 1}
        object.__setattr__(self, "mask_stride", max(1, strides.get(self.masks, 1)))
        super().__post_init__()
        self.check_patches(self.num_queries if self.query_positions else 0)
        if whole and self.image_size % max(self.mask_size, self.patch_size):
            raise ConfigError(
                f"image_size {self.image_size} must be a multiple of mask_size {self.mask_size} and of patch_size "
                f"{self.patch_size} where masks are read as a whole"
            )

    def inference_size(self, height: int, width: int) -> tuple[int, int]:
        """The longer side becomes ``image_size`` where masks are read as a whole."""
        if self.masks != "linear":
            return super().inference_size(height, width)
        factor = self.image_size / max(height, width)
        return max(1, round(height * factor)), max(1, round(width * factor))

    @property
    def recipe(self) -> Mapping[str, object]:
        """On digits as reported: Adam at a steady rate, 12 times 60,000 pictures."""
        if self.data_set != "digits":
            return from_scratch_recipe(self.data_set, lr=1e-4, epochs=45)
        return {
            "lr": 1e-4, "weight_decay": 0.0, "batch_size": 64, "steps": 11_256, "warmup_steps": 0, "final_lr": 1.0,
            "clip_norm": None, "ema_decay": None,
        }  # fmt: skip
