"""Nothing that an answer does blocks, buries or lasts: loops without an end, output, settings, arguments."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from oneformer_lite import labs
from oneformer_lite.labs import limits
from oneformer_lite.labs.restored import _KEPT

EXERCISE = labs.Exercise(
    "98.1",
    lambda x: 2 * x,
    lambda: [labs.Case("ones", torch.ones(2)), labs.Case("twos", 2 * torch.ones(2)), labs.Case("none", torch.ones(0))],
    seconds=0.3,
)


def endless(x):
    while True:
        pass


def stubborn(x):
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


def asleep(x):
    time.sleep(60)


def endless_at_the_second(x):
    while x.sum() > 2:
        pass
    return 2 * x


@pytest.mark.parametrize("answer", [endless, stubborn, asleep])
def test_a_call_that_never_ends_is_ended_once(answer):
    began = time.monotonic()
    result = labs.check(EXERCISE, answer)
    assert time.monotonic() - began < 30  # half of what the sleep would take
    assert repr(result).startswith("98.1  0/3: ones: it has not ended after 0.3 seconds\nhint: does a loop never end?")
    assert result.differences[2][1] == "not run, as the one before has not ended"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="has no such timer")
def test_an_alarm_while_the_last_one_is_handled_leaves_no_timer(monkeypatch):
    """It rings so often here that it does at each step of the end."""
    monkeypatch.setattr(limits, "_AGAIN", 3e-5)
    lost = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    before = signal.getsignal(signal.SIGALRM)
    for _ in range(1000):
        with pytest.raises(limits.TooSlow), limits.limited(3e-4):
            while True:
                pass
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0) and signal.getsignal(signal.SIGALRM) is before
    # Python says so itself of a late alarm that finds the handler of before
    assert all("race condition" in str(alarm.exc_value) for alarm in lost)


def test_what_comes_before_a_call_that_never_ends_counts():
    assert repr(labs.check(EXERCISE, endless_at_the_second)).startswith("98.1  1/3: twos: it has not ended")


def test_the_limit_holds_in_other_threads_too():
    found = []
    thread = threading.Thread(target=lambda: found.append(labs.check(EXERCISE, endless)))
    thread.start()
    thread.join(20)
    assert found and "it has not ended after 0.3 seconds" in repr(found[0])


def test_a_limit_that_was_not_reached_disturbs_nothing_later():
    assert labs.check(EXERCISE, lambda x: x + x).passed
    time.sleep(0.5)


def test_output_is_kept_and_quoted_in_short(capsys):
    def talks(x):
        for n in range(3000):
            print("line", n)
        sys.stderr.write("and more")
        warnings.warn("careful", stacklevel=1)
        return x

    result = labs.check(EXERCISE, talks)
    assert capsys.readouterr() == ("", "")
    assert len(result.printed) == _KEPT
    assert repr(result).endswith("…") and "it printed: line 0 ⏎ line 1 ⏎" in repr(result) and len(repr(result)) < 600
    assert labs.check(EXERCISE, lambda x: print(x) or 2 * x).passed and capsys.readouterr().out == ""


def test_displays_and_figures_stay_away():
    import matplotlib.pyplot as plt
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import display

    shell, shown = InteractiveShell.instance(), []
    shell.display_pub.publish = lambda *args, **kwargs: shown.append(args)
    try:

        def paints(x):
            plt.figure()
            display("a table")
            return 2 * x

        assert labs.check(EXERCISE, paints).passed
    finally:
        InteractiveShell.clear_instance()
    assert plt.get_fignums() == [] and shown == []


def test_nobody_is_asked_anything():
    assert "EOFError" in repr(labs.check(EXERCISE, lambda x: x * int(input("how often?"))))


SETTINGS = {
    "default dtype": (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
    "gradients": (lambda: torch.set_grad_enabled(not torch.is_grad_enabled()), torch.is_grad_enabled),
    "deterministic": (lambda: torch.use_deterministic_algorithms(True), torch.are_deterministic_algorithms_enabled),
    "threads": (lambda: torch.set_num_threads(torch.get_num_threads() + 1), torch.get_num_threads),
    "device": (lambda: torch.set_default_device("meta"), torch.get_default_device),
    "anomalies": (lambda: torch.autograd.set_detect_anomaly(True), torch.is_anomaly_enabled),
    "precision": (lambda: torch.set_float32_matmul_precision("medium"), torch.get_float32_matmul_precision),
    "torch seed": (lambda: torch.manual_seed(9), lambda: torch.get_rng_state().tolist()),
    "numpy seed": (lambda: np.random.seed(9), lambda: np.random.get_state()[1].tolist()),
    "python seed": (lambda: random.seed(9), random.getstate),
    "numpy errors": (lambda: np.seterr(all="raise"), np.geterr),
    "numpy printing": (lambda: np.set_printoptions(precision=1), np.get_printoptions),
    "recursion": (lambda: sys.setrecursionlimit(5000), sys.getrecursionlimit),
    "folder": (lambda: os.chdir("/"), os.getcwd),
    "warnings": (lambda: warnings.simplefilter("error"), lambda: list(warnings.filters)),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_lasts_as_long_as_the_call(name):
    change, get = SETTINGS[name]
    before = get()

    def answer(x):
        change()
        return 2 * x

    assert labs.check(EXERCISE, answer).attempted
    assert get() == before
    assert labs.check(EXERCISE, lambda x: x + x).passed


def emptied(parts, more):
    total = sum(parts)
    parts.clear()
    return total


def in_order(parts, more):
    parts.sort()
    return sum(parts)


def noted(parts, more):
    more["total"] = sum(parts)
    return more["total"]


@pytest.mark.parametrize(("answer", "name"), [(emptied, "parts"), (in_order, "parts"), (noted, "more")])
def test_an_answer_that_changes_its_arguments_is_told_which(answer, name):
    exercise = labs.Exercise("98.2", lambda parts, more: sum(parts), lambda: [labs.Case("three", [3, 1, 2], {"k": 1})])
    result = labs.check(exercise, answer)
    assert f"right, but yours changes its argument {name}, which others still need" in repr(result)
    assert "a copy before you change it" in result.hint


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.weight.data.zero_(),
        lambda model: model.eval(),
        lambda model: model.bias.data.add_(1e-7),
    ],
)
def test_a_module_that_is_changed_is_noticed(change):
    def answer(model):
        names = [name for name, _ in model.named_parameters()]
        change(model)
        return names

    exercise = labs.Exercise("98.3", lambda model: ["weight", "bias"], lambda: [labs.Case("a layer", nn.Linear(2, 2))])
    assert "changes its argument model" in repr(labs.check(exercise, answer))
    assert labs.check(exercise, lambda model: [name for name, _ in model.named_parameters()]).passed
