"""QueryInspector: what every query says of one picture, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from ipywidgets import HTML, Box, IntSlider, ToggleButtons, VBox
from PIL import Image as PILImage

from ...data.sample import TASKS, Sample
from ...errors import ConfigError
from ...inference import as_pixels, check_model
from ...model import MaskModel
from ...render import contact_sheet, label_colors
from ...render.legend import with_legend
from ...render.masks import display_factor, display_image, mark_point
from ...render.paper import WHITE, Paper
from ..inspector import Inspector
from ..picture import Picture, Point
from .claims import Claim, Standing, claims_at, rule_of
from .models import OWN, QueryModels, Source
from .page import query_page
from .painter import QueryPainter, sheet_columns
from .reading import SORTS, QueryReading
from .words import LEGEND, after, captions, claims_html, looked_words, moment, partner_words, query_html

_NO_OBJECT = (140, 140, 140)
_SMALLEST = 0.5  # share of a sheet's width: it is whole on a screen of 1024 pixels, beside a list of files


class QueryInspector(Inspector):
    """Which query found what, when in the decoder it did, and which of them a pixel belongs to.

    >>> QueryInspector(model, sample).set(query=7, layer=3, point=(60, 80))

    Click a thumbnail to choose its query, a moment of its life to choose the layer, a pixel to see who claims it.
    State: ``task``, ``sort`` ("confidence" or "number"), ``query``, ``layer`` (0: before the first decoder layer),
    ``point`` (row, column in the picture), and ``checkpoint`` (a name) where several models were given.
    """

    LOOK_FOR = (
        "What to look for: a healthy query settles on one object within a few layers, in mask and class together. "
        "Click a pixel that went wrong: either no query claims it, or the wrong one is surer."
    )

    def __init__(
        self,
        model: MaskModel,
        image: Sample | PILImage.Image | str | Path | np.ndarray,
        checkpoints: Mapping[str, Source] | Sequence[Source] = (),
    ) -> None:
        """``image``: a :class:`Sample`, which brings its ground truth, or anything that :func:`ofl.predict` takes.

        ``checkpoints``: earlier states of the model, first to last, as models or as what ``ofl.from_pretrained``
        reads; a mapping names them. Raises :class:`ConfigError` if they have other queries or classes.
        """
        check_model(model)
        sample = image if isinstance(image, Sample) else None
        self.image, self.categories = sample.image if sample else as_pixels(image), model.config.categories
        self._models, self._rule = QueryModels(model, checkpoints, self.image, sample), rule_of(model.config)
        names, colors = [c.name for c in self.categories], list(label_colors(self.categories).values())
        photo, self._factor = display_image(self.image), display_factor(self.image.shape[:2])
        self._painter = QueryPainter(photo, [*names, "no object"], [*colors, _NO_OBJECT])
        super().__init__(*self._build(model))

    def _build(self, model: MaskModel) -> tuple[dict, list]:
        c, size = model.config, self.image.shape[:2]
        self._columns, layers = sheet_columns(c.num_queries), self._models.layers
        label = "the picture with the mask of the query: arrow keys move the point"
        self._mask, self._attention = (
            Picture(None, text, size, photo=True) for text in (label, "where the query looked")
        )
        self._attention.observe(lambda change: self._mask.move(change["new"]), "point")
        rows = -(-c.num_queries // self._columns)
        self._sheet = self._choice("all queries", (rows, self._columns), self._choose_cell)
        self._life = self._choice("life of the query", (1, layers + 1), lambda p: self._pick("layer", p[1]))
        self._told, self._claims, self._captions = HTML(), HTML(), [HTML() for _ in range(5)]
        auto = {"style": {"button_width": "auto"}, "layout": {"width": "auto"}}
        controls = {
            "task": ToggleButtons(options=TASKS, **auto),
            "sort": ToggleButtons(options=SORTS, **auto),
            "query": IntSlider(0, 0, c.num_queries - 1, description="query", layout={"width": "18rem"}),
            "layer": IntSlider(layers, 0, layers, description="layer", layout={"width": "18rem"}),
            "point": self._mask,
        }
        columns = [self._captions[1], self._mask], [self._captions[2], self._attention], [self._told]
        panels = [VBox(column, layout={"flex": "1 1 19rem", "min_width": "0"}) for column in columns]
        views = Box(panels, layout={"flex_flow": "row wrap", "grid_gap": "10px"})
        body = [self._captions[0], _scrolling(self._sheet), views, self._claims, self._captions[3]]
        body.append(_scrolling(self._life))
        if len(self._models.names) > 1:
            names = self._models.names
            controls["checkpoint"] = ToggleButtons(options=names, value=OWN, **auto)
            self._training = self._choice(
                "the query over the training", (1, len(names)), lambda p: self._pick("checkpoint", names[p[1]])
            )
            body += [self._captions[4], _scrolling(self._training)]
        controls["query"].value = self._first_query()
        return controls, body

    def _choice(self, label: str, cells: tuple[int, int], chosen) -> Picture:
        picture = Picture(None, f"{label}: arrow keys choose", cells, photo=True)
        picture.observe(lambda change: chosen(change["new"]), "point")
        return picture

    def _first_query(self) -> int:
        reading = self.reading("panoptic")
        return reading.order(reading.num_layers, "confidence")[0]

    def _pick(self, name: str, value) -> None:
        self._controls[name].value = value

    def _choose_cell(self, cell: tuple[int, int]) -> None:
        order, place = self.order(), cell[0] * self._columns + cell[1]
        if place < len(order):
            self._pick("query", order[place])

    def reading(self, task: str, checkpoint: str = OWN) -> QueryReading:
        """What the queries said: the model runs when this is first asked for."""
        return self._models.reading(task, checkpoint)

    def standings(self, task: str, layer: int, checkpoint: str = OWN) -> list[Standing]:
        """How the queries fare in the task's post-processing, if the decoder ended after ``layer``."""
        return self._models.standings(task, layer, checkpoint)

    def _now(self) -> tuple[QueryReading, int, int]:
        state = self.state
        return self.reading(state["task"], self._checkpoint()), state["layer"], state["query"]

    def _checkpoint(self) -> str:
        return self.state.get("checkpoint", OWN)

    def order(self) -> list[int]:
        """The queries as they are sorted now."""
        reading, layer, _ = self._now()
        return reading.order(layer, self.state["sort"])

    def _draw(self) -> None:
        task, checkpoint, point = self.state["task"], self._checkpoint(), self.state["point"]
        if not self._models.is_read(task, checkpoint):
            self._told.value = f"<b>The queries are being read under the {task} task …</b>"
        reading, layer, query = self._now()
        of_query = task, query, checkpoint
        self._show(self._mask, (*of_query, layer, point), self._mask_picture)
        self._show(self._attention, (*of_query, layer, point), self._attention_picture)
        self._told.value, self._claims.value = self._query_html(), self._claims_html()
        for caption, text in zip(self._captions, captions(layer + reading.first, query, reading.boxes is not None)):
            caption.value = text
        self._choose_in(self._life, of_query, self._life_picture, (0, layer))
        place = divmod(self.order().index(query), self._columns)
        self._choose_in(self._sheet, (task, layer, self.state["sort"], checkpoint), self._sheet_picture, place)
        if len(self._models.names) > 1:
            place = 0, self._models.names.index(checkpoint)
            self._choose_in(self._training, (task, layer, query), self._training_picture, place)

    def _choose_in(self, sheet: Picture, key: tuple, make: Callable[[Paper, bool], np.ndarray], place: Point) -> None:
        """Show a sheet of thumbnails with a frame around the one at (row, column)."""

        def made() -> np.ndarray:
            picture = make(self.paper, False)
            width = picture.shape[1]
            sheet.layout.max_width, sheet.layout.min_width = f"{width}px", f"{round(_SMALLEST * width)}px"
            return picture

        self._show(sheet, key, made)
        sheet.frame((*place, 1, 1))
        sheet.move(place)

    def _sheet_picture(self, paper: Paper = WHITE, framed: bool = True) -> np.ndarray:
        reading, layer, query = self._now()
        return self._painter.sheet(reading, layer, self.order(), query if framed else None, paper)

    def _life_picture(self, paper: Paper = WHITE, framed: bool = True) -> np.ndarray:
        reading, layer, query = self._now()
        moments = [(reading, i, moment(i + reading.first)) for i in range(self._models.layers + 1)]
        return self._painter.strip(moments, query, layer if framed else None, paper)

    def _training_picture(self, paper: Paper = WHITE, framed: bool = True) -> np.ndarray:
        _, layer, query = self._now()
        names = self._models.names
        moments = [(self.reading(self.state["task"], name), layer, name) for name in names]
        chosen = names.index(self._checkpoint()) if framed else None
        return self._painter.strip(moments, query, chosen, paper)

    def _mask_picture(self) -> np.ndarray:
        return self._marked(self._painter.mask(*self._now()))

    def _attention_picture(self) -> np.ndarray:
        return self._marked(self._painter.attention(*self._now()))

    def _marked(self, picture: np.ndarray) -> np.ndarray:
        point = self.state["point"]
        return picture if point is None else mark_point(picture, *((value + 0.5) * self._factor for value in point))

    def _query_html(self) -> str:
        reading, layer, query = self._now()
        names, colors = self._painter.names, self._painter.colors
        classes = [(names[k], p, colors[k]) for k, p in reading.top_classes(layer, query)]
        lines = [looked_words(reading, layer, query)]
        if reading.truth is not None:
            partner = reading.truth.partner(layer, query)
            lines.insert(0, partner_words(partner, names, reading.truth.class_ids))
        return query_html(f"Query {query} {after(layer + reading.first)}", classes, lines)

    def _claims_html(self) -> str:
        point = self.state["point"]
        return claims_html(point, *(self.claims() if point else ("", [])), self._painter.names)

    def claims(self) -> tuple[str, list[Claim]]:
        """Who wins the chosen point and who else claims it, after the chosen layer. A point must be chosen."""
        reading, layer, _ = self._now()
        if self.state["point"] is None:
            raise ConfigError("no point is chosen: set(point=(row, column)) first")
        logits = reading.logits_at(layer, *self.state["point"]).numpy()
        found = self.standings(reading.task, layer, self._checkpoint())
        probabilities, names = reading.probabilities[layer].numpy(), self._painter.names
        return claims_at(reading.task, found, probabilities, logits, names, self._rule)

    def _picture(self) -> np.ndarray:
        rows = [[self._sheet_picture()], [contact_sheet([[self._mask_picture(), self._attention_picture()]])]]
        strips = [self._life_picture()] + ([self._training_picture()] if len(self._models.names) > 1 else [])
        sheet = contact_sheet([*rows, *([strip] for strip in strips)])
        return with_legend(sheet, LEGEND, font_size=19)

    def _subject(self) -> str:
        reading, layer, query = self._now()
        class_id, score = reading.best_class(layer, query)
        words = f"{reading.num_queries} queries, {self._painter.names[class_id]} {score:.2f}"
        partner = reading.truth and reading.truth.partner(layer, query)
        if partner and partner[2]:
            words += f", IoU {partner[1]:.2f} with its match"
        return words + (f", {self.claims()[0]}" if self.state["point"] else "")

    def _page(self) -> str:
        layers = range(self._models.layers + 1)
        readings = {
            (name, task): (self.reading(task, name), [self.standings(task, layer, name) for layer in layers])
            for name in self._models.names
            for task in TASKS
        }
        title, factor = self._title(), self._factor
        return query_page(title, self.LOOK_FOR, self.state, readings, self._painter, factor, self._rule)


def _scrolling(picture: Picture) -> Box:
    """Sheets shrink as long as they can be read, and scroll where there is less room."""
    picture.layout.flex, picture.layout.width = "none", "100%"
    room = {"overflow": "auto", "max_height": "36rem", "width": "100%"}
    return Box([picture], layout=room | {"align_items": "flex-start"})  # else it would stretch to the box's height
