"""What all plots share: light and dark ink, colours by name, empty axes, and the finished picture.

Matplotlib's object-oriented API throughout: no pyplot, hence no global state and no display.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FONT = 9  # points


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
    """PNG bytes, and where in the picture a step stands: at ``start + slope * step`` of its width."""

    png: bytes
    start: float
    slope: float


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
    """Ticks such as 0.5, 1, 2, 5: readable without knowing powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def finished(figure: Any, axes: Any, theme: Theme, title: str, dpi: int) -> Plot:
    """With ticks, the axes' names and a legend, or words where nothing was drawn."""
    from matplotlib.ticker import MaxNLocator

    axes.tick_params(colors=theme.ink, labelsize=FONT, length=0)
    axes.tick_params(which="minor", length=0)
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
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
    return Plot(png, box.x0 - slope * first, slope)


def png_of(figure: Any, dpi: int) -> bytes:
    """The picture. Without matplotlib's version in the file, equal curves are equal bytes. Letters that its font has
    not, in names that are not ours, become boxes without a warning each: pages say the names beside it."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
