"""A study made: what is finished is left out, what was begun is resumed, and each result is kept at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..checks import only_known_names
from ..config import BaseConfig, toytown
from ..data.parallel import refuse_to_start_again
from ..data.views import Given as GivenData
from ..errors import ConfigError, DivergedError
from ..files import make_folder
from ..training.config import TrainConfig, check_recipes
from ..training.locks import locked
from ..training.whole_run import train
from .background import all_runs, places
from .definition import define
from .measures import SHOWN
from .study import LOCK, STOP, Study
from .variants import Given, Variant, resolve
from .work import Work, threads


@only_known_names
def study(
    variants: Mapping[str, Given] | Sequence[tuple[str, Given]],
    seeds: int | Sequence[int],
    train_config: TrainConfig,
    config: BaseConfig | None = None,
    *,
    baseline: str | None = None,
    metrics: str | Sequence[str] = SHOWN,
    title: str = "Study",
    devices: int | str | None = None,
    threads: int = 1,
    judged: int | None = None,
    train_data: GivenData | None = None,
    val_data: GivenData | None = None,
) -> Study:
    """Train every variant with every seed, judge each model on all validation pictures, and compare. Lesson 19.

    ``variants``: by name what each changes of ``config`` (Toytown's unless given) and of ``train_config``, whose
    ``out`` is the study's folder: ``{"as it is": {}, "no contrastive loss": {"contrastive_weight": 0.0}}``. With
    ``"preset"``, or a configuration in place of the changes, it is another member of the family. The first is the
    ``baseline`` unless another is named. A variant may have ``steps`` or ``minutes`` of its own. With one seed all
    variants see the same pictures in the same order, mirrored alike.

    ``devices``: None: one run after the other in this process; "cpu:2": two at a time, in processes of their own
    (:func:`oneformer_lite.launch`); "auto" or a number: a run on each GPU. Every run has ``threads`` of the processor,
    however many run at once, so that its numbers do not depend on that.

    Everything lies in the folder: called again after a stop or a kill with the same arguments, what is finished is left
    out, the rest resumed, and the table is the same. Variants and seeds may be added. Checkpoints of finished runs are
    removed, their models stay. A run that diverges is a result. ``judged``: on so many validation pictures alone.

    Raises :class:`ConfigError` for what cannot be compared, and where the folder holds another study.
    """
    config = toytown() if config is None else config
    check_recipes(config, train_config)
    refuse_to_start_again("the study")
    definition = define(resolve(variants, config, train_config), seeds, baseline, metrics, title, threads, judged)
    slots = None if devices is None else places(devices)
    if slots is not None and (train_data is not None or val_data is not None):
        raise ConfigError("runs in processes of their own open their data themselves: leave out devices, or the data")
    folder = make_folder(train_config.out)
    with _alone(folder):
        (folder / STOP).unlink(missing_ok=True)
        work = Work(folder, definition, train_data, val_data)
        if slots is None:
            one_by_one(work)
        else:
            all_runs(work, slots)
    found = Study(folder)
    found.to_html()
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        with locked(folder / LOCK, patience=2):
            yield
    except ConfigError as error:
        if "another process trains in" not in str(error):
            raise
        raise ConfigError(
            f"another process makes the study in {folder}: ofl.Study.attach({str(folder)!r}) shows it, .stop() ends it"
        ) from None


def one_by_one(work: Work) -> None:
    """All runs in this process, until they are done or one is stopped."""
    with Study(work.folder).progress() as progress, threads(work.definition.threads):
        for variant, seed in work.pending:
            if (work.folder / STOP).exists():
                return
            progress.say(f"{variant.name}, seed {seed}")
            if not _train(work, variant, seed):
                return


def _train(work: Work, variant: Variant, seed: int) -> bool:
    """Whether it was trained to its end."""
    run = work.run_of(variant, seed)
    if run.wait() != "finished":  # what a study that was killed has launched goes on in the background
        try:
            if not train(variant.config, variant.run_config(str(run.folder), seed), *work.given).finished:
                return False
        except DivergedError as error:
            work.note(variant, seed, str(error))
            return True
    work.judge(variant, seed, run)
    return True
