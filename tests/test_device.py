"""Devices by name: what there is is chosen, what there is not is said."""

from __future__ import annotations

import pytest
import torch

from oneformer_lite.device import choose_device
from oneformer_lite.errors import ConfigError


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many GPUs, and Apple's or not."""

    def make(gpus: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return make


@pytest.mark.parametrize(
    "gpus, mps, expected", [(0, False, "cpu"), (2, False, "cuda"), (0, True, "mps"), (1, True, "cuda")]
)
def test_auto_takes_a_gpu_where_there_is_one(machine, gpus, mps, expected):
    machine(gpus, mps)
    assert choose_device() == choose_device("auto") == torch.device(expected)


def test_what_there_is_can_be_named(machine):
    machine(2, True)
    for name in ("cpu", "cuda", "cuda:1", "mps"):
        assert choose_device(name) == choose_device(torch.device(name)) == torch.device(name)


@pytest.mark.parametrize(
    "name, words",
    [
        ("cuda", "'cuda' cannot be used: .*(built for CPUs alone|no GPU with a working driver)"),
        ("cuda:0", "'cuda:0' cannot be used"),
        ("mps", "'mps' cannot be used: that is the GPU of a Mac"),
        ("cpu:1", "there is one CPU device"),
        ("gpu", "no device 'gpu' here: expected one of auto, cuda, mps, cpu"),
        ("", "no device ''"), ("CUDA", "no device 'CUDA'"), ("meta", "no device 'meta'"), (None, "no device None"),
        ("cuda:x", "no device 'cuda:x'"), (0.5, "no device 0.5"),
    ],
)  # fmt: skip
def test_what_there_is_not_is_said(machine, name, words):
    machine()
    with pytest.raises(ConfigError, match=words):
        choose_device(name)


def test_a_gpu_beyond_the_last(machine):
    machine(2)
    with pytest.raises(ConfigError, match="'cuda:2' cannot be used: there are 2 GPUs, counted from 0"):
        choose_device("cuda:2")
