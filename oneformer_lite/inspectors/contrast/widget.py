"""ContrastInspector: the contrastive loss of a small batch, image by image and slot by slot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from ipywidgets import HTML, Box, FloatLogSlider, IntSlider, ToggleButtons, VBox

from ...data.sample import Sample
from ...errors import ConfigError
from ...inference import check_model
from ...model import MaskModel
from ...render import contact_sheet
from ...render.legend import with_legend
from ...render.paper import WHITE, Paper
from ..inspector import Absence, Inspector
from ..picture import Picture
from ..samples import MOST_SAMPLES, sample_pairs, task_choices
from .page import contrast_page
from .pictures import (
    bars_picture,
    contrast_matrices,
    cosines_picture,
    curve_picture,
    matrix_picture,
    thumbnail,
)  # fmt: skip
from .reading import (
    KINDS,
    contrast,
    encode,
    false_negatives,
    lowest_loss,
    most_expensive,
    slot_cosines,
    slot_shares,
)  # fmt: skip
from .words import SHORT, legend, legend_entries, pair_text, slot_table, slot_text

_POINTS = 256  # temperatures of the curve
_MATRICES = {
    "similarity": "similarity: cosine / temperature",
    "by_row": "softmax of rows: image among texts",
    "by_column": "softmax of columns: texts among images",
}
_TITLES = _MATRICES | {
    "curve": "loss at every temperature",
    "shares": "what each slot adds to the cosine of the pair",
    "cosines": "cosine of query (row), text slot (column)",
}


_NONE = (
    "This model learns from no texts, so there is no contrastive loss to look at: its queries are compared with masks "
    "and classes alone, as MatchInspector and LossInspector show."
)


class ContrastInspector(Inspector):
    """What the contrastive loss sees: do an image's object queries resemble its own texts more than another's?

    >>> ContrastInspector(model, [dataset[i] for i in range(4)]).set(tasks="panoptic", temperature=0.07)

    Click a cell to choose an image and a text list, a bar or a row to choose a slot, the curve to choose a
    temperature. State: ``temperature``, ``row`` (image whose queries are compared), ``column`` (image whose texts are),
    ``slot``, and ``tasks`` (a task for all images, "mixed": one after the other, or "given").
    """

    LOOK_FOR = (
        "What to look for: the diagonal should win its row and its column. Give all images the same task: padding no "
        "longer tells them apart, and where two lists say the same, the loss pushes apart what belongs together."
    )

    def __init__(self, model: MaskModel, samples: Sequence[Sample | tuple[Sample, str]]) -> None:
        """``samples``: 1 to 8 of them, or (sample, task) pairs; with a single one the loss is 0, and the text says why.

        Raises :class:`ConfigError` for a model without text mapper, for other numbers of samples, and for tasks that an
        annotation cannot supply.
        """
        if hasattr(samples, "__len__") and len(samples) > MOST_SAMPLES:
            raise ConfigError(f"expected at most {MOST_SAMPLES} samples, got {len(samples)}: take some of them")
        pairs = sample_pairs(samples)
        self.samples = [sample for sample, _ in pairs]
        check_model(model)
        if "text_mapper" not in model.training_only:
            photos = contact_sheet([[np.asarray(thumbnail(sample.image, 160)) for sample in self.samples]])
            return super().__init__({}, [], Absence(type(self).__name__, _NONE, photos))
        self.encoded = encode(model, self.samples)
        self.batches = {
            name: [self.encoded[place, task] for place, task in enumerate(tasks)]
            for name, tasks in task_choices(pairs).items()
        }
        self._slots = len(next(iter(self.encoded.values())).texts)
        self.shares = {name: slot_shares(batch) for name, batch in self.batches.items()}
        self.twins = {name: false_negatives(batch) for name, batch in self.batches.items()}
        self.learned = float(f"{math.exp(-model.text_mapper.logit_scale.item()):.4g}")
        start = model.config.temperature
        marks = [("clamp 0.01", 0.01), ("learned", self.learned), (f"{start:g} (start)", start)]
        self.marks = sorted(marks, key=lambda mark: mark[1])  # a label then crosses no other's line
        ends = min(0.005, self.learned / 2), max(1.0, 2 * self.learned)
        self.temperatures = np.geomspace(*ends, _POINTS)
        self._curves: dict[str, np.ndarray] = {}
        self.photos = [np.asarray(thumbnail(sample.image, 160)) for sample in self.samples]
        super().__init__(*self._build())

    def _build(self) -> tuple[dict, list]:
        batch = next(iter(self.batches.values()))
        count, slots = len(batch), self._slots
        row, column, slot = most_expensive(batch, self.learned)
        sizes = dict.fromkeys(_MATRICES, (count + 2, count + 2))
        sizes |= {"curve": (1, _POINTS), "shares": (1, slots), "cosines": (slots, slots)}
        self._pictures, panels = {}, {}
        for name, title in _TITLES.items():
            hover = {"shares": lambda at: self._tell(at and (at[1], at[1])), "cosines": self._tell}.get(name)
            picture = self._pictures[name] = Picture(None, f"{title}: arrow keys move", sizes[name], hover)
            picture.observe(lambda change, name=name: self._pointed(name, change["new"]), "point")
            panels[name] = VBox([HTML(f"<b>{title}</b>"), picture], layout={"flex": "1 1 19rem", "min_width": "0"})
        self._pair, self._slot, self._table = HTML(), HTML(), HTML()
        wide, number = (
            {"style": {"description_width": "auto"}, "layout": {"width": "15rem"}},
            {"continuous_update": True},
        )
        low, high = np.log10(self.temperatures[[0, -1]])
        controls = {
            "tasks": ToggleButtons(
                options=list(self.batches), style={"button_width": "auto"}, layout={"width": "auto"}
            ),
            "temperature": FloatLogSlider(
                self.learned, min=low, max=high, step=0.01, description="temperature", readout_format=".3f", **wide
            ),
            "row": IntSlider(row, 0, count - 1, description="image (row)", **wide, **number),
            "column": IntSlider(column, 0, count - 1, description="texts (column)", **wide, **number),
            "slot": IntSlider(slot, 0, slots - 1, description="slot", **wide, **number),
        }
        _stop_at(controls["temperature"], self.learned, low)
        views = Box(list(panels.values()), layout={"flex_flow": "row wrap", "grid_gap": "10px"})
        return controls, [self._pair, views, HTML(legend()), self._slot, self._table]

    def _choose(self, name: str, value) -> None:
        if name == "temperature" and isinstance(value, (int, float)):
            low, high = self.temperatures[[0, -1]]
            if not low <= value <= high:
                raise ConfigError(f"temperature is {value!r}; expected {low:.4g} to {high:.4g}")
            _stop_at(self._controls[name], value, math.log10(low))
        super()._choose(name, value)

    def _pointed(self, name: str, point: tuple[int, int] | None) -> None:
        """A click in a picture becomes a choice; in the head of a matrix it chooses an image and its own texts."""
        if point is None or point == self._places()[name]:
            return
        if name in _MATRICES:
            inside = [place - 1 for place in point if 1 <= place <= len(self.samples)]
            if inside:
                self.set(row=inside[0], column=inside[-1])
        elif name == "curve":
            self.set(temperature=float(self.temperatures[point[1]]))
        else:
            self.set(slot=point[1] if name == "shares" else point[0])

    def _places(self) -> dict[str, tuple[int, int]]:
        """Where in each picture stands what is chosen."""
        state, slots = self.state, self._slots
        at = self._pictures["cosines"].point
        nearest = int(np.abs(np.log(self.temperatures / state["temperature"])).argmin())
        places = dict.fromkeys(_MATRICES, (state["row"] + 1, state["column"] + 1))
        column = at[1] if at and at[0] == state["slot"] else min(state["slot"], slots - 1)
        return places | {"curve": (0, nearest), "shares": (0, state["slot"]), "cosines": (state["slot"], column)}

    def _draw(self) -> None:
        state, places = self.state, self._places()
        pair, batch = (state["row"], state["column"]), (state["tasks"], state["temperature"])
        frames = dict.fromkeys(_MATRICES, (*places["similarity"], 1, 1))
        frames |= {"shares": (0, state["slot"], 1, 1), "cosines": (state["slot"], 0, 1, self._slots)}
        for name, picture in self._pictures.items():
            key = (state["tasks"], pair) if name in ("shares", "cosines") else batch
            self._show(picture, key, partial(self._painted, name, self.paper, framed=False))
            if name in frames:
                picture.frame(frames[name])
            picture.move(places[name])
        state, batch, shares = self.state, self.batches[self.state["tasks"]], self.shares[self.state["tasks"]]
        row, column = state["row"], state["column"]
        now = contrast(shares.sum(-1), state["temperature"])
        self._pair.value = pair_text(batch, shares, now, row, column, state["temperature"])
        self._table.value = slot_table(batch[row], batch[column], shares[row, column], shares[row, row], state["slot"])
        self._tell(None)

    def _tell(self, hovered: tuple[int, int] | None) -> None:
        """One query and one text slot: those under the mouse, or else the chosen slot of both."""
        state, batch = self.state, self.batches[self.state["tasks"]]
        query, text = hovered or (state["slot"], state["slot"])
        shares = self.shares[state["tasks"]][state["row"], state["column"]]
        self._slot.value = slot_text(batch[state["row"]], batch[state["column"]], shares, query, text)

    def _painted(self, view: str, paper: Paper = WHITE, framed: bool = True) -> np.ndarray:
        """One of the pictures, with a frame around what is chosen."""
        state, name = self.state, self.state["tasks"]
        batch, shares, pair = self.batches[name], self.shares[name], (state["row"], state["column"])
        image, texts = (batch[i] for i in pair)
        slot = state["slot"] if framed else None
        if view == "shares":
            kinds = [KINDS[kind] for kind in texts.kinds]
            return bars_picture(shares[pair], shares[pair[0], pair[0]], kinds, slot, paper)
        if view == "cosines":
            borders = [[len(e.sentences), e.num_texts] for e in (image, texts)]
            return cosines_picture(slot_cosines(image, texts), slot, borders)
        if view == "curve":
            losses, lowest = self._losses(name), lowest_loss(batch)
            return curve_picture(self.temperatures, losses, self.marks, state["temperature"], lowest, paper)
        matrices = dict(zip(_MATRICES, contrast_matrices(contrast(shares.sum(-1), state["temperature"]))))
        cards = [(f"texts {e.image}", SHORT[e.task]) for e in batch]
        return matrix_picture(matrices[view], self.photos, cards, pair if framed else None, self.twins[name], paper)

    def _losses(self, name: str) -> np.ndarray:
        """The loss at all temperatures."""
        if name not in self._curves:
            cosines = self.shares[name].sum(-1)
            self._curves[name] = np.array([contrast(cosines, t).loss for t in self.temperatures])
        return self._curves[name]

    def _picture(self) -> np.ndarray:
        painted = [self._painted(name) for name in _TITLES]
        rows = [contact_sheet([painted[i : i + 3]], list(_TITLES.values())[i : i + 3], font_size=19) for i in (0, 3)]
        width = max(row.shape[1] for row in rows)
        padded = [np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0)), constant_values=255) for r in rows]
        return with_legend(np.concatenate(padded), legend_entries(), font_size=19)

    def _subject(self) -> str:
        name = self.state["tasks"]
        loss = contrast(self.shares[name].sum(-1), self.state["temperature"]).loss
        pairs = int(self.twins[name].sum()) // 2
        images = f"{len(self.samples)} image" + ("s" if len(self.samples) > 1 else "")
        return f"{images}, contrastive loss {loss:.3f}, {pairs} false-negative pairs"

    def _page(self) -> str:
        return contrast_page(self, _TITLES)


def _stop_at(slider: FloatLogSlider, value: float, low: float) -> None:
    """Begin a slider less than a step above ``low`` (an exponent), so that it stops at ``value``: browsers move a value
    between two stops silently to one of them."""
    exponent = math.log10(value)
    slider.min = exponent - math.floor((exponent - low) / slider.step + 1e-9) * slider.step
