"""Runs that were renamed, moved or copied: the paths of their recipes, from where they are now."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..notices import warn_user
from .config import AUTO, TrainConfig


def absolute(train_config: TrainConfig) -> TrainConfig:
    """The same recipe for whoever reads it in another working directory."""
    paths = {"out": train_config.out, "data": train_config.data}
    if train_config.start_from not in (None, AUTO) and Path(train_config.start_from).exists():  # else a name on the hub
        paths["start_from"] = train_config.start_from
    return replace(train_config, **{name: str(Path(path).resolve()) for name, path in paths.items()})


def relocated(train_config: TrainConfig, folder: Path) -> TrainConfig:
    """The recipe of the run that now is in ``folder``, which is its ``out``.

    Data and weights that lay in the run's folder are taken from where they lie in this one; others that are gone, from
    where they lie beside it, with a warning.
    """
    before, here = Path(train_config.out), folder.absolute()
    paths = {"data": Path(train_config.data)}
    if train_config.start_from:
        paths["start_from"] = Path(train_config.start_from)
    if not before.is_absolute() or before.resolve() == here.resolve():
        return replace(train_config, out=str(here))
    return replace(train_config, out=str(here), **{name: str(_moved(p, before, here)) for name, p in paths.items()})


def _moved(path: Path, before: Path, here: Path) -> Path:
    if not path.is_absolute():
        return path
    beside = Path(os.path.normpath(here / os.path.relpath(path, before)))
    if path.is_relative_to(before):
        return beside if beside.exists() or not path.exists() else path
    if path.exists() or not beside.exists():
        return path
    warn_user(f"{path} is gone: the run in {here}, which was in {before}, takes {beside}")
    return beside
