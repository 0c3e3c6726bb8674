"""Our own model folders: ``config.json`` and ``model.safetensors``."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..checks import only_known_names
from ..config import BaseConfig, from_stored, stored
from ..errors import CheckpointError, ConfigError
from ..files import path_of, replacing, write_json
from .files import CONFIG, WEIGHTS, read_json, read_tensors
from .load import build
from .names import State

if TYPE_CHECKING:
    from ..model import MaskModel

MODEL_TYPE = "oneformer_lite"


@only_known_names
def save_pretrained(model: MaskModel, folder: str | Path, dtype: torch.dtype | None = None) -> Path:
    """Write the model's configuration and weights; they load back bit-equal. Lesson 15.

    ``dtype`` (say ``torch.float16``) stores floating-point weights in another precision, at half the
    size; loading turns them back into float32.
    """
    check_saved(model)
    content = {"model_type": MODEL_TYPE, **stored(model.config)}
    return write_folder(folder, content, model.state_dict(), dtype)


def check_saved(model: MaskModel) -> None:
    """Raises :class:`ConfigError` unless this is a model that can be written."""
    if not isinstance(model, torch.nn.Module) or not isinstance(getattr(model, "config", None), BaseConfig):
        raise ConfigError(f"expected a model first, as ofl.from_pretrained gives it, got {reprlib.repr(model)}")


def write_folder(folder: str | Path, content: dict, state: State, dtype: torch.dtype | None) -> Path:
    """Write ``config.json`` and ``model.safetensors``, the weights first, each whole or not at all."""
    from safetensors.torch import save

    folder = path_of(folder, "the folder of the model")
    tensors = {}
    for name, value in state.items():
        value = value.detach().cpu()
        tensors[name] = (value.to(dtype) if dtype and value.is_floating_point() else value).contiguous()
    with replacing(folder / WEIGHTS) as draft:
        draft.write_bytes(save(tensors, metadata={"format": "pt"}))
    write_json(folder / CONFIG, content, indent=2)
    return folder


def from_folder(folder: str | Path) -> MaskModel:
    """The model saved in ``folder``, in evaluation mode. Lesson 15."""
    folder = path_of(folder, "the folder of a model")
    return build(read_config(folder), read_tensors(folder / WEIGHTS), str(folder))


def read_config(folder: str | Path) -> BaseConfig:
    """The configuration of one of our model folders."""
    path = Path(folder) / CONFIG
    content = read_json(path)
    if content.pop("model_type", None) != MODEL_TYPE:
        raise CheckpointError(f"{path} is not a configuration of {MODEL_TYPE}")
    try:
        return from_stored(content)
    except ConfigError as error:
        raise CheckpointError(f"{path} describes no model: {error}") from error
