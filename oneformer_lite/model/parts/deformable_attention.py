"""Multi-scale deformable attention without a CUDA operator, in two equal forms.

Lesson 03. Zhu et al., "Deformable DETR" (ICLR 2021), equation 3; official
``modeling/pixel_decoder/ops`` (the operator that the official code compiles).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..fast.cached import remembered
from ..fast.linear import Linear

Shapes = list[tuple[int, int]]  # height and width of each level


@remembered
def level_sizes(shapes: tuple[tuple[int, int], ...], device: torch.device | str = "cpu") -> Int[Tensor, "L 2"]:
    """Width and height of each level, in the order of a location's (x, y)."""
    return torch.tensor([(w, h) for h, w in shapes], device=device)


def sample_by_grid(
    value: Float[Tensor, "B S M d"],
    shapes: Shapes,
    locations: Float[Tensor, "B N M L P 2"],
    weights: Float[Tensor, "B N M L P"],
) -> Float[Tensor, "B N C"]:
    """The clear form: one ``grid_sample`` per level, then the weighted sum.

    ``locations`` are (x, y) in [0, 1] over a level; outside of it the value is 0.

    Lesson 03.
    """
    batch, _, heads, dim = value.shape
    levels = value.split([h * w for h, w in shapes], dim=1)
    total = 0.0
    for level, (h, w) in enumerate(shapes):
        image = levels[level].permute(0, 2, 3, 1).reshape(batch * heads, dim, h, w)
        grid = 2 * locations[:, :, :, level].transpose(1, 2).flatten(0, 1) - 1  # [B*M, N, P, 2]
        sampled = F.grid_sample(image, grid, align_corners=False)  # [B*M, d, N, P]
        weight = weights[:, :, :, level].transpose(1, 2).flatten(0, 1)  # [B*M, N, P]
        total = total + (sampled * weight[:, None]).sum(-1)  # [B*M, d, N]
    return total.view(batch, heads * dim, -1).transpose(1, 2)


def neighbours(
    places: Float[Tensor, "*n"], length: Float[Tensor, "*_l"]
) -> list[tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]]:
    """The two pixels around each place along one axis, 0 to 1 over ``length`` pixels: their numbers and shares.

    On four pixels, 0.4375 is pixel 0.4375 * 4 - 0.5 = 1.25: three quarters of pixel 1, one quarter of pixel 2. A
    pixel outside has no share; the one at the border stands in for it.
    """
    pixel = places * length - 0.5  # pixel centres lie at whole numbers
    first = pixel.detach().floor()
    fraction = pixel - first
    found = []
    for number, share in ((first, 1 - fraction), (first + 1, fraction)):
        held = number.clamp(min=0).minimum(length - 1)
        found.append((held, share * (held == number)))
    return found


def bilinear_corners(
    locations: Float[Tensor, "B N M L P 2"], shapes: Shapes
) -> list[tuple[Int[Tensor, "B N M LP"], Float[Tensor, "B N M LP"]]]:
    """The four pixels around each of the L * P locations: their index among all S positions, and their weights.

    On one level of 2 x 4 pixels, x = 0.4375 is a quarter of the way from column 1 to column 2 and y = 0.25 lies on
    row 0. So the indices are 1 and 2 (and 5 and 6 in the row below), the weights 0.75 and 0.25 (and 0 and 0).

    Each corner is a tensor of its own, and levels and points are one dimension: loops over 2 or 4 numbers at the end
    of a large tensor take three times as long.

    Lesson 03.
    """
    areas, points = [0, *(h * w for h, w in shapes[:-1])], locations.shape[-2]
    start = torch.tensor(areas, dtype=torch.int32, device=locations.device).cumsum(0, dtype=torch.int32)
    start = start.repeat_interleave(points)  # [L * P]
    width, height = level_sizes(tuple(shapes), locations.device).repeat_interleave(points, 0).unbind(1)
    x, y = locations.flatten(3, 4).unbind(-1)
    columns = [(column.int(), share) for column, share in neighbours(x, width.to(x))]
    rows = [((row * width).int() + start, share) for row, share in neighbours(y, height.to(y))]
    return [(row + column, down * right) for row, down in rows for column, right in columns]


def sample_by_bag(
    value: Float[Tensor, "B S M d"],
    shapes: Shapes,
    locations: Float[Tensor, "B N M L P 2"],
    weights: Float[Tensor, "B N M L P"],
) -> Float[Tensor, "B N C"]:
    """The form for wide heads: every query is a bag of 4 L P weighted rows of one table.

    Bilinear interpolation is a weighted sum of four pixels, attention a weighted sum of samples;
    together they are one ``embedding_bag`` whose per-sample weights are their product.

    Lesson 03.
    """
    batch, length, heads, dim = value.shape
    table = value.transpose(1, 2).reshape(-1, dim)  # [B * M * S, d]
    first = torch.arange(batch * heads, dtype=torch.int32, device=value.device) * length
    first = first.view(batch, 1, heads, 1)  # row of position 0 of each image and head
    corners = bilinear_corners(locations, shapes)
    index = torch.cat([index + first for index, _ in corners], -1)  # [B, N, M, 4 * L * P]
    share = torch.cat([bilinear * weights.flatten(3) for _, bilinear in corners], -1)
    bag = F.embedding_bag(
        index.flatten(0, 2), table, mode="sum", per_sample_weights=share.flatten(0, 2)
    )  # [B * N * M, d]
    return bag.view(batch, -1, heads * dim)


def sample(
    value: Float[Tensor, "B S M d"],
    shapes: Shapes,
    locations: Float[Tensor, "B N M L P 2"],
    weights: Float[Tensor, "B N M L P"],
) -> Float[Tensor, "B N C"]:
    """Whichever form is faster here: the bag on a CPU with wide heads, else the grid, which alone ONNX has.

    With narrow heads, the bag's backward pass, which sorts its rows, costs more than the bag saves
    (``tests/benchmarks/deformable_attention.py``).
    """
    wide = value.shape[-1] >= 32 and value.device.type == "cpu" and not torch.onnx.is_in_onnx_export()
    return (sample_by_bag if wide else sample_by_grid)(value, shapes, locations, weights)


def softmax_over_few(scores: Float[Tensor, "*n few"]) -> Float[Tensor, "*n few"]:
    """``scores.softmax(-1)``, five times as fast on a CPU where the last dimension has a dozen entries."""
    powers = (scores - scores.detach().amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True)


class DeformableAttention(nn.Module):
    """Each query looks at P learned points per head and level, around its own position.

    With x_l the map of level l, p the query's position (or the centre of its box), and W, V the output and value
    projections:

        out = W concat over heads m ( sum over l, i of A[m, l, i] V_m x_l(p + offset[m, l, i]) )

    Offsets and weights A (a softmax over the L * P points of a head) follow from the query by a linear layer each.
    Offsets start on a ring, one direction per head, P steps outwards; weights start uniform.

    Lesson 03.
    """

    def __init__(self, dim: int, num_heads: int, num_levels: int, num_points: int) -> None:
        super().__init__()
        self.heads, self.levels, self.points = num_heads, num_levels, num_points
        self.sampling_offsets = Linear(dim, num_heads * num_levels * num_points * 2)
        self.attention_weights = Linear(dim, num_heads * num_levels * num_points)
        self.value_proj, self.output_proj = Linear(dim, dim), Linear(dim, dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Directional offsets, uniform weights, Xavier projections (official ``ms_deform_attn.py``)."""
        nn.init.zeros_(self.sampling_offsets.weight)
        angle = torch.arange(self.heads) * (2 * math.pi / self.heads)
        direction = torch.stack([angle.cos(), angle.sin()], -1)
        direction = direction / direction.abs().max(-1, keepdim=True).values  # onto the unit square
        steps = torch.arange(1, self.points + 1).view(1, 1, -1, 1)
        ring = direction.view(-1, 1, 1, 2) * steps
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(ring.expand(-1, self.levels, -1, -1).flatten())
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        for proj in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(proj.weight)
            nn.init.zeros_(proj.bias)

    def sampling(
        self, query: Float[Tensor, "B N C"], reference: Float[Tensor, "*_b N _xy"], shapes: Shapes
    ) -> tuple[Float[Tensor, "B N M L P 2"], Float[Tensor, "B N M L P"]]:
        """Where each query looks (x, y in [0, 1]) and how much each look counts. ``reference`` as in :meth:`forward`.

        Places stay in float32 when the rest is in half precision, whose steps are as wide as pixels.
        """
        offsets = self.sampling_offsets(query).unflatten(-1, (self.heads, -1))
        locations = self._around(reference, offsets, shapes)
        weights = softmax_over_few(self.attention_weights(query).unflatten(-1, (self.heads, -1)))
        sides = (self.levels, self.points)
        return locations.unflatten(-1, (*sides, 2)), weights.unflatten(-1, sides)

    def _around(
        self, reference: Float[Tensor, "*_b N _xy"], offsets: Float[Tensor, "B N M LP2"], shapes: Shapes
    ) -> Float[Tensor, "B N M LP2"]:
        """Around a point, offsets are in pixels of their level. In a box the outermost of P points lies, at first, on
        its border: an offset of P is half a side, on every level."""
        centre, side = reference[..., :2], reference[..., 2:]
        if side.shape[-1]:
            return torch.addcmul(self._for_points(centre), offsets, self._for_points(side / (2 * self.points)))
        size = level_sizes(tuple(shapes), reference.device).to(reference.dtype)
        size = size.repeat_interleave(self.points, 0).flatten()  # [L * P * 2], as the offsets of a head
        return torch.addcdiv(self._for_points(centre), offsets, size)

    def _for_points(self, pairs: Float[Tensor, "*_b N 2"]) -> Float[Tensor, "*_b N 1 LP2"]:
        """A query's (x, y) for each of its points, the same for all heads."""
        return pairs.tile(self.levels * self.points).unsqueeze(-2)

    def forward(
        self,
        query: Float[Tensor, "B N C"],
        reference: Float[Tensor, "*_b N _xy"],
        memory: Float[Tensor, "B S C"],
        shapes: Shapes,
    ) -> Float[Tensor, "B N C"]:
        """``reference``: the queries' own positions (x, y) in [0, 1], [N, 2] for all pictures or [B, N, 2]; or boxes
        [B, N, 4] that they look into, as centre, width and height. ``memory``: the levels one after the other."""
        value = self.value_proj(memory).unflatten(-1, (self.heads, -1))
        locations, weights = self.sampling(query, reference, shapes)
        sampled = sample(value.to(locations.dtype), shapes, locations, weights)
        return self.output_proj(sampled.to(memory.dtype))
