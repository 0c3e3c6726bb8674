"""transformers' model folders, read: what kind of model one holds, and who knows its names and its configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import BaseConfig
from ..errors import CheckpointError
from .backbones.names import HUGGINGFACE as BACKBONES
from .detr.huggingface import TABLE as DETR
from .detr.huggingface import from_huggingface_detr
from .eomt.huggingface import from_huggingface_eomt, renamed_dinov2, renamed_dinov3
from .files import CONFIG, read_folder_tensors, read_json
from .load import build, whole_text_mapper
from .mask2former.huggingface import DECODER as MASK2FORMER_DECODER
from .mask2former.huggingface import from_huggingface_mask2former
from .maskformer.huggingface import TABLE as MASKFORMER
from .maskformer.huggingface import from_huggingface_maskformer
from .names import State, Table, drop, rename
from .normalisation import check_normalisation, normalisation
from .oneformer.huggingface import HEAD as ONEFORMER
from .oneformer.huggingface import PIXEL_DECODER
from .oneformer.huggingface_config import from_huggingface
from .oneformer.huggingface_processor import PREPROCESSOR

if TYPE_CHECKING:
    from ..model import MaskModel

_BACKBONES: Table = [row for table in BACKBONES.values() for row in table]

# the kinds of models that are read, by their model_type: how their configuration becomes ours, and their names ours: by
# a table, or by a function where more than names differs
KINDS: dict[str, tuple[Callable[[dict, dict, str], BaseConfig], Table | Callable[[State], State]]] = {
    "oneformer": (from_huggingface, _BACKBONES + ONEFORMER),
    "mask2former": (from_huggingface_mask2former, _BACKBONES + PIXEL_DECODER + MASK2FORMER_DECODER),
    "maskformer": (from_huggingface_maskformer, MASKFORMER),
    "eomt": (from_huggingface_eomt, renamed_dinov2),
    "eomt_dinov3": (from_huggingface_eomt, renamed_dinov3),
    "detr": (from_huggingface_detr, DETR),
}

IGNORED = [
    r"criterion\.empty_weight",  # made of no_object_weight
    r".*\.relative_position_index",  # made of the window size
    r"model\.pixel_level_module\.encoder\.((swin|model)\.)?layernorm\.(weight|bias)",  # built, never used
]


def from_huggingface_folder(folder: Path) -> MaskModel:
    """The model of a folder that transformers wrote (or the hub holds), in evaluation mode."""
    processor = read_json(folder / PREPROCESSOR) if (folder / PREPROCESSOR).is_file() else {}
    content = read_json(folder / CONFIG)
    return from_huggingface_state(read_folder_tensors(folder), content, processor, str(folder))


def from_huggingface_state(state: State, content: dict, processor: dict, source: str) -> MaskModel:
    """The model of transformers' weights and the two JSON files; ``state`` may also be that of a model in memory."""
    kind = content.get("model_type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise CheckpointError(f"{source} is a {kind!r} model: read here are oneformer_lite, {', '.join(KINDS)}")
    read_config, names = KINDS[kind]
    try:
        config = read_config(content, processor, source)
    except CheckpointError:
        raise
    except Exception as error:  # any value, of any type, as deep as JSON goes
        raise CheckpointError(f"{CONFIG} and {PREPROCESSOR} of {source} describe no model: {error}") from error
    state = drop(state, IGNORED)
    state = names(state) if callable(names) else whole_text_mapper(rename(state, names))
    model = build(config, state, source)
    check_normalisation(processor, *normalisation(model.backbone), source)
    return model
