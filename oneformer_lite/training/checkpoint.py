"""A run's state on disk: enough to go on as if nothing had happened."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ..config import ModelConfig, from_stored
from ..errors import CheckpointError
from ..files import replacing
from ..model import OneFormer
from ..weights.load import build

CHECKPOINT = "checkpoint.pt"


def save_checkpoint(folder: Path, config: ModelConfig, **state) -> None:
    """Write ``state`` (state dicts and numbers) with the configuration it belongs to; atomic."""
    with replacing(folder / CHECKPOINT) as draft:
        try:
            torch.save({"config": dataclasses.asdict(config), **state}, draft)
            with draft.open("rb+") as file:  # on the disk before it takes the old one's place: power may fail
                os.fsync(file.fileno())
        except RuntimeError as error:  # PyTorch's writer reports a full disk this way
            raise OSError(28, f"{error}") from error


def remove_drafts(folder: Path) -> None:
    """Half-written checkpoints that a killed process left behind: never read, but large."""
    for draft in folder.glob(f".{CHECKPOINT}.*.draft"):
        draft.unlink(missing_ok=True)


def load_checkpoint(folder: Path, config: ModelConfig) -> dict | None:
    """The saved state, or None if there is none yet. Nothing in the file is executed.

    Raises :class:`CheckpointError` if it cannot be read or belongs to another configuration.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        # fields that are younger than the file have their defaults, ids of categories the run's own
        saved = dataclasses.asdict(from_stored({"category_ids": config.category_ids} | state.pop("config")))
    except Exception as error:  # a damaged archive raises a different kind at every byte
        raise CheckpointError(
            f"{path} cannot be read ({error}): delete it to start this run anew"
        ) from error
    wanted = dataclasses.asdict(config)
    if differing := [name for name in wanted if saved[name] != wanted[name]]:
        raise CheckpointError(
            f"{folder} holds a run of another configuration (differs in {', '.join(differing)}): choose "
            "another output folder, or delete this one to start anew"
        )
    return state


def saved_model(folder: Path, config: ModelConfig) -> tuple[OneFormer, int] | None:
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
    except (CheckpointError, RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{folder / CHECKPOINT} does not fit the model that its own configuration describes; was it written by "
            "another version of the package? Choose another output folder, or delete this one to start anew"
        ) from error
