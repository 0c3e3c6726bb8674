"""What stood behind a step of a run: its pictures, tasks, targets and random points, built again from the recipe.

Everything random follows from the seed and the step (:mod:`oneformer_lite.training.loader`, ``step``), so that nothing
of this need be kept while a run trains.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from ...config import BaseConfig
from ...data.augment import augmentation
from ...data.batch import Batch, collate
from ...data.sample import Sample
from ...data.views import Given
from ...errors import CheckpointError, ConfigError, DataError, OneFormerLiteError
from ...model import MaskModel
from ...training.checkpoint import saved_model
from ...training.config import TrainConfig
from ...training.loader import run_split, training_batches
from ...training.prepared import prepared
from ...training.run import Run
from ...training.state import read_recipe
from ..samples import sample_pairs

Batches = tuple[list[Batch], list[list[tuple[int, int]]]]  # micro-batches, and for each its images' seeds


@dataclass(frozen=True)
class Source:
    """Where losses come from: a ``run`` with its ``recipe``, or without them a model and samples.

    ``checkpoint`` is the step of the run's own weights; ``note`` says what is missing.
    """

    config: BaseConfig
    model: MaskModel | None
    dataset: Given | None = None
    run: Run | None = None
    recipe: TrainConfig | None = None
    checkpoint: int | None = None
    note: str = ""

    def batches(self, step: int | None) -> Batches | None:
        """What stood behind a step of the run, or the samples' batch; None where no data are at hand."""
        if self.dataset is None:
            return None
        if self.run is None:
            return batch_of_samples(self.dataset, self.config)
        return batches_of_step(self.dataset, self.config, self.recipe, step)


def open_source(
    source: MaskModel | Run | str | Path, data: Given | None = None, model: MaskModel | None = None
) -> Source:
    """``source``: a run or its folder (``data``: its training split, unless it lies where the recipe says; ``model``:
    other weights than its newest), or a model with ``data``. Raises :class:`DataError` if the run has logged nothing.
    """
    if isinstance(source, MaskModel):
        if data is None:
            raise ConfigError("a model alone has no losses: LossInspector(model, dataset) takes its first samples")
        return Source(source.config, source, data)
    if isinstance(data, Sample):
        raise ConfigError("data of a run is its training split, a data set; got one Sample")
    run, note = source if isinstance(source, Run) else Run(source), ""
    config, recipe, _ = read_recipe(run.folder)
    if not any(record["kind"] == "train" for record in run.history):
        raise DataError(f"nothing was logged in {run.folder}: run.watch() shows a run from its start")
    if data is None:
        try:
            data = run_split(run.folder, recipe)
        except OneFormerLiteError as error:
            note = f"The batches cannot be shown: {error}: pass it as data."
    own, step, missing = (model, None, "") if model else newest_model(run.folder, config)
    return Source(config, own, data, run, recipe, step, note or missing)


def batches_of_step(dataset: Given, config: BaseConfig, train_config: TrainConfig, step: int) -> Batches:
    """The micro-batches that led to what was logged as ``step`` (1 is the first), and their images' seeds.

    ``dataset`` is the run's training split as it was. A run on several processes had the same images; each process
    its part of them.
    """
    c = replace(train_config, workers=0)  # what workers load does not depend on how many there are
    dataset = prepared(config, c, dataset)
    stream = training_batches(dataset, c, config.image_size, step - 1, equalize=config.equalize, stretch=config.stretch)
    batches = list(islice(stream, c.accumulate))
    start, seeds = (step - 1) * c.batch_size, []
    for batch in batches:
        seeds.append([(c.seed, start + i) for i in range(len(batch.images))])
        start += len(batch.images)
    return batches, seeds


def batch_of_samples(samples: Iterable[Sample | tuple[Sample, str]], config: BaseConfig) -> Batches:
    """One batch of the first MOST_SAMPLES samples, scaled to the training size; the task of a sample alone is the
    first that its annotation supplies and the model learns."""
    fit, pairs = augmentation("fit", config.image_size, config.equalize, config.stretch), []
    for sample, task in sample_pairs(samples):
        if len(sample.categories) != config.num_classes:
            raise ConfigError(
                f"the samples have {len(sample.categories)} classes, the model {config.num_classes}: their losses "
                "cannot be computed; take samples of the data set that the model was made for"
            )
        first = next((t for t in sample.tasks if t in config.learned_tasks), sample.tasks[0])
        pairs.append((fit(sample, np.random.default_rng(0)), task or first))
    return [collate(pairs)], [[(0, i) for i in range(len(pairs))]]


def newest_model(folder: Path, config: BaseConfig) -> tuple[MaskModel | None, int | None, str]:
    """The run's model as it was saved last (its averaged weights, where they are collected), and the step; without
    them, a sentence that says why: the log can be looked at all the same."""
    try:
        found, why = saved_model(folder, config), "No checkpoint yet"
    except CheckpointError as error:
        found, why = None, str(error)
    return (*found, "") if found else (None, None, f"{why}: the batch is shown without what it costs.")
