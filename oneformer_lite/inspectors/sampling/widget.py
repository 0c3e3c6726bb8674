"""SamplingInspector: where the deformable attention of the pixel decoder looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ipywidgets import HTML, Box, IntSlider, ToggleButtons, VBox
from PIL import Image as PILImage

from ...data.sample import Sample
from ...model import MaskModel
from ...render import data_uri, webp_bytes
from ...render.masks import display_image
from ...render.pages import base64_numbers
from ..features.reading import thinning
from ..inspector import Inspector
from ..page import inspector_page, slider, toggle
from ..picture import Picture
from ..traced import trace_picture
from .pictures import MARKS, draw_points, weight_bars
from .reading import Looks, read_sampling

_PAGE_LOOKS = 400_000  # sampling points in a page: 6 bytes each
_NONE = (
    "This model's pixel decoder is an FPN or the like: convolutions that look at the same neighbours everywhere. There "
    "is no sampling to see; FeatureInspector shows its maps."
)
_NO_DECODER = (
    "This model records no sampling points: it has no pixel decoder with deformable attention. QueryInspector shows "
    "where its queries look."
)
_LOOK_FOR_NONE = (
    "What to look for: a model whose pixel decoder is deformable. There each position chooses the places it gathers "
    "from; here it has no choice."
)


class SamplingInspector(Inspector):
    """Which places a position of the pixel decoder gathers its features from, and how much each of them counts.

    >>> SamplingInspector(model, sample).set(layer=2, head="all", level=32, point=(60, 40))

    Click a place: the framed position of the chosen level is the query. State: ``layer`` (of the encoder, from 1),
    ``head`` ("all" or a number from 1), ``level`` (the query's stride: 32, 16 or 8, or that of another level) and
    ``point`` (row, column in the picture). A model with the FPN has ``point`` alone, and the inspector says why.
    """

    LOOK_FOR = (
        "What to look for: each head looks in a direction of its own, and triangles (stride 32) reach farther than "
        "dots (stride 8), because offsets count in pixels of their level; learned is which of them weigh more."
    )

    def __init__(self, model: MaskModel, image: Sample | PILImage.Image | str | Path | np.ndarray) -> None:
        """``image``: a :class:`Sample` or anything that :func:`ofl.predict` takes."""
        self._traced = trace_picture(model, image)
        self.image, self.sampling = self._traced.image, read_sampling(self._traced)
        self._photo = display_image(self.image)
        self._scale = np.array(self._photo.shape[:2]) / self.image.shape[:2]  # rows, columns
        self._none = _NONE if "pixel_decoder.mask_features" in self._traced.trace else _NO_DECODER
        if self.sampling is None:
            self.LOOK_FOR = _LOOK_FOR_NONE
        super().__init__(*self._build())

    def _build(self) -> tuple[dict, list]:
        height, width = self.image.shape[:2]
        label = "the picture" if self.sampling is None else "sampling points: arrow keys move the query"
        self._lead = Picture(None, label, (height, width), photo=True)
        self._lead.point = height // 2, width // 2
        self._told = HTML(layout={"flex": "1 1 17rem", "min_width": "0"})
        picture = VBox([self._lead], layout={"flex": "2 1 20rem", "min_width": "0", "max_width": "46rem"})
        body = [Box([picture, self._told], layout={"flex_flow": "row wrap", "grid_gap": "14px"})]
        if self.sampling is None:
            return {"point": self._lead}, body
        layers, heads = len(self.sampling.weights), self.sampling.heads
        buttons = {"style": {"button_width": "auto"}, "layout": {"width": "auto"}}
        levels = [(f"stride {stride}", stride) for stride in self.sampling.strides]
        controls = {
            "layer": IntSlider(layers, 1, layers, description="layer", layout={"width": "15rem"}),
            "head": ToggleButtons(options=["all", *range(1, heads + 1)], description="head", **buttons),
            "level": ToggleButtons(options=levels, value=16, description="query", **buttons),
            "point": self._lead,
        }
        return controls, body

    @property
    def _cell(self) -> tuple[int, int]:
        return self._traced.cell(self.state["point"], self.state["level"])

    def looks(self) -> Looks:
        """The places and weights that are shown."""
        state = self.state
        head = None if state["head"] == "all" else state["head"] - 1
        return self.sampling.looks(state["layer"] - 1, state["level"], self._cell, head)

    def _picture(self) -> np.ndarray:
        if self.sampling is None:
            return self._photo
        looks, stride = self.looks(), self.state["level"]
        to_photo = np.array(self._photo.shape[:2]) / self._traced.input_size * stride
        frame = [*(np.array(self._cell) * to_photo), *((np.array(self._cell) + 1) * to_photo)]
        places = looks.places * self._scale
        return draw_points(self._photo, places, looks.weights, looks.levels, tuple(frame), looks.strides)

    def _draw(self) -> None:
        self._lead.show(self._picture())
        self._told.value = f'<div class="ofl-told-text">{self._words()}</div>'

    def _words(self) -> str:
        if self.sampling is None:
            return self._none
        looks, state = self.looks(), self.state
        away = looks.outside(self.image.shape[:2])
        head = f"all {self.sampling.heads} heads" if state["head"] == "all" else f"head {state['head']}"
        text = (
            f"Layer {state['layer']}, {head}: {len(looks.weights)} places for the query at row {self._cell[0]}, column "
            f"{self._cell[1]} of stride {state['level']}. The area of a mark is its attention weight, its shape the "
            f"level it is read from:{weight_bars(looks.by_level(), looks.strides)}"
        )
        if away.any():
            text += f"{away.sum()} places, {looks.weights[away].sum():.0%} of the weight, lie outside the picture."
        return text

    def _subject(self) -> str:
        if self.sampling is None:
            return self._none.partition(":")[0]
        shares = zip(self.sampling.strides, self.looks().by_level())
        return "weights " + ", ".join(f"{share:.0%} on stride {stride}" for stride, share in shares)

    def _page(self) -> str:
        data = {"photo": data_uri(webp_bytes(self._photo)), "size": self.image.shape[:2], "none": self._none}
        controls: list[str] = []
        if self.sampling is not None:
            data |= self._page_looks() | {"point": self.state["point"]}
            layers, heads = len(self.sampling.weights), range(1, self.sampling.heads + 1)
            controls = [
                slider("layer", 1, layers, 1, self.state["layer"]),
                toggle("head", {"all": "all"} | {str(h): str(h) for h in heads}, str(self.state["head"])),
                toggle("query", {str(s): f"stride {s}" for s in self.sampling.strides}, str(self.state["level"])),
            ]
        body = (
            f'<div class="ofl-controls">{"".join(controls)}</div><div class="ofl-views"><figure><canvas></canvas>'
            '</figure><div class="ofl-told-text" id="told"></div></div>'
        )
        return inspector_page(self._title(), self.LOOK_FOR, body, "inspectors/sampling/page.js", data)

    def _page_looks(self) -> dict:
        """Looks of as many query positions of each level as a page has room for, uint16: place over -1 to 2 of the
        picture, weight over 0 to 1."""
        s, levels = self.sampling, []
        each = _PAGE_LOOKS // (len(s.strides) * len(s.weights) * s.weights[0][0].size)
        for stride in s.strides:
            rows, columns = (-(-side // stride) for side in self._traced.input_size)
            step = thinning((rows, columns), max(each, 1))
            kept = [s.query(stride, (r, c)) for r in range(0, rows, step) for c in range(0, columns, step)]
            places = np.stack([s.in_picture(layer[kept]) for layer in s.locations]) / self.image.shape[:2]
            weights = np.stack([layer[kept] for layer in s.weights])
            levels.append({
                "stride": stride, "step": step, "columns": -(-columns // step),
                "places": _codes((places + 1) / 3), "weights": _codes(weights),
            })  # fmt: skip
        colors, shapes, corners = zip(*(MARKS[stride] for stride in s.strides))
        return {
            "levels": levels, "heads": s.heads, "points": s.weights[0].shape[-1], "seen": self._traced.input_size,
            "colors": colors, "shapes": shapes, "corners": corners,
        }  # fmt: skip


def _codes(shares: np.ndarray) -> str:
    return base64_numbers((shares * 65535).round().clip(0, 65535).astype("<u2"))
