"""Reading weight files without ever running what is in them.

Safetensors hold nothing but tensors. PyTorch's own files (``.bin``, ``.pth``) are pickles, which can hold
code: they are read with ``weights_only=True``, which refuses everything but plain data.
"""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from .names import State

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# where a folder's weights may lie, the safest first; an index says which file holds which tensor
FOLDER_WEIGHTS = (WEIGHTS, f"{WEIGHTS}.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


def read_json(path: Path) -> dict:
    """The dictionary in a JSON file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} has no {path.name}: it is not a model folder") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not JSON ({error}): copy the model folder again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not the fields of a model")
    return content


def read_folder_tensors(folder: Path) -> State:
    """The tensors of a model folder, in one file or several."""
    for name in FOLDER_WEIGHTS:
        if not (folder / name).is_file():
            continue
        if not name.endswith(".json"):
            return read_tensors(folder / name)
        files = sorted(set(_weight_map(folder / name).values()))
        return {key: value for file in files for key, value in read_tensors(folder / file).items()}
    raise CheckpointError(f"{folder / WEIGHTS} does not exist: the model folder is incomplete")


def _weight_map(index: Path) -> dict[str, str]:
    files = read_json(index).get("weight_map")
    if not isinstance(files, dict) or not all(
        isinstance(file, str) and file == Path(file).name for file in files.values()
    ):
        raise CheckpointError(f"{index} does not say which file beside it holds which weight: copy the folder again")
    return files


def read_tensors(path: Path) -> State:
    """The tensors of a safetensors or PyTorch file, floating ones as float32.

    Raises :class:`CheckpointError` for a missing or damaged file, and for one with more than tensors.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist: the model folder is incomplete")
    tensors = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def _safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is no complete safetensors file ({error}): copy, download or train it again"
        ) from error


def _pickled(path: Path) -> State:
    """A PyTorch file's weights, which the official code keeps under the key "model"."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")  # read or refused all the same
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError) as error:
        # torch's own words are not repeated: they advise to read such a file all the same
        raise CheckpointError(
            f"{path} is no complete PyTorch weights file, or holds more than tensors, which is not read because "
            "it could run as code: download it again from where it was published"
        ) from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(f"{path} holds no table of named weights: it is not a model")
    return content
