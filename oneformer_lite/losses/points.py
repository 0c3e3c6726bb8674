"""Reading masks at points: losses and costs compare masks on a few thousand points, not on all pixels.

Lessons 08 and 09b. Kirillov et al., "PointRend" (CVPR 2020); official ``modeling/criterion.py`` and
detectron2's ``point_features.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def sample_points(maps: Float[Tensor, "N C h w"], points: Float[Tensor, "N P 2"]) -> Float[Tensor, "N C P"]:
    """Bilinear values of ``maps`` at ``points``, (x, y) in [0, 1] over the map; zero outside.

    Lesson 08. Lesson 09b.
    """
    grid = points[:, :, None].mul(2).sub_(1)  # grid_sample counts from -1 to 1
    return F.grid_sample(maps, grid, align_corners=False)[..., 0]


class PointSource:
    """Uniformly random points. With one seed per image, an image's points depend on its seed alone.

    So a batch that is shared out over processes meets the points that it would have met in one process,
    and a resumed run those of the run that never stopped. Without seeds they come from
    PyTorch's global generator.

    Lesson 08.
    """

    def __init__(self, device: torch.device, seeds: Sequence[Sequence[int]] | None = None) -> None:
        self.device, self.generators = device, None
        if seeds is not None:
            words = [int(np.random.SeedSequence(tuple(seed)).generate_state(1)[0]) for seed in seeds]
            self.generators = [torch.Generator(device).manual_seed(word) for word in words]

    def for_images(self, images: int, num_points: int) -> Float[Tensor, "B P 2"]:
        """One set of points for each image, (x, y) in [0, 1]."""
        return self.for_masks([1] * images, 1, num_points)

    def for_masks(self, counts: Sequence[int], layers: int, num_points: int) -> Float[Tensor, "LG P 2"]:
        """Own points for each mask of ``layers`` predictions, of which image b has ``counts[b]`` each."""
        if self.generators is None:
            return torch.rand(layers * sum(counts), num_points, 2, device=self.device)
        drawn = [
            torch.rand(layers, count, num_points, 2, device=self.device, generator=generator)
            for count, generator in zip(counts, self.generators, strict=True)
        ]
        return torch.cat(drawn, dim=1).flatten(0, 1)


@torch.no_grad()
def uncertain_points(
    mask_logits: Float[Tensor, "N h w"],
    num_points: int,
    oversample: float,
    importance: float,
    draw: Callable[[int], Tensor] | None = None,
) -> Float[Tensor, "N P 2"]:
    """Points for the losses: most where the model hesitates, the rest anywhere.

    Of ``oversample * num_points`` random points the ``importance`` share of ``num_points`` whose logit
    is nearest to 0 is kept; the others are new random points. ``draw(n)`` gives n uniform points for each
    mask, [N, n, 2]; by default from PyTorch's global generator.

    Lesson 09b.
    """
    if draw is None:

        def draw(count: int) -> Tensor:
            return torch.rand(len(mask_logits), count, 2, device=mask_logits.device)

    candidates = draw(int(num_points * oversample))
    logits = sample_points(mask_logits[:, None], candidates.to(mask_logits.dtype))[:, 0]
    chosen = int(importance * num_points)
    nearest = logits.abs().topk(chosen, dim=1, largest=False, sorted=False).indices
    hard = candidates.gather(1, nearest[..., None].expand(-1, -1, 2))
    return torch.cat([hard, draw(num_points - chosen)], dim=1).to(mask_logits.dtype)
