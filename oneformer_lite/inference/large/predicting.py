"""A large picture in, one prediction out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from ...data.equalize import with_tones
from ...data.sample import Category
from ...data.tones import tone_table
from ...errors import ConfigError
from ..duplicates import surest_of_each
from ..ensemble import AveragedScores, Ensemble, answers_of
from ..naming import panoptic_prediction, read_prediction, semantic_prediction
from ..prediction import MOST_MASKS, Prediction, Segment
from ..raw import RawPrediction
from ..windows import WindowedPrediction
from .grid import Grid, Window
from .instances import placed_instances
from .panoptic import segment_map
from .semantic import label_map

if TYPE_CHECKING:
    from ...model import MaskModel

_SHOWN = 16  # windows from which on there is a progress bar


def in_windows(
    model: MaskModel | Ensemble, pixels: np.ndarray, task: str, grid: Grid, categories: tuple[Category, ...],
    min_score: float = 0.0, bar: bool = False, whole: np.ndarray | None = None,
) -> Prediction:  # fmt: skip
    """:func:`~..predicting.predict` of a picture, uint8 [H, W, 3], through the windows of ``grid``; of many with a
    progress ``bar``. ``whole``: what the picture is part of, whose tones count."""
    table = _tones(model, pixels if whole is None else whole)
    answers = _answers(model, pixels, table, task, grid, bar and len(grid) >= _SHOWN)
    if task == "semantic":
        return semantic_prediction(pixels, categories, *label_map(grid, answers))
    predictions = (
        (window, read_prediction(answer, task, pixels[window.place], model.config, categories, min_score))
        for window, answer in answers
    )
    if task == "panoptic":
        return panoptic_prediction(pixels, categories, *segment_map(grid, predictions))
    found = sorted(placed_instances(grid, predictions), key=lambda one: -one[2])
    masks, class_ids, scores = ([one[part] for one in found] for part in range(3))
    found = [found[i] for i in surest_of_each(masks, class_ids, scores, model.config.duplicate_iou)]
    rows = [(k, score, mask.area, mask, True) for mask, k, score in found]
    segments = [Segment.of(i, categories, *row) for i, row in enumerate(rows, start=1)]
    masks = None
    if len(found) * grid.height * grid.width <= MOST_MASKS:
        masks = np.zeros((len(found), grid.height, grid.width), bool)
        for i, (mask, _, _) in enumerate(found):
            masks[(i, *mask.place)] = mask.pixels
    return Prediction(task, pixels, segments, categories, masks=masks)


def _answers(
    model: MaskModel | Ensemble, pixels: np.ndarray, table: np.ndarray | None, task: str, grid: Grid, bar: bool
) -> Iterator[tuple[Window, RawPrediction | WindowedPrediction | AveragedScores]]:
    for window in tqdm(grid, task, len(grid), unit="window", leave=False, disable=not bar, dynamic_ncols=True):
        part = np.ascontiguousarray(pixels[window.place])
        part = part if table is None else with_tones(part, table)
        yield window, answers_of(model, [part], task, grid.side)[0]


def _tones(model: MaskModel | Ensemble, whole: np.ndarray) -> np.ndarray | None:
    """The table of the whole picture, for all its parts. Raises :class:`ConfigError` for models that want different
    ones."""
    configs = [one.config for one in (model.models if isinstance(model, Ensemble) else [model])]
    if len({(config.equalize, config.stretch) for config in configs}) > 1:
        raise ConfigError(
            "the models of the ensemble want pictures of different tones (equalize or stretch in their "
            "configurations), which windows of a large picture cannot give: take models of the same, or windows=False"
        )
    return tone_table(whole, configs[0])
