"""What an analysis found: numbers, the pictures behind them, and pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..checks import check_number
from ..data.dataset import SegmentationDataset
from ..data.sample import Sample
from ..data.views import renumbered
from ..errors import ConfigError
from ..files import replacing
from ..inference import Ensemble
from ..judged import judged_classes
from ..metrics import Evaluation
from ..model import MaskModel
from .behind import Behind
from .numbers import of_pixels, of_segments
from .page import analysis_page
from .pixels import PixelFindings
from .segments import SegmentFindings

if TYPE_CHECKING:
    from ..inspectors.inspector import Inspector

INSPECTORS = ("MaskInspector", "MatchInspector")  # what a page opens; an ensemble is not matched


class Analysis:
    """Where a model goes wrong (:func:`ofl.analyse`). A notebook shows it as a page; :meth:`to_dict` has all numbers,
    ``metrics`` what :func:`ofl.evaluate` returns."""

    def __init__(
        self,
        metrics: Evaluation,
        findings: Mapping[str, SegmentFindings | PixelFindings],
        behind: Behind,
        names: Mapping[int, str],
        model: MaskModel | Ensemble,
        dataset: SegmentationDataset,
    ) -> None:
        """``names``: of the judged pictures by number; ``model`` and ``dataset`` are what :meth:`inspect` looks at."""
        self.metrics, self.model, self.dataset = metrics, model, dataset
        self._findings, self._behind, self._names = findings, behind, names

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self._findings)

    @property
    def bars(self) -> list[tuple[str, ...]]:
        """The names of all bars with pictures, which :meth:`pictures` takes."""
        return sorted(self._behind)

    def pictures(self, *bar: str) -> list[dict]:
        """The pictures that count most for a bar, such as ("errors", "panoptic", "missed"), the first one most: their
        ``picture`` (the number in the data set), ``name`` and ``count``."""
        if len(bar) != 3 or bar[1] not in self.tasks:
            raise ConfigError(
                f"there is no bar {bar}: expected what is counted, the task ({', '.join(self.tasks)}) and its name, as "
                "in analysis.bars"
            )
        return [{"picture": i, "name": self._names[i], "count": count} for i, count in self._behind.of(*bar)]

    @cached_property
    def numbers(self) -> dict:
        """:meth:`to_dict`, without the metrics."""
        made = {
            task: (of_pixels if task == "semantic" else of_segments)(found, self.metrics, self.pictures)
            for task, found in self._findings.items()
        }
        return {"pictures": len(self._names), **made}

    def to_dict(self) -> dict:
        """Everything, ready for JSON: ``pictures`` (how many were judged), ``metrics``, and by task ``errors``,
        ``confusion``, ``most_confused``, ``boundary``, ``calibration``; of segments also ``by_size``, of instances
        ``precision_recall``. None where there was nothing to measure."""
        return {**self.numbers, "metrics": self.metrics.to_dict()}

    def to_json(self, indent: int | None = None) -> str:
        """:meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    def sample(self, picture: int) -> Sample:
        """A picture of the data set with its annotation, its classes numbered as the model's."""
        categories, class_ids = judged_classes(self.model.config, self.dataset)
        return renumbered(self.dataset[picture], class_ids, categories)

    def inspect(self, picture: int, inspector: str = "MaskInspector", **choices) -> Inspector:
        """A picture of the data set in an inspector of :mod:`ofl.widgets`; ``choices`` are those of its ``set``. The
        MaskInspector shows right and wrong of the first task that was analysed, unless told otherwise."""
        from .. import widgets

        _check_inspector(inspector)
        check_number("picture", picture, 0, len(self.dataset) - 1, whole=True)
        if inspector == "MaskInspector":
            choices = {"task": self.tasks[0], "colors": "verdict"} | choices
        shown = getattr(widgets, inspector)(self.model, self.sample(picture))
        return shown.set(**choices) if choices else shown

    def to_html(self, path: str | Path, pictures: int = 6, inspectors: Sequence[str] | None = None) -> Path:
        """Write the page: one file, for no network and no Python; its path.

        Of ``pictures`` of the pictures that it names, those that lead the most important bars, it holds the pages of
        the ``inspectors`` (:data:`INSPECTORS` unless given), some 0.2 MB each at 256 pixels; the others it names.
        """
        check_number("pictures", pictures, 0, whole=True)
        inspectors = inspectors or INSPECTORS[: 1 if isinstance(self.model, Ensemble) else None]
        names = list(inspectors) if isinstance(inspectors, (list, tuple)) else [inspectors]
        for name in names:
            _check_inspector(name)
        inside = {i: {name: self.inspect(i, name).page() for name in names} for i in self._leading(pictures)}
        page = analysis_page(self.numbers, self.metrics, self._subject(), inside)
        with replacing(path) as draft:
            draft.write_text(page, encoding="utf-8", errors="replace")  # file names need not be Unicode
        return Path(path)

    def _leading(self, most: int) -> list[int]:
        """The first picture of each bar, then the second ...; bars of errors before others."""
        bars = sorted(self._behind, key=lambda bar: (bar[0] != "errors", bar))
        every = [[i for i, _ in self._behind.of(*bar)] for bar in bars]
        ranks = (row[rank] for rank in range(max(map(len, every), default=0)) for row in every if rank < len(row))
        return list(dict.fromkeys(ranks))[:most]

    def _subject(self) -> str:
        return f"{type(self.model).__name__} on {len(self._names)} pictures"

    def _repr_html_(self) -> str:
        return analysis_page(self.numbers, self.metrics, self._subject())

    def __repr__(self) -> str:
        totals = {task: self.numbers[task]["errors"] for task in self.tasks}
        words = [
            f"{task}: " + ", ".join(f"{k['share']:.0%} {k['kind']}" for k in errors["kinds"] if k["count"])
            for task, errors in totals.items()
        ]
        return f"Analysis({self._subject()}; {'; '.join(words)})"


def _check_inspector(name: object) -> None:
    """Raises :class:`ConfigError` for what is no name of one."""
    from .. import widgets

    fitting = [one for one in widgets.__all__ if one.endswith("Inspector")]
    if name not in fitting:
        raise ConfigError(f"there is no inspector {name!r}: expected one of {', '.join(fitting)}")
