"""The official ``.pth`` and ``.pkl`` files, read: which model one holds, and of which sizes.

A file is a dictionary whose entry "model" holds the weights. OneFormer's contain the text mapper, which transformers'
do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import BaseConfig, Mask2FormerConfig, MaskFormerConfig, ModelConfig, mask2former, maskformer, presets
from ..errors import CheckpointError
from ..notices import warn_user
from .backbones.names import DEEP_STEM
from .backbones.sizes import has_sizes, nearest
from .detr.official import from_official_detr, is_official_detr
from .eomt.official import from_eomt_file, is_eomt
from .files import read_tensors
from .knet.official import from_official_knet, is_official_knet
from .load import build, check_kind, check_sizes, warn_of_variants, whole_text_mapper
from .mask2former.official import QUERIES as MASK2FORMER_QUERIES
from .mask_dino.official import from_mask_dino_file, is_mask_dino
from .maskformer.official import TABLE as MASKFORMER
from .maskformer.official import is_maskformer
from .names import State, Table, drop, rename
from .oneformer.official import TABLE as ONEFORMER
from .panoptic_segformer.official import from_official_panoptic_segformer, is_panoptic_segformer
from .shapes import Shapes, backbone_kind, measure, measure_backbone

if TYPE_CHECKING:
    from ..model import MaskModel

TABLE: Table = ONEFORMER + MASK2FORMER_QUERIES  # Mask2Former's other names are OneFormer's

# what a file may be: the configuration without a preset, and the published ones by how they are called
OWNERS: dict[str, tuple[type[BaseConfig], Callable[[], Mapping[str, BaseConfig]]]] = {
    "OneFormer": (ModelConfig, lambda: {name: getattr(presets, name)() for name in presets.__all__}),
    "Mask2Former": (Mask2FormerConfig, mask2former.published),
    "MaskFormer": (MaskFormerConfig, maskformer.published),
}

# kinds of backbones whose dilations differ from model to model, and leave no trace in shapes
_DILATED = {"dinat": "a DiNAT", "resnet with a deep stem": "a ResNet with a deep stem (R101c)"}
_WRAPPING = re.compile(r"(model|module|_orig_mod)\..")
IGNORED = [
    r"criterion\.empty_weight",  # made of no_object_weight
    r".*\.relative_position_index",  # made of the window size
]


def from_file(path: Path, config: BaseConfig | None = None, base: str | Path | None = None) -> MaskModel:
    """The model of an official ``.pth`` or ``.pkl`` (or of a safetensors file with the same names), in evaluation mode:
    an EoMT (:mod:`.eomt.official`) if its queries join a transformer's tokens, a Mask DINO if it embeds labels, a K-Net
    if its kernels come from a proposal head, a MaskFormer if its decoder is DETR's, a Mask2Former if its queries are
    learned, else a OneFormer.

    Sizes come from the shapes. What shapes do not tell (dilations, thresholds, picture sizes) comes from the
    preset of the same data set, backbone and number of queries; ``config`` says it explicitly, and must agree
    with the shapes.
    """
    state = read_tensors(path)
    if is_eomt(state):
        return from_eomt_file(state, path, config, base)
    if base is not None:
        raise CheckpointError(f"base is for EoMT's files of differences from DINOv3, which {path} is none of")
    state = drop(unwrapped(drop(state, IGNORED)), IGNORED)
    if is_official_detr(state):
        return from_official_detr(state, path, config)
    if is_mask_dino(state):
        return from_mask_dino_file(state, path, config)
    if is_official_knet(state):
        return from_official_knet(state, path, config)
    if is_panoptic_segformer(state):
        return from_official_panoptic_segformer(state, path, config)
    state = _with_pixel_decoder(state)
    table = MASKFORMER if is_maskformer(state) else TABLE
    if "backbone.stem.conv3.weight" in state:
        table = DEEP_STEM + table
    state = whole_text_mapper(rename(state, table))
    shapes = Shapes(state, str(path))
    try:
        config = _config_from(shapes) if config is None else _check(config, shapes)
    except (IndexError, ValueError, ZeroDivisionError) as error:  # weights of other ranks, sizes that contradict
        raise CheckpointError(f"the shapes of the weights in {path} are no {shapes.owner}'s: {error}") from error
    return build(config, state, str(path))


def unwrapped(state: State) -> State:
    """Without what Lightning (``model.``), processes (``module.``) or ``torch.compile`` set before all names."""
    while state and all(_WRAPPING.match(name) for name in state):
        state = {name.partition(".")[2]: tensor for name, tensor in state.items()}
    return state


def _with_pixel_decoder(state: State) -> State:
    """Files of before the head's second version do not say which weights below it are the pixel decoder's."""
    if any(name.startswith("sem_seg_head.pixel_decoder.") for name in state):
        return state
    head = re.compile(r"sem_seg_head\.(?!predictor\.)")
    return {head.sub("sem_seg_head.pixel_decoder.", name): tensor for name, tensor in state.items()}


def _check(config: BaseConfig, shapes: Shapes) -> BaseConfig:
    """The configuration that somebody gave, which must be that of the file."""
    made, _ = OWNERS[shapes.owner]
    check_kind(config, made, f"a {shapes.owner}", shapes.source)
    return check_sizes(config, measure(shapes, config.num_heads), shapes.source)


def _config_from(shapes: Shapes) -> BaseConfig:
    """The preset that agrees with the shapes; where none does, the shapes and the classes of the data set."""
    found, kind = measure(shapes), backbone_kind(shapes)
    sizes = measure_backbone(kind, shapes)
    made, published = OWNERS[shapes.owner]
    configs = {name: c for name, c in published().items() if c.num_classes == found["num_classes"]}
    fitting = {name: c for name, c in configs.items() if has_sizes(c, kind, sizes)}
    for field in ("num_queries", "encoder_layers"):
        fitting = {name: c for name, c in fitting.items() if getattr(c, field) == found[field]} or fitting
    if fitting:
        name, config = next(iter(fitting.items()))
        _warn_of_variants(name, list(fitting), shapes.source)
        return replace(config, **found)
    if network := _DILATED.get(kind):
        raise CheckpointError(
            f"{shapes.source} holds {network} of unpublished sizes or classes, whose dilations are not in the file: "
            "say them with from_pretrained(path, config=...)"
        )
    if not configs:
        warn_user(
            f"{shapes.source} has {found['num_classes']} classes, which is no published data set: they get numbers "
            "for names and all count as things. Say better with from_pretrained(path, config=...)."
        )
    backbone, options = nearest(kind, sizes)
    base = next(iter(configs.values()), made(num_classes=found["num_classes"]))
    return replace(base, backbone=backbone, backbone_options=options, **found)


def _warn_of_variants(name: str, fitting: list[str], source: str) -> None:
    """Which other presets have weights of the same shapes."""
    if hasattr(presets, name):  # a OneFormer's
        parameters = signature(getattr(presets, name))
        others, call = (str(parameters) if parameters.parameters else ""), f"{name}()"
    else:
        others, call = ", ".join(fitting[1:]), name
    if others:
        warn_of_variants(source, call, others)
