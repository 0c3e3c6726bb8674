"""The page of FeatureInspector: what it paints from, reduced so that a page stays below 5 MB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ...render import data_uri, png_bytes, webp_bytes
from ...render.pages import base64_numbers
from ..page import Shown, inspector_page, slider, toggle
from ..traced import TracedPicture
from .pictures import paint_components, ramp, to_codes
from .reading import FeatureMap, Key, compact_units, thinning

_CELLS, _RANK = 5000, 32  # of a map: its similarities then lie within 0.05


class FeatureShown(Shown, Protocol):
    """What the page reads of its inspector."""

    PARTS: tuple[str, ...]
    photo: np.ndarray
    image: np.ndarray
    traced: TracedPicture
    maps: Mapping[Key, FeatureMap]
    source_names: Mapping[str, str]

    def name(self, key: Key) -> str: ...


def feature_page(inspector: FeatureShown, views: Mapping[str, str], columns: int, tiles: int) -> str:
    """The page as text. ``columns`` and ``tiles`` of the grid of channels."""
    state = inspector.state
    data = {
        "photo": data_uri(webp_bytes(inspector.photo)), "size": inspector.image.shape[:2], "point": state["point"],
        "seen": inspector.traced.input_size, "columns": columns, "ramp": ramp().tolist(), "parts": inspector.PARTS,
        "maps": [_map(inspector, key, tiles) for key in inspector.maps],
    }  # fmt: skip
    controls = [
        toggle("source", inspector.source_names, state["source"]),
        toggle("level", {str(s): f"stride {s}" for s in inspector.strides}, str(state["level"])),
        toggle("view", views, state["view"]),
        slider("channel", 1, tiles, 1, state["channel"]),
    ]
    body = (
        f'<div class="ofl-controls">{"".join(controls)}</div><div class="ofl-views" id="large"></div>'
        '<div class="ofl-told-text" id="told"></div><div id="atlas"></div>'
    )
    return inspector_page(type(inspector).__name__, inspector.LOOK_FOR, body, "inspectors/features/page.js", data)


def _map(inspector: FeatureShown, key: Key, tiles: int) -> dict:
    """A map: principal components as painted; channels and directions of fewer positions."""
    found = inspector.maps[key]
    step = thinning(found.size, _CELLS)
    few = found.values[::step, ::step]
    channels = [int(c) for c in found.order[:tiles]]
    limits = [found.limits(c) for c in channels]
    codes = np.stack([to_codes(few[..., c], *ends) for c, ends in zip(channels, limits)])
    units, scale = compact_units(few, _RANK)
    return {
        "source": key[0], "stride": key[1], "name": inspector.name(key), "size": found.size, "few": few.shape[:2],
        "step": step, "count": len(found.order), "channels": channels,
        "limits": [[round(end, 4) for end in ends] for ends in limits], "codes": base64_numbers(codes),
        "units": base64_numbers(units), "scale": scale, "shares": found.components[1].round(4).tolist(),
        "components": data_uri(png_bytes(paint_components(found.components[0]))),
    }  # fmt: skip
