"""Readers of the other members' weights and configurations, as the fuzzer calls them: of our own folders, of
transformers', and of detectron2's pickles."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from mutations import json_text
from reader import READERS, Reader, reader
from tensors import arrays_file
from weight_readers import SIZES, load, written

_NETWORK = {"embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1], "window_size": 2}
_LAYERS = {"encoder_layers": 1, "encoder_ffn": 8, "decoder_layers": 1, "decoder_ffn": 8}
_SWIN = {"backbone": "swin_tiny_patch4_window7_224", "backbone_options": SIZES}
_FIELDS: dict[str, dict] = {
    "maskformer": _SWIN | _LAYERS,
    "mask2former": _SWIN | _LAYERS,
    "detr": {"backbone": "test_resnet"} | _LAYERS,
    "eomt": {"backbone_options": {"depth": 2, "init_values": 1.0}, "query_blocks": 1},
}


@cache
def tiny_member(kind: str):
    """A member of a few thousand weights."""
    from oneformer_lite import config
    from oneformer_lite.model import build

    torch.manual_seed(0)
    fields = {"pretrained": False, "num_queries": 6, "hidden_dim": 48, "num_heads": 4, "image_size": 32}
    preset = getattr(config, f"{kind}_toytown")()
    return build(dataclasses.replace(preset, **fields | _FIELDS[kind])).eval()


def _classes() -> dict:
    names = ["car", "sky", "tree"]
    return {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}


def _maskformer():
    import transformers as t

    decoder = t.DetrConfig(
        d_model=32, num_queries=6, decoder_layers=1, decoder_attention_heads=4, decoder_ffn_dim=8,
        encoder_attention_heads=4,
    )  # fmt: skip
    config = t.MaskFormerConfig(
        backbone_config=t.SwinConfig(**_NETWORK, out_features=[f"stage{i}" for i in range(1, 5)]),
        decoder_config=decoder, fpn_feature_size=32, mask_feature_size=32, **_classes(),
    )  # fmt: skip
    return t.MaskFormerForInstanceSegmentation(config)


def _mask2former():
    import transformers as t

    config = t.Mask2FormerConfig(
        backbone_config=t.SwinConfig(**_NETWORK, out_features=[f"stage{i}" for i in range(1, 5)]), num_queries=6,
        hidden_dim=32, feature_size=32, mask_feature_size=32, encoder_layers=1, encoder_feedforward_dim=8,
        decoder_layers=2, dim_feedforward=8, num_attention_heads=4, **_classes(),
    )  # fmt: skip
    return t.Mask2FormerForUniversalSegmentation(config)


def _detr():
    import transformers as t

    sizes = dict.fromkeys(("encoder_layers", "decoder_layers"), 1) | dict.fromkeys(
        ("encoder_ffn_dim", "decoder_ffn_dim", "encoder_attention_heads", "decoder_attention_heads"), 8
    )
    stages = [f"stage{i}" for i in range(1, 5)]
    network = t.ResNetConfig(hidden_sizes=[64, 64, 64, 64], depths=[1, 1, 1, 1], out_features=stages)
    config = t.DetrConfig(backbone_config=network, num_queries=6, d_model=64, **sizes, **_classes())
    return t.DetrForSegmentation(config)


def _eomt():
    import transformers as t

    sizes = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_queries": 6, "num_blocks": 1}
    config = t.EomtDinov3Config(**sizes, image_size=32, intermediate_size=192, **_classes())
    return t.EomtDinov3ForUniversalSegmentation(config)


_THEIRS = {"maskformer": _maskformer, "mask2former": _mask2former, "detr": _detr, "eomt": _eomt}


def _folder(kind: str) -> Callable[[], dict[str, bytes]]:
    return lambda: written(tiny_member(kind).save_pretrained)


def _transformers(kind: str) -> Callable[[], dict[str, bytes]]:
    def made() -> dict[str, bytes]:
        torch.manual_seed(0)
        return written(_THEIRS[kind]().eval().save_pretrained)

    return made


for _kind in _FIELDS:
    for _name, _material in ((f"{_kind}_config", _folder), (f"{_kind}_transformers", _transformers)):
        READERS[_name] = Reader(_name, _material(_kind), {"config.json": json_text}, load, share=0.4)


def pickled_arrays() -> dict[str, bytes]:
    """As detectron2 writes it."""
    from oneformer_lite.weights.maskformer.official import TABLE
    from oneformer_lite.weights.names import rename, reverse

    state = rename(tiny_member("maskformer").state_dict(), reverse(TABLE))
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    content = {"model": arrays, "__author__": "third_party", "matching_heuristics": True}
    return {"model.pkl": pickle.dumps(content, protocol=2)}


@reader(pickled_arrays, {"model.pkl": arrays_file}, share=1.5)
def detectron2_pkl(folder: Path) -> None:
    load(folder / "model.pkl")
