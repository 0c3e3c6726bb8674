"""By which metrics a study judges, and which of them a variant's models give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..checks import meant
from ..config.checks import shown
from ..data.sample import TASKS
from ..errors import ConfigError
from ..training.config import for_learned_tasks
from .variants import Variant

METRICS = {
    "panoptic": ("PQ", "SQ", "RQ", "PQ_th", "SQ_th", "RQ_th", "PQ_st", "SQ_st", "RQ_st"),
    "instance": ("AP", "AP50", "AP75"),
    "semantic": ("mIoU", "mDice", "pixel_accuracy"),
}
KNOWN = tuple(name for of_task in METRICS.values() for name in of_task)
SHOWN = ("PQ", "AP", "mIoU")


def check_metrics(metrics: str | Sequence[str]) -> tuple[str, ...]:
    """Raises :class:`ConfigError` for names that are none, and names that come twice."""
    names = [metrics] if isinstance(metrics, str) else list(metrics) if isinstance(metrics, Iterable) else []
    for name in names:
        if name not in KNOWN:
            raise ConfigError(f"there is no metric {shown(name)}{nearest(name, KNOWN)}")
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"metrics must be some of {', '.join(KNOWN)}, each once, got {shown(metrics)}")
    return tuple(names)


def nearest(name: object, names: Sequence[str]) -> str:
    """What is said of a ``name`` that is none of ``names``."""
    return meant(str(name)[:60], names, {}, {}).replace("; it has", "; there are")


def judged_under(variant: Variant, supplied: Sequence[str] = TASKS) -> tuple[str | None, tuple[str, ...]]:
    """Token and tasks by which a variant's models are judged on an annotation that supplies these tasks.

    Each task under its own token (None), unless the recipe draws one alone: a panoptic model then answers all under
    that token, another has no other answers.
    """
    shares = for_learned_tasks(variant.config, variant.train_config).task_probabilities
    drawn = [task for task, share in zip(TASKS, shares) if share]
    tasks = tuple(variant.config.answers(supplied))
    if len(drawn) > 1:
        return None, tasks
    return drawn[0], tasks if drawn == ["panoptic"] else tuple(task for task in tasks if task in drawn)


def metrics_of(variant: Variant, supplied: Sequence[str] = TASKS) -> list[str]:
    """What a variant's models can be judged by."""
    return [name for task in judged_under(variant, supplied)[1] for name in METRICS[task]]


def check_given(
    baseline: Variant, variants: Sequence[Variant], metrics: Sequence[str], supplied: Sequence[str] = TASKS
) -> None:
    """Every metric is one of the baseline's, and every variant has one. Raises :class:`ConfigError`."""
    why = "" if len(supplied) == len(TASKS) else f", as the annotation supplies {', '.join(supplied)} alone"
    own = metrics_of(baseline, supplied)
    if lacking := [name for name in metrics if name not in own]:
        raise ConfigError(
            f"the baseline {baseline.name!r} gives no {', '.join(lacking)}: it is judged by {', '.join(own)}{why}"
        )
    for variant in variants:
        if not set(metrics) & set(given := metrics_of(variant, supplied)):
            raise ConfigError(
                f"variant {variant.name!r} gives none of {', '.join(metrics)}: it is judged by {', '.join(given)}{why}"
            )
