"""Things apart from stuff: things are matched by where they are before they have masks, stuff has queries of its own.

Li et al., "Panoptic SegFormer" (CVPR 2022), sections 3.4 and 3.5; official ``panformer/panformer_head.py`` and
``panformer/tools.py``. Two slips of that code are not repeated: the class loss of stuff, which is 0 there wherever a
batch has no things, and a class weight that doubles each time a head is made of the same settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..config import BaseConfig
from ..data.targets import Targets
from ..model.output import SplitOutput, logits_of_values
from .masks import value_dice_loss
from .matching import Matcher, value_dice_cost
from .pairs import Pairs, Points, mean_over_processes
from .pixels import pixel_centres
from .points import PointSource
from .predicted_masks import matched_pairs

_FAR = 1e6  # a cost that no pair has
_STRIDE = 4  # at which masks are learned, whatever theirs


@dataclass
class SplitPairs(Pairs):
    """:class:`Pairs` of things, and the stuff of each image.

    Published, a loss of things is divided by the number n of things and multiplied by their share n / (n + m); one of
    stuff is divided by m and multiplied by m / (n + m). So all are divided by n + m, each of both at least 1.
    """

    output: SplitOutput = field(kw_only=True)
    stuff: Bool[Tensor, "B S H W"] = field(kw_only=True)  # masks
    present: Bool[Tensor, "B S"] = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.count += max(1.0, mean_over_processes(int(self.present.sum()), self.present.device))

    @property
    def readings(self) -> int:
        return len(self.output.predictions)

    @cached_property
    def values(self) -> list[Float[Tensor, "B n h w"]]:
        """The masks of all :attr:`candidates`, block by block; of the first query where a picture has no thing."""
        most = max(1, *(len(chosen) for chosen in self.candidates))
        padded = torch.stack([F.pad(chosen, (0, most - len(chosen))) for chosen in self.candidates])
        return self.output.masks_of(padded)

    @cached_property
    def candidates(self) -> list[Int[Tensor, "_n"]]:
        """Queries of each image that get masks: in each of a few rounds of matching all things find one more."""
        device = self.present.device
        return [candidates(costs.total, self.config.matching_rounds).to(device) for costs in self._costs]

    @cached_property
    @torch.no_grad()
    def _costs(self) -> list:
        """Of the last reading, by class and box."""
        every = Matcher(self.config).every_cost(self.predictions[-1:], self.targets, self.source)
        return next(iter(every))

    @cached_property
    def chosen(self) -> list[Int[Tensor, "_g"]]:
        """Of each image's candidates, by their places among them, those whose masks answer for the things: what also
        costs least with the mask that they end with."""
        c, found, ended = self.config, [], self.values[-1].detach()
        for costs, target, queries, values in zip(self._costs, self.targets, self.candidates, ended):
            masks = resized(target.masks.to(values), values.shape[-2:])
            by_mask = c.dice_weight * value_dice_cost(values[: len(queries)].flatten(1), masks.flatten(1))
            total = costs.total + (c.class_with_masks - c.class_weight) * costs.parts["class"]
            total = (total[queries] + by_mask).nan_to_num(nan=100.0, posinf=100.0, neginf=-100.0)
            found.append(torch.from_numpy(linear_sum_assignment(total.T.cpu().numpy())[1]).to(values.device))
        return found

    @cached_property
    def masks(self) -> Float[Tensor, "LG h w"]:
        """The mask logits of all things, block by block; where there are none, those of some query."""
        if not sum(self.counts):
            return self.values[-1].flatten(0, 1)
        rows = matched_pairs(self.chosen)
        return logits_of_values(torch.cat([values[rows] for values in self.values]))

    @cached_property
    def points(self) -> Points:
        """At all cells of the masks, brought to a quarter of the picture."""
        masks = to_quarter(self.masks, self.config.mask_stride)
        labels = torch.cat([resized(t.masks.to(masks), masks.shape[-2:]) for t in self.targets]).flatten(1)
        places = pixel_centres(*masks.shape[-2:], masks).expand(len(masks), -1, -1)
        return Points(places, masks.flatten(1), labels.repeat(len(self.values), 1))

    def stuff_dice(self) -> Float[Tensor, "L G"]:
        """Of all stuff that is there, block by block."""
        rows = [to_quarter(values[self.present], self.config.mask_stride) for values in self.output.stuff_masks]
        labels = resized(self.stuff[self.present].to(rows[0]), rows[0].shape[-2:]).flatten(1)
        return torch.stack([value_dice_loss(values.flatten(1), labels) for values in rows])


def split_pairs(output: SplitOutput, targets: list[Targets], source: PointSource, config: BaseConfig) -> SplitPairs:
    """Match things by classes and boxes, and find the stuff of each image."""
    if not output.things:
        raise ValueError("the output does not tell things from stuff: call model.learn(batch)")
    things = [of_classes(target, config.things) for target in targets]
    stuff, present = zip(*(dense(target, config.stuff) for target in targets))
    assigned = Matcher(config)(output.things, things, source)
    return SplitPairs(
        output.things, things, assigned, source, config, output=output, stuff=torch.stack(stuff),
        present=torch.stack(present),
    )  # fmt: skip


def of_classes(target: Targets, classes: Sequence[int]) -> Targets:
    """Those of an image's masks that are of one of ``classes``."""
    keep = [i for i, label in enumerate(target.labels.tolist()) if label in classes]
    return replace(target, masks=target.masks[keep], labels=target.labels[keep], texts=[target.texts[i] for i in keep])


def dense(target: Targets, classes: Sequence[int]) -> tuple[Bool[Tensor, "S H W"], Bool[Tensor, "S"]]:
    """A mask for each of ``classes``, and whether an image has it."""
    masks = target.masks.new_zeros(len(classes), *target.masks.shape[1:], dtype=torch.bool)
    present = torch.zeros(len(classes), dtype=torch.bool, device=masks.device)
    for label, mask in zip(target.labels.tolist(), target.masks):
        if label in classes:
            masks[classes.index(label)] |= mask > 0
            present[classes.index(label)] = True
    return masks, present


def candidates(cost: Float[Tensor, "T G"], rounds: int) -> Int[Tensor, "_n"]:
    """Queries, in order, that some target gets in one of ``rounds`` of one-to-one matching, or of fewer, where queries
    do not suffice for so many: at most T // G of each target.

    The published code means three, but stops after the first, for what it then asks it has made true itself; settings
    with ``matching_rounds=1`` repeat that.
    """
    left, found = cost.detach().cpu().double().clone(), []
    for _ in range(min(rounds, len(left) // max(1, left.shape[1]))):
        rows, _ = linear_sum_assignment(left.numpy())
        left[rows] = _FAR
        found.extend(rows.tolist())
    return torch.tensor(sorted(found), dtype=torch.int64)


def to_quarter(masks: Float[Tensor, "N h w"], stride: int) -> Float[Tensor, "N h4 w4"]:
    """Masks of a ``stride`` at a quarter of the picture."""
    if stride == _STRIDE or not len(masks):
        return masks
    return F.interpolate(masks[None], scale_factor=stride / _STRIDE, mode="bilinear")[0]


def resized(masks: Float[Tensor, "N H W"], size: tuple[int, int]) -> Float[Tensor, "N h w"]:
    """As published: each cell is what lies around its centre."""
    return F.interpolate(masks[None], size=size, mode="bilinear")[0] if len(masks) else masks.new_zeros(0, *size)
