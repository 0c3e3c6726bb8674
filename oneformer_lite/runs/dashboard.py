"""The pieces of a run's dashboard as HTML, for the widgets and for the page: numbers, plots with cursors, pictures.

All are pure functions of a :class:`~oneformer_lite.render.timeline.Timeline`; ``runs/page.css`` is their look.
A cursor stands where the CSS variable ``--step`` of the whole says, so that moving it draws nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from html import escape

import numpy as np

from ..errors import DataError
from ..render.curves import METRICS, layer_plot, loss_plot, metric_plot, series
from ..render.grid import data_uri
from ..render.pages import read
from ..render.plots import DARK, LIGHT, Plot, line_color
from ..render.sheet import sheet_html
from ..render.timeline import Timeline, layer_text

LOOK_FOR = (
    "What to look for: the losses fall and the scores rise together, and the last decoder layer ends below the "
    "first; a loss that turns upward, or images/s that drop, is the moment to stop and look."
)
STATUS = {"running": "▶ running", "finished": "✓ finished", "stopped": "■ stopped", "failed": "✕ failed"}
MACHINE = {"lr": "learning rate", "images_per_second": "images/s", "memory_mb": "peak memory"}
_SPARK_POINTS = 120
_PLOT = {"size": (5.2, 3.0), "dpi": 130}


@cache
def style() -> str:
    """The style sheet of everything here."""
    return read("runs/page.css")


def head(name: str, status: str, timeline: Timeline, step: int, reason: str = "", note: str = "") -> str:
    """Name, status, how far, and one sentence on what to look for; a failed run's ``reason`` in full."""
    texts = timeline.texts(step)
    told = [texts["share"], f"step {texts['step']}", texts["time"], texts["left"] if status == "running" else ""]
    if not timeline.train:
        told = ["waiting for the first step"] if status == "running" else ["nothing was logged"]
    width = 100 * (timeline.share(step) or 0)
    parts = [
        f'<div class="ofl-head"><b class="ofl-status {status}">{STATUS[status]}</b>'
        f"<strong>{escape(name)}</strong><span>{' · '.join(filter(None, told))}</span></div>",
        f'<div class="ofl-bar" role="img" aria-label="{texts["share"] or "share unknown"}">'
        f'<i style="width:{width:.1f}%"></i></div>',
        f'<p class="ofl-look">{LOOK_FOR}</p>',
        f'<pre class="ofl-reason">{escape(reason)}</pre>' if reason else "",
        f'<p class="ofl-note" role="status">{escape(note)}</p>' if note else "",
    ]
    return "".join(parts)


def cards(timeline: Timeline, step: int) -> str:
    """Losses, scores and machine at ``step``; elements with ``data-name`` hold the texts of that name."""
    texts = timeline.texts(step)
    losses, scores = (
        [_card(name, texts, f"light-dark({line_color(LIGHT, name)},{line_color(DARK, name)})") for name in names]
        for names in (("total", *timeline.terms), METRICS)
    )
    machine = [_card(name, texts, title=title, more=_spark(timeline, name)) for name, title in MACHINE.items()]
    scored = f'scores in percent, <span data-name="scored">{texts["scored"]}</span>'
    groups = (("losses, summed over the decoder's predictions", losses), (scored, scores), ("machine", machine))
    return (
        '<div class="ofl-cards">'
        + "".join(
            f'<div class="ofl-group"><small>{title}</small><div>{"".join(inside)}</div></div>'
            for title, inside in groups
        )
        + "</div>"
    )


def plots(timeline: Timeline, layer_terms: Sequence[str] = ("class",), drawn: Callable = lambda _, draw: draw()) -> str:
    """Losses, one of them (or more) by decoder layer, and scores over the steps.

    ``drawn(name, draw)`` may keep pictures that were drawn before.
    """
    history = timeline.history
    wanted = {"loss": lambda: loss_plot(history, **_PLOT)}
    wanted |= {term: lambda term=term: layer_plot(history, term, **_PLOT) for term in layer_terms}
    wanted["metric"] = lambda: metric_plot(history, **_PLOT)
    figures = [plot_figure(name, drawn(name, draw)) for name, draw in wanted.items()]
    return f'<div class="ofl-plots">{"".join(figures)}</div>'


def plot_figure(name: str, plot: Plot) -> str:
    """One plot with its cursor; what it shows at the cursor goes into its caption."""
    titles = {"loss": "the losses and their weighted total", "metric": "scores on held-out images"}
    title = titles.get(name, f"{name} loss by decoder layer")
    place = f"--start:{plot.start:.5f};--slope:{plot.slope:.9f};--top:{plot.top:.4f};--height:{plot.height:.4f}"
    return (
        f'<figure class="ofl-of-{name}" style="{place}">'
        f'<div class="ofl-plot" data-plot="{name}" data-start="{plot.start:.5f}" data-slope="{plot.slope:.9f}">'
        f'<img src="{data_uri(plot.png)}" alt="{title}, over the steps"><i class="ofl-cursor"></i></div>'
        f"<figcaption>{title}</figcaption></figure>"
    )


def pictures(step: int | None, content: bytes = b"") -> str:
    """The held-out images at ``step``, from the file of a sheet (:func:`~oneformer_lite.render.prediction_sheet`);
    None: no picture yet. One that cannot be shown says so and why."""
    if step is None:
        return '<p class="ofl-shown">No pictures yet: they are written at each evaluation.</p>'
    try:
        sheet = sheet_html(content)
    except DataError as error:
        return f'<p class="ofl-shown">The held-out images at step {step:,} cannot be shown: {escape(str(error))}</p>'
    return f'<p class="ofl-shown">Held-out images at step {step:,}</p><div class="ofl-pictures">{sheet}</div>'


def _card(name: str, texts: dict[str, str], color: str = "", title: str = "", more: str = "") -> str:
    dot = f'<i style="background:{color}"></i>' if color else ""
    kind = "ofl-card wide" if more else "ofl-card"
    value = f'<b data-name="{name}">{texts[name]}</b>'
    return f'<div class="{kind}">{value}<small>{dot}{title or name}</small>{more}</div>'


def _spark(timeline: Timeline, name: str) -> str:
    """A line without axes, from zero to the largest value."""
    steps, values = series(timeline.train, name)
    if len(steps) < 2 or not values.max() > 0:
        return '<div class="ofl-spark"></div>'
    kept = np.unique(np.linspace(0, len(steps) - 1, _SPARK_POINTS).round().astype(int))
    x = 100 * (steps - steps[0]) / (steps[-1] - steps[0])
    y = 24 - 22 * values / values.max()
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[kept], y[kept]))
    slope = 1 / (steps[-1] - steps[0])
    return (
        f'<div class="ofl-spark" style="--start:{-slope * steps[0]:.5f};--slope:{slope:.9f}">'
        f'<svg viewBox="0 0 100 26" preserveAspectRatio="none" aria-hidden="true"><polyline points="{points}"/></svg>'
        '<i class="ofl-cursor"></i></div>'
    )


def hover_texts(timeline: Timeline, step: int) -> dict[str, str]:
    """What the caption of each plot says of ``step``."""
    texts, layers = timeline.texts(step), timeline.layers(step)
    told = {"loss": " · ".join(f"{name} {texts[name]}" for name in ("total", *timeline.terms))}
    told |= {name: f"{name}: {layer_text(layers[name])}" for name in layers}
    told["metric"] = " · ".join(f"{name} {texts[name]}" for name in METRICS) + f", {texts['scored']}"
    return {name: f"step {step:,}: {text}" for name, text in told.items()}
