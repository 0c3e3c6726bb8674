"""A trace costs nothing when it is off: operation for operation, the forward is one that knows no traces."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from without_trace import model_without_trace


class Operations(TorchDispatchMode):
    """Every operation that runs, with the bytes it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        tensors = [t for t in (out if isinstance(out, (tuple, list)) else [out]) if isinstance(t, torch.Tensor)]
        self.seen.append((str(function), sum(t.nbytes for t in tensors)))
        return out


def operations(model, images, **options) -> list[tuple[str, int]]:
    model(images, "panoptic", **options)  # position maps and task ids are cached by the first call
    with torch.inference_mode(), Operations() as recorder:
        model(images, "panoptic", **options)
    return recorder.seen


@pytest.fixture(scope="module")
def plain(model, tmp_path_factory):
    return model_without_trace(model, tmp_path_factory.mktemp("plain"))


def test_the_same_operations_and_bytes_as_without_the_feature(model, plain) -> None:
    images = torch.randn(1, 3, 96, 128)
    with torch.inference_mode():
        assert torch.equal(model(images, "instance").mask_logits, plain(images, "instance").mask_logits)
    off = operations(model, images)
    assert len(off) > 500 and off == operations(plain, images)
    assert len(operations(model, images, trace=True)) > len(off)  # the comparison would see it


def test_attention_is_fused_unless_its_weights_are_asked_for(model) -> None:
    images, layers = torch.randn(1, 3, 96, 128), model.config.decoder_layers
    off, on = (sum("scaled_dot" in name for name, _ in operations(model, images, trace=t)) for t in (False, True))
    assert off - on >= layers and off >= 2 * layers


def test_nothing_is_kept_when_it_is_off(model) -> None:
    assert model(torch.randn(1, 3, 64, 64), "panoptic").trace is None
