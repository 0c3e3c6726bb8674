"""The curves of a run, for LossInspector: drawn once, with a cursor that moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...render.curves import Record
from ...render.paper import WHITE, Paper
from ...render.plots import Plot
from ...render.timeline import Timeline
from ..picture import Box
from .pictures import loss_plots
from .words import layers_text, step_text

_MOMENTS = 400  # at most, to choose from


class LossCurves:
    """``history``: the run's log; ``steps`` and ``minutes``: its budget; ``weights`` of the losses.

    ``moments``: the logged steps to choose from; ``plots``: "losses" over the steps, the others by decoder layer.
    """

    def __init__(
        self, history: Sequence[Record], steps: int | None, minutes: float | None, weights: Mapping[str, float]
    ) -> None:
        self.timeline = Timeline(history, steps, minutes)
        every = [record["step"] for record in self.timeline.train]
        kept = np.linspace(0, len(every) - 1, min(_MOMENTS, len(every)))
        self.moments = [every[round(place)] for place in kept]
        self.plots: dict[str, Plot] = loss_plots(self.timeline.history, weights)
        self._weights, self._pictures = weights, {WHITE: _on(WHITE, self.plots)}

    def pictures(self, paper: Paper) -> dict[str, np.ndarray]:
        """All plots, drawn in the ink of the paper when it is first asked for."""
        if paper not in self._pictures:
            self._pictures[paper] = _on(paper, loss_plots(self.timeline.history, self._weights, paper))
        return self._pictures[paper]

    def by_layer(self, loss: str) -> str:
        """The plot that shows a loss by layer; the total where it is of no layer."""
        return loss if loss in self.plots else "total"

    def marked(self, name: str, step: int) -> np.ndarray:
        """A plot with the cursor in it."""
        return self.plots[name].picture(step)

    def cursor(self, name: str, step: int, units: float) -> Box:
        """The cursor for :meth:`Picture.frame`, whose picture is ``units`` high and wide."""
        plot = self.plots[name]
        return units * plot.top, units * (plot.start + plot.slope * step), units * plot.height, 0

    def told(self, step: int, loss: str) -> list[str]:
        """What was logged at a step: all losses, and one of them by layer."""
        return [step_text(self.timeline, step), layers_text(self.timeline, step, loss)]

    def step_at(self, share: float) -> int:
        """The step at a share of the width of "losses"."""
        plot = self.plots["losses"]
        return max(1, round((share - plot.start) / plot.slope))


def _on(paper: Paper, plots: Mapping[str, Plot]) -> dict[str, np.ndarray]:
    return {name: plot.picture(ground=paper.ground) for name, plot in plots.items()}
