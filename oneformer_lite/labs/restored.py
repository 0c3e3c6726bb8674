"""What a call must not leave behind: random numbers, settings of torch, numpy and Python, output, open figures."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

_KEPT = 2000  # characters of what an answer prints

_RANDOM: tuple[tuple[Callable, Callable], ...] = (
    (random.getstate, random.setstate),
    (np.random.get_state, np.random.set_state),
    (torch.get_rng_state, torch.set_rng_state),
)
_SETTINGS: tuple[tuple[Callable, Callable], ...] = (
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_default_device, lambda device: torch.set_default_device(None if device.type == "cpu" else device)),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (np.geterr, lambda errors: np.seterr(**errors)),
    (np.get_printoptions, lambda options: np.set_printoptions(**options)),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (os.getcwd, os.chdir),
    (lambda: builtins.input, lambda function: setattr(builtins, "input", function)),
)


@contextmanager
def nothing_lasts() -> Iterator[None]:
    """Start with the same random numbers each time, and restore them and every setting afterwards."""
    states = [get() for get, _ in _RANDOM]
    settings = [get() for get, _ in _SETTINGS]
    random.seed(0), np.random.seed(0), torch.default_generator.manual_seed(0)
    try:
        with warnings.catch_warnings():
            yield
    finally:
        for (get, put), before in zip(_SETTINGS, settings, strict=True):
            if get() != before:  # some cost time, or leave a trace, even where nothing changes
                put(before)
        for (_, put), before in zip(_RANDOM, states, strict=True):
            put(before)


class Printed(io.TextIOBase):
    """Keeps the first characters of what is written, and of a million lines no more."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text[: _KEPT - len(self.text)]
        return len(text)


@contextmanager
def captured() -> Iterator[Printed]:
    """Keep output, displays and figures from the page, and questions from the keyboard."""
    printed, figures = Printed(), _figures()
    builtins.input = _no_keyboard  # restored with the other settings
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), _displays_captured():
        try:
            yield printed
        finally:
            for number in set(_figures()) - set(figures):
                sys.modules["matplotlib.pyplot"].close(number)


def _no_keyboard(prompt: Any = "") -> str:
    raise EOFError("an answer gets its arguments, not the keyboard")


def _figures() -> list[int]:
    pyplot = sys.modules.get("matplotlib.pyplot")
    return pyplot.get_fignums() if pyplot else []


def _displays_captured() -> contextlib.AbstractContextManager:
    """Where IPython runs, what an answer displays goes nowhere."""
    if "IPython" not in sys.modules:
        return contextlib.nullcontext()
    from IPython import get_ipython
    from IPython.utils.capture import capture_output

    return capture_output(stdout=False, stderr=False) if get_ipython() else contextlib.nullcontext()
