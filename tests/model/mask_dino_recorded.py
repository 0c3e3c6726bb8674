"""What the official Mask DINO computes, recorded once: ``recorded/mask_dino.npz``.

Its encoder, decoder, matcher and criterion (IDEA-Research/MaskDINO at 3831d85) ran unchanged on a CPU, with small
stand-ins for what they take from detectron2 and fvcore: width 256, one encoder and two decoder layers of 64, ten
queries, seven classes, maps of 8 to 20 channels of a picture of 128 x 160. Weights, maps, points and noise follow from
the rules below, so that numbers alone had to be kept. Five models:

released  4 maps, two-stage, in the order of the wide encoders      narrow    3 maps in the other order, "bitmask"
fine      5 maps from 1/4 on, "mask2box"                            semantic  3 maps, learned queries, cross-entropy
extra     3 maps and a coarser one in the other order (of two, the official code mixes up the positions)

``NAME.classes``, ``.boxes``, ``.masks`` (each eighth row and column, of the last prediction and of the selection):
evaluation, the selection last. ``.training.classes``, ``.denoising.classes``, ``.denoising.boxes``: training on two
images with 3 and 2 masks; ``.matched``: the query of each mask (-1: there is none), by prediction; ``.losses``, by
``.loss_names``; ``.total``: their weighted sum; ``.gradients``: the length of its gradient, by official parameter.
``merge.*``: see ``tests/inference/test_mask_dino_rules.py``.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from oneformer_lite.config import MaskDinoConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.model import MaskDino
from oneformer_lite.model.output import Features
from oneformer_lite.weights.mask_dino.official import to_official, to_ours

RECORDED = np.load(Path(__file__).parent / "recorded" / "mask_dino.npz")
CLASSES, QUERIES, CHANNELS, SIZES = 7, 10, (8, 12, 16, 20), ((32, 40), (16, 20), (8, 10), (4, 5))
KINDS = {
    "released": {"proposal_sizes": "released"},
    "narrow": {"proposal_sizes": "dino", "extra_maps": 0, "initial_boxes": "bitmask"},
    "fine": {"proposal_sizes": "released", "encoder_maps": 4, "initial_boxes": "mask2box"},
    "semantic": {"proposal_sizes": "dino", "extra_maps": 0, "two_stage": False, "class_loss": "softmax"},
    "extra": {"proposal_sizes": "dino", "extra_maps": 1},
}


def config_of(kind: str, **fields) -> MaskDinoConfig:
    sizes = {
        "num_classes": CLASSES, "num_queries": QUERIES, "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2,
        "decoder_ffn": 64, "num_points": 64, "denoising_queries": 20, "backbone": "resnet18", "pretrained": False,
        "backbone_options": {"layers": (1, 1, 1, 1), "channels": CHANNELS},
    }  # fmt: skip
    return MaskDinoConfig(**sizes | KINDS[kind] | fields)


def rule(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weights of an official parameter."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if len(shape) > 1:
        tables = ("label_enc.weight", "query_feat.weight", "query_embed.weight", "level_embed")
        values *= 1 if name.endswith(tables) else 1 / np.sqrt(np.prod(shape[1:]))
    elif name.endswith("sampling_offsets.bias"):
        values *= 2
    else:
        values = 1 + 0.2 * values if name.endswith("weight") else 0.2 * values
    return torch.tensor(values, dtype=torch.float32)


def official_names(kind: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our weights under the official names, without the backbone's, which was not recorded."""
    heads = {name: value for name, value in state.items() if not name.startswith("backbone.")}
    found = to_official(heads, fine_first=kind in ("released", "fine"))
    return {name.removeprefix("sem_seg_head."): value for name, value in found.items()}


def filled(kind: str, **fields) -> MaskDino:
    """Our model with the weights of the recorded one."""
    model = MaskDino(config_of(kind, **fields)).eval()
    theirs = {name: rule(name, tuple(v.shape)) for name, v in official_names(kind, model.state_dict()).items()}
    state, _ = to_ours({f"sem_seg_head.{name}": value for name, value in theirs.items()})
    unknown = model.load_state_dict(state, strict=False)
    assert not unknown.unexpected_keys and all(name.startswith("backbone.") for name in unknown.missing_keys)
    return model


def features(model: MaskDino) -> Features:
    """What the pixel decoder makes of the recorded maps."""
    random = np.random.RandomState(3)
    maps = [random.standard_normal((2, c, *size)) for c, size in zip(CHANNELS, SIZES)]
    return model.pixel_decoder([torch.tensor(m, dtype=torch.float32) for m in maps])


def targets(counts: tuple[int, ...] = (3, 2)) -> list[Targets]:
    found = []
    for b, count in enumerate(counts):
        masks = torch.zeros(count, 128, 160, dtype=torch.bool)
        for i in range(count):
            masks[i, 9 * i + 4 * b : 9 * i + 30 + 11 * b, 17 * i : 17 * i + 45 - 6 * b + 8 * i] = True
        labels = torch.tensor([(3 * i + b) % CLASSES for i in range(count)], dtype=torch.int64)
        found.append(Targets(masks, labels, [""] * count))
    return found


def points(count: int) -> Tensor:
    return torch.tensor(np.random.RandomState(count).rand(count, 2), dtype=torch.float32)


def by_rule(monkeypatch) -> None:
    """Random numbers as they were recorded: the same points for every mask, and denoising's noise."""

    def rand(*shape, **_) -> Tensor:
        if len(shape) == 3:  # points of masks
            return points(shape[1]).expand(shape[0], -1, -1)
        return torch.tensor(np.random.RandomState(12).rand(*shape[0]), dtype=torch.float32)

    def rand_like(like, **_) -> Tensor:
        return torch.tensor(np.random.RandomState(11 + like.ndim).rand(*like.shape), dtype=torch.float32)

    def randint(low, high, shape, **_) -> Tensor:
        return torch.tensor(np.random.RandomState(5).randint(low, high, tuple(shape)))

    monkeypatch.setattr(torch, "rand", rand)
    monkeypatch.setattr(torch, "rand_like", rand_like)
    monkeypatch.setattr(torch, "randint", randint)
