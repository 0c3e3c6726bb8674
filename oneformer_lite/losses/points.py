"""Reading masks at points: losses and costs compare masks on a few thousand points, not on all pixels.

Lessons 08 and 09. Kirillov et al., "PointRend" (CVPR 2020); official ``modeling/criterion.py`` and
detectron2's ``point_features.py``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def sample_points(maps: Float[Tensor, "N C h w"], points: Float[Tensor, "N P 2"]) -> Float[Tensor, "N C P"]:
    """Bilinear values of ``maps`` at ``points``, (x, y) in [0, 1] over the map; zero outside."""
    grid = 2 * points[:, :, None] - 1  # grid_sample counts from -1 to 1
    return F.grid_sample(maps, grid, align_corners=False)[..., 0]


@torch.no_grad()
def uncertain_points(
    mask_logits: Float[Tensor, "N h w"], num_points: int, oversample: float, importance: float
) -> Float[Tensor, "N P 2"]:
    """Points for the losses: most where the model hesitates, the rest anywhere.

    Of ``oversample * num_points`` random points the ``importance`` share of ``num_points`` whose logit
    is nearest to 0 is kept; the others are new random points.
    """
    candidates = torch.rand(len(mask_logits), int(num_points * oversample), 2, device=mask_logits.device)
    logits = sample_points(mask_logits[:, None], candidates.to(mask_logits.dtype))[:, 0]
    chosen = int(importance * num_points)
    nearest = logits.abs().topk(chosen, dim=1, largest=False).indices
    hard = candidates.gather(1, nearest[..., None].expand(-1, -1, 2))
    anywhere = torch.rand(len(mask_logits), num_points - chosen, 2, device=mask_logits.device)
    return torch.cat([hard, anywhere], dim=1).to(mask_logits.dtype)
