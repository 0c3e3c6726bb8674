"""``from_pretrained``: a name, a folder, a file or a hub id to a model."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..checks import only_known_names
from ..config import BaseConfig
from ..device import choose_device
from ..errors import CheckpointError, ConfigError
from ..files import path_of
from ..notices import warn_user
from .files import CONFIG, FOLDER_WEIGHTS, read_json
from .folder import MODEL_TYPE, from_folder
from .huggingface import from_huggingface_folder
from .official import from_file
from .oneformer.huggingface_processor import PREPROCESSOR

if TYPE_CHECKING:
    from ..model import MaskModel

SHIPPED = Path(__file__).parent.parent / "checkpoints"


@only_known_names
def from_pretrained(
    source: str | Path,
    config: BaseConfig | None = None,
    *,
    base: str | Path | None = None,
    device: str | torch.device = "cpu",
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
) -> MaskModel:
    """A trained model, in evaluation mode. Lesson 15.

    ``source`` is one of

    * the name of a checkpoint that comes with the package: "toytown"
    * a folder written by ``model.save_pretrained``, or by transformers
    * a model on the Hugging Face hub: "shi-labs/oneformer_ade20k_swin_tiny" (downloaded once)
    * an official weights file: "swin_l_oneformer_ade20k_160k.pth", or a ``.pkl`` of Mask2Former's or MaskFormer's. What
      the weights do not tell is taken from the preset that they fit; ``config`` says it instead. Of an EoMT with
      DINOv3, whose file holds differences from Meta's weights, ``base`` is the file or folder of these (else what lies
      beside it).

    ``device`` is "cpu", "cuda", "cuda:1", "mps", or "auto" for a GPU where there is one. For models on the hub:
    ``revision`` is a branch, a tag or a commit; ``token`` opens private ones (``True``: that of the hub library's
    login); ``cache_dir`` is where the files are kept instead of the hub library's own folder.

    Raises :class:`CheckpointError` for what cannot be read, or does not fit. Nothing in a file is executed.
    """
    device = choose_device(device)  # raises before anything is fetched
    model = _load(source, config, base, {"revision": revision, "token": token, "cache_dir": cache_dir})
    for part in model.missing_parts:
        warn_user(
            f"{source} holds no {part.replace('_', ' ')}: the model predicts, but training it further begins with a "
            f"new one of random weights, which TrainConfig(start_from=...) adds, or model.add_{part}()."
        )
    return model.to(device)


def _load(source: str | Path, config: BaseConfig | None, base: str | Path | None, hub: dict) -> MaskModel:
    """``hub`` is what :func:`download` takes besides the model's id."""
    place = _place(source)
    if place is not None and hub["revision"] is not None:
        raise ConfigError(f"revision is for a model on the hub; {source} is on this machine")
    if place is not None and place.is_file():
        return from_file(place, config, base)
    if config is not None:
        raise ConfigError(f"config is for a weights file; {source} brings its own configuration")
    if base is not None:
        raise ConfigError(f"base is for a weights file of differences; {source} is a whole model")
    folder = place or download(str(source), **hub)
    ours = read_json(folder / CONFIG).get("model_type") == MODEL_TYPE
    return from_folder(folder) if ours else from_huggingface_folder(folder)


def _place(source: str | Path) -> Path | None:
    """The file or folder of this machine that ``source`` means; None for a model on the hub."""
    path = path_of(source, "a model: a name, a folder, a file or the id of one on the hub,")
    if path.name in FOLDER_WEIGHTS and os.path.isfile(path.parent / CONFIG):
        return path.parent  # the weights of a folder: what they are stands beside them
    if os.path.isfile(path):  # also False for a name that no file can have
        return path
    if path.suffix in (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".safetensors"):
        raise CheckpointError(
            f"{path} does not exist; weights/README.md of the package says where the published files are"
        )
    for folder in (path, SHIPPED / str(source)):
        if os.path.isfile(folder / CONFIG):
            return folder
    if os.path.isdir(path) or not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)):
        shipped = sorted(p.parent.name for p in SHIPPED.glob(f"*/{CONFIG}"))
        raise CheckpointError(
            f"no model {str(source)!r}: expected a folder with {CONFIG}, a weights file, the id of a model on the "
            f"hub (owner/name), or a name that comes with the package ({', '.join(shipped) or 'none installed'})"
        )
    return None


def download(
    model_id: str,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
) -> Path:
    """The folder with the files of a model on the hub, fetched unless they are here already.

    The published repositories hold the weights two or three times; only one of them is fetched, and
    safetensors before pickles.
    """
    from huggingface_hub import snapshot_download

    def fetch(patterns: list[str]) -> Path:
        folder = snapshot_download(
            model_id, revision=revision, token=token, cache_dir=cache_dir, allow_patterns=patterns
        )
        return Path(folder)

    try:
        folder = fetch([CONFIG, PREPROCESSOR, "model*.safetensors", "model.safetensors.index.json"])
        if not any((folder / name).is_file() for name in FOLDER_WEIGHTS):
            folder = fetch([CONFIG, PREPROCESSOR, "pytorch_model*.bin", "pytorch_model.bin.index.json"])
    except Exception as error:  # the hub library raises many kinds, others in each version; all mean the same here
        reason = str(error).split("\n")[0]
        raise CheckpointError(
            f"there is no folder {model_id!r} here, and no model of that name could be fetched from the hub"
            f"{f' in revision {revision!r}' if revision else ''} ({type(error).__name__}: {reason}): check the name, "
            "connect to the internet once, or give a local folder"
        ) from error
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"{model_id} on the hub has no {CONFIG}: it is no model that can be read here")
    return folder
