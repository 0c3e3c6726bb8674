"""Class names on pictures: where to put them, and small pills to write them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from .fonts import font_for

Item = tuple[str, tuple[int, int], tuple[int, int]]  # a text, the (x, y) of its middle, a place in its segment
_Box = tuple[float, float, float, float]
Placed = tuple[str, _Box, tuple[int, int]]  # a text, its pill, and the end of the line that leads from it

_INK = (255, 255, 255, 255)
_PILL = (18, 22, 30, 190)
_LINE = 1.5  # a pill's height in letter heights
_LETTER = 0.55  # a letter's mean width in letter heights
_MAP_SIDE = 1000  # pixels of the longer side on which places for labels are looked for


def label_size(size: tuple[int, int]) -> int:
    """Height of the letters, in pixels, for a picture of (height, width)."""
    return max(10, round(min(size) / 30))


def label_items(
    segment_map: np.ndarray, names: Mapping[int, str], size: int, min_share: float = 0.003
) -> list[Item]:
    """(text, (x, y), the point deepest inside) for each named segment, large ones first.

    A label sits at that point, or just above its segment where it would hide it.
    ``segment_map`` int [H, W]; ``names`` segment id -> text; ``size`` as in :func:`draw_labels`.
    Segments under ``min_share`` of the picture get no label. Large maps are read at every second, third ... pixel.
    """
    from scipy.ndimage import find_objects

    step = -(-max(segment_map.shape) // _MAP_SIDE)
    small = segment_map[::step, ::step]
    ids, places = np.unique(small, return_inverse=True)
    places = places.reshape(small.shape)
    areas, boxes = np.bincount(places.ravel()), find_objects(places + 1)
    numbers = {int(segment_id): number for number, segment_id in enumerate(ids)}
    found = []
    for segment_id, name in names.items():
        number = numbers.get(segment_id)
        if number is None or areas[number] < min_share * small.size:
            continue
        box = boxes[number]
        mask = places[box] == number
        y, x = _deepest(mask)
        top = y - int(mask[y::-1, x].argmin() or y + 1) + 1  # of the part around it: others may lie far off
        inside = y, x = step * (box[0].start + y), step * (box[1].start + x)
        pill = size * _LINE * size * (_LETTER * len(name) + 1)
        if areas[number] * step**2 < 3 * pill:
            y = int(step * (box[0].start + top) - size * _LINE / 2)
        found.append((areas[number], (name, (int(x), int(y)), (int(inside[1]), int(inside[0])))))
    return [item for _, item in sorted(found, key=lambda pair: -pair[0])]


def _deepest(mask: np.ndarray) -> tuple[int, int]:
    """Row and column of the pixel farthest from the mask's edge; the edge of the array counts as one."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return int(row), int(column)


def place_labels(shape: tuple[int, int], items: Sequence[Item], size: int | None = None) -> list[Placed]:
    """Where :func:`draw_labels` writes on a picture of (height, width): the texts that have room, and their boxes."""
    height, width = shape
    size = size or label_size(shape)
    font = font_for(size, (text for text, *_ in items))
    placed: list[Placed] = []
    for text, at, inside in items:
        pill = font.getlength(text) + size, size * _LINE
        box = _free_box(at, pill, (width, height), [other for _, other, _ in placed])
        if box is not None:
            placed.append((text, box, inside))
    return placed


def draw_labels(image: np.ndarray, items: Sequence[Item], size: int | None = None) -> np.ndarray:
    """Write each text in a small dark pill centred at its (x, y), with a line to its segment where it does not lie on
    it; uint8 [H, W, 3].

    Items are served in order. One that would cover an earlier label moves up or down by a line, or is left out when
    there is no room. ``size``: the letters' height in pixels (default: :func:`label_size`).
    """
    return draw_pills(image, place_labels(image.shape[:2], items, size), size)


def draw_pills(image: np.ndarray, placed: Sequence[Placed], size: int | None = None) -> np.ndarray:
    """Labels where :func:`place_labels` found room. ``ofl.labels`` in ``inspectors/page.js`` draws the same."""
    size = size or label_size(image.shape[:2])
    font = font_for(size, (text for text, *_ in placed))
    picture = Image.fromarray(image).convert("RGBA")
    layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for _, box, (x, y) in placed:
        if not (box[0] - 1 <= x <= box[2] + 1 and box[1] - 1 <= y <= box[3] + 1):
            start, dot = (min(max(x, box[0] + size / 2), box[2] - size / 2), min(max(y, box[1]), box[3])), size / 5
            for ink, more in ((_PILL, 1), (_INK, 0)):
                draw.line((*start, x, y), fill=ink, width=max(1, size // 12) + 2 * more)
                draw.ellipse((x - dot - more, y - dot - more, x + dot + more, y + dot + more), fill=ink)
    for text, box, _ in placed:
        draw.rounded_rectangle(box, radius=(box[3] - box[1]) / 2, fill=_PILL)
        draw.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), text, font=font, fill=_INK, anchor="mm")
    return np.asarray(Image.alpha_composite(picture, layer).convert("RGB"))


def _free_box(
    at: tuple[float, float],
    pill: tuple[float, float],
    frame: tuple[int, int],
    placed: Sequence[_Box],
) -> _Box | None:
    """The pill's box at ``at``, one line up or one down: inside the frame, clear of the others."""
    (w, h), (width, height) = pill, frame
    if w > width or h > height:
        return None
    x0 = min(max(at[0] - w / 2, 0), width - w)
    for shift in (0, -1.1 * h, 1.1 * h):
        y0 = min(max(at[1] - h / 2 + shift, 0), height - h)
        box = (float(x0), float(y0), float(x0 + w), float(y0 + h))
        if not any(_overlap(box, other) for other in placed):
            return box
    return None


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
