"""The page of MatchInspector: its body, and costs and masks small enough to travel with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ...render.colors import RGB
from ...render.grid import data_uri, png_bytes
from ...render.pages import base64_numbers
from ..page import slider, toggle

if TYPE_CHECKING:
    from .reading import MatchReading


def match_body(
    tasks: Sequence[str], parts: Sequence[str], sliders: Mapping[str, tuple[float, float]], step: float, state: Mapping
) -> str:
    """HTML of the page. ``parts`` of the cost; ``sliders``: name of a weight -> its largest value and its value."""
    layers, layer = sliders["layer"]
    controls = [toggle("task", {task: task for task in tasks}, state["task"]), slider("layer", 0, layers, 1, layer)]
    controls += [slider(name, 0, *values[:1], step, values[1]) for name, values in sliders.items() if name != "layer"]
    for name in ("query", "segment"):
        controls.append(f'<label class="ofl-slider"><span>{name}</span><select name="{name}"></select></label>')
    why = (
        '<div style="flex:2 1 19rem;min-width:0"><div id="why"></div>'
        '<div id="masks" style="display:flex;flex-wrap:wrap;gap:8px"></div></div>'
    )
    return (
        f'<div class="ofl-controls">{"".join(controls)}</div><div id="summary"></div>'
        + _row(_figure("total", "3 1 19rem") + why)
        + _row("".join(_figure(part, "1 1 18rem") for part in parts))
        + _PRINT.format(", ".join(f"#{part}" for part in parts))
        + '<div id="unmatched"></div><div id="noised"></div>'
    )


_PRINT = """<style>@media print {{ figure:has(> #total) {{ flex-basis: 100% !important; }}
  figure:has(> :is({})) {{ flex-basis: 30% !important; }} }}</style>"""


def _figure(name: str, flex: str) -> str:
    return (
        f'<figure style="margin:0;min-width:0;flex:{flex}"><figcaption style="font-weight:600"></figcaption>'
        f'<div id="{name}" style="overflow-x:auto"></div></figure>'
    )


def _row(inside: str) -> str:
    return f'<div style="display:flex;flex-wrap:wrap;gap:14px;align-items:flex-start;margin:.6rem 0">{inside}</div>'


def task_data(
    reading: MatchReading, colors: Sequence[RGB], limits: Sequence[tuple[float, float]], pixels: float
) -> dict:
    """What the script needs of one task. ``pixels``: how many a query's mask may have."""
    sheets = [mask_sheet(masks, pixels * len(masks)) for masks in reading.query_masks]
    truth = mask_sheet(reading.segment_masks, 1e6)
    parts = reading.costs.swapaxes(0, 1)
    ranges = [_range(part) for part in parts]
    return {
        "shape": reading.costs.shape, "class_ids": reading.class_ids.tolist(), "colors": list(colors),
        "left_out": reading.left_out, "limits": list(limits), "ranges": ranges,
        "costs": [packed(part, range_) for part, range_ in zip(parts, ranges)],
        "no_object": packed(reading.no_object, (0, 1)),
        "best": reading.probabilities.argmax(-1).ravel().tolist(),
        "sure": packed(reading.probabilities.max(-1), (0, 1)),
        "masks": [data_uri(png_bytes(sheet)) for sheet, _, _ in sheets], "mask_size": sheets[0][1:],
        "truth": data_uri(png_bytes(truth[0])), "truth_size": truth[1:],
    }  # fmt: skip


def _range(part: np.ndarray) -> tuple[float, float]:
    finite = part[np.isfinite(part)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def mask_sheet(masks: np.ndarray, pixels: float) -> tuple[np.ndarray, tuple[int, int], int]:
    """Masks uint8 [N, h, w] side by side in 16 levels of grey, for a page; the size of each there; columns.

    Larger ones are reduced until N of them have ``pixels`` pixels together.
    """
    count, height, width = masks.shape
    scale = min(1.0, (pixels / max(count * height * width, 1)) ** 0.5)
    small = max(1, int(height * scale)), max(1, int(width * scale))
    columns = max(1, round((count * small[0] / small[1]) ** 0.5))
    sheet = np.zeros((max(1, -(-count // columns)) * small[0], columns * small[1]), np.uint8)
    for i, mask in enumerate(masks):
        if scale < 1:
            mask = np.asarray(Image.fromarray(mask).resize(small[::-1], Image.Resampling.BOX))
        row, column = divmod(i, columns)
        sheet[row * small[0] : (row + 1) * small[0], column * small[1] : (column + 1) * small[1]] = mask
    return (sheet >> 4) * 17, small, columns


def packed(values: np.ndarray, limits: tuple[float, float]) -> str:
    """Numbers for a page: uint16 in base64, 0 to 65534 from the lower to the upper limit, 65535 = not a number."""
    low, high = limits
    numbers = np.nan_to_num((values - low) / max(high - low, 1e-9) * 65534, nan=65535, posinf=65535, neginf=65535)
    return base64_numbers(numbers.round().astype("<u2"))
