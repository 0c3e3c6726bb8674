"""Our own model folders: ``config.json`` and ``model.safetensors``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..config import ModelConfig
from ..errors import CheckpointError
from ..files import replacing

if TYPE_CHECKING:
    from ..model import OneFormer

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MODEL_TYPE = "oneformer_lite"


def save_pretrained(model: OneFormer, folder: str | Path, dtype: torch.dtype | None = None) -> Path:
    """Write the model's configuration and weights; they load back bit-equal.

    ``dtype`` (say ``torch.float16``) stores floating-point weights in another precision, at half the
    size; loading turns them back into float32.
    """
    from safetensors.torch import save

    folder = Path(folder)
    state = {}
    for name, value in model.state_dict().items():
        value = value.detach().cpu()
        state[name] = (value.to(dtype) if dtype and value.is_floating_point() else value).contiguous()
    content = {"model_type": MODEL_TYPE, **dataclasses.asdict(model.config)}
    with replacing(folder / WEIGHTS) as draft:
        draft.write_bytes(save(state))
    with replacing(folder / CONFIG) as draft:
        draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return folder


def read_config(folder: str | Path) -> ModelConfig:
    """The configuration of one of our model folders."""
    path = Path(folder) / CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{folder} has no {CONFIG}: it is not a model folder") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not JSON ({error}): copy the model folder again") from error
    if content.pop("model_type", None) != MODEL_TYPE:
        raise CheckpointError(f"{path} is not a configuration of {MODEL_TYPE}")
    known = {field.name for field in dataclasses.fields(ModelConfig)}
    if unknown := sorted(content.keys() - known):
        raise CheckpointError(f"{path} has the unknown fields {unknown}: it is from another version")
    return ModelConfig(**content)  # turns JSON's lists into tuples itself


def from_folder(folder: str | Path) -> OneFormer:
    """The model saved in ``folder``, in evaluation mode."""
    from ..model import OneFormer

    config = read_config(folder)
    # the file holds the backbone's weights: no ImageNet weights needed first
    model = OneFormer(dataclasses.replace(config, pretrained=False))
    model.config = config
    load_state(model, read_tensors(Path(folder) / WEIGHTS), str(folder))
    model.backbone.has_imagenet_weights = config.pretrained
    return model.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, floating ones as float32."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise CheckpointError(f"{path} does not exist: the model folder is incomplete")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is no complete safetensors file ({error}): copy or train it again"
        ) from error
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def load_state(model: OneFormer, state: dict[str, Tensor], source: str) -> None:
    """Load ``state`` strictly; what is missing, unknown or of another shape is named.

    A file without any text mapper is a model for inference: ``model.text_mapper`` becomes None.
    """
    if not any(name.startswith("text_mapper.") for name in state):
        model.text_mapper = None
    own = model.state_dict()
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    misshapen = [
        f"{name} is {list(state[name].shape)} in the file, {list(own[name].shape)} in the model"
        for name in own.keys() & state.keys()
        if own[name].shape != state[name].shape
    ]
    problems = [
        f"{title}: {', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"
        for title, names in (("missing", missing), ("unknown", unknown), ("misshapen", misshapen))
        if names
    ]
    if problems:
        raise CheckpointError(
            f"{source} does not fit the model ({'; '.join(problems)}): it was made with another configuration"
        )
    model.load_state_dict(state)
