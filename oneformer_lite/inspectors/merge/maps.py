"""The maps of MergeInspector in their colours: result, one query, ground truth."""

from __future__ import annotations

import numpy as np

from ...config import BaseConfig
from ...data.sample import Sample, SegmentInfo
from ...metrics.overlaps import SegmentMatching
from ...render import segment_colors
from ...render.colors import RGB
from ...render.masks import VERDICT_COLORS, greyed
from .pictures import OUTCOME_OF, OUTCOMES, PART_OF, PARTS, paint_segments, part_colors, query_parts
from .reading import Contest, Merged, merge


class MergeMaps:
    """``photo`` uint8 [H, W, 3] as shown, ``zoom`` of its pixels for one of the contest's grid, which has ``rows`` and
    ``columns`` of the picture. ``sample`` brings the ground truth: ``truth`` int [h, w] numbers its segments from 1.

    With a ``matching`` segments have the colours of their outcome, over grey, else of their class.
    """

    def __init__(
        self,
        contest: Contest,
        config: BaseConfig,
        sample: Sample | None,
        photo: np.ndarray,
        zoom: int,
        rows: np.ndarray,
        columns: np.ndarray,
    ) -> None:
        self.contest, self.photo, self.zoom, self._sample = contest, photo, zoom, sample
        self._grey = greyed(photo)
        self._categories = config.categories
        self.colors = self._candidate_colors(config)
        if sample:
            ids = [s.id for s in sample.segments]
            number = np.zeros(max(ids, default=0) + 1, dtype=np.int32)
            number[ids] = range(1, len(ids) + 1)
            self.truth = number[sample.segment_map[rows][:, columns]]

    def _candidate_colors(self, config: BaseConfig) -> list[RGB]:
        """One for each candidate, whatever the thresholds: those that the model's own keep come first, so that they
        look as in any other picture of the prediction."""
        fates = merge(self.contest, config.object_mask_threshold, config.overlap_threshold).fates
        places = sorted(range(len(fates)), key=lambda place: fates[place].name not in ("kept", "joined"))
        pseudo = [SegmentInfo(place, self.contest.candidates[place].class_id) for place in places]
        colors = segment_colors(pseudo, self._categories)
        return [colors[place] for place in range(len(fates))]

    def painted(self, merged: Merged, place: int | None, matching: SegmentMatching | None) -> dict[str, np.ndarray]:
        """ "result", "query" (the candidate at ``place``; None: nobody), and with ground truth "truth"."""
        winner = self.contest.winners(merged.entered)
        parts = np.zeros(winner.shape, dtype=np.uint8)
        if place is not None:
            competes = self.contest.candidates[place].rank < merged.entered
            parts = query_parts(winner, self.contest.own[place], place, competes)
        segments = merged.segment_map(self.contest, winner)
        maps = {"result": (segments, self.segment_colors(merged, matching)), "query": (parts, part_colors())}
        if self._sample:
            maps["truth"] = self.truth, self.truth_colors(matching)
        told = {"result", "truth"} if matching else set()
        return {
            key: paint_segments(self._grey if key in told else self.photo, ids, table, self.zoom)
            for key, (ids, table) in maps.items()
        }

    def segment_colors(self, merged: Merged, matching: SegmentMatching | None) -> dict[int, RGB]:
        """Of the merged segments, by id."""
        if matching:
            verdicts = {p.pred_id: "right" for p in matching.matches}
            verdicts |= {s.id: "invented" for s in matching.false_positives}
            verdicts |= {s.id: "ignored" for s in matching.ignored}
            return {id_: VERDICT_COLORS[verdict] for id_, verdict in verdicts.items()}
        kept = ((fate.segment, self.colors[place]) for place, fate in enumerate(merged.fates) if fate.name == "kept")
        return dict(kept)

    def truth_colors(self, matching: SegmentMatching | None) -> dict[int, RGB]:
        """Of the annotated segments, by their number in ``truth``."""
        colors = segment_colors(self._sample.segments, self._categories)
        if matching:
            found = dict.fromkeys(colors, "ignored")  # crowds
            found |= {p.gt_id: "right" for p in matching.matches} | {s.id: "missed" for s in matching.false_negatives}
            colors = {id_: VERDICT_COLORS[verdict] for id_, verdict in found.items()}
        return {number: colors[s.id] for number, s in enumerate(self._sample.segments, start=1)}


def legend_entries(matching: SegmentMatching | None) -> list[tuple[str, RGB | None]]:
    """Words and colours: the parts of a query, and how many segments have which outcome."""
    entries: list[tuple[str, RGB | None]] = [(PART_OF, None), *((text, color) for color, text in PARTS.values())]
    if matching is None:
        return entries
    numbers = {"TP": len(matching.matches), "FP": len(matching.false_positives),
               "FN": len(matching.false_negatives), "ignored": len(matching.ignored)}  # fmt: skip
    outcomes = [(f"{numbers[word]} {word}", VERDICT_COLORS[key]) for key, word in OUTCOMES.items()]
    return [(OUTCOME_OF, None), *outcomes, *entries]
