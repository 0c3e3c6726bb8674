"""Figures of matplotlib without paper: they stand on whatever page shows them, white or dark."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#777a80"  # as far from white as from #111, the dark page of JupyterLab
FAINT = "#777a8080"  # of frames and grids
_DARK = 0.1  # luminance below which a colour would be lost on a dark page
_LIGHT = 0.9  # and above which it is paper
_TICKS = {f"{axis}tick.{part}": INK for axis in "xy" for part in ("color", "labelcolor")}


def on_any_page(figure: Figure) -> bytes:
    """The figure as a PNG, trimmed as notebooks trim it: paper becomes transparent, dark words and lines middle grey.

    What is drawn over an image, or inside a box of its own, keeps its colours, and an image that one sees through keeps
    its paper: their ground goes with them.
    """
    from matplotlib import rc_context

    with rc_context(_TICKS):  # of ticks that are made while it is drawn
        figure.draw_without_rendering()  # makes the labels of ticks, which have their own colours
        without_paper(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=figure.get_dpi(), bbox_inches="tight", facecolor="none")
    return buffer.getvalue()


def without_paper(figure: Figure) -> None:
    """Change the figure's colours, and those of its axes, to such as are legible on white and on black."""
    figure.patch.set_facecolor("none")
    for artist in [*figure.texts, *figure.lines, *figure.patches]:
        _ink(artist)
    for legend in figure.legends:
        _legend(legend)
    for axes in figure.axes:
        _axes(axes)


def _axes(axes: Axes) -> None:
    names = [axes.title, axes._left_title, axes._right_title]
    for axis in (axes.xaxis, axes.yaxis):
        names += [axis.label, axis.get_offset_text(), *axis.get_ticklabels(which="both")]
        for line in (*axis.get_ticklines(), *axis.get_ticklines(minor=True)):
            _ink(line)
        for line in axis.get_gridlines():
            line.set_color(FAINT)
    for artist in names:
        _ink(artist)
    for spine in axes.spines.values():
        if _is_dark(spine.get_edgecolor()):
            spine.set_edgecolor(FAINT if axes.images else INK)
    if axes.images:
        return
    if _is_paper(axes.patch.get_facecolor()):
        axes.patch.set_facecolor("none")
    for artist in [*axes.texts, *axes.lines, *axes.patches, *axes.collections]:
        _ink(artist)
    if axes.get_legend():
        _legend(axes.get_legend())


def _legend(legend: Any) -> None:
    legend.get_frame().set(facecolor="none", edgecolor="none")
    for artist in [*legend.get_texts(), legend.get_title(), *legend.legend_handles]:
        _ink(artist)


def _ink(artist: Any) -> None:
    """Middle grey in place of every dark colour of a text, line, patch or collection."""
    from matplotlib.collections import Collection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Annotation, Text

    if isinstance(artist, Text):
        boxed = artist.get_bbox_patch()
        if boxed is None and _is_dark(artist.get_color()):
            artist.set_color(INK)
        if isinstance(artist, Annotation) and artist.arrow_patch is not None:
            _ink(artist.arrow_patch)
    elif isinstance(artist, Line2D):
        for part in ("color", "markerfacecolor", "markeredgecolor"):
            if _is_dark(getattr(artist, f"get_{part}")()):
                getattr(artist, f"set_{part}")(INK)
    elif isinstance(artist, Patch):
        for part in ("facecolor", "edgecolor"):
            if _is_dark(getattr(artist, f"get_{part}")()):
                getattr(artist, f"set_{part}")(INK)
    elif isinstance(artist, Collection) and artist.get_array() is None:
        for part in ("facecolor", "edgecolor"):
            colors = getattr(artist, f"get_{part}")()
            if len(colors) and any(map(_is_dark, colors)):
                getattr(artist, f"set_{part}")([INK if _is_dark(color) else color for color in colors])


def luminance(color: Any) -> float:
    """Relative luminance by WCAG 2, 0 to 1, of any colour of matplotlib; its opacity does not count."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _is_dark(color: Any) -> bool:
    return _is_seen(color) and luminance(color) < _DARK


def _is_paper(color: Any) -> bool:
    return _is_seen(color) and luminance(color) > _LIGHT


def _is_seen(color: Any) -> bool:
    """Whether it is a colour at all: not "none" nor, of a line's marks, "auto"; and not fully transparent."""
    from matplotlib.colors import is_color_like, to_rgba

    return is_color_like(color) and to_rgba(color)[3] > 0
