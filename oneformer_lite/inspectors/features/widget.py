"""FeatureInspector: what the backbone and the pixel decoder make of a picture, level by level."""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path

import numpy as np
from ipywidgets import HTML, Box, IntSlider, ToggleButtons, VBox
from PIL import Image as PILImage

from ...data.sample import Sample
from ...model import MaskModel
from ...render import contact_sheet
from ...render.masks import display_factor, display_image, mark_point
from ...render.paper import WHITE, Paper
from ..inspector import Absence, Inspector
from ..picture import Picture
from ..traced import trace_picture
from .page import feature_page
from .pictures import paint_components, paint_values, ramp_legend, spread_cells, tile_at, tile_grid
from .reading import SOURCES, FeatureMap, Key, feature_maps

VIEWS = {"channels": "channels", "PCA": "PCA to colour", "similarity": "similarity to the point"}
COLUMNS, TILES = 6, 36  # of the grid of channels
_TILE = 128  # pixels of the longer side of a thumbnail


_NONE = (
    "This model records no maps at strides 4, 8, 16 and 32, neither of its backbone nor of a pixel decoder, so there "
    "are none to compare; QueryInspector shows what its queries make of the picture."
)


class FeatureInspector(Inspector):
    """The maps of the backbone and of the pixel decoder (whose finest are the mask features), at strides 4 to 32.

    >>> FeatureInspector(model, sample).set(source="backbone", level=8, view="similarity", point=(60, 40))

    Click a place in a large picture to compare all others with it, a channel of the grid to see it large, a thumbnail
    of another level to go there. State: ``source`` ("backbone" or "pixel decoder"), ``level`` (its stride: 4, 8, 16
    or 32), ``view`` ("channels", "PCA" or "similarity"), ``channel`` (its place in the grid: 1 varies most) and
    ``point`` (row, column in the picture). The task plays no part: its token comes in after these maps.
    """

    LOOK_FOR = (
        "What to look for: the backbone's fine maps tell colours and edges, its coarse ones things; in the mask "
        "features each object should differ from its neighbours, also from those of its class, because a query "
        "separates only what differs there in some channel."
    )

    PARTS = ("light against dark", "yellow against blue", "red against green")

    def __init__(self, model: MaskModel, image: Sample | PILImage.Image | str | Path | np.ndarray) -> None:
        """``image``: a :class:`Sample` or anything that :func:`ofl.predict` takes."""
        self.traced = trace_picture(model, image)
        self.image, self.maps = self.traced.image, feature_maps(self.traced)
        samples = "pixel_decoder.layer0.sampling_weights" in self.traced.trace
        names = dict(zip(SOURCES, ("backbone", "pixel decoder" if samples else "FPN")))
        self.strides = tuple(dict.fromkeys(stride for _, stride in self.maps))
        self.source_names = {source: names[source] for source, _ in dict.fromkeys(self.maps)} or names
        self.photo, self._factor = display_image(self.image), display_factor(self.image.shape[:2])
        longest = max(self.photo.shape[:2])
        self._tile_size = tuple(max(8, side * _TILE // longest) for side in self.photo.shape[:2])
        if self.maps:
            return super().__init__(*self._build())
        super().__init__({}, [], Absence(type(self).__name__, _NONE, self.photo))

    def _build(self) -> tuple[dict, list]:
        height, width = self.image.shape[:2]
        self._lead = Picture(None, "the picture: arrow keys move the point", (height, width), photo=True)
        self._lead.point = height // 2, width // 2
        self._large = Picture(None, "the chosen map: arrow keys move the point", (height, width))
        self._large.observe(lambda change: self._lead.move(change["new"]), "point")
        self._grid = Picture(None, "channels: click one", (1000, 1000))
        self._grid.observe(self._pick_channel, "point")
        self._caption, self._grid_caption, self._told = HTML(), HTML(), HTML()
        self._tiles: dict[Key, Picture] = {}
        atlas = []
        for key in self.maps:
            tile = self._tiles[key] = Picture(None, f"{self.name(key)}: click to see it large", (height, width))
            tile.observe(partial(self._pick_map, key), "point")
            caption = HTML(f"<small>{self.name(key)}</small>")
            atlas.append(VBox([caption, tile], layout={"flex": "1 1 21%", "max_width": "11rem"}))
        flow = {"flex_flow": "row wrap", "grid_gap": "10px"}
        column = {"flex": "1 1 17rem", "min_width": "0"}
        self._grid_box = VBox([self._grid_caption, self._grid], layout=column)
        pictures = [
            VBox([HTML("<b>picture</b>"), self._lead], layout=column),
            VBox([self._caption, self._large], layout=column),
            self._grid_box,
        ]
        rows = [Box(atlas[i : i + 4], layout=flow) for i in range(0, len(atlas), 4)]
        buttons = {"style": {"button_width": "auto"}, "layout": {"width": "auto"}}
        sources, views = ([(text, value) for value, text in names.items()] for names in (self.source_names, VIEWS))
        controls = {
            "source": ToggleButtons(options=sources, value=list(self.source_names)[-1], **buttons),
            "level": ToggleButtons(options=[(f"stride {s}", s) for s in self.strides], **buttons),
            "view": ToggleButtons(options=views, value="PCA", **buttons),
            "channel": IntSlider(1, 1, TILES, description="channel", layout={"width": "15rem"}),
            "point": self._lead,
        }
        return controls, [Box(pictures, layout=flow), self._told, *rows]

    def name(self, key: Key) -> str:
        """What a map is called."""
        if key == ("pixel decoder", 4):
            return "mask features, stride 4"
        return f"{self.source_names[key[0]]}, stride {key[1]}"

    @property
    def _key(self) -> Key:
        return self.state["source"], self.state["level"]

    def _channel(self, feature_map: FeatureMap) -> int:
        """The number of the chosen channel; of the last one where a map has fewer."""
        return int(feature_map.order[min(self.state["channel"], len(feature_map.order)) - 1])

    def _pick_map(self, key: Key, change) -> None:
        if change["new"] is not None:
            self.set(source=key[0], level=key[1])
            self._tiles[key].move(None)  # so that the same place can be clicked again

    def _pick_channel(self, change) -> None:
        count = min(TILES, len(self.maps[self._key].order))
        tile = tile_at(change["new"], (1000, 1000), COLUMNS, count)
        if tile is not None:
            self.set(channel=tile + 1)

    def cells(self, key: Key) -> tuple[np.ndarray, tuple[float, float]]:
        """The chosen view of a map, uint8 [h, w, 3], and what the ends of its ramp mean."""
        found, view = self.maps[key], self.state["view"]
        if view == "PCA":
            return paint_components(found.components[0]), (0.0, 0.0)
        if view == "similarity":
            values = found.similarity(self.traced.cell(self.state["point"], key[1]))
            limits = float(values.min()), 1.0
        else:
            channel = self._channel(found)
            values, limits = found.values[..., channel], found.limits(channel)
        return paint_values(values, *limits), limits

    def _spread(self, cells: np.ndarray, key: Key, size: tuple[int, int]) -> np.ndarray:
        return spread_cells(cells, key[1], self.traced.input_size, size)

    def _marked(self, picture: np.ndarray) -> np.ndarray:
        return mark_point(picture, *((value + 0.5) * self._factor for value in self.state["point"]))

    def _large_view(self) -> np.ndarray:
        return self._marked(self._spread(self.cells(self._key)[0], self._key, self.photo.shape[:2]))

    def _held_by_view(self) -> tuple:
        """What the maps shown depend on, besides which map it is."""
        state, view = self.state, self.state["view"]
        return view, {"PCA": None, "similarity": state["point"], "channels": state["channel"]}[view]

    def _frame_channel(self) -> None:
        found = self.maps[self._key]
        count = min(TILES, len(found.order))
        place = found.order[:TILES].tolist().index(self._channel(found))
        row, column = divmod(place, COLUMNS)
        height, width = 1000 / -(-count // COLUMNS), 1000 / COLUMNS
        self._grid.frame((row * height, column * width, height, width))

    def _channel_grid(self, paper: Paper = WHITE, framed: bool = True) -> np.ndarray:
        found = self.maps[self._key]
        shown = [int(c) for c in found.order[:TILES]]
        tiles = [
            self._spread(paint_values(found.values[..., c], *found.limits(c)), self._key, self._tile_size)
            for c in shown
        ]
        chosen = shown.index(self._channel(found)) if framed else None
        return tile_grid(tiles, COLUMNS, chosen, paper=paper)

    def _atlas(self) -> list[list[np.ndarray]]:
        """The chosen view of every map: a row for each source, a column for each stride."""
        return [[self._tile((source, s)) for s in self.strides] for source in self.source_names]

    def _tile(self, key: Key) -> np.ndarray:
        return self._spread(self.cells(key)[0], key, self._tile_size)

    def _draw(self) -> None:
        grid = self.state["view"] == "channels"
        self._lead.show(self._marked(self.photo))
        self._large.show(self._large_view())
        self._grid_box.layout.display = None if grid else "none"
        self._controls["channel"].layout.display = None if grid else "none"
        if grid:
            self._show(self._grid, self._key, partial(self._channel_grid, self.paper, framed=False))
            self._frame_channel()
        held = self._held_by_view()
        for key, tile in self._tiles.items():
            self._show(tile, (key, *held), partial(self._tile, key))
        self._caption.value = f"<b>{escape(self.name(self._key))}</b>"
        count = len(self.maps[self._key].order)
        self._grid_caption.value = f"<b>{min(TILES, count)} of {count} channels, the most varying first</b>"
        self._told.value = f'<div class="ofl-told-text">{self._words()}</div>'

    def _words(self) -> str:
        found, view = self.maps[self._key], self.state["view"]
        cell = self.traced.cell(self.state["point"], self._key[1])
        told = self._extent()
        if view == "PCA":
            parts = ", ".join(f"{share:.0%} as {name}" for share, name in zip(found.components[1], self.PARTS))
            return f"{told}. Three components hold {found.components[1].sum():.0%} of the variance: {parts}."
        legend = ramp_legend(*self.cells(self._key)[1])
        if view == "similarity":
            return f"{told}. Cosine similarity to the position at row {cell[0]}, column {cell[1]}: {legend}"
        channel = self._channel(found)
        value, rank = found.values[cell][channel], found.order.tolist().index(channel) + 1
        return f"{told}. Channel {channel}, place {rank} by variation, {value:.2f} at the point: {legend}"

    def _picture(self) -> np.ndarray:
        pictures, titles = [self._marked(self.photo), self._large_view()], ["picture", self.name(self._key)]
        if self.state["view"] == "channels":
            pictures, titles = [*pictures, self._channel_grid()], [*titles, "channels, the most varying first"]
        top = contact_sheet([pictures], titles)
        below = contact_sheet(self._atlas(), [f"stride {s}" for s in self.strides], [*self.source_names.values()])
        return contact_sheet([[top], [below]], gap=0)

    def _subject(self) -> str:
        return f"{self.name(self._key)}, {self._extent()}"

    def _extent(self) -> str:
        return "{} x {} positions, {} channels".format(*self.maps[self._key].values.shape)

    def _page(self) -> str:
        return feature_page(self, VIEWS, COLUMNS, TILES)
