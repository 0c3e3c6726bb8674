"""A plain vision transformer: the picture as tokens, and blocks of attention over all of them.

DINOv2's and DINOv3's, from timm, whose names of weights are the official ones: Oquab et al. (2023), Siméoni et al.
(2025). DINOv2 adds a learned position to each patch, for pictures of one size; DINOv3 turns queries and keys of the
patches in each block by their places (RoPE), for pictures of any.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import timm
import torch
from jaxtyping import Bool, Float
from timm.layers import apply_rot_embed_cat, resample_abs_pos_embed
from torch import Tensor, nn

from ...config.backbone import check_backbone
from ...config.eomt import PATCH
from ...errors import ConfigError
from ..fast.linear import adopt_linears

_KINDS = ("reg4_dinov2", "dinov3_qkvb")  # with registers; DINOv3's with biases, which EoMT trains


class Tokens(NamedTuple):
    """``values`` [B, P + h w, C]: P tokens that stand for no place (CLS, registers), then the patches, row by row;
    ``rope`` [h w, 2 d], sines and cosines of their places, None where positions were added."""

    values: Float[Tensor, "B T C"]
    grid: tuple[int, int]
    rope: Tensor | None


class ViT(nn.Module):
    """Picture to tokens, before the first block. Building never downloads.

    ``width`` and ``heads`` are those of the named network unless it is to learn from nothing; ``options`` override its
    other sizes. ``rope_rescale``: in training DINOv3's places are stretched by a random factor of at most this.
    """

    own_statistics = False  # pixels are normalised as everywhere in this package

    def __init__(
        self,
        name: str,
        image_size: int,
        width: int,
        heads: int,
        norm_eps: float = 1e-6,
        options: Iterable[tuple[str, object]] = (),
        rope_rescale: float = 1.0,
    ) -> None:
        super().__init__()
        self.name, self.channels = name, [width]
        self.sizes = {
            "img_size": image_size, "patch_size": PATCH, "num_classes": 0, "embed_dim": width, "num_heads": heads,
            "norm_layer": partial(nn.LayerNorm, eps=norm_eps), **dict(check_backbone(name, options)),
        }  # fmt: skip
        if "dinov3" in name and width // heads % 4:
            raise ConfigError(
                f"each of {heads} heads of a width of {width} has {width // heads} channels, but DINOv3 turns them in "
                "fours: hidden_dim must be a multiple of 4 num_heads"
            )
        self.network = adopt_linears(self._built(pretrained=False))
        if self.rope is not None:  # timm has it, but not as an argument
            self.rope.rescale_coords, self.rope.aug_active = rope_rescale, rope_rescale > 1
        self.has_imagenet_weights = False

    @property
    def blocks(self) -> nn.ModuleList | nn.Sequential:
        return self.network.blocks

    @property
    def prefix(self) -> int:
        """Tokens before the patches: CLS and registers."""
        return self.network.num_prefix_tokens

    @property
    def rope(self) -> nn.Module | None:
        """What makes sines and cosines of places; DINOv2 has none."""
        return getattr(self.network, "rope", None)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Tokens:
        net = self.network
        patches = net.patch_embed.proj(images)  # [B, C, h, w]
        grid = patches.shape[-2], patches.shape[-1]
        x = patches.flatten(2).transpose(1, 2)
        if net.pos_embed is not None:  # resampled where pictures have another size than it was learned for
            x = x + resample_abs_pos_embed(net.pos_embed, grid, net.patch_embed.grid_size, num_prefix_tokens=0)
        start = torch.cat([net.cls_token, net.reg_token], dim=1).expand(x.shape[0], -1, -1)
        rope = None if self.rope is None else self.rope.get_embed(shape=grid).to(x)
        return Tokens(torch.cat([start, x], dim=1), grid, rope)

    def load_imagenet_weights(self) -> None:
        """Fetch what DINO learned (once), with positions and patches resampled to this size and these patches.

        Raises :class:`ConfigError` if it cannot be had (DINOv3's is given to those who accept its licence), or does not
        fit.
        """
        if self.has_imagenet_weights:
            return
        try:
            self.network.load_state_dict(self._built(pretrained=True).state_dict())
        except Exception as error:  # timm and the hub raise many kinds; all mean the same to the caller
            raise ConfigError(
                f"the weights that {self.name} starts from could not be fetched, or do not fit "
                f"({type(error).__name__}). Connect to the internet once, load a whole published model "
                "(TrainConfig.start_from), or set pretrained=False (oneformer-lite train: --from-scratch) to start "
                "from random weights on purpose."
            ) from error
        self.has_imagenet_weights = True

    def _built(self, pretrained: bool) -> nn.Module:
        if not any(kind in self.name for kind in _KINDS) or not timm.is_model(self.name):
            raise ConfigError(
                f"backbone {self.name!r} is no vision transformer of DINOv2 or DINOv3 that timm has: take one such as "
                "'vit_large_patch14_reg4_dinov2' or 'vit_large_patch16_dinov3_qkvb'"
            )
        return timm.create_model(self.name, pretrained=pretrained, **self.sizes)


def run_block(
    block: nn.Module, x: Float[Tensor, "B T C"], rope: Tensor | None, allowed: Bool[Tensor, "B 1 T T"] | None = None
) -> Float[Tensor, "B T C"]:
    """One of :attr:`ViT.blocks`; ``allowed`` says which token may look at which (True = may)."""
    return block(x, attn_mask=allowed) if rope is None else block(x, rope=rope, attn_mask=allowed)


def attention_weights(
    block: nn.Module, x: Float[Tensor, "B T C"], rope: Tensor | None, allowed: Tensor | None = None
) -> Float[Tensor, "B M T T"]:
    """The weights with which the block's attention mixes the tokens ``x``: to be looked at, so computed apart."""
    attn = block.attn
    qkv = attn.qkv(block.norm1(x))
    if rope is not None:
        qkv = qkv + torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])
    q, k, _ = qkv.unflatten(-1, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)  # [B, M, T, d]
    if rope is not None:
        places = len(rope)
        q, k = (
            torch.cat([t[..., :-places, :], apply_rot_embed_cat(t[..., -places:, :], rope, half=True)], dim=-2)
            for t in (q, k)
        )
    scores = q @ k.transpose(-2, -1) * attn.scale
    return (scores if allowed is None else scores.masked_fill(~allowed, float("-inf"))).softmax(-1)
