"""What all plots share: light and dark ink, colours by name, empty axes, and the finished picture.

Matplotlib's object-oriented API throughout: no pyplot, hence no global state and no display.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..data.image import image_from_bytes
from .colors import RGB
from .paper import WHITE

FONT = 9  # points
_LINE, _DIGIT = 1.25, 0.62  # of FONT: the height of a line of words, the width of a digit


@dataclass(frozen=True)
class Theme:
    """Ink, faint ink and the colours of lines, by name; the background is transparent."""

    ink: str
    faint: str
    lines: Mapping[str, str]


# Okabe and Ito's palette, which colour-blind readers tell apart; the dark theme's is lightened.
LIGHT = Theme(
    ink="#1f2430",
    faint="#c9cdd6",
    lines={
        "total": "#1f2430", "class": "#0072b2", "mask": "#d55e00", "dice": "#009e73",
        "contrastive": "#b0609a", "PQ": "#0072b2", "AP": "#d55e00", "mIoU": "#009e73",
    },
)  # fmt: skip
DARK = Theme(
    ink="#e6e9f0",
    faint="#454c5b",
    lines={
        "total": "#e6e9f0", "class": "#56b4e9", "mask": "#f28e4b", "dice": "#3cc79c",
        "contrastive": "#dd9ac9", "PQ": "#56b4e9", "AP": "#f28e4b", "mIoU": "#3cc79c",
    },
)  # fmt: skip

_SPARE = ("#8a6d1f", "#56789a", "#b5495b", "#4b8b6f")  # lines of losses that have no colour of their own


@dataclass(frozen=True)
class Plot:
    """PNG bytes on a transparent ground, and where in the picture a step stands: at ``start + slope * step`` of its
    width, from ``top`` on for ``height``, all as shares of the picture."""

    png: bytes
    start: float
    slope: float
    top: float
    height: float

    def picture(self, step: int | None = None, ground: RGB = WHITE.ground) -> np.ndarray:
        """The plot on white or another ``ground``, uint8 [H, W, 3], with a line at ``step``."""
        picture = image_from_bytes(self.png, "a plot").convert("RGBA")
        whole = Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture).convert("RGB")
        pixels = np.array(whole)
        if step is not None:
            high, wide = pixels.shape[:2]
            column = min(max(round((self.start + self.slope * step) * wide), 1), wide - 2)
            rows = slice(round(self.top * high), round((self.top + self.height) * high))
            strip = pixels[rows, column - 1 : column + 1]
            strip[:] = (strip * 0.3 + np.array([31, 36, 48]) * 0.7).astype(np.uint8)
        return pixels


def line_color(theme: Theme, name: str) -> str:
    """The colour of a loss or a score; always the same for a name."""
    return theme.lines.get(name) or _SPARE[sum(map(ord, name)) % len(_SPARE)]


def axes_of(theme: Theme, size: tuple[float, float]) -> tuple[Any, Any]:
    """A figure of this size (inches) and its empty axes, in the theme's ink."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor="none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.faint)
    axes.grid(axis="y", color=theme.faint, alpha=0.5, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def plain_log_ticks(axes: Any) -> None:
    """Ticks such as 0.5, 1, 2, 5 on the vertical axis, as many as have room: readable without knowing powers of ten.
    To be called when everything is drawn."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    decades = math.log10(axes.get_ylim()[1] / axes.get_ylim()[0])
    room = _height(axes) / (_LINE * FONT * decades)  # lines of words in a decade
    fitting = [subs for subs in ((1, 2, 5), (1, 3), (1,)) if room * _narrowest(subs) >= 1]
    locator = LogLocator(subs=fitting[0] if fitting else (1,)) if decades > 0.7 else MaxNLocator(4)
    axes.yaxis.set_major_locator(locator)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def name_ends(axes: Any, ends: Sequence[tuple[float, float, str]]) -> None:
    """Write numbers beside the ends (x, y, colour) of lines, moved apart where they would cover each other. To be
    called when the limits of the axes are set."""
    low, high = axes.get_ylim()
    unit = _height(axes) / (high - low)  # points
    above = -math.inf
    for x, y, color in sorted(ends, key=lambda end: end[1]):
        above = max(y * unit, above + _LINE * FONT)
        axes.annotate(
            f"{y:.1f}", (x, y), (6, above - y * unit), textcoords="offset points", color=color, fontsize=FONT,
            va="center", annotation_clip=False,
        )  # fmt: skip


def _height(axes: Any) -> float:
    """Points, once words and legend have taken their room."""
    return 72 * axes.figure.get_figheight() - 7 * FONT


def _narrowest(subs: tuple[int, ...]) -> float:
    """The smallest gap between two ticks, in decades."""
    return min(math.log10(after / before) for before, after in zip(subs, (*subs[1:], 10)))


def finished(figure: Any, axes: Any, theme: Theme, title: str, dpi: int) -> Plot:
    """With ticks, the axes' names and a legend, or words where nothing was drawn."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axes.tick_params(colors=theme.ink, labelsize=FONT, length=0)
    axes.tick_params(which="minor", length=0)
    most = len(f"{axes.get_xlim()[1]:,.0f}") * _DIGIT * FONT + FONT  # points of the widest step
    room = 72 * axes.figure.get_figwidth() - 7 * FONT
    bins = min(9, max(1, int(room / most)))
    axes.xaxis.set_major_locator(MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10], integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("step", color=theme.ink, fontsize=FONT)
    axes.set_ylabel(title, color=theme.ink, fontsize=FONT)
    handles, names = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, names, loc="outside upper left", ncols=len(names), frameon=False,
            labelcolor=theme.ink, fontsize=FONT, handlelength=1, handletextpad=0.6, columnspacing=1,
        )  # fmt: skip
    else:
        axes.text(0.5, 0.5, "nothing recorded yet", color=theme.ink, ha="center",
                  transform=axes.transAxes)  # fmt: skip
    png = png_of(figure, dpi)
    box, (first, last) = axes.get_position(), axes.get_xlim()
    slope = (box.x1 - box.x0) / (last - first)
    return Plot(png, box.x0 - slope * first, slope, 1 - box.y1, box.y1 - box.y0)


def png_of(figure: Any, dpi: int) -> bytes:
    """The picture. Without matplotlib's version in the file, equal curves are equal bytes. Letters that its font has
    not, in names that are not ours, become boxes without a warning each: pages say the names beside it."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
