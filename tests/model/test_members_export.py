"""ONNX and torch.export of the members that are told no task: the same numbers, for any number of pictures."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

# in a process of its own: shape checks, which the tests switch on, take minutes to trace
WHOLE = """
import dataclasses, json, sys, warnings
warnings.simplefilter("error", UserWarning)
import onnxruntime, torch
from oneformer_lite import config
from oneformer_lite.model import build
from oneformer_lite.weights.onnx import onnx_difference, save_onnx

SMALL = {"image_size": 64, "pretrained": False, "hidden_dim": 48, "num_heads": 4, "num_queries": 8,
         "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64}

class Alone(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model
    def forward(self, images):
        out = self.model(images)
        return out.class_logits, out.mask_logits

def largest(found, wanted):
    pairs = zip(found, (wanted.class_logits, wanted.mask_logits), strict=True)
    return max(float((torch.as_tensor(a) - b).abs().max() / b.abs().max()) for a, b in pairs)

name, changes, path = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
torch.manual_seed(0)
model = build(dataclasses.replace(getattr(config, name)(), **(SMALL | changes))).eval()
save_onnx(model, path, (64, 96))
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
images = torch.randn(3, 3, 64, 96)
with torch.no_grad():
    three = session.run(["class_logits", "mask_logits"], {"images": images.numpy()})
    found = {"onnx": onnx_difference(model, path), "onnx of three": largest(three, model(images))}
    odd = torch.randn(2, 3, 70, 90)
    found["export"] = largest(torch.export.export(Alone(model), (odd,)).module()(odd), model(odd))
found["inputs"] = [given.name for given in session.get_inputs()]
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    "name, changes",
    [
        ("mask2former_toytown", {}),
        ("maskformer_toytown", {"padding_multiple": 1}),
    ],
    ids=["mask2former", "maskformer"],
)
def test_exported_they_compute_the_same(tmp_path, name: str, changes: dict) -> None:
    command = [sys.executable, "-c", WHOLE, name, json.dumps(changes), str(tmp_path / "model.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("inputs") == ["images"]
    assert max(found.values()) < 1e-4, found
