"""A study on disk: what it has found so far, from any notebook and on any day."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ..data.image import image_from_bytes
from ..errors import ConfigError
from ..files import path_of, replacing
from ..training.locks import is_locked
from ..training.log import LogReader
from ..training.run import Run
from .definition import Definition
from .measures import check_metrics
from .overall import Overall
from .page import figure_of, study_html, table_text
from .results import Result, read_results
from .stored import read_definition, run_folder
from .summary import Row, rows_of
from .timing import Pace, seconds_left, share_done
from .variants import Variant

LOCK, STOP, REPORT = ".study.lock", ".study.stop", "report.html"


class Study:
    """The study in ``folder``, finished, stopped or running, made by :func:`oneformer_lite.study` here or elsewhere.

    ``study.json`` and ``results.jsonl``, some hundred kilobytes, are all that is needed: the runs may be gone. Printed,
    it is a table; in a notebook it shows itself. Lesson 19.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = path_of(folder, "the folder of a study")
        self.definition: Definition = read_definition(self.folder)
        self._logs: dict[Path, LogReader] = {}

    @classmethod
    def attach(cls, folder: str | Path) -> Study:
        """The study in ``folder``. Raises :class:`DataError` if there is none."""
        return cls(folder)

    @property
    def title(self) -> str:
        return self.definition.title

    @property
    def variants(self) -> list[str]:
        """Their names; the baseline is ``baseline``."""
        return [variant.name for variant in self.definition.variants]

    @property
    def baseline(self) -> str:
        return self.definition.baseline

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.definition.seeds

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.definition.metrics

    @property
    def results(self) -> list[Result]:
        """Of the runs that are finished, in the order of the study."""
        return read_results(self.folder, self.definition)

    @property
    def status(self) -> str:
        """"running", "finished" or "stopped"."""
        if is_locked(self.folder / LOCK):
            return "running"
        return "finished" if len(self.results) == len(self.definition.runs) else "stopped"

    @property
    def share(self) -> float:
        """How much of the study is done, 0 to 1."""
        return share_done(self._paces())

    def seconds_left(self, at_once: int = 1) -> float | None:
        """Until it is finished, with so many runs at a time; None before anything was measured."""
        return seconds_left(self._paces(), at_once)

    def rows(self, metric: str | None = None) -> list[Row]:
        """Mean, range and difference to the baseline of every variant, by one ``metric`` (the first unless named)."""
        name, *others = check_metrics(metric or self.metrics[0])
        if others:
            raise ConfigError(f"expected one metric, got {metric!r}: the rows of each are asked for one by one")
        return rows_of(self.definition, self.results, name)

    def row(self, variant: str, metric: str | None = None) -> Row:
        """Of one variant."""
        name = self.definition.named(variant).name
        return next(row for row in self.rows(metric) if row.variant == name)

    def table(self, metrics: str | Sequence[str] | None = None) -> str:
        """As text, one block a metric."""
        names = check_metrics(metrics or self.metrics)
        return "\n\n".join(table_text(self.rows(name)) for name in names)

    def figure(self, metric: str | None = None) -> Image.Image:
        """Differences to the baseline: a point a seed, a stroke for their mean, and twice the range as a grey band."""
        return image_from_bytes(figure_of(self.rows(metric), dpi=160), "a figure").convert("RGBA")

    def to_jsonl(self, times: bool = True) -> str:
        """The results, a line a run; without ``times`` the same wherever and whenever they were made."""
        return "".join(result.line(times) for result in self.results)

    def to_html(self, path: str | Path | None = None) -> Path:
        """One HTML file that needs no network, ``report.html`` in the study's folder unless ``path`` is given."""
        path = self.folder / REPORT if path is None else path_of(path, "the page to write")
        page = study_html(self)
        with replacing(path) as draft:
            draft.write_text(page, encoding="utf-8")
        return path

    def stop(self) -> None:
        """Ask its runs to save and to end; the study ends with them, or before the next where it judges a model.
        Called again, :func:`oneformer_lite.study` resumes it."""
        if self.status == "running":
            with replacing(self.folder / STOP) as draft:
                draft.touch()
        for variant, seed in self.definition.runs:
            Run(run_folder(self.folder, variant, seed)).ask_to_stop()

    def progress(self, at_once: int = 1) -> Overall:
        """A bar over the whole study, which follows what its runs log."""
        return Overall(self, at_once)

    def _paces(self) -> list[Pace]:
        done = {(result.variant, result.seed): result for result in self.results}
        return [self._pace(variant, seed, done.get((variant.name, seed))) for variant, seed in self.definition.runs]

    def _pace(self, variant: Variant, seed: int, result: Result | None) -> Pace:
        if result is not None:
            return Pace(variant.name, variant.train_config, result.steps, result.seconds, result.judging_seconds)
        folder = run_folder(self.folder, variant, seed)
        records = self._logs.setdefault(folder, LogReader(folder)).read()
        last = records[-1] if records else {}
        return Pace(variant.name, variant.train_config, last.get("step", 0), last.get("seconds") or 0.0)

    def __repr__(self) -> str:
        done, whole = len(self.results), len(self.definition.runs)
        size = f"{len(self.variants)} variants x {len(self.seeds)} seed{'s' * (len(self.seeds) > 1)}"
        return f"{self.title}: {size}, {done} of {whole} runs, {self.status}\n\n{self.table()}"

    def _repr_html_(self) -> str:
        return study_html(self, whole_page=False)
