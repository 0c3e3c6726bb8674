"""DETR as ONNX and by torch.export: classes, masks and boxes, alone, in a batch, and beside padding."""

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
from oneformer_lite.weights.onnx import Segmenter, onnx_difference, save_onnx

torch.manual_seed(0)
small = {"backbone": "resnet10t", "image_size": 64, "pretrained": False, "hidden_dim": 48, "num_heads": 4,
         "num_queries": 8, "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 1, "decoder_ffn": 64}
model = build(dataclasses.replace(config.detr_toytown(), **small)).eval()
save_onnx(model, sys.argv[1], (64, 96))
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
names = [made.name for made in session.get_outputs()]

def largest(found, images):
    wanted = model(images)
    pairs = zip(map(torch.as_tensor, found), (getattr(wanted, name) for name in names), strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)

with torch.no_grad():
    three, odd = torch.randn(3, 3, 64, 96), torch.randn(2, 3, 70, 90)
    three[1, :, 40:], three[2, :, :, 33:] = 0, 0
    found = {"onnx": onnx_difference(model, sys.argv[1]),
             "onnx of three": largest(session.run(names, {"images": three.numpy()}), three),
             "export": largest(torch.export.export(Segmenter(model), (odd,)).module()(odd), odd)}
facts = session.get_modelmeta().custom_metadata_map
print(json.dumps([names, facts["postprocessing"], found]))
"""


def test_exported_it_computes_the_same(tmp_path) -> None:
    command = [sys.executable, "-c", WHOLE, str(tmp_path / "model.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    names, rules, found = json.loads(done.stdout.splitlines()[-1])
    assert names == ["class_logits", "mask_logits", "boxes"] and json.loads(rules) == "detr"
    assert max(found.values()) < 1e-4, found
