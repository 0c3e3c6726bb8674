"""The denoising queries of a model, apart from those that are matched: what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from ...data.targets import Targets
from ...evaluating import evaluating
from ...model import MaskModel
from ...model.denoised import DenoisedModel
from ...model.output import Predictions
from ...render import contact_sheet, data_uri, webp_bytes
from ...render.colors import RGB
from ..traced import whole
from .pictures import mask_over

_SEED = 0  # of the noise: the same pictures each time
_COLUMNS = 6


@dataclass(frozen=True)
class NoisedReading:
    """What denoising queries say in the last prediction. ``masks`` [n, h, w] in 0 to 1 are those of the first group,
    one for each segment; ``named`` [groups, n] says which have the class of their segment as their likeliest, ``iou``
    [groups, n] how much of its mask they have."""

    masks: Tensor
    named: Tensor
    iou: Tensor


def read_noised(model: MaskModel, pixels: Tensor, target: Targets, task: str) -> NoisedReading | None:
    """One training step's denoising queries for one padded picture [3, H, W] and its ``target``; None of a model that
    has none, or lacks parts for training, and of a picture for which no group fits."""
    if not isinstance(model, DenoisedModel) or model.denoising is None or model.missing_parts:
        return None
    size, target = tuple(pixels.shape[-2:]), replace(target, masks=target.masks > 0)
    there = Batch(pixels[None], [task], [target], [target.texts], [size], [0]).to(model.device)
    with evaluating(model), torch.random.fork_rng([model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(_SEED)
        groups = model.learn(there).denoising[-1:]
    if not groups:
        return None
    said = [whole(group) for group in groups[0]]
    found = [(group.mask_logits[0] > 0).flatten(1).float() for group in said]
    named = [_likeliest(group) == target.labels for group in said]
    return NoisedReading(
        said[0].mask_logits[0].sigmoid(), torch.stack(named), torch.stack([_iou(inside, target) for inside in found])
    )


def _likeliest(group: Predictions) -> Tensor:
    return group.probabilities[0].argmax(-1)


def _iou(inside: Tensor, target: Targets) -> Tensor:
    """Of masks [n, hw] with their segments, at the size of the masks."""
    stride = round((target.masks[0].numel() / inside.shape[1]) ** 0.5)
    truth = (torch.nn.functional.avg_pool2d(target.masks[None].float(), stride)[0] >= 0.5).flatten(1).float()
    shared = (inside * truth).sum(1)
    return shared / (inside.sum(1) + truth.sum(1) - shared).clamp_min(1)


def noised_html(
    reading: NoisedReading | None, small: np.ndarray | None, photo: np.ndarray, colors: Sequence[RGB],
    names: Sequence[str],
) -> str:  # fmt: skip
    """In words, and the first group's masks (``small`` uint8 [n, h, w]) over the photo; nothing without a reading."""
    if reading is None or small is None:
        return ""
    groups, each = reading.named.shape
    words = (
        f"<b>Denoising queries, apart from all above:</b> {groups} {'group' if groups == 1 else 'groups'} of {each}, "
        "in training alone. Each was made of one segment, with noise, and answers for it, whatever it costs: nobody "
        "matches it, and the queries above do not see it. "
        f"After the last layer {int(reading.named.sum())} of {groups * each} say the class of their segment; their "
        f"masks have an IoU of {float(reading.iou.mean()):.2f} with it on average. The first group:"
    )
    tiles = [mask_over(photo, mask, color) for mask, color in zip(small, colors)]
    titles = [f"{g} {name[:12]} {iou:.2f}" for g, (name, iou) in enumerate(zip(names, reading.iou[0].tolist()))]
    rows = [
        contact_sheet([tiles[i : i + _COLUMNS]], titles[i : i + _COLUMNS]) for i in range(0, len(tiles), _COLUMNS)
    ]
    picture = data_uri(webp_bytes(contact_sheet([[row] for row in rows])))
    said = escape(f"masks of the first group of denoising queries, with their IoU: {', '.join(titles)}")
    return f'<p>{words}</p><img alt="{said}" style="max-width:100%" src="{picture}">'
