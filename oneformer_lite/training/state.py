"""What a run tells about itself in its folder: its recipe, whether somebody trains it, how it ended.

``run.json`` is the recipe, ``state.json`` the newest news; a lock that the operating system drops with its process
says whether that process lives. So nothing depends on process numbers, which are used again, nor on the notebook.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..config import ModelConfig, from_stored
from ..errors import CheckpointError, ConfigError
from ..files import make_folder, write_json
from .config import TrainConfig

RECIPE, STATE, STOP = "run.json", "state.json", "stop"
TRAINER_LOCK, LAUNCHER_LOCK = ".trainer.lock", ".launcher.lock"


def write_recipe(config: ModelConfig, train_config: TrainConfig, devices: int | str) -> Path:
    """Put all that a run needs into ``{out}/run.json``; its path."""
    folder = make_folder(train_config.out)
    content = {
        "config": dataclasses.asdict(config),
        "train_config": dataclasses.asdict(train_config),
        "devices": devices,
    }
    write_json(folder / RECIPE, content, indent=2)
    return folder / RECIPE


def read_recipe(folder: str | Path) -> tuple[ModelConfig, TrainConfig, int | str]:
    """Configuration, training configuration and devices of the run in ``folder``."""
    path = Path(folder) / RECIPE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        config, train_config = from_stored(content["config"]), TrainConfig(**content["train_config"])
        return config, train_config, content["devices"]
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds no run ({RECIPE} is missing): ofl.launch(config, train_config) starts one"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not the recipe of a run of this version ({error})") from error


def keep_recipe(config: ModelConfig, train_config: TrainConfig) -> Path:
    """:func:`write_recipe` of a run that starts or goes on here, on the devices it was launched on, if it was."""
    try:
        devices = read_recipe(train_config.out)[2]
    except CheckpointError:
        devices = "auto"
    return write_recipe(config, train_config, devices)


def write_state(folder: str | Path, state: str, reason: str = "") -> None:
    """``state``: "running", "finished", "stopped" or "failed", this with a ``reason``."""
    write_json(Path(folder) / STATE, {"state": state, "reason": reason})


def read_state(folder: str | Path) -> dict:
    """The newest state that was written down; empty before the first."""
    try:
        return json.loads((Path(folder) / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


@contextmanager
def reported(folder: Path) -> Iterator[Callable[[str], None]]:
    """Write "running", then whatever state the block reports, or "failed" with its error.

    Whatever ends the block is also the answer to a request to stop.
    """
    write_state(folder, "running")
    try:
        yield lambda state: write_state(folder, state)
    except Exception as error:
        write_state(folder, "failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        (folder / STOP).unlink(missing_ok=True)


@contextmanager
def locked(path: Path, patience: float = 20.0) -> Iterator[None]:
    """Hold the lock ``path`` while the block runs; the operating system frees it if the process dies.

    Waits ``patience`` seconds: the data workers of a killed process hold its lock until they notice.
    Raises :class:`ConfigError` if another process keeps it.
    """
    deadline = time.monotonic() + patience
    with path.open("w") as file:
        while not lock(file):
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"another process trains in {path.parent}: ofl.Run({str(path.parent)!r}).stop() ends it, "
                    "or choose another out folder"
                )
            time.sleep(0.2)
        yield


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock."""
    if not path.exists():
        return False
    with path.open("r+") as file:
        return not lock(file)


def lock(file) -> bool:
    """Try to lock an open file until it is closed."""
    if os.name == "nt":  # no flock there: two trainers in one folder are not kept apart
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
