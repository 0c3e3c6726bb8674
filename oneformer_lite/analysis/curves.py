"""Precision over recall as a drawing that follows the page's colours and says in words what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, RIGHT, TOP = 420, 270, 44, 36, 12, 10
STYLES = {"0.50": "", "0.75": "6 4", "0.50 to 0.95": "2 3"}  # dashes, so that lines differ without colours, too


def precision_recall_svg(recall: Sequence[float], means: Mapping[str, Sequence[float] | None]) -> str:
    """One line for each IoU threshold; empty where no class has an instance."""
    if not all(means.values()):
        return ""
    lines = "".join(_line(recall, values, name, number) for number, (name, values) in enumerate(means.items()))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(in_words(recall, means))}">'
        f"{_axes()}{lines}</svg>"
    )


def in_words(recall: Sequence[float], means: Mapping[str, Sequence[float]]) -> str:
    """What the drawing shows: how far each line reaches, and its height half way."""
    told = []
    for name, values in means.items():
        reached = max((r for r, v in zip(recall, values) if v > 0), default=0)
        told.append(f"at an IoU of {name}, {values[len(values) // 2]:.2f} at a recall of 0.5, above 0 to {reached:.2f}")
    return "Precision over recall, mean over the classes: " + "; ".join(told)


def _place(recall: float, precision: float) -> tuple[float, float]:
    return LEFT + recall * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - precision * (HEIGHT - BOTTOM - TOP)


def _line(recall: Sequence[float], values: Sequence[float], name: str, number: int) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(_place, recall, values))
    return (
        f'<polyline class="line{number}" points="{points}" fill="none" stroke-width="2" '
        f'stroke-dasharray="{STYLES[name]}"/>'
    )


def _axes() -> str:
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        (x, bottom), (left, y) = _place(tick, 0), _place(0, tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle = _place(0.5, 0.5)
    parts.append(f'<text x="{middle[0]:.1f}" y="{HEIGHT - 4}" text-anchor="middle">recall</text>')
    parts.append(
        f'<text transform="translate(11 {middle[1]:.1f}) rotate(-90)" text-anchor="middle">precision</text>'
    )
    return "".join(parts)
