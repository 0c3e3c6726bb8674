"""Several models, or several views of a picture, that answer as one: ``Ensemble``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..checks import check_flag, check_number, only_known_names
from ..config import BaseConfig
from ..errors import ConfigError
from ..notices import warn_user
from .agreement import agreed
from .ensemble_classes import answers_for, order_of, reordered, warn_of_other_kinds
from .raw import RawPrediction, Size, bands_of
from .reading import one_pass, raw_answers
from .windows import WindowedPrediction

if TYPE_CHECKING:
    from ..model import MaskModel


class View(NamedTuple):
    """How a picture is shown to a model: at ``scale`` times its usual size, and as in a mirror if ``flipped``."""

    scale: float = 1.0
    flipped: bool = False


@only_known_names
class Ensemble(nn.Module):
    """Models that answer as one, each from several views of the picture; in place of a model wherever one predicts or
    is judged: ``ofl.predict``, ``ofl.evaluate``.

    ``scales`` are multiples of the size at which a model looks at pictures, ``flip`` adds a mirrored view of each. In
    the semantic task class scores are averaged, as published for Mask2Former and OneFormer (official
    ``SemanticSegmentorWithTTA``); in the others queries are matched and averaged (:mod:`.agreement`) and read by the
    rule and the thresholds of the first model. It costs as much as all its views. Lesson 21.

    >>> both = ofl.Ensemble([first, second], flip=True)
    >>> ofl.predict(both, "street.jpg", "panoptic")

    Raises :class:`ConfigError` for models whose classes differ by more than their order, that are on different devices,
    or that are not models.
    """

    def __init__(self, models: Sequence[MaskModel], *, flip: bool = False, scales: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        check_flag("flip", flip)
        models = [models] if isinstance(models, nn.Module) or not isinstance(models, Iterable) else list(models)
        scales = list(scales) if isinstance(scales, Iterable) else [scales]
        if not models or not all(_is_model(model) for model in models):
            names = ", ".join(type(model).__name__ for model in models) or "none"
            raise ConfigError(f"an ensemble needs models, such as [ofl.from_pretrained(...), ...], got {names}")
        if any(isinstance(model, Ensemble) for model in models):
            raise ConfigError("an ensemble cannot be part of another: give all models to one")
        if not scales:
            raise ConfigError("scales must name at least one, such as (1.0,)")
        for scale in scales:
            check_number("scales", scale, 0.1, 8)
        if any(model.config.windowed for model in models) and any(scale != 1 for scale in scales):
            warn_user("a model that sees pictures through windows of one size (EoMT's, semantic) has no other scales")
        self.models = nn.ModuleList(models)
        sides = (False, True) if flip else (False,)
        self.views = tuple(View(float(scale), mirrored) for scale in scales for mirrored in sides)
        self._orders = [order_of(models[0].config.categories, model.config.categories) for model in models]
        warn_of_other_kinds([model.config for model in models])
        self._check_devices()

    def _check_devices(self) -> None:
        """Raises :class:`ConfigError` where models are on different devices: what they say is averaged."""
        devices = [parameter.device for model in self.models for parameter in itertools.islice(model.parameters(), 1)]
        if len(set(devices)) > 1:
            raise ConfigError(
                f"the models of an ensemble are on different devices ({', '.join(map(str, devices))}): move all to "
                f'one, ensemble.to("{devices[0]}"), or each with model.to(...) before'
            )

    @property
    def config(self):
        """The first model's, by whose rule the ensemble's answers are read."""
        return self.models[0].config

    @property
    def device(self) -> torch.device:
        return self.models[0].device

    def answer(
        self, picture: np.ndarray, task: str, window: int | None = None, masks: bool = False
    ) -> RawPrediction | AveragedScores:
        """All models' answers to one picture, uint8 [H, W, 3], from all views, made one; ``masks``: one that has masks,
        where class scores would do."""
        self._check_devices()
        for model in self.models:
            model.config.check_answers(task)
        ask = one_pass if masks else raw_answers
        found = [
            Seen.of(ask, model, picture, task, window, view, order)
            for model, order in zip(self.models, self._orders)
            for view in self.views
        ]
        return AveragedScores(found) if task == "semantic" and not masks else agreed(on_one_grid(found))


@dataclass
class Seen:
    """What one model says from one view of a picture."""

    answer: RawPrediction | WindowedPrediction
    flipped: bool
    boxes_with_padding: bool

    @classmethod
    def of(
        cls, ask: Callable, model: MaskModel, picture: np.ndarray, task: str, window: int | None, view: View,
        order: list[int],
    ) -> Seen:  # fmt: skip
        """The classes of the answer in the ``order`` of the ensemble's. ``ask``: one of ``reading.py``."""
        picture = np.ascontiguousarray(picture[:, ::-1]) if view.flipped else picture
        (answer,) = ask(model, [picture], task, window, view.scale)
        if isinstance(answer, WindowedPrediction):
            answer = replace(answer, windows=[reordered(window, order) for window in answer.windows])
        else:
            answer = replace(
                reordered(answer, order), sums_first=model.config.sums_before_resizing,
                answers_for=answers_for(model.config, order, answer),
            )  # fmt: skip
        return cls(answer, view.flipped, model.config.BOXES_WITH_PADDING)

    def class_scores(self, rows: slice) -> Float[Tensor, "K H W"]:
        scores = self.answer.class_scores(rows)
        return scores.flip(-1) if self.flipped else scores

    def on_grid(self, unpadded: Size, cells: Size) -> RawPrediction:
        """Unmirrored, masks as ``cells`` that cover the picture and none of its padding; ``unpadded``: the size of the
        input that this stands for."""
        answer = self.answer
        masks, boxes = replace(answer, output=cells).masks(), answer.boxes
        if boxes is not None and self.boxes_with_padding:
            boxes = boxes * boxes.new_tensor(answer.padded).div(boxes.new_tensor(answer.unpadded)).flip(0).repeat(2)
        if self.flipped:
            masks = masks.flip(-1)
            boxes = None if boxes is None else torch.cat([1 - boxes[:, :1], boxes[:, 1:]], 1)
        return replace(answer, mask_logits=masks, boxes=boxes, padded=unpadded, unpadded=unpadded)


@dataclass
class AveragedScores:
    """Class scores of a picture, averaged over all that was ``seen`` of it."""

    seen: list[Seen]

    @property
    def output(self) -> Size:
        return self.seen[0].answer.output

    @property
    def device(self) -> torch.device:
        return self.seen[0].answer.device

    @property
    def num_classes(self) -> int:
        return self.seen[0].answer.num_classes

    @property
    def semantic_maps(self) -> int:
        return max(one.answer.semantic_maps for one in self.seen)

    def class_scores(self, rows: slice = slice(None)) -> Float[Tensor, "K H W"]:
        """The mean, in some rows."""
        first, *others = self.seen
        total = first.class_scores(rows)
        for one in others:
            total = total + one.class_scores(rows).to(total.device)
        return total / len(self.seen)

    def bands(self, maps: int) -> Iterator[slice]:
        return bands_of(self.output, maps)


def on_one_grid(found: Sequence[Seen]) -> list[RawPrediction]:
    """Answers whose masks have the same cells; as they are where they have them already."""
    first = found[0].answer
    shape = first.padded, first.unpadded, first.mask_logits.shape[1:], found[0].boxes_with_padding
    if not any(one.flipped for one in found) and all(
        (one.answer.padded, one.answer.unpadded, one.answer.mask_logits.shape[1:], one.boxes_with_padding) == shape
        for one in found
    ):
        return [one.answer for one in found]
    strides = (padded / cells for padded, cells in zip(first.padded, first.mask_logits.shape[1:]))
    cells = tuple(max(1, round(side / stride)) for side, stride in zip(first.unpadded, strides))
    return [one.on_grid(first.unpadded, cells) for one in found]


def _is_model(value: object) -> bool:
    return isinstance(value, nn.Module) and isinstance(getattr(value, "config", None), BaseConfig)


def answers_of(
    model: MaskModel | Ensemble,
    pictures: Sequence[np.ndarray],
    task: str,
    window: int | None = None,
    masks: bool = False,
) -> Sequence[RawPrediction | WindowedPrediction | AveragedScores]:
    """Of a model (:func:`~.reading.raw_answers`) or an ensemble (:meth:`Ensemble.answer`)."""
    if isinstance(model, Ensemble):
        return [model.answer(picture, task, window, masks) for picture in pictures]
    return raw_answers(model, pictures, task, window)
