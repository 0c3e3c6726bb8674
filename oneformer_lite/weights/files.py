"""Reading the files of a model folder without ever running what is in them.

Safetensors hold nothing but tensors, and say of each where in the file it lies; PyTorch's files are read by
:mod:`.pickled`, detectron2's by :mod:`.arrays`.
"""

from __future__ import annotations

import os
from pathlib import Path

from .. import json_reader
from ..errors import CheckpointError
from .arrays import read_arrays
from .names import State
from .pickled import read_pickled

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# where a folder's weights may lie, the safest first; an index says which file holds which tensor
FOLDER_WEIGHTS = (WEIGHTS, f"{WEIGHTS}.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


def read_json(path: Path) -> dict:
    """The dictionary in a JSON file of a model folder."""
    cure = "copy the model folder again"
    content = json_reader.read_json(path, CheckpointError, cure, missing=f"{path.parent} is not a model folder")
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not the fields of a model")
    return content


def read_folder_tensors(folder: Path) -> State:
    """The tensors of a model folder, in one file or several."""
    for name in FOLDER_WEIGHTS:
        if (folder / name).is_file():
            return _divided(folder / name) if name.endswith(".json") else read_tensors(folder / name)
    raise CheckpointError(f"{folder / WEIGHTS} does not exist: the model folder is incomplete")


def _divided(index: Path) -> State:
    """The tensors of several files, each of which must hold just what the index says."""
    place = read_json(index).get("weight_map")
    if not isinstance(place, dict) or not all(
        isinstance(file, str) and file and file == Path(file).name for file in place.values()
    ):
        raise CheckpointError(f"{index} does not say which file beside it holds which weight: copy the folder again")
    state: State = {}
    for file in sorted(set(place.values())):
        tensors = read_tensors(index.parent / file)
        if differing := tensors.keys() ^ {name for name in place if place[name] == file}:
            raise CheckpointError(f"{index} and {file} disagree about {min(differing)}: copy the folder again")
        state |= tensors
    return state


def read_tensors(path: Path) -> State:
    """The tensors of a safetensors file, a PyTorch file or a detectron2 pickle, floating ones as float32.

    Raises :class:`CheckpointError` for a missing or damaged file, and for one with more than tensors.
    """
    if not os.path.isfile(path):  # also False for a name that no file can have
        raise CheckpointError(f"{str(path)[:300]} does not exist: the model folder is incomplete")
    tensors = _READERS.get(path.suffix, read_pickled)(path)
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def _safetensors(path: Path) -> State:
    """The library compares every size in the file's head with the file's own before it reads."""
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # the library's own, the system's, PyTorch's for kinds of numbers that it lacks
        reason = str(error).split("\n")[0][:200]
        raise CheckpointError(
            f"{path} is no complete safetensors file ({reason}): copy, download or train it again"
        ) from error


_READERS = {".safetensors": _safetensors, ".pkl": read_arrays}  # every other file is PyTorch's
