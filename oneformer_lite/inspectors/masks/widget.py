"""MaskInspector: a prediction and its ground truth, segment by segment."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from ipywidgets import HTML, Box, Checkbox, IntSlider, ToggleButtons, VBox
from PIL import Image as PILImage

from ...data.sample import Sample
from ...errors import ConfigError
from ...inference import as_pixels, check_model, predict
from ...model import MaskModel
from ...render import contact_sheet, data_uri, png_bytes, segment_colors
from ...render.labels import Placed, draw_pills, label_items, label_size, place_labels
from ...render.legend import with_legend
from ...render.masks import VERDICT_COLORS, blend_masks, display_factor, display_ids, display_image, greyed, mark_point
from ..chips import Chips
from ..inspector import Inspector
from ..page import checkbox, chips, id_picture, inspector_page, slider, toggle
from ..picture import Picture
from ..segments import VERDICTS, Reading, ReadSegment, count_verdicts, judged, read_prediction, read_truth

SIDES = ("ground truth", "prediction")
COLORS = {"class": "class", "verdict": "right or wrong"}


class MaskInspector(Inspector):
    """The segments of one picture: what was predicted, what was annotated, and where they part.

    >>> MaskInspector(model, sample).set(task="panoptic", colors="verdict")

    Hover to read a segment's class, score, area and IoU with its partner; click to hold the place. State: ``task`` (a
    task or "all"), ``colors`` ("class" or "verdict"), ``opacity`` (0 to 100), ``outline``,
    ``classes`` (those to show; none: all), ``names`` (written or not) and ``point`` (row, column in the picture).
    """

    LOOK_FOR = (
        "What to look for: switch to “right or wrong”. A segment that was missed, split or merged fails in its mask, "
        "one of the wrong class in its name; the three tasks fail in different places."
    )

    def __init__(self, model: MaskModel, image: Sample | PILImage.Image | str | Path | np.ndarray) -> None:
        """``image``: a :class:`Sample`, which brings its ground truth, or anything that :func:`ofl.predict` takes."""
        check_model(model)
        sample = image if isinstance(image, Sample) else None
        pixels = sample.image if sample else as_pixels(image)
        self.tasks = model.config.answered_tasks
        predictions = {task: predict(model, pixels, task) for task in self.tasks}
        first = predictions[self.tasks[0]]
        self.image, self.categories = first.image, first.categories
        if sample and len(sample.categories) != len(self.categories):
            raise ConfigError(
                f"the sample has {len(sample.categories)} classes, the model {len(self.categories)}: its ground truth "
                "cannot be compared; pass sample.image to look at the prediction alone"
            )
        self.readings: dict[tuple[str, str], Reading] = {}
        for task, prediction in predictions.items():
            found = read_prediction(prediction)
            if sample and task in sample.tasks:
                found, truth = judged(found, read_truth(sample, task))
                self.readings[task, "ground truth"] = truth
            self.readings[task, "prediction"] = found
        self._has_truth = bool(sample)
        own = sample.tasks if sample else self.tasks
        self._first = next((task for task in self.tasks if task in own), self.tasks[0])  # one that can be compared
        self._photo, self._factor = display_image(self.image), display_factor(self.image.shape[:2])
        self._grey = greyed(self._photo)
        self._ids = {key: display_ids(reading.segment_map) for key, reading in self.readings.items()}
        self._colors = {key: segment_colors(r.segments, self.categories) for key, r in self.readings.items()}
        self._labels = {(key, colors): self._placed(key, colors) for key in self.readings for colors in COLORS}
        super().__init__(*self._build())

    def _caption(self, task: str, side: str) -> str:
        return f"{side}, {task}" + ("" if self.readings[task, side].segments else ": no segments")

    def _seen(self) -> list[str]:
        """The classes that were found or annotated."""
        return sorted({s.name for reading in self.readings.values() for s in reading.segments})

    def _placed(self, key: tuple[str, str], colors: str) -> list[tuple[str, Placed]]:
        """(class, label) of each segment that has room for one: its class, or, where colours tell verdicts, what is
        wrong with it."""
        words = {s.id: s.name for s in self.readings[key].segments}
        if colors == "verdict":
            wrong = [s for s in self.readings[key].segments if s.verdict not in (None, "right")]
            words = {s.id: f"{s.name}: {s.verdict}" for s in wrong}
        classes = {word: s.name for s in self.readings[key].segments if (word := words.get(s.id))}
        size, shape = label_size(self._photo.shape[:2]), self._photo.shape[:2]
        placed = place_labels(shape, label_items(self._ids[key], words, size), size)
        return [(classes[label[0]], label) for label in placed]

    def _build(self) -> tuple[dict, list]:
        self._told, self._legend = HTML(), HTML()
        self._pictures, self._panels = {}, {}
        for task, side in self.readings:
            label = f"{side}, {task}: arrow keys move the point"
            picture = Picture(None, label, self.image.shape[:2], self._tell, photo=True)
            self._pictures[task, side], caption = picture, HTML(f"<b>{self._caption(task, side)}</b>")
            self._panels[task, side] = VBox([caption, picture], layout={"flex": "1 1 19rem", "min_width": "0"})
        self._lead = self._pictures[self._first, "prediction"]
        for picture in self._pictures.values():
            if picture is not self._lead:
                picture.observe(lambda change: self._lead.move(change["new"]), "point")
        colors = {"options": [(text, value) for value, text in COLORS.items()], "layout": {"width": "auto"}}
        buttons = {"style": {"button_width": "auto"}, "layout": {"width": "auto"}}
        controls = {
            "task": ToggleButtons(options=[*self.tasks, "all"], value=self._first, **buttons),
            "colors": ToggleButtons(**(buttons | colors), disabled=not self._has_truth),
            "opacity": IntSlider(60, 0, 100, 5, description="opacity", layout={"width": "15rem"}),
            "outline": Checkbox(True, description="outlines", indent=False, layout={"width": "auto"}),
            "classes": Chips([c.name for c in self.categories], self._seen(), "only these classes"),
            "point": self._lead,
            "names": Checkbox(True, description="names", indent=False, layout={"width": "auto"}),
        }  # fmt: skip
        views = Box(list(self._panels.values()), layout={"flex_flow": "row wrap", "grid_gap": "10px"})
        return controls, [views, self._legend, self._told]

    def _shown(self) -> list[tuple[str, str]]:
        task = self.state["task"]
        tasks = self.tasks if task == "all" else (task,)
        return [(t, side) for side in SIDES for t in tasks if (t, side) in self.readings]

    def _draw(self) -> None:
        shown = self._shown()
        for key, panel in self._panels.items():
            panel.layout.display = None if key in shown else "none"
            panel.layout.order = str(shown.index(key)) if key in shown else None
        for key in shown:
            self._pictures[key].show(self._painted(key))
        self._legend.value = self._legend_html()
        self._tell(None)

    def _painted(self, key: tuple[str, str]) -> np.ndarray:
        state, point = self.state, self.state["point"]
        ground = self._grey if state["colors"] == "verdict" else self._photo
        picture = blend_masks(
            ground, self._ids[key], self._visible_colors(key), state["opacity"] / 100, state["outline"]
        )
        if state["names"]:
            shown, labels = state["classes"], self._labels[key, state["colors"]]
            picture = draw_pills(picture, [label for name, label in labels if not shown or name in shown])
        if point is None:
            return picture
        return mark_point(picture, *((value + 0.5) * self._factor for value in point))

    def _visible_colors(self, key: tuple[str, str]) -> dict[int, tuple[int, int, int]]:
        state, colors = self.state, self._colors[key]
        if state["colors"] == "verdict":
            colors = {s.id: VERDICT_COLORS[s.verdict] for s in self.readings[key].segments if s.verdict}
        wanted = [s.id for s in self.readings[key].segments if not state["classes"] or s.name in state["classes"]]
        return {i: colors[i] for i in wanted if i in colors}

    def _tell(self, hovered: tuple[int, int] | None) -> None:
        """What all pictures shown say of the place under the mouse, or else of the point."""
        place = hovered or self.state["point"]
        if place is None:
            self._told.value = '<div class="ofl-told-text">Point at a segment, or click to hold a place.</div>'
            return
        rows = "".join(_row(key, self.readings[key].at(*place)) for key in self._shown())
        names = ("", "segment", "score", "pixels", "IoU", "verdict")
        head = "".join(f"<th>{name}</th>" for name in names)
        self._told.value = (
            f'<div class="ofl-told-text">row {place[0]}, column {place[1]}'
            f'<table class="ofl-table"><tr>{head}</tr>{rows}</table></div>'
        )

    def _legend_entries(self) -> list[tuple[str, tuple[int, int, int]]]:
        """What the colours of right and wrong mean, and how many segments have them; names stand for classes."""
        if self.state["colors"] == "class":
            return []
        tasks = [task for task, side in self._shown() if side == "prediction"]
        counts = [count_verdicts(*self._pair(task)) for task in tasks if (task, "ground truth") in self.readings]
        seen = [verdict for verdict in VERDICTS if any(verdict in found for found in counts)]
        numbers = [" + ".join(str(found.get(verdict, 0)) for found in counts) for verdict in seen]
        return [(f"{n} {verdict}: {VERDICTS[verdict]}", VERDICT_COLORS[verdict]) for n, verdict in zip(numbers, seen)]

    def _legend_html(self) -> str:
        dot = '<span><i class="ofl-dot" style="background:rgb{}"></i>{}</span>'
        items = (dot.format(color, escape(words)) for words, color in self._legend_entries())
        return f'<div class="ofl-controls">{"".join(items)}</div>'

    def _pair(self, task: str) -> tuple[Reading, Reading]:
        return self.readings[task, "prediction"], self.readings[task, "ground truth"]

    def _picture(self) -> np.ndarray:
        shown = self._shown()
        width = len({task for task, _ in shown}) if len(shown) > 2 else len(shown)
        pictures, titles = [self._painted(key) for key in shown], [f"{side}, {task}" for task, side in shown]
        rows = [pictures[i : i + width] for i in range(0, len(pictures), width)]
        titles = titles[:width] if len(rows) == 1 else [task for task, _ in shown[:width]]
        return with_legend(contact_sheet(rows, titles), self._legend_entries())

    def _subject(self) -> str:
        found = self._shown()[-1]
        words = f"{len(self.readings[found].segments)} segments"
        if (found[0], "ground truth") in self.readings:
            words += ", " + ", ".join(f"{n} {verdict}" for verdict, n in count_verdicts(*self._pair(found[0])).items())
        return words

    def _page(self) -> str:
        state = self.state
        data = {
            "photo": data_uri(png_bytes(self._photo)),
            "factor": self._factor, "size": self.image.shape[:2], "point": state["point"],
            "tasks": self.tasks,
            "counts": {t: count_verdicts(*self._pair(t)) for t in self.tasks if (t, "ground truth") in self.readings},
            "verdicts": {verdict: [VERDICT_COLORS[verdict], words] for verdict, words in VERDICTS.items()},
            "letters": label_size(self._photo.shape[:2]),
            "panels": [
                {
                    "task": task, "side": side, "caption": self._caption(task, side),
                    "ids": id_picture(self._ids[task, side]),
                    "labels": {colors: self._labels[(task, side), colors] for colors in COLORS},
                    "segments": [_told(s, self._colors[task, side][s.id]) for s in reading.segments],
                }
                for (task, side), reading in sorted(self.readings.items(), key=lambda item: SIDES.index(item[0][1]))
            ],
        }  # fmt: skip
        seen = sorted({*self._seen(), *state["classes"]})
        controls = [
            toggle("task", {task: task for task in (*self.tasks, "all")}, state["task"]),
            toggle("colors", COLORS, state["colors"]) if self._has_truth else "",
            slider("opacity", 0, 100, 5, state["opacity"]),
            checkbox("outline", "outlines", state["outline"]), checkbox("names", "names", state["names"]),
            chips("classes", "only these classes", seen, state["classes"]),
        ]
        body = (
            f'<div class="ofl-controls">{"".join(controls)}</div><div class="ofl-views"></div>'
            '<div class="ofl-controls" id="legend"></div><div class="ofl-told-text" id="told"></div>'
        )
        return inspector_page(self._title(), self.LOOK_FOR, body, "inspectors/masks/page.js", data)


def _row(key: tuple[str, str], segment: ReadSegment | None) -> str:
    if segment is None:
        return f"<tr><th>{key[1]}, {key[0]}</th><td>void</td><td></td><td></td><td></td><td></td></tr>"
    cells = _cells(segment)
    return f"<tr><th>{key[1]}, {key[0]}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _cells(segment: ReadSegment) -> Sequence[str]:
    score = "" if segment.score is None else f"{segment.score:.2f}"
    iou = "" if segment.verdict is None else f"{segment.iou:.2f}"
    return f"{segment.name} ({segment.id})", score, str(segment.area), iou, segment.verdict or ""


def _told(segment: ReadSegment, color: tuple[int, int, int]) -> dict:
    return {
        "id": segment.id, "name": segment.name, "verdict": segment.verdict, "color": color, "cells": _cells(segment),
    }  # fmt: skip
