"""Mask DINO's official ``.pth``: its parameter names beside ours, the order of its maps, and reading one.

Source: IDEA-Research/MaskDINO, ``maskdino_encoder.py``, ``maskdino_decoder.py`` and ``dino_decoder.py``. A file is a
dictionary whose entry "model" holds the weights. It holds several of them two and more times.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ...config import BaseConfig, MaskDinoConfig, mask_dino_presets
from ...errors import CheckpointError
from ...notices import warn_user
from ..backbones.names import OFFICIAL as BACKBONES
from ..backbones.sizes import has_sizes, nearest
from ..load import build, check_kind, check_sizes, warn_of_variants
from ..names import State, Table, attention, below, rename, reverse
from ..oneformer.official import PIXEL_DECODER
from ..shapes import Shapes, backbone_kind, measure_backbone

if TYPE_CHECKING:
    from ...model import MaskModel

_PIXEL, _PREDICTOR = "sem_seg_head.pixel_decoder.", "sem_seg_head.predictor."

TABLE: Table = [
    *BACKBONES,
    *PIXEL_DECODER,
    *below(_PREDICTOR, "", [
        ("enc_output_norm", "selection.norm"),
        ("enc_output", "selection.projection"),
        ("query_feat", "queries"),
        ("query_embed", "query_boxes"),
        ("label_enc", "denoising.class_table"),
        ("class_embed", "decoder.class_head"),
        ("mask_embed", "decoder.mask_head"),
        ("_bbox_embed", "decoder.box_head"),
        ("decoder_norm", "decoder.norm"),
        ("decoder.ref_point_head", "decoder.position_head"),
        *below("decoder.layers.{}.", "decoder.layers.{}.", [
            *attention("self_attn", "self_attention"),
            ("norm2", "norm1"),  # the first layers in the file are not the first to be computed
            ("cross_attn", "cross_attention"),
            ("norm1", "norm2"),
            ("linear1", "feed_forward.linear1"),
            ("linear2", "feed_forward.linear2"),
            ("norm3", "feed_forward.norm"),
        ]),
    ]),
]  # fmt: skip

# the same tensors again
_REPEATED = {
    re.compile(re.escape(_PREDICTOR) + r"(decoder\.)?bbox_embed\.\d+\."): f"{_PREDICTOR}_bbox_embed.",
    re.compile(re.escape(_PREDICTOR) + r"decoder\.norm\."): f"{_PREDICTOR}decoder_norm.",
}
_PROJECTION = re.compile(re.escape(_PIXEL) + r"input_proj\.(\d+)\.(.+)")
_BY_LEVEL = re.compile(r"(pixel_decoder|decoder)\..*(level_embed|sampling_offsets\.\w+|attention_weights\.\w+)")


def is_mask_dino(state: State) -> bool:
    """Whether these are the official names of a Mask DINO."""
    return f"{_PREDICTOR}label_enc.weight" in state


def to_ours(state: State, heads: int = 8) -> tuple[State, bool]:
    """A file's weights under our names, and whether its maps run from the finest to the coarsest ("low2high").

    Ours run from the coarsest to the finest, in the encoder and in the decoder. In a file they do so in one of the two:
    the decoder reverses what the encoder gives it. Reversing all that belongs to a level makes the same model of it.
    """
    state = _without_repetitions(state)
    widths = _input_widths(state)
    fine_first = widths == sorted(widths)
    named = {_projection(name, len(widths), fine_first): value for name, value in state.items()}
    renamed = rename(named, TABLE)
    return _reversed_levels(renamed, "pixel_decoder" if fine_first else "decoder", heads), fine_first


def to_official(state: State, fine_first: bool, heads: int = 8) -> State:
    """The way back: our weights as a file has them, but for the repetitions."""
    maps = sum(1 for name in state if re.fullmatch(r"pixel_decoder\.input_projections\.\d+\.0\.weight", name))
    state = _reversed_levels(state, "pixel_decoder" if fine_first else "decoder", heads)
    order = list(reversed(range(maps))) if fine_first else list(range(maps))
    named = {}
    for name, value in state.items():
        part, _, rest = name.removeprefix("pixel_decoder.").partition(".")
        number, _, rest = rest.partition(".")
        if name.startswith("pixel_decoder.") and part in ("input_projections", "extra_projections"):
            place = order.index(int(number)) if part == "input_projections" else maps + int(number)
            name = f"{_PIXEL}input_proj.{place}.{rest}"
        named[name] = value
    return rename(named, reverse(TABLE))


def from_mask_dino_file(state: State, path: Path, config: BaseConfig | None) -> MaskModel:
    """The model of an official ``.pth``, in evaluation mode. Sizes come from the shapes; ``config`` says what they do
    not tell, and must agree with them."""
    heads = config.num_heads if config else 8
    state, fine_first = to_ours(state, heads)
    shapes = Shapes(state, str(path), "Mask DINO")
    found = measure(shapes, fine_first, heads)
    if config is None:
        config = config_from_shapes(shapes, found, path)
    else:
        check_kind(config, MaskDinoConfig, "a Mask DINO", path)
        check_sizes(config, found, path)
    return build(config, state, str(path))


def measure(shapes: Shapes, fine_first: bool, heads: int = 8) -> dict:
    """The fields of the configuration that shapes tell, save the backbone's."""
    classes, width = shapes["denoising.class_table.weight"]
    maps = shapes.count("pixel_decoder.input_projections.{}.0.weight")
    levels = shapes["pixel_decoder.level_embed"][0]
    points = shapes["decoder.layers.0.cross_attention.attention_weights.weight"][0] // (heads * levels)
    layers = shapes.count("pixel_decoder.layers.{}.norm.weight")
    found = {
        "num_classes": classes, "hidden_dim": width, "encoder_maps": maps, "extra_maps": levels - maps,
        "encoder_layers": layers, "sampling_points": points, "two_stage": "queries.weight" not in shapes,
        "decoder_layers": shapes.count("decoder.layers.{}.norm1.weight"),
        "decoder_ffn": shapes["decoder.layers.0.feed_forward.linear1.weight"][0],
        "class_loss": "softmax" if shapes["decoder.class_head.weight"][0] > classes else "focal",
        "proposal_sizes": "released" if fine_first else "dino",
    }  # fmt: skip
    if layers:
        found["encoder_ffn"] = shapes["pixel_decoder.layers.0.feed_forward.linear1.weight"][0]
    return found if found["two_stage"] else found | {"num_queries": shapes["queries.weight"][0]}


def config_from_shapes(shapes: Shapes, found: dict, path: Path) -> MaskDinoConfig:
    """The preset that agrees with the shapes, and of several the one whose first boxes the file's name tells; where
    none does, the shapes."""
    kind = backbone_kind(shapes)
    sizes = measure_backbone(kind, shapes)
    fitting = {
        call: c for call, c in mask_dino_presets.published().items()
        if all(getattr(c, name) == value for name, value in found.items()) and has_sizes(c, kind, sizes)
    }  # fmt: skip
    if fitting:
        return _named(fitting, path)
    warn_user(
        f"{path} is no published Mask DINO: its {found['num_classes']} classes get numbers for names and all count as "
        "things, it is taken for panoptic, and its number of queries and what its first boxes are is not in the file. "
        "Say better with from_pretrained(path, config=...)."
    )
    backbone, options = nearest(kind, sizes)
    return MaskDinoConfig(backbone=backbone, backbone_options=options, **found)


def _named(fitting: dict[str, MaskDinoConfig], path: Path) -> MaskDinoConfig:
    """Of presets of the same sizes: the names of the authors' files say whether boxes come from masks."""
    enhanced = "maskenhanced" in path.name.replace("_", "").lower()
    likely = {call: c for call, c in fitting.items() if (c.initial_boxes != "selected") == enhanced} or fitting
    call, config = next(iter(likely.items()))
    if len(fitting) > 1:
        warn_of_variants(path, call, ", ".join(name for name in fitting if name != call))
    return config


def _without_repetitions(state: State) -> State:
    """Raises :class:`CheckpointError` where one of the repetitions is another tensor."""
    kept = {}
    for name, value in state.items():
        first = name
        for pattern, start in _REPEATED.items():
            first = pattern.sub(start, first)
        if first == name:
            kept[name] = value
        elif first not in state or not _same(value, state[first]):
            raise CheckpointError(f"the file's {name} should be its {first} again, and is not: it is no Mask DINO's")
    return kept


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a == b).all())


def _input_widths(state: State) -> list[int]:
    """Channels of the backbone's maps in the file's order: those that come in by a 1x1 convolution."""
    found = {}
    for name, value in state.items():
        if (match := _PROJECTION.fullmatch(name)) and value.ndim == 4 and value.shape[-1] == 1:
            found[int(match[1])] = value.shape[1]
    if sorted(found) != list(range(len(found))) or not found:
        raise CheckpointError(f"{_PIXEL}input_proj.0 ... should be 1x1 convolutions, one for each map: it is no whole "
                              "Mask DINO")  # fmt: skip
    return [found[place] for place in range(len(found))]


def _projection(name: str, maps: int, fine_first: bool) -> str:
    """Our name of a projection: the maps' from the coarsest to the finest, and those of coarser maps apart."""
    match = _PROJECTION.fullmatch(name)
    if not match:
        return name
    place, rest = int(match[1]), match[2]
    if place >= maps:
        return f"pixel_decoder.extra_projections.{place - maps}.{rest}"
    return f"pixel_decoder.input_projections.{maps - 1 - place if fine_first else place}.{rest}"


def _reversed_levels(state: State, part: str, heads: int) -> State:
    """``state`` with the levels of a part's deformable attention, and of its ``level_embed``, in the other order."""
    levels = len(state.get("pixel_decoder.level_embed", ()))
    found = dict(state)
    for name, value in state.items():
        match = _BY_LEVEL.fullmatch(name)
        if not match or match[1] != part:
            continue
        if match[2] == "level_embed":
            found[name] = value.flip(0)
        elif value.ndim and not len(value) % (heads * levels):  # [heads, levels, points (x 2)] as rows
            found[name] = value.unflatten(0, (heads, levels, -1)).flip(1).flatten(0, 2)
    return found
