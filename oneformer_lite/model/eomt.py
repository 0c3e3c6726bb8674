"""EoMT, whole: a plain vision transformer, among whose last tokens are the queries. It is not told its task.

Kerssies et al., "Your ViT is Secretly an Image Segmentation Model" (CVPR 2025), figure 1; official ``models/eomt.py``.
What other models add to a backbone is gone: no pyramid, no pixel decoder, no decoder. What remains of masked attention
fades out in training, so that a trained model is a ViT and two small heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..config import EomtConfig
from ..data.batch import PIXEL_MEAN, PIXEL_STD, padded_size
from ..errors import ConfigError
from .base import MaskModel
from .networks.vit import Tokens, ViT, attention_weights, run_block
from .output import MaskProduct, Predictions, Trace, record
from .parts.layers import MLP, Linear

_GOLDEN = 0.6180339887  # its multiples, without what stands before the point, are spread evenly over 0 to 1


class Upscale(nn.Module):
    """Twice the size: transposed convolution, GELU, a 3x3 convolution for each channel, LayerNorm over channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.ConvTranspose2d(dim, dim, 2, stride=2)
        self.conv2 = nn.Conv2d(dim, dim, 3, padding=1, groups=dim, bias=False)
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h2 w2"]:
        x = self.conv2(F.gelu(self.conv1(x)))
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class EoMT(MaskModel):
    """Queries join the tokens before the last blocks and attend with them; nothing but their place tells them apart.

    A prediction is made before each of these blocks, from which it follows where the queries may look in it, and after
    the last one. ``mask_shares`` [L2] are the shares of queries that are still bound to their masks, 1 before a
    training and 0 at its end (:meth:`anneal`); they are part of the weights.

    Lesson 16.
    """

    def __init__(self, config: EomtConfig) -> None:
        super().__init__(config)
        c = config
        self.backbone = ViT(
            c.backbone, c.image_size, c.hidden_dim, c.num_heads, c.norm_eps, c.backbone_options, c.rope_rescale
        )
        if c.query_blocks > (depth := len(self.backbone.blocks)):
            raise ConfigError(f"query_blocks {c.query_blocks} are more than the {depth} blocks of {c.backbone}")
        self.queries = nn.Embedding(c.num_queries, c.hidden_dim)
        self.upscale = nn.Sequential(Upscale(c.hidden_dim), Upscale(c.hidden_dim))  # from stride 16 to 4
        self.class_head = Linear(c.hidden_dim, c.num_classes + 1)
        self.mask_head = MLP(c.hidden_dim, c.hidden_dim, c.hidden_dim, num_layers=3, activation=F.gelu)
        for block in self.last_blocks:  # DINOv3's turn the patches alone
            block.attn.num_prefix_tokens = c.num_queries + self.backbone.prefix
        self.register_buffer("mask_shares", torch.ones(c.query_blocks))
        self.shares = (1.0,) * c.query_blocks  # the same as numbers: asking the buffer would wait for a GPU
        self.register_load_state_dict_post_hook(_read_shares)

    @property
    def last_blocks(self) -> nn.ModuleList | nn.Sequential:
        """Those that the queries join."""
        return self.backbone.blocks[-self.config.query_blocks :]

    def padded(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 h w"]:
        """With black, as the published models have it, which is below 0 once it is normalised."""
        height, width = padded_size([tuple(images.shape[-2:])], self.config.padding_multiple)
        missing = height - images.shape[-2], width - images.shape[-1]
        images = images.to(self.dtype)
        if missing == (0, 0):
            return images
        mean, std = (images.new_tensor(v).view(3, 1, 1) for v in (PIXEL_MEAN, PIXEL_STD))
        return F.pad(images + mean / std, (0, missing[1], 0, missing[0])) - mean / std

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Tokens:
        """The picture's tokens after the first blocks, in which there are no queries yet."""
        x, grid, rope = self.backbone(images)
        for block in self.backbone.blocks[: -self.config.query_blocks]:
            x = run_block(block, x, rope)
        record(trace, "backbone.stride{}", (16,), [_as_map(x, grid)])
        return Tokens(x, grid, rope)

    def read(
        self, features: Tokens, token: Tensor | None = None, *, every: bool = False, trace: Trace | None = None
    ) -> list[Predictions]:
        """Queries and picture in the last blocks. Without ``every``, and with masks faded out, one prediction."""
        x, grid, rope = features
        queries = self.queries.weight.expand(x.shape[0], -1, -1)
        record(trace, "query.{}", ("object_queries",), [queries])
        x = torch.cat([queries, x], dim=1)  # [B, Q + P + h w, C]
        predictions = []
        for i, (block, share) in enumerate(zip(self.last_blocks, self.shares)):
            if every or trace is not None or share > 0:
                predictions.append(self.predict(x, grid))
            allowed = self.allowed(predictions[-1].masks, grid, share, x.shape[1]) if share > 0 else None
            if trace is not None:
                self._record(trace, i, attention_weights(block, x, rope, allowed), allowed, grid)
            x = run_block(block, x, rope, allowed)
            record(trace, "decoder.layer{}.queries", (i,), [x[:, : self.config.num_queries]])
        predictions.append(self.predict(x, grid))
        return predictions if every or trace is not None else predictions[-1:]

    def predict(self, x: Float[Tensor, "B T C"], grid: tuple[int, int]) -> Predictions:
        """Classes by a linear layer; masks by a dot product of each query with each upscaled patch."""
        x = self.backbone.network.norm(x)
        queries = x[:, : self.config.num_queries]
        features = self.upscale(_as_map(x, grid))
        return Predictions(self.class_head(queries), MaskProduct(self.mask_head(queries), features))

    def allowed(
        self, masks: MaskProduct, grid: tuple[int, int], share: float, tokens: int
    ) -> Bool[Tensor, "B 1 T T"]:
        """Which token may look at which: queries at the patches of their mask alone, all else as it likes.

        So nobody is ever blind, as a query in Mask2Former's decoder could be. Resizing is linear: not masks are resized
        to the patches, but their features. A ``share`` of the queries is bound: at random in training, else the same
        ones for each picture.
        """
        small = F.interpolate(masks.features.detach(), grid, mode="bilinear").flatten(2)
        inside = masks.embeddings.detach() @ small > 0  # [B, Q, h w]
        batch, queries, places = inside.shape
        if share < 1:
            draws = (torch.arange(1, queries + 1, device=inside.device) * _GOLDEN).frac()[None]
            if self.training:
                draws = torch.rand(batch, queries, device=inside.device)
            inside = inside | (draws > share)[..., None]
        bound = torch.cat([inside.new_ones(batch, queries, tokens - places), inside], dim=2)
        return torch.cat([bound, bound.new_ones(batch, tokens - queries, tokens)], dim=1)[:, None]

    def anneal(self, progress: float) -> None:
        """Block by block the masks fade out: (1 - p)^0.9 of the queries are bound at the share p of a block's time."""
        shares = (1 - (progress - start) / (end - start) for start, end in self.config.annealing)
        self.set_shares([min(1.0, max(0.0, share)) ** 0.9 for share in shares])

    def set_shares(self, shares: Sequence[float]) -> None:
        """How many of the queries are bound to their masks in each of the last blocks, 0 to 1."""
        self.shares = tuple(map(float, shares))
        self.mask_shares.copy_(torch.tensor(self.shares))

    def layers_above(self, parameter: str) -> int:
        """A block's, and for patches, positions and registers those of the first block; none for the last norm."""
        blocks, names = len(self.backbone.blocks), parameter.split(".")
        if names[0] != "backbone" or names[2] == "norm":
            return 0
        return blocks - 1 - (int(names[3]) if names[2] == "blocks" else 0)

    def idle(self, images: int) -> Iterator[nn.Module]:
        """Also the upscaling, without a loss for masks."""
        yield from super().idle(images)
        if self.config.mask_weight == self.config.dice_weight == 0:
            yield self.upscale

    def _record(
        self, trace: Trace, block: int, weights: Tensor, allowed: Tensor | None, grid: tuple[int, int]
    ) -> None:
        """Of all tokens the queries' view of the patches; with a mask that has faded out it is the whole picture."""
        start, queries = weights.shape[-1] - grid[0] * grid[1], self.config.num_queries
        region = torch.ones_like(weights[:, 0], dtype=torch.bool) if allowed is None else allowed[:, 0]
        trace.record(f"decoder.layer{block}.attention_region", region[:, :queries, start:].unflatten(-1, grid))
        trace.record(f"decoder.layer{block}.attention", weights[:, :, :queries, start:].unflatten(-1, grid))
        trace.record(f"decoder.layer{block}.bound_share", self.mask_shares[block])


def _as_map(x: Float[Tensor, "B T C"], grid: tuple[int, int]) -> Float[Tensor, "B C h w"]:
    """The patches, which are the last tokens."""
    return x[:, -grid[0] * grid[1] :].transpose(1, 2).unflatten(-1, grid)


def _read_shares(model: EoMT, _: object) -> None:
    """After weights were loaded."""
    model.shares = tuple(model.mask_shares.tolist())
