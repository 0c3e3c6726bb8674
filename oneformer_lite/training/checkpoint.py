"""A run's state on disk: enough to resume as if nothing had happened.

The newest checkpoint and the one before it, each with its checksum: a damaged one is noticed, and the run resumes from
the other, with a warning.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from pathlib import Path

import torch

from ..config import BaseConfig, from_stored, stored
from ..errors import CheckpointError, DataError
from ..files import replacing, to_disk
from ..model import MaskModel
from ..notices import warn_user
from ..weights.load import build
from ..weights.pickled import check_archive, check_claims
from .checksum import is_whole, seal

CHECKPOINT, PREVIOUS, DAMAGED = "checkpoint.pt", "checkpoint.previous.pt", "checkpoint.damaged.pt"


def save_checkpoint(folder: Path, config: BaseConfig, **state) -> None:
    """Write ``state`` (state dicts and numbers) with the configuration it belongs to; atomic.

    The checkpoint of before stays the newest until this one has been read back whole, and stays beside it after that.
    """
    path = folder / CHECKPOINT
    with replacing(path) as draft:
        try:
            torch.save({"config": stored(config), **state}, draft)
        except RuntimeError as error:  # PyTorch's writer reports a full disk this way
            raise OSError(28, f"{error}") from error
        seal(draft)
        to_disk(draft, forget=True)
        with draft.open("rb") as file:
            if not is_whole(file):
                raise OSError(5, "the disk does not return what was written to it")
        _keep(path, folder / PREVIOUS)


def load_checkpoint(folder: Path, config: BaseConfig) -> dict | None:
    """The newest saved state that is whole, or None if there is none yet. Nothing in the file is executed.

    Raises :class:`CheckpointError` if none can be read, or it belongs to another configuration.
    """
    return load_newest(folder, config)[0]


def load_newest(folder: Path, config: BaseConfig) -> tuple[dict | None, str]:
    """:func:`load_checkpoint`, with the name of the file that it comes from, for :func:`tidy`."""
    paths = [path for name in (CHECKPOINT, PREVIOUS) if (path := folder / name).is_file()]
    problems = [] if not paths or paths[0].name == CHECKPOINT else [f"{folder / CHECKPOINT} is missing"]
    for path in paths:
        try:
            saved, state = _read(path, config)
        except CheckpointError as error:
            problems.append(str(error))
            continue
        if problems:
            warn_user(f"{problems[0]}: the run resumes from {path.name}, step {state['step']}")
        _compare(folder, saved, config)
        return state, path.name
    if problems:
        which = "it" if len(paths) == 1 else f"it and {PREVIOUS}"
        raise CheckpointError(f"{problems[0]}: delete {which} to start this run again")
    return None, ""


def tidy(folder: Path, resumed_from: str) -> None:
    """Clear away what a resumed run does not read: half-written checkpoints, which a killed process left behind; and a
    damaged one, which must not become the previous one, is set aside."""
    for draft in folder.glob(".checkpoint.*.draft"):
        draft.unlink(missing_ok=True)
    path = folder / CHECKPOINT
    if resumed_from == PREVIOUS and path.is_file():
        path.replace(folder / DAMAGED)


def saved_model(folder: Path, config: BaseConfig) -> tuple[MaskModel, int] | None:
    """The run's model for evaluation, with its averaged weights where they are collected, and the step at which it was
    saved; ``None`` before the first checkpoint. Raises :class:`CheckpointError` as :func:`load_checkpoint` does."""
    saved = load_checkpoint(folder, config)
    if saved is None:
        return None
    with fitting(folder):
        state = saved["average"]["state"] if saved.get("average") else saved["model"]
        return build(config, state, str(folder / CHECKPOINT)), saved["step"]


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Turns PyTorch's list of all tensors that do not fit into a :class:`CheckpointError` of one sentence."""
    try:
        yield
    except torch.OutOfMemoryError:  # a RuntimeError too, but no fault of the file
        raise
    except (CheckpointError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{folder / CHECKPOINT} does not fit the model that its own configuration describes; was it written by "
            "another version of the package? Choose another output folder, or delete this one to start again"
        ) from error


def _read(path: Path, config: BaseConfig) -> tuple[dict, dict]:
    """Fields of the configuration, and the state, of a checkpoint that is whole."""
    try:
        with path.open("rb") as file:
            whole = is_whole(file)
            if whole is False:
                raise ValueError("its checksum does not agree with its content")
            check_archive(path)
            state = torch.load(file, map_location="cpu", weights_only=True)
            check_claims(state, path.stat().st_size)
    except Exception as error:  # a damaged archive raises a different kind at every byte
        raise CheckpointError(f"{path} cannot be read ({error or type(error).__name__})") from error
    try:
        _check(state)
        # fields that are younger than the file have their defaults, ids of categories and data set are the run's own
        own = {"category_ids": config.category_ids, "data_set": config.data_set}
        saved = stored(from_stored(own | state.pop("config")))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise CheckpointError(f"{path} does not hold what a run saves ({error})") from error
    if whole is None:
        warn_user(f"{path} is of an older version and has no checksum: damage is not noticed")
    return saved, state


def _check(state: object) -> None:
    """Raise ValueError unless the parts are of the kinds that :func:`save_checkpoint` is given."""
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}, not the state of a run")
    if missing := [name for name in ("config", "model", "step") if name not in state]:
        raise ValueError(f"it holds no {missing[0]!r}")
    for name in ("config", "model", "optimizer", "recipe", "data"):
        if not isinstance(state.get(name, {}), dict):
            raise ValueError(f"its {name!r} is no dictionary")
    for name in ("average", "scaler"):
        if not isinstance(state.get(name), (dict, type(None))):
            raise ValueError(f"its {name!r} is no dictionary")
    for name in ("step", "seconds", "best"):
        value = state.get(name, 0)
        if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f"its {name!r} is {value!r}, not a number")
    if not isinstance(state["step"], int) or state["step"] < 0:
        raise ValueError(f"its 'step' is {state['step']!r}, not a number of steps")


def _compare(folder: Path, saved: dict, config: BaseConfig) -> None:
    wanted = stored(config)
    if differing := [name for name in wanted | saved if saved.get(name) != wanted.get(name)]:
        raise CheckpointError(
            f"{folder} holds a run of another configuration (differs in {', '.join(differing)}): choose "
            "another output folder, or delete this one to start again"
        )


def _keep(path: Path, previous: Path) -> None:
    """The newest checkpoint under a second name, so that neither is missing at any moment."""
    if not path.is_file():
        return
    try:
        with replacing(previous) as draft:
            os.link(path, draft)
    except DataError:  # a file system without such links
        path.replace(previous)
