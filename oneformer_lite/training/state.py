"""What a run tells about itself in its folder: its recipe, whether somebody trains it, how it ended.

``run.json`` is the recipe, ``state.json`` the newest news; a lock that the operating system drops with its process
(``locks.py``) says whether that process lives. So nothing depends on process numbers, which are used again, nor on the
notebook.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import BaseConfig, from_stored, stored
from ..errors import CheckpointError, DataError
from ..files import make_folder, write_json
from ..json_reader import read_json

if TYPE_CHECKING:  # on use: it imports PyTorch, which the supervisor does without
    from .config import TrainConfig

RECIPE, STATE, STOP = "run.json", "state.json", "stop"
OUTPUT = "output.log"  # what the processes of a launched run print
STATES = ("running", "finished", "stopped", "failed")
RESERVE = ".reserve"  # room that is given back on a full disk, so that a run can still say how it ended
RESERVED = 2**16  # bytes
# of a run that was stopped, after where it stands
UNFINISHED = (
    "it is not finished, and no model folder is written. The same training with the same folder (out) resumes it"
)


def write_recipe(config: BaseConfig, train_config: TrainConfig, devices: int | str, own_data: bool = False) -> Path:
    """Put all that a run needs into ``{out}/run.json``, but for the data sets where it is given its ``own_data``; the
    file's path."""
    folder = make_folder(train_config.out)
    content = {
        "config": stored(config),
        "train_config": dataclasses.asdict(train_config),
        "devices": devices,
        "own_data": own_data,
    }
    write_json(folder / RECIPE, content, indent=2)
    return folder / RECIPE


def read_recipe(folder: str | Path) -> tuple[BaseConfig, TrainConfig, int | str]:
    """Configuration, training configuration and devices of the run in ``folder``, which is its ``out`` wherever it was
    when it was written."""
    from .config import TrainConfig
    from .moved import relocated

    path = Path(folder) / RECIPE
    if not os.path.exists(path):
        raise CheckpointError(
            f"{folder} holds no run ({RECIPE} is missing): ofl.launch(config, train_config) starts one"
        )
    content = read_json(path, CheckpointError, "put back a copy of the file, or start another run")
    try:
        if not isinstance(content, dict) or not all(isinstance(content[n], dict) for n in ("config", "train_config")):
            raise TypeError("expected an object with the objects 'config' and 'train_config'")
        devices = content["devices"]
        if not isinstance(devices, (int, str)) or isinstance(devices, bool):
            raise TypeError(f"devices is {devices!r}; expected a number or a text")
        config, train_config = from_stored(content["config"]), TrainConfig(**content["train_config"])
        return config, relocated(train_config, Path(folder)), devices
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{path} is not the recipe of a run of this version ({error})") from error


def has_own_data(folder: str | Path) -> bool:
    """Whether the run in ``folder`` trains on data sets that were given to it, not on those that its recipe names."""
    try:
        content = read_json(Path(folder) / RECIPE, CheckpointError)
    except CheckpointError:
        return False
    return isinstance(content, dict) and content.get("own_data") is True


def keep_recipe(config: BaseConfig, train_config: TrainConfig, own_data: bool) -> Path:
    """:func:`write_recipe` of a run that starts or is resumed here, on the devices it was launched on, if it was."""
    from .moved import absolute

    try:
        devices = read_recipe(train_config.out)[2]
    except CheckpointError:
        devices = "auto"
    return write_recipe(config, absolute(train_config), devices, own_data)


def write_state(folder: str | Path, state: str, reason: str = "") -> None:
    """``state``: "running", "finished", "stopped" or "failed"; the last two with a ``reason``, "finished" with one
    only to doubt what was learned."""
    path, reserve = Path(folder) / STATE, Path(folder) / RESERVE
    try:
        write_json(path, {"state": state, "reason": reason})
    except DataError:
        if not reserve.exists():
            raise
        reserve.unlink()
        write_json(path, {"state": state, "reason": reason})


def read_state(folder: str | Path) -> dict:
    """The newest state that was written down; empty before the first. A file that cannot be read is a failure, and
    says so."""
    path = Path(folder) / STATE
    if not os.path.exists(path):
        return {}
    try:
        content = read_json(path, CheckpointError)
    except CheckpointError as error:
        return _unknown(str(error))
    if not isinstance(content, dict) or content.get("state") not in STATES:
        return _unknown(f"expected an object whose 'state' is one of {', '.join(STATES)}")
    if not isinstance(content.get("reason", ""), str):
        return _unknown("its 'reason' is no text")
    return content


def _unknown(why: str) -> dict:
    return {"state": "failed", "reason": f"{STATE} cannot be read, so how the run ended is not known ({why})"}


@contextmanager
def reported(folder: Path) -> Iterator[Callable[[str, str], None]]:
    """Write "running", then whatever state, with a reason or "", the block reports, or how it failed. Interrupted at
    once, by a second Ctrl-C, it is "stopped": at its last checkpoint.

    Whatever ends the block is also the answer to a request to stop.
    """
    write_state(folder, "running")
    spare = os.open(os.devnull, os.O_RDONLY)  # given back so that a process that may open no more files can write
    with suppress(OSError):  # without room for it, it is missing
        (folder / RESERVE).write_bytes(os.urandom(RESERVED))  # nothing that a file system can compress
    try:
        yield lambda state, reason: write_state(folder, state, reason)
    except BaseException as error:
        os.close(spare)
        if isinstance(error, KeyboardInterrupt):
            _write_last(folder, "stopped", f"the training was interrupted within a step: {UNFINISHED}")
        else:
            _write_last(folder, "failed", f"{type(error).__name__}: {error}")
        raise
    else:
        os.close(spare)
    finally:
        for name in (STOP, RESERVE):
            with suppress(OSError):
                (folder / name).unlink()


def _write_last(folder: Path, state: str, reason: str) -> None:
    """:func:`write_state` beside an error that must not be lost if there is no room even for this."""
    try:
        write_state(folder, state, reason)
    except DataError as error:
        warnings.warn(f"how the run ended cannot be written down: {error}", stacklevel=3)
