"""The pictures of QueryInspector: all queries on one sheet, the life of one, its mask and where it looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from PIL import Image

from ...render.colors import RGB
from ...render.masks import display_ids
from ...render.paper import WHITE, Paper
from .pictures import Cell, Ground, attention_over, cell_sheet, faded, fit, mask_over, with_box
from .reading import QueryReading

WIDTH = 1064  # pixels of the sheets
_GAP, _WIDEST = 8, 150


def sheet_columns(num_queries: int) -> int:
    """How many thumbnails stand in a row."""
    return min(8 if num_queries <= 64 else 12, num_queries)


@dataclass
class QueryPainter:
    """Paints readings of one photograph (uint8 [H, W, 3], at the size at which it is shown) in the classes' colours."""

    photo: np.ndarray
    names: Sequence[str]
    colors: Sequence[RGB]
    _kept: dict = field(default_factory=dict)

    def sheet(
        self, reading: QueryReading, layer: int, order: Sequence[int], chosen: int | None, paper: Paper = WHITE
    ) -> np.ndarray:
        """All queries in ``order``, as they were after ``layer``; the ``chosen`` one framed."""
        key = id(reading), layer, paper, *order
        if chosen is None and key in self._kept:
            return self._kept[key]
        cells = self._thumbnails(reading, layer, paper)
        frame = None if chosen is None else order.index(chosen)
        painted = cell_sheet([cells[query] for query in order], sheet_columns(reading.num_queries), frame, paper)
        if chosen is None:  # a notebook frames the chosen one itself
            self._kept[key] = painted
        return painted

    def _thumbnails(self, reading: QueryReading, layer: int, paper: Paper) -> list[Cell]:
        """Of all queries by number; kept, because another choice only moves the frame."""
        key = id(reading), layer, paper
        if key not in self._kept:
            ground = self._small(WIDTH // max(8, sheet_columns(reading.num_queries)) - _GAP)
            cells = []
            for query, logits in enumerate(reading.masks(layer, ground.photo.shape[:2]).numpy()):
                (class_id, score), empty = reading.best_class(layer, query), reading.is_empty(layer, query)
                painted = mask_over(ground, logits, self.colors[class_id], outline=False)
                shown, words = (faded(painted, paper) if empty else painted,), f"query {query}: {score:.2f}"
                cells.append(Cell(shown, self.names[class_id], words, empty))
            self._kept[key] = cells
        return self._kept[key]

    def strip(
        self, moments: Sequence[tuple[QueryReading, int, str]], query: int, chosen: int | None, paper: Paper = WHITE
    ) -> np.ndarray:
        """One column for each (reading, layer, name): the mask, where it looked, what it is; ``chosen`` is framed."""
        ground = self._small(min(_WIDEST, WIDTH // len(moments) - _GAP))
        cells = []
        for reading, layer, name in moments:
            class_id, score = reading.best_class(layer, query)
            logits, looked = reading.masks(layer, ground.photo.shape[:2], [query])[0].numpy(), None
            if reading.looked_at(layer, query) is not None:
                looked = self._attention(ground, reading, layer, query)
            partner = reading.truth and reading.truth.partner(layer, query)
            iou = f", IoU {partner[1]:.2f}" if partner and partner[2] else ""
            mask = _boxed(mask_over(ground, logits, self.colors[class_id]), reading, layer, query)
            pictures = mask, looked
            cells.append(
                Cell(pictures, f"{name}{iou}", f"{self.names[class_id]} {score:.2f}", reading.is_empty(layer, query))
            )
        return cell_sheet(cells, len(cells), chosen, paper)

    def mask(self, reading: QueryReading, layer: int, query: int) -> np.ndarray:
        """The mask over the photograph, with a line around the annotated one that the query is matched with, and the
        query's box, if it has one."""
        logits = reading.masks(layer, self.photo.shape[:2], [query])[0].numpy()
        color = self.colors[reading.best_class(layer, query)[0]]
        painted = mask_over(self._ground, logits, color, self._truth(reading, layer, query))
        return _boxed(painted, reading, layer, query)

    def attention(self, reading: QueryReading, layer: int, query: int) -> np.ndarray:
        """Where ``layer`` looked; the photograph where that is not known."""
        if reading.looked_at(layer, query) is None:
            return self.photo
        return self._attention(self._ground, reading, layer, query)

    def _attention(self, ground: Ground, reading: QueryReading, layer: int, query: int) -> np.ndarray:
        weights, region = (values.numpy() for values in reading.looked_at(layer, query))
        return attention_over(ground, weights, region, reading.cells_looked_at(layer))

    def _truth(self, reading: QueryReading, layer: int, query: int) -> np.ndarray | None:
        partner = reading.truth and reading.truth.partner(layer, query)
        if not partner or not partner[2]:
            return None
        key = reading.task, partner[0]
        if key not in self._kept:
            self._kept[key] = display_ids(reading.truth.masks[partner[0]].astype(np.int32)) > 0
        return self._kept[key]

    @cached_property
    def _ground(self) -> Ground:
        return Ground(self.photo)

    def _small(self, side: int) -> Ground:
        if side not in self._kept:
            size = fit(self.photo.shape[:2], (side, side))
            small = Image.fromarray(self.photo).resize(size[::-1], Image.Resampling.BOX)
            self._kept[side] = Ground(np.asarray(small))
        return self._kept[side]


def _boxed(picture: np.ndarray, reading: QueryReading, layer: int, query: int) -> np.ndarray:
    return picture if reading.boxes is None else with_box(picture, reading.boxes[layer, query].numpy())
