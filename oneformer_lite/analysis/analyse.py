"""``ofl.analyse``: where does a model go wrong, over a whole data set?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from tqdm.auto import tqdm

from ..checks import check_progress, check_share, only_known_names
from ..data.dataset import SegmentationDataset
from ..data.sample import Sample
from ..data.unreadable import Unreadable
from ..data.views import Given, as_dataset
from ..errors import ConfigError
from ..evaluation import Progress, evaluate
from ..inference import Ensemble, Prediction, check_model
from ..judged import judgeable, judged_classes
from ..model import MaskModel
from .behind import Behind
from .pixels import PixelFindings
from .report import Analysis
from .segments import SegmentFindings


@only_known_names
def analyse(
    model: MaskModel | Ensemble,
    dataset: Given,
    tasks: Sequence[str] | None = None,
    *,
    min_score: float = 0.5,
    batch_size: int = 8,
    results: str | Path | None = None,
    progress: Progress | bool = True,
    unreadable: float | Unreadable = 0.01,
    windows: bool | int = False,
) -> Analysis:
    """Judge ``model`` as :func:`ofl.evaluate` does, and say of what its errors are made; to look at, and as numbers.

    For each of ``tasks`` (all that model and annotation have in common, unless given): kinds of errors
    (:func:`~.errors.errors_of`), classes taken for others, PQ and AP by size, precision over recall, boundary IoU,
    and whether scores mean what they say; for each figure the pictures that count most for it. Lesson 21.

    ``min_score``: instances below it are no errors and no confusions (AP and calibration count them all). ``progress``:
    a bar with the time left, or what is called with (done, total); False for none. The other arguments are those of
    :func:`ofl.evaluate`. Memory does not grow with the pictures, but for the run-length codes that AP is made of.

    >>> analysis = ofl.analyse(model, dataset)
    >>> analysis                           # a page in the notebook
    >>> analysis.to_html("analysis.html")  # one that opens the worst pictures in inspectors, without Python
    >>> analysis.pictures("errors", "panoptic", "missed")
    >>> analysis.inspect(17)               # dataset[17] in a MaskInspector
    """
    check_share("min_score", min_score)
    check_progress(progress, bar=True)
    check_model(model)
    dataset = as_dataset(dataset)
    dataset, chosen = judgeable(model, dataset, model.config.answers(dataset.tasks) if tasks is None else tasks)
    categories, _ = judged_classes(model.config, dataset)
    behind, numbered = Behind(), _Numbered(dataset)
    findings = {
        task: PixelFindings(categories, behind)
        if task == "semantic"
        else SegmentFindings(task, categories, behind, min_score)
        for task in chosen
    }

    def look(prediction: Prediction, sample: Sample) -> None:
        findings[prediction.task].add(prediction, sample, numbered.place(sample))

    with _bar(progress, len(dataset)) as told:
        metrics = evaluate(
            model, numbered, chosen, batch_size=batch_size, results=results, progress=told, unreadable=unreadable,
            look=look, windows=windows,
        )  # fmt: skip
    return Analysis(metrics, findings, behind, numbered.names, model, dataset)


class _Numbered:
    """A data set that remembers at which place it gave which picture, and how that is called."""

    def __init__(self, dataset: SegmentationDataset) -> None:
        self.dataset, self.categories, self.tasks = dataset, dataset.categories, dataset.tasks
        self.names: dict[int, str] = {}
        self._places: dict[int | str, int] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        sample = self.dataset[index]
        if isinstance(sample, Sample):
            if self._places.setdefault(sample.image_id, index) != index:
                raise ConfigError(
                    f"pictures {self._places[sample.image_id]} and {index} have the same image_id, {sample.image_id}: "
                    "give each its own, by which the analysis names them"
                )
        return sample

    def place(self, sample: Sample) -> int:
        """The number of a picture that was given, and is judged."""
        place = self._places[sample.image_id]
        self.names[place] = sample.file_name or f"picture {place}"
        return place


@contextmanager
def _bar(progress: Progress | bool, total: int):
    """What ``evaluate`` tells its progress, None for nothing."""
    if not isinstance(progress, bool):
        yield progress
        return
    shape = "{desc} {n_fmt}/{total_fmt} {percentage:3.0f}%|{bar:24}| {remaining} left"
    with tqdm(total=total, desc="analysing", disable=not progress, dynamic_ncols=True, bar_format=shape) as bar:
        yield lambda done, _: bar.update(done - bar.n)
