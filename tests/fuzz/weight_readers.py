"""Readers of weights and configurations, as the fuzzer calls them: all through ``ofl.from_pretrained``."""

from __future__ import annotations

import dataclasses
import io
import json
import tempfile
from functools import cache
from pathlib import Path

import torch
from mutations import json_text
from reader import reader
from tensors import safetensors_file, torch_file

SIZES = {"embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1), "window_size": 2}


@cache
def tiny_model():
    """A OneFormer of a few thousand weights, without text mapper, which alone would be larger than all the rest."""
    import oneformer_lite as ofl

    torch.manual_seed(0)
    small = dict.fromkeys(("encoder_layers", "query_layers", "decoder_layers", "text_layers", "text_heads"), 1)
    small |= dict.fromkeys(("encoder_ffn", "query_ffn", "decoder_ffn", "text_width"), 8)
    config = dataclasses.replace(
        ofl.config.toytown(), backbone="swin_tiny_patch4_window7_224", backbone_options=SIZES, pretrained=False,
        num_queries=6, text_context=2, hidden_dim=32, num_heads=8, image_size=32, num_points=16, **small,
    )  # fmt: skip
    model = ofl.OneFormer(config)
    model.text_mapper = None
    return model.eval()


def load(source: Path) -> None:
    """Load a model and let it see one picture."""
    import numpy as np

    import oneformer_lite as ofl

    model = ofl.from_pretrained(source)
    if model.config.num_queries <= 100 and max(model.config.inference_size(16, 16)) <= 128:
        ofl.predict(model, np.zeros((16, 16, 3), np.uint8), "panoptic")


def written(save) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        save(folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def own_folder() -> dict[str, bytes]:
    return written(tiny_model().save_pretrained)


@reader(own_folder, {"config.json": json_text}, share=0.6)
def own_config(folder: Path) -> None:
    load(folder)


@reader(own_folder, {"model.safetensors": safetensors_file}, share=0.6)
def safetensors(folder: Path) -> None:
    load(folder)


def huggingface_folder() -> dict[str, bytes]:
    from oneformer_lite.weights import save_huggingface

    return written(lambda folder: save_huggingface(tiny_model(), folder))


@reader(huggingface_folder, {"config.json": json_text, "preprocessor_config.json": json_text}, share=0.6)
def huggingface_config(folder: Path) -> None:
    load(folder)


def sharded_folder() -> dict[str, bytes]:
    """The weights in two files, and an index that says which holds which."""
    from safetensors.torch import load, save

    files = huggingface_folder()
    state = load(files.pop("model.safetensors"))
    parts = {f"model-0000{i + 1}-of-00002.safetensors": dict(list(state.items())[i::2]) for i in range(2)}
    index = {"metadata": {}, "weight_map": {name: file for file, part in parts.items() for name in part}}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    return files | {file: save(part, metadata={"format": "pt"}) for file, part in parts.items()}


_SHARD = "model-00001-of-00002.safetensors"


@reader(sharded_folder, {"model.safetensors.index.json": json_text, _SHARD: safetensors_file}, share=0.4)
def index(folder: Path) -> None:
    load(folder)


def official_file() -> dict[str, bytes]:
    from oneformer_lite.weights.names import rename, reverse
    from oneformer_lite.weights.official import TABLE

    content = io.BytesIO()
    torch.save({"model": rename(tiny_model().state_dict(), reverse(TABLE))}, content)
    return {"model.pth": content.getvalue()}


@reader(official_file, {"model.pth": torch_file}, share=1.5)
def pth(folder: Path) -> None:
    load(folder / "model.pth")


def binary_folder() -> dict[str, bytes]:
    """As older versions of transformers wrote it."""
    from safetensors.torch import load

    files, content = huggingface_folder(), io.BytesIO()
    torch.save(load(files.pop("model.safetensors")), content)
    return files | {"pytorch_model.bin": content.getvalue()}


@reader(binary_folder, {"pytorch_model.bin": torch_file}, share=0.4)
def pytorch_bin(folder: Path) -> None:
    load(folder)
