"""ONNX and torch.export of the members that are told no task: the same numbers, for any number of pictures."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from unchecked import unchecked

from oneformer_lite import config
from oneformer_lite.model import MaskModel, build
from oneformer_lite.weights.onnx import Segmenter, onnx_difference, save_onnx

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

SMALL = {  # with few operations: tracing takes some hundredths of a second for each, whatever its size
    "backbone": "resnet10t", "image_size": 64, "pretrained": False, "hidden_dim": 48, "num_heads": 4, "num_queries": 8,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64,
}  # fmt: skip


class Alone(nn.Module):
    """Images in, class and mask logits out, and boxes of a model that has some: what is exported."""

    def __init__(self, model: MaskModel) -> None:
        super().__init__()
        self.model, self.names = model, Segmenter(model).outputs

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        out = self.model(images)
        return tuple(getattr(out, name) for name in self.names)


def largest(found, model: MaskModel, images: Tensor) -> float:
    """The largest difference of a number, relative to the largest of its kind."""
    pairs = zip(found, Alone(model)(images), strict=True)
    return max(float((torch.as_tensor(a) - b).abs().max() / b.abs().max()) for a, b in pairs)


MODELS = {
    "mask2former": {"denoising_queries": 20},  # which are there in training alone
    "maskformer": {"padding_multiple": 1},
    "knet": {"stages": 2, "stage_ffn": 64, "feature_stride": 8},
    "mask_dino": {"encoder_maps": 2, "decoder_layers": 1},
    "panoptic_segformer": {"mask_stride": 16, "thing_blocks": 1, "stuff_blocks": 1, "decoder_layers": 1},
}  # fmt: skip


def small(member: str) -> MaskModel:
    torch.manual_seed(0)
    preset = getattr(config, f"{member}_toytown")()
    fields = {field: value for field, value in SMALL.items() if hasattr(preset, field)}
    return build(dataclasses.replace(preset, **(fields | MODELS[member]))).eval()


@pytest.mark.parametrize("member", MODELS)
@torch.no_grad()
def test_as_onnx_they_compute_the_same(tmp_path: Path, member: str) -> None:
    model = small(member)
    with unchecked(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        path = str(save_onnx(model, tmp_path / "model.onnx", (64, 96)))
        found = {"one": onnx_difference(model, path)}
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        assert [given.name for given in session.get_inputs()] == ["images"]
        images = torch.randn(3, 3, 64, 96)
        of_three = session.run([made.name for made in session.get_outputs()], {"images": images.numpy()})
        found["three"] = largest(of_three, model, images)
    assert max(found.values()) < 1e-4, found


@pytest.mark.parametrize("member", MODELS)
@torch.no_grad()
def test_exported_they_compute_the_same(member: str) -> None:
    """Pictures that are padded within."""
    model, images = small(member), torch.randn(2, 3, 70, 90)
    with unchecked():
        program = torch.export.export(Alone(model), (images,)).module()
        assert largest(program(images), model, images) < 1e-4
