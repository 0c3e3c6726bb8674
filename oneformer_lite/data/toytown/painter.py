"""The painter: strokes in, picture and element map out.

Colours and elements are written together on one canvas, three times as fine as the result: red,
green, blue, and the element in the fourth channel. The picture is the mean of each 3 x 3 block
(anti-aliased), the element map its centre (exact, never blended), so their edges agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from .light import Color
from .pen import Stroke

FINE = 3  # sub-pixels per pixel and axis; odd, so that a block has a centre


def paint(strokes: Iterable[Stroke], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Paint ``strokes``.

    Returns the picture uint8 [H, W, 3] and the element map uint8 [H, W].
    """
    scale = height * FINE
    canvas = Image.new("RGBA", (width * FINE, scale), (0, 0, 0, 0))
    draw = ImageDraw.Draw(canvas)
    for stroke in strokes:
        points = [(x * scale, y * scale) for x, y in stroke.points]
        if stroke.kind in OPAQUE:
            fill_shape(draw, stroke.kind, points, (*stroke.color, stroke.element))
        else:
            BLENDERS[stroke.kind](canvas, stroke, points)
    elements = np.asarray(canvas.getchannel("A"))[FINE // 2 :: FINE, FINE // 2 :: FINE]
    return np.asarray(canvas.convert("RGB").reduce(FINE)), np.ascontiguousarray(elements)


def paint_elements(strokes: Iterable[Stroke], height: int, width: int) -> np.ndarray:
    """The element map uint8 [H, W] alone: equal to the second result of :func:`paint`."""
    scale = height * FINE
    canvas = Image.new("L", (width * FINE, scale), 0)
    draw = ImageDraw.Draw(canvas)
    for stroke in strokes:
        if stroke.kind in OPAQUE:
            points = [(x * scale, y * scale) for x, y in stroke.points]
            fill_shape(draw, stroke.kind, points, stroke.element)
    return np.ascontiguousarray(np.asarray(canvas)[FINE // 2 :: FINE, FINE // 2 :: FINE])


OPAQUE = ("polygon", "box", "ellipse")


def fill_shape(draw: ImageDraw.ImageDraw, kind: str, points: list, ink) -> None:
    """Fill one opaque shape; ``points`` are canvas pixels."""
    if kind == "polygon":
        draw.polygon([(x - 0.5, y - 0.5) for x, y in points], fill=ink)
        return
    (xa, ya), (xb, yb) = points
    x0, x1 = (xa, xb) if xa <= xb else (xb, xa)
    y0, y1 = (ya, yb) if ya <= yb else (yb, ya)
    # Pillow fills both end pixels of a box
    box = (round(x0), round(y0), max(round(x0), round(x1) - 1), max(round(y0), round(y1) - 1))
    if kind == "box":
        draw.rectangle(box, fill=ink)
    else:
        draw.ellipse(box, fill=ink)


@lru_cache(maxsize=4096)
def blend_table(color: Color, alpha: float) -> list[int]:
    """Lookup table of 4 x 256 that moves a pixel towards ``color`` and keeps its element."""
    old = np.arange(256)
    new = [np.rint(old + (c - old) * alpha).astype(int) for c in color]
    return [int(v) for v in np.concatenate([*new, old])]


def blend(canvas: Image.Image, box: tuple[int, int, int, int], mask: Image.Image,
          color: Color, alpha: float) -> None:  # fmt: skip
    """Blend ``color`` into ``box`` where ``mask`` (L, of the box's size) says so."""
    region = canvas.crop(box)
    canvas.paste(region.point(blend_table(color, alpha)), box[:2], mask)


def bounds(points: list, canvas: Image.Image, pad: float = 0.0):
    """The integer box around ``points`` inside the canvas, or None if it is empty."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x0, y0 = max(0, math.floor(min(xs) - pad)), max(0, math.floor(min(ys) - pad))
    x1 = min(canvas.width, math.ceil(max(xs) + pad))
    y1 = min(canvas.height, math.ceil(max(ys) + pad))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


@lru_cache(maxsize=1)
def soft_disc() -> Image.Image:
    """A round L sprite, 255 in the centre and smoothly 0 at the rim."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    fall = np.clip(1 - np.hypot(x, y), 0, 1)
    return Image.fromarray((255 * fall * fall * (3 - 2 * fall)).astype(np.uint8))


def blend_blob(canvas: Image.Image, stroke: Stroke, points: list) -> None:
    """A soft ellipse inside the box of ``points``."""
    box = bounds(points, canvas)
    if box is None:
        return
    (xa, ya), (xb, yb) = points
    x0, y0, w, h = min(xa, xb), min(ya, yb), abs(xb - xa) / 64, abs(yb - ya) / 64
    source = ((box[0] - x0) / w, (box[1] - y0) / h, (box[2] - x0) / w, (box[3] - y0) / h)
    source = tuple(min(64.0, max(0.0, v)) for v in source)
    if source[2] <= source[0] or source[3] <= source[1]:
        return
    size = (box[2] - box[0], box[3] - box[1])
    mask = soft_disc().resize(size, Image.Resampling.BILINEAR, box=source)
    blend(canvas, box, mask, stroke.color, stroke.alpha)


def blend_tint(canvas: Image.Image, stroke: Stroke, points: list) -> None:
    """A see-through polygon."""
    box = bounds(points, canvas)
    if box is None:
        return
    mask = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
    corners = [(x - box[0] - 0.5, y - box[1] - 0.5) for x, y in points]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    blend(canvas, box, mask, stroke.color, stroke.alpha)


def blend_veil(canvas: Image.Image, stroke: Stroke, points: list) -> None:
    """Many see-through lines over the whole canvas."""
    mask = Image.new("L", canvas.size, 0)
    draw = ImageDraw.Draw(mask)
    width = max(1, round(stroke.width * canvas.height))
    for start, end in zip(points[::2], points[1::2], strict=True):
        draw.line((start, end), fill=255, width=width)
    blend(canvas, (0, 0, *canvas.size), mask, stroke.color, stroke.alpha)


RIPPLES = 28  # strips a water surface is cut into


def blend_mirror(canvas: Image.Image, stroke: Stroke, points: list) -> None:
    """Reflect what stands above a water surface, in strips shifted sideways like ripples."""
    box = bounds(points, canvas)
    if box is None:
        return
    (xa, top), (xb, bottom) = points
    strip = (bottom - top) / RIPPLES
    keep = [0] * 256
    keep[stroke.element] = round(255 * stroke.alpha)
    above = canvas.crop((box[0], 0, box[2], max(1, round(top))))
    for i in range(RIPPLES):
        y0, y1 = round(top + i * strip), round(top + (i + 1) * strip)
        y0, y1 = max(0, y0), min(canvas.height, y1)
        if y1 <= y0:
            continue
        source = above.height - (y1 - round(top))
        piece = above.crop((0, source, above.width, source + y1 - y0))
        piece = piece.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        shift = round(0.006 * canvas.height * math.sin(i * 2.1) * (0.4 + i / RIPPLES))
        target = canvas.crop((box[0], y0, box[2], y1))
        mask = target.getchannel("A").point(keep)
        shifted = target.copy()
        shifted.paste(piece, (shift, 0))
        shifted.putalpha(target.getchannel("A"))
        canvas.paste(shifted, (box[0], y0), mask)


BLENDERS = {
    "blob": blend_blob,
    "tint": blend_tint,
    "veil": blend_veil,
    "mirror": blend_mirror,
}
