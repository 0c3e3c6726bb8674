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
from oneformer_lite.weights.onnx import onnx_difference, save_onnx

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

SMALL = {
    "image_size": 64, "pretrained": False, "hidden_dim": 48, "num_heads": 4, "num_queries": 8,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64,
}  # fmt: skip


class Alone(nn.Module):
    """Images in, class and mask logits out: what is exported."""

    def __init__(self, model: MaskModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        out = self.model(images)
        return out.class_logits, out.mask_logits


def largest(found, model: MaskModel, images: Tensor) -> float:
    """The largest difference of a logit, relative to the largest logit."""
    wanted = model(images)
    pairs = zip(found, (wanted.class_logits, wanted.mask_logits), strict=True)
    return max(float((torch.as_tensor(a) - b).abs().max() / b.abs().max()) for a, b in pairs)


@pytest.mark.parametrize(
    "name, changes",
    [
        ("mask2former_toytown", {}),
        ("maskformer_toytown", {"padding_multiple": 1}),
        ("knet_toytown", {"stages": 2, "stage_ffn": 64, "feature_stride": 8}),
    ],
    ids=["mask2former", "maskformer", "knet"],
)
@torch.no_grad()
def test_exported_they_compute_the_same(tmp_path: Path, name: str, changes: dict) -> None:
    torch.manual_seed(0)
    preset = getattr(config, name)()
    fields = {field: value for field, value in SMALL.items() if hasattr(preset, field)}
    model = build(dataclasses.replace(preset, **(fields | changes))).eval()
    with unchecked(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        path = str(save_onnx(model, tmp_path / "model.onnx", (64, 96)))
        found = {"onnx": onnx_difference(model, path)}
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        assert [given.name for given in session.get_inputs()] == ["images"]
        images, odd = torch.randn(3, 3, 64, 96), torch.randn(2, 3, 70, 90)
        of_three = session.run(["class_logits", "mask_logits"], {"images": images.numpy()})
        found["onnx of three"] = largest(of_three, model, images)
        found["export"] = largest(torch.export.export(Alone(model), (odd,)).module()(odd), model, odd)
    assert max(found.values()) < 1e-4, found
