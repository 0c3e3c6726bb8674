"""EoMT's configuration: a plain vision transformer whose last blocks have queries among their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import ClassVar

from ..errors import ConfigError
from .checks import as_tuples, shown
from .family import OneTaskConfig

PATCH = 16  # pixels, of every published model: DINOv2's 14 are resampled
# steps of 16 pictures of the published trainings, as their annealing counts them: 12, 31 and 107 epochs
STEPS = {"coco": 88_692, "ade20k": 39_120, "cityscapes": 19_902}


@dataclass(frozen=True)
class EomtConfig(OneTaskConfig):
    """Every size and switch of one EoMT; defaults are the published values (Kerssies et al., "Your ViT is Secretly an
    Image Segmentation Model", CVPR 2025; official ``configs/dinov2/coco/panoptic/eomt_large_640.yaml``).

    ``hidden_dim`` and ``num_heads`` are the transformer's own. Pictures are squares of ``image_size``, padded with
    black: that is what the table of positions was learned for. So ``padding_multiple`` is ``image_size``, whatever is
    given, and a picture's longer side becomes ``image_size`` in inference.
    """

    model_type: ClassVar[str] = "eomt"
    image_size: int = 640
    padding_multiple: int = field(default=640, metadata={"range": (PATCH, 16_384)})
    backbone: str = "vit_large_patch14_reg4_dinov2.lvd142m"
    hidden_dim: int = 1024
    num_heads: int = 16
    num_queries: int = 200
    max_instances: int | None = 100
    norm_eps: float = field(default=1e-6, metadata={"range": (1e-12, 0.1)})  # of all LayerNorms; DINOv3's 1e-5
    # in training the places of the patches, which run from -1 to 1, are stretched by a random factor of at most this
    # (DINOv3 alone; 1: not at all)
    rope_rescale: float = field(default=2.0, metadata={"range": (1.0, 100.0)})

    # -- queries among the tokens of the last blocks, which they read through their masks until these fade out: block by
    # block, from these shares of the training on, and until these. Empty: as published, evenly from 1/6 to 5/6
    query_blocks: int = field(default=4, metadata={"range": (1, 256)})
    anneal_starts: tuple[float, ...] = ()
    anneal_ends: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "padding_multiple", self.image_size)
        super().__post_init__()
        if self.image_size % PATCH:
            raise ConfigError(f"image_size {self.image_size} must be a multiple of the patches' side, {PATCH}")
        for name in ("test_size", "test_max_size"):
            if getattr(self, name) not in (None, self.image_size):
                raise ConfigError(
                    f"{name} is {getattr(self, name)}, but an EoMT sees pictures at the size that it was trained at, "
                    f"image_size {self.image_size}: leave {name} out"
                )
        for name in ("anneal_starts", "anneal_ends"):
            object.__setattr__(self, name, self._check_shares(name, getattr(self, name)))
        if any(start >= end for start, end in self.annealing) or len(self.anneal_starts) != len(self.anneal_ends):
            raise ConfigError("anneal_ends must lie after anneal_starts, block by block, or both be empty")

    def _check_shares(self, name: str, shares: object) -> tuple[float, ...]:
        if not isinstance(shares, (list, tuple)) or len(shares) not in (0, self.query_blocks):
            raise ConfigError(f"{name} must be a share for each of {self.query_blocks} blocks, got {shown(shares)}")
        if not all(isinstance(s, Real) and not isinstance(s, bool) and 0 <= s <= 1 for s in shares):
            raise ConfigError(f"{name} must be shares of the training, 0 to 1, got {shown(shares)}")
        return as_tuples(shares)

    @property
    def annealing(self) -> tuple[tuple[float, float], ...]:
        """For each block with queries the shares of the training between which its masks fade out."""
        blocks = self.query_blocks
        starts = self.anneal_starts or [(1 + 3 * i / max(1, blocks - 1)) / 6 for i in range(blocks)]
        return tuple(zip(starts, self.anneal_ends or [start + 1 / 6 for start in starts]))

    @property
    def recipe(self) -> Mapping[str, object]:
        """Layer-wise decay, weight decay for all parameters, a warm-up of what is new and then of the transformer.

        (Official ``lightning_module.py``; DINOv3's ADE20K sets ``lr_mult`` as well, which its code never comes to.) On
        Toytown the transformer learns from nothing, like all else.
        """
        if self.data_set == "toytown":
            return {"lr": 1e-3, "backbone_lr_multiplier": 1.0}
        dinov3 = "dinov3" in self.backbone
        steps = STEPS.get(self.data_set, STEPS["coco"])
        if self.data_set == "coco" and self.hidden_dim < 1024:
            steps *= 2  # ViT-S and ViT-B
        if self.data_set == "ade20k" and dinov3:
            steps //= 2  # 16 epochs
        warmup = {"warmup_steps": 2000, "backbone_warmup_steps": 3000} if dinov3 else {
            "warmup_steps": 500, "backbone_warmup_steps": 1000}  # fmt: skip
        colors = "eomt_colors" if self.data_set == "ade20k" else "eomt"
        return {
            "augmentation": "eomt_semantic" if self.trained_task == "semantic" else colors,
            "lr": 2e-4 if dinov3 else 1e-4, "backbone_lr_multiplier": 1.0, "clip_norm": 0.01, "decay_all": True,
            "layer_decay": 1.0 if dinov3 and self.data_set == "ade20k" else 0.8,
            "full_rate_blocks": self.query_blocks if dinov3 and self.data_set != "ade20k" else 0,
            "steps": steps, "schedule": "two-stage", "lr_drops": (), **warmup,
        }  # fmt: skip

    @property
    def windowed(self) -> bool:
        """As published for models of the semantic task alone."""
        return self.trained_task == "semantic"

    def inference_size(self, height: int, width: int) -> tuple[int, int]:
        """The longer side becomes ``image_size`` (official ``scale_img_size_instance_panoptic``)."""
        factor = min(self.image_size / height, self.image_size / width)
        return max(1, round(height * factor)), max(1, round(width * factor))
