"""The pictures of MatchInspector: maps of costs, and the masks of a pair beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...data.sample import Category, SegmentInfo
from ...render import contact_sheet, segment_colors
from ...render.colors import RGB
from ...render.paper import WHITE, Paper
from .assigning import MatchView, total_limits
from .pictures import Grid, cost_map, large_grid, mask_over, mask_tile, small_grid
from .reading import MatchReading
from .words import SILENT


class CostMaps:
    """``readings`` by task; ``parts``: what a cost is made of; ``photo`` uint8 [H, W, 3], small.

    ``colors``: of the segments of each task, in their order.
    """

    def __init__(
        self,
        readings: Mapping[str, MatchReading],
        parts: Sequence[str],
        categories: Sequence[Category],
        photo: np.ndarray,
    ) -> None:
        self._readings, self._parts, self._categories, self._photo = readings, tuple(parts), categories, photo
        self.colors = {task: self._segment_colors(reading.class_ids) for task, reading in readings.items()}
        self._tiles = {
            task: [mask_tile(mask, color) for mask, color in zip(r.segment_masks, self.colors[task])]
            for task, r in readings.items()
        }

    def _segment_colors(self, class_ids: np.ndarray) -> list[RGB]:
        segments = [SegmentInfo(i, int(class_id)) for i, class_id in enumerate(class_ids)]
        return [color for _, color in sorted(segment_colors(segments, self._categories).items())]

    def segment_names(self, task: str) -> list[str]:
        """The classes of the segments."""
        return [self._categories[c].name for c in self._readings[task].class_ids.tolist()]

    def grid(self, task: str, part: str) -> Grid:
        """Where the cells of a map lie; ``part`` "total" is the large one."""
        return (large_grid if part == "total" else small_grid)(self.segment_names(task))

    def surest(self, task: str, layer: int, query: int) -> tuple[str, float]:
        """What a query says, and how surely."""
        best, probability = self._readings[task].surest(layer, query)
        return "no object" if best == len(self._categories) else self._categories[best].name, probability

    def painted(
        self, task: str, layer: int, view: MatchView, rows: np.ndarray, part: str, chosen: tuple[int, int] | None,
        paper: Paper = WHITE,
    ) -> np.ndarray:  # fmt: skip
        """The costs of one ``part``, or the "total", of the queries ``rows`` with all segments; ``chosen``, a row and a
        column, is framed."""
        large = part == "total"
        values = (view.total if large else view.parts[self._parts.index(part)])[rows]
        limits = total_limits(values) if large else self._readings[task].limits[self._parts.index(part)]
        place = {int(query): row for row, query in enumerate(rows)}
        pairs = [(place[q], g) for g, q in enumerate(view.assigned.tolist())]
        changed = [(place[q], g) for g, q in enumerate(view.assigned.tolist()) if view.usual[g] != q]
        given_up = [(place[q], g) for g, q in enumerate(view.usual.tolist()) if view.assigned[g] != q and q in place]
        labels = [self._label(task, layer, int(q)) if large else str(q) for q in rows]
        heads = self.segment_names(task), self._tiles[task]
        framed = pairs, changed, given_up, chosen
        return cost_map(values, limits, self.grid(task, part), *heads, labels, *framed, paper)

    def _label(self, task: str, layer: int, query: int) -> str:
        name, probability = self.surest(task, layer, query)
        return f"{name[:16]} {probability:.2f}   {query}"

    def masks(
        self, task: str, layer: int, view: MatchView, query: int, segment: int | None, paper: Paper = WHITE
    ) -> np.ndarray:
        """A segment, the query, and the query that it is compared with; the query's mask alone without a segment."""
        reading = self._readings[task]
        if segment is None:
            return contact_sheet([[mask_over(self._photo, reading.query_masks[layer, query], SILENT)]], paper=paper)
        color = self.colors[task][segment]
        shown = {f"segment {segment}": reading.segment_masks[segment]}
        for q in (query, view.rival(query, segment)[0]):
            if q is not None:
                shown[f"query {q}"] = reading.query_masks[layer, q]
        row = [mask_over(self._photo, mask, color) for mask in shown.values()]
        return contact_sheet([row], list(shown), paper=paper)
