"""Pictures of a contrastive loss: matrices of images and texts, slots of one pair, the loss at any temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...render.colors import RGB, ink_on
from ...render.paper import WHITE, Paper
from .reading import Contrast

KIND_COLORS: dict[str, RGB] = {  # Okabe and Ito
    "sentence": (0, 114, 178),
    "padding": (150, 155, 165),
    "context": (230, 159, 0),
}
POSITIVE, NEGATIVE, TWIN = (0, 114, 178), (213, 94, 0), (204, 121, 167)
_SIDE = 640  # pixels of a matrix, about


@dataclass(frozen=True)
class Matrix:
    """What stands in a square matrix and at its edges, a name before each edge: ``strength`` float [B, B] from -1 to 1
    colours the cells."""

    strength: np.ndarray
    words: Sequence[Sequence[str]]
    right: tuple[str, Sequence[str]]
    bottom: tuple[str, Sequence[str]]
    corner: str = ""


def tint(strength: np.ndarray) -> np.ndarray:
    """uint8 [..., 3]: white at 0, blue towards 1, vermilion towards -1."""
    share = np.clip(np.abs(strength), 0, 1)[..., None]
    end = np.where(np.asarray(strength)[..., None] < 0, NEGATIVE, POSITIVE)
    return np.rint(255 + share * (end - 255.0)).astype(np.uint8)


def matrix_picture(
    matrix: Matrix,
    photos: Sequence[np.ndarray],
    cards: Sequence[tuple[str, str]],
    chosen: tuple[int, int] | None,
    twins: np.ndarray,
    paper: Paper = WHITE,
) -> np.ndarray:
    """uint8 [H, W, 3] in (B + 2) x (B + 2) equal cells: photographs at the left, cards (two lines) on top, sums at the
    right and at the bottom. The chosen cell has a black frame, ``twins`` (bool [B, B]) a purple one."""
    count = len(photos)
    side = min(128, _SIDE // (count + 2))
    sheet = Image.new("RGB", ((count + 2) * side, (count + 2) * side), paper.ground)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(min(28, side / 3.4))
    small = ImageFont.load_default(min(25, side / 4.2))
    colors = tint(matrix.strength)

    def write(row: float, column: float, text: str, ink: RGB, font=font) -> None:
        draw.text(((column + 0.5) * side, (row + 0.5) * side), text, font=font, fill=ink, anchor="mm")

    for i, photo in enumerate(photos):
        sheet.paste(thumbnail(photo, side - 6), (3, (i + 1) * side + 3))
        draw.rectangle((3, (i + 1) * side + 3, 33, (i + 1) * side + 33), fill=WHITE.ink)
        draw.text((18, (i + 1) * side + 18), str(i), font=small, fill="white", anchor="mm")
        for line, text in zip((-0.2, 0.2), cards[i]):
            write(line, i + 1, text, paper.ink, small)
        write(i + 1, count + 1, matrix.right[1][i], paper.ink)
        write(count + 1, i + 1, matrix.bottom[1][i], paper.ink)
        for j in range(count):
            box = ((j + 1) * side, (i + 1) * side, (j + 2) * side - 2, (i + 2) * side - 2)
            draw.rectangle(box, fill=tuple(map(int, colors[i, j])))
            write(i + 1, j + 1, matrix.words[i][j], ink_on(colors[i, j]))
            if twins[i, j]:
                draw.rectangle((box[0] + 4, box[1] + 4, box[2] - 4, box[3] - 4), outline=TWIN, width=4)
            if (i, j) == chosen:
                draw.rectangle(box, outline="black", width=4)
    write(0, count + 1, matrix.right[0], paper.faint, small)
    write(count + 1, 0, matrix.bottom[0], paper.faint, small)
    if matrix.corner:
        write(count + 0.8, count + 1, "mean", paper.faint, small)
        write(count + 1.1, count + 1, matrix.corner, paper.ink)
    return np.asarray(sheet)


def contrast_matrices(contrast: Contrast) -> tuple[Matrix, Matrix, Matrix]:
    """Similarity with how far each pair leads over the next best, and the two softmaxes with their losses."""
    similarity, count = contrast.similarity, len(contrast.similarity)
    others = np.where(np.eye(count, dtype=bool), -np.inf, similarity)
    leads = [_numbers(similarity.diagonal() - others.max(axis)) if count > 1 else [""] for axis in (1, 0)]
    rows, columns = _numbers(contrast.row_losses), _numbers(contrast.column_losses)
    none = ("", [""] * count)
    strongest = max(float(np.abs(similarity).max()), 1e-9)
    return (
        Matrix(similarity / strongest, [_numbers(row) for row in similarity], ("lead", leads[0]), ("lead", leads[1])),
        Matrix(contrast.by_row, [_percent(row) for row in contrast.by_row], ("loss", rows), none,
               number(contrast.row_losses.mean())),
        Matrix(contrast.by_column, [_percent(row) for row in contrast.by_column], none, ("loss", columns),
               number(contrast.column_losses.mean())),
    )  # fmt: skip


def number(value: float) -> str:
    """Two decimals; one from ten on, so that it fits into a cell."""
    return f"{value:.2f}" if abs(value) < 9.995 else f"{value:.1f}"


def _numbers(values: np.ndarray) -> list[str]:
    return [number(value) for value in values]


def _percent(values: np.ndarray) -> list[str]:
    return [f"{100 * value:.0f}%" for value in values]


def thumbnail(photo: np.ndarray, side: int) -> Image.Image:
    """The middle square of a picture, ``side`` pixels wide."""
    height, width = photo.shape[:2]
    size = min(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    square = Image.fromarray(photo[top : top + size, left : left + size])
    return square.resize((side, side), Image.BOX if size > side else Image.BICUBIC)


def bars_picture(
    shares: np.ndarray, own: np.ndarray, kinds: Sequence[str], slot: int | None, paper: Paper = WHITE
) -> np.ndarray:
    """uint8 [300, W, 3]: one bar for each slot's share [Q] of the cosine, as many pixels wide each; ``own`` [Q], the
    shares with the image's own texts, are ticks of ink. The chosen slot stands on yellow."""
    step = max(3, round(_SIDE / len(shares)))
    height, width = 300, step * len(shares)
    sheet = Image.new("RGB", (width, height), paper.ground)
    draw = ImageDraw.Draw(sheet)
    highest, lowest = (f(0.0, *shares, *own) for f in (max, min))
    room = (height - 40) / max(highest - lowest, 1e-9)

    def level(value: float) -> float:
        return 30 + (highest - value) * room

    if slot is not None:
        draw.rectangle((slot * step, 0, (slot + 1) * step - 1, height), fill=paper.held)
    for place, (share, kind) in enumerate(zip(shares, kinds)):
        ends = sorted((level(0), level(share)))
        draw.rectangle((place * step + step // 8, ends[0], (place + 1) * step - 1 - step // 8, ends[1]),
                       fill=KIND_COLORS[kind])  # fmt: skip
        draw.line((place * step, level(own[place]), (place + 1) * step - 1, level(own[place])), fill=paper.ink, width=2)
    draw.line((0, level(0), width, level(0)), fill=paper.faint)
    scale = f"highest {highest:+.3f}, lowest {lowest:+.3f}"
    draw.text((width - 4, 4), scale, font=ImageFont.load_default(21), fill=paper.faint, anchor="ra")
    return np.asarray(sheet)


def cosines_picture(cosines: np.ndarray, slot: int | None, borders: Sequence[Sequence[int]]) -> np.ndarray:
    """uint8 [H, W, 3]: cosines float [Q, Q] as squares. ``borders``: rows and columns before which a line stands
    (sentences, padding, context). The chosen row is framed."""
    count = len(cosines)
    factor = max(2, 480 // count)
    sheet = Image.fromarray(tint(cosines).repeat(factor, 0).repeat(factor, 1))
    draw, size = ImageDraw.Draw(sheet), count * factor
    for axis, places in enumerate(borders):
        for place in places:
            at = place * factor - 1
            draw.line((0, at, size, at) if axis == 0 else (at, 0, at, size), fill=WHITE.faint, width=2)
    if slot is not None:
        draw.rectangle((0, slot * factor, size - 1, (slot + 1) * factor - 1), outline="black", width=2)
    return np.asarray(sheet)


def curve_picture(
    temperatures: np.ndarray, losses: np.ndarray, marks: Sequence[tuple[str, float]], now: float, lowest: float,
    paper: Paper = WHITE,
) -> np.ndarray:  # fmt: skip
    """uint8 [300, 640, 3]: loss [N] over the logarithm of the temperature [N], which fills the width. ``marks``
    (name, temperature) are dashed lines; a dot is where it stands ``now``; ``lowest``: a dotted line below."""
    height, width = 300, _SIDE
    sheet = Image.new("RGB", (2 * width, 2 * height), paper.ground)  # drawn twice as large: smooth lines
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(42)
    start, end = np.log(temperatures[[0, -1]])
    top = max(float(losses.max()), 1e-9)

    def x(temperature: float) -> float:
        return float((np.log(temperature) - start) / (end - start)) * 2 * width

    def y(loss: float) -> float:
        return 2 * height - 60 - loss / top * (2 * height - 230)

    for tick in (0.01, 0.1, 1.0):
        if temperatures[0] < tick < temperatures[-1] * 1.001:
            anchor = "rm" if x(tick) > 2 * width - 40 else "mm"
            place = min(x(tick), 2 * width - 6), 2 * height - 26
            draw.text(place, f"{tick:g}", font=font, fill=paper.faint, anchor=anchor)
    draw.line((0, y(0), 2 * width, y(0)), fill=paper.line, width=3)
    for left in range(0, 2 * width if lowest > 0 else 0, 16):
        draw.line((left, y(lowest), left + 6, y(lowest)), fill=TWIN, width=6)
    for line, (name, temperature) in enumerate(marks):
        at, right = x(temperature), x(temperature) > 1.2 * width
        for upper in range(20 + 50 * line, int(y(0)), 20):
            draw.line((at, upper, at, upper + 10), fill=paper.faint, width=3)
        place = at + (-12 if right else 12), 30 + 50 * line
        draw.text(place, name, font=font, fill=paper.ink, anchor="rm" if right else "lm")
    draw.line([(x(t), y(v)) for t, v in zip(temperatures, losses)], fill=POSITIVE, width=6, joint="curve")
    at = x(now), y(float(np.interp(np.log(now), np.log(temperatures), losses)))
    place = 2 * width - 6, y(losses[-1]) - 36
    draw.text(place, f"loss {number(losses[-1])}", font=font, fill=paper.faint, anchor="rm")
    draw.ellipse((at[0] - 14, at[1] - 14, at[0] + 14, at[1] + 14), fill=NEGATIVE, outline=paper.ground, width=4)
    return np.asarray(sheet.resize((width, height), Image.BOX))
