"""Is there anything that the query-text contrastive loss can tell apart?"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from ..config import BaseConfig
from ..data.sample import TASKS, Sample
from ..data.targets import targets_for
from .findings import Finding


def check_texts(
    config: BaseConfig, tasks: Collection[str], batch: int | None = None, samples: Sequence[Sample] = ()
) -> Finding:
    """The contrastive loss first learns to tell the tasks of a batch apart, whose padding texts differ in nearly all
    places of a list; under a single one of ``tasks`` it stays where it begins. ``batch``: the images that it compares,
    None where that is not known; ``samples``: some of them, whose lists of texts are counted.
    """
    name, drawn = "texts to tell apart", [task for task in TASKS if task in tasks]
    if len(drawn) != 1 or not learns_from_texts(config):
        return Finding(name, "fine", f"those of {', '.join(drawn)}")
    if batch == 1:
        return Finding(name, "fine", "one picture at a time has none to be compared with")
    (task,), counted = drawn, ""
    if samples:
        lists = {tuple(targets_for(sample, task).texts) for sample in samples}
        counted = f", of which {len(samples)} pictures have {len(lists)} different ones"
    stays = "2 ln B for a batch of B" if batch is None else f"2 ln {batch} = {told_nothing(batch):.2f}"
    return Finding(
        name, "warning", f"every picture is learned under one task, {task}, so nearly all sentences of their lists of "
        f"texts are the same{counted}: expect the contrastive loss to stay at {stays} and to teach nothing",
        "set contrastive_weight=0 in the configuration, as camvid() and nuclei() do",
    )  # fmt: skip


def learns_from_texts(config: BaseConfig) -> bool:
    """Whether the contrastive loss has an effect on this model."""
    return getattr(config, "contrastive_weight", 0.0) > 0


def told_nothing(batch: int) -> float:
    """The contrastive loss of ``batch`` images of which none is told from another: twice the logarithm, once for the
    images and once for the texts."""
    return 2 * math.log(batch)
