"""``labs.check`` against answers that are right, wrong in every way there is, or malicious."""

from __future__ import annotations

import io
import random
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from oneformer_lite import labs
from oneformer_lite.errors import ConfigError
from oneformer_lite.labs import exercise as exercises
from oneformer_lite.labs.compare import difference


def doubled(x, k=2):
    """The reference: k times x."""
    return x * k


EXERCISE = labs.Exercise(
    id="98.1",
    reference=doubled,
    cases=lambda: [
        labs.Case("a picture", torch.arange(6.0).reshape(2, 3)),
        labs.Case("empty", torch.zeros(0, 3)),
        labs.Case("three times", torch.ones(4, 5), 3),
    ],
    mistakes=(
        labs.Mistake("added instead of multiplied", lambda x, k=2: x + k),
        labs.Mistake("k was forgotten", lambda x, k=2: x * 2),
        labs.Mistake("a tensor has no .upper", lambda x, k=2: x.upper()),
    ),
)


def test_a_right_answer_passes():
    result = labs.check(EXERCISE, lambda x, k=2: k * x)
    assert result.passed and result.attempted and repr(result) == "98.1  3/3 passed"
    assert result.picture() is None


@pytest.mark.parametrize("stub", [..., lambda x, k=2: None, lambda x, k=2: ..., partial(lambda x, k=2: None)])
def test_a_stub_is_not_attempted(stub):
    result = labs.check(EXERCISE, stub)
    assert not result.passed and not result.attempted
    assert repr(result) == "98.1  not attempted" and result.picture() is None


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (lambda x, k=2: (x * k).T, "98.1  0/3: a picture: expected shape [2, 3], yours [3, 2]"),
        (lambda x, k=2: (x * k).long(), "98.1  0/3: a picture: expected float, yours int"),
        (lambda x, k=2: x * k if len(x) else None, "98.1  2/3: empty: expected float [0, 3], yours None"),
        (lambda x, k=2: x / 0, "98.1  1/3: a picture: expected 0.00, yours nan at [0, 0] (6 of 6 differ)"),
        (lambda x, k=2: [x], "98.1  0/3: a picture: expected float [2, 3], yours a list of 1"),
        (lambda x, k=2: 1.0 * 5, "98.1  0/3: a picture: expected shape [2, 3], yours []"),
        (lambda x: x * 2, "98.1  2/3: three times: yours raises TypeError: "),
        (lambda x, k=2: torch.rand_like(x), "98.1  1/3: a picture: expected 0.00, yours 0.50 at [0, 0] (6 of 6"),
        (lambda x, k=2: object(), "98.1  0/3: a picture: expected float [2, 3], yours <object object>"),
    ],
)
def test_a_wrong_answer_is_told_its_first_difference(answer, line):
    result = labs.check(EXERCISE, answer)
    assert result.attempted and not result.passed
    assert repr(result).startswith(line)
    assert "0x" not in repr(result)


def test_a_known_mistake_gets_its_hint():
    first, second = (labs.check(EXERCISE, EXERCISE.mistakes[index].answer) for index in (0, 1))
    assert repr(first).endswith(
        "expected 0.00, yours 2.00 at [0, 0] (5 of 6 differ)\nhint: added instead of multiplied\n"
        "called with: x = [[0, 1, 2], [3, 4, 5]]"
    )
    assert repr(second) == "98.1  2/3: three times: expected 3.00, yours 2.00 at [0, 0] (20 of 20 differ)\n" \
        "hint: k was forgotten\ncalled with: x = float [4, 5], k = 3"  # fmt: skip
    assert labs.check(EXERCISE, lambda x, k=2: x**3 - 7 * k).hint is None
    assert labs.check(EXERCISE, lambda x, k=2: x.upper()).hint == "a tensor has no .upper"


def test_what_an_answer_raises_is_one_line():
    def fails(x, k=2):
        raise ValueError(f"first line of {object()}\nsecond line")

    start = fails.__code__.co_firstlineno
    line = repr(labs.check(EXERCISE, fails))
    assert line.startswith(
        f"98.1  0/3: a picture: yours raises ValueError: first line of <object object> (line {start + 1})\n"
    )
    assert "SystemExit: 3" in repr(labs.check(EXERCISE, lambda x, k=2: sys.exit(3)))

    def endless(x, k=2):
        return endless(x)

    assert "RecursionError" in repr(labs.check(EXERCISE, endless))
    with pytest.raises(KeyboardInterrupt):
        labs.check(EXERCISE, lambda x, k=2: (_ for _ in ()).throw(KeyboardInterrupt()))


def test_an_exercise_may_ask_for_an_exception():
    def refuses(x):
        if x < 0:
            raise ValueError("negative")
        return x**0.5

    exercise = labs.Exercise("98.2", refuses, lambda: [labs.Case("four", 4.0), labs.Case("negative", -1.0)])
    assert labs.check(exercise, lambda x: x**0.5 if x >= 0 else int("negative")).passed
    assert "expected ValueError, yours raises nothing" in repr(labs.check(exercise, lambda x: abs(x) ** 0.5))
    assert "expected ValueError, yours raises ZeroDivisionError" in repr(
        labs.check(exercise, lambda x: x**0.5 / (x > 0))
    )


def test_an_answer_cannot_spoil_the_arguments_of_the_reference_or_of_other_cases():
    shared = torch.ones(2, 2)
    exercise = labs.Exercise("98.3", lambda x: x + 1, lambda: [labs.Case("first", shared), labs.Case("second", shared)])
    result = labs.check(exercise, lambda x: x.add_(1))
    assert not result.passed and torch.equal(shared, torch.ones(2, 2))
    assert result.differences[1] == ("second", "right, but yours changes its argument x, which others still need")
    assert result.picture() is None  # its value is right
    assert labs.check(exercise, lambda x: x).picture()


def test_random_numbers_are_the_same_for_both_and_unchanged_afterwards():
    def noisy(n):
        return random.random(), np.random.rand(n), torch.rand(n)

    exercise = labs.Exercise("98.4", noisy, lambda: [labs.Case("three", 3)])
    torch.manual_seed(5)
    torch.rand(1)
    expected = torch.rand(1)
    torch.manual_seed(5)
    torch.rand(1)
    assert labs.check(exercise, lambda n: noisy(n)).passed
    assert torch.equal(torch.rand(1), expected)
    labs.check(EXERCISE, lambda x, k=2: torch.set_grad_enabled(False))
    assert torch.is_grad_enabled()


def test_use_gives_yours_only_if_it_passes():
    right = lambda x, k=2: k * x  # noqa: E731
    assert labs.use(EXERCISE, right) is right
    assert labs.use(EXERCISE, lambda x, k=2: x) is doubled and labs.use(EXERCISE, ...) is doubled


def test_unknown_ids_say_which_exist(monkeypatch):
    monkeypatch.setattr(exercises, "all_labs", lambda: ["98"])
    monkeypatch.setitem(sys.modules, "oneformer_lite.labs.lab_98", SimpleNamespace(EXERCISES=(EXERCISE,)))
    assert labs.check("98.1", lambda x, k=2: k * x).passed
    assert repr(labs.check("98.7", doubled)) == "98.7  no exercise '98.7': lab 98 has 98.1"
    for unknown in ("42.1", "", 7.5):
        result = labs.check(unknown, doubled)
        assert not result.passed and "there are labs 98" in repr(result)
    with pytest.raises(ConfigError, match="98.1"):
        labs.use("98.7", doubled)


def test_the_picture_shows_both_and_their_difference():
    result = labs.check(EXERCISE, lambda x, k=2: x + k)
    wide = np.asarray(Image.open(io.BytesIO(result.picture())).convert("RGB"))
    narrow = labs.check(EXERCISE, lambda x, k=2: (x * k).T).picture()
    assert wide.shape[1] > 800 and np.ptp(wide) > 200
    assert Image.open(io.BytesIO(narrow)).width < wide.shape[1]  # other shapes have no difference to show
    assert labs.check(EXERCISE, lambda x, k=2: x[:0] if k == 3 else x * k).picture() is None
    assert labs.check(EXERCISE, lambda x, k=2: "text").picture() is None


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 4, 30, 40)])
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1e30, True, 3])
def test_any_two_arrays_can_be_compared_in_a_picture(shape, value):
    from oneformer_lite.render.comparison import comparison

    other = np.zeros(shape)
    picture = comparison(np.full(shape, value), other)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    if len(shape) == 4:
        assert comparison(np.zeros((5, 6)), other).dtype == np.uint8
        assert comparison(other, np.zeros((5, 6))).dtype == np.uint8


@pytest.mark.parametrize(
    ("expected", "yours", "words"),
    [
        (1.0, 1.00001, None),
        (1000.0, 1000.05, None),
        (0.0, 0.05, "expected 0.00, yours 0.05"),
        (0.69314, 0.0, "expected 0.69, yours 0.00"),
        (0.5, 0.5012, "expected 0.500, yours 0.501"),
        (float("nan"), float("nan"), None),
        (0.0, float("nan"), "expected 0.00, yours nan"),
        (2.0, 2, None),
        (torch.tensor(2.0), 2.0, None),
        (12345678, 12345679, "expected 12345678, yours 12345679"),
        (np.uint8([250]), torch.tensor([250]), None),
        (torch.tensor([True, False]), torch.tensor([True, True]), "expected False, yours True at [1] (1 of 2 differ)"),
        (torch.ones(2), torch.ones(2, requires_grad=True), None),
        (torch.ones(2), torch.ones(2, dtype=torch.bfloat16), None),
        ([1, (2, 3)], (1, [2, 3]), None),
        ([1, [2, 3]], [1, [2, 4]], "element 1: element 1: expected 3, yours 4"),
        ([1], [1, 2], "expected 1 elements, yours 2"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": 1}, {"b": 1}, "expected a key 'a', yours has 'b'"),
        ({"a": 1}, {"a": 1, "b": 1}, "a key 'b' too many, expected 'a'"),
        ({"a": [0.5]}, {"a": [0.7]}, "a: element 0: expected 0.50, yours 0.70"),
        ({1, 2}, {2}, "expected 1 in the set"),
        ({1}, {1, 3}, "3 too many in the set"),
        ("a photo", "photo", "expected 'a photo', yours 'photo'"),
        (None, 3, "expected None, yours 3"),
        (None, None, None),
        ("a", None, "expected 'a', yours None"),
        (labs.Case("x", 1), labs.Case("x", 2), "args: element 0: expected 1, yours 2"),
        (np.array(["a", "b"]), ["a", "b"], None),
        ([2, 0], torch.tensor([2, 0]), None),
        ([2, 0], np.array([2.0, 0.0]), None),
        ([2, 0], torch.tensor([2, 1]), "element 1: expected 0, yours 1"),
        ([np.eye(2) > 0, np.eye(2) < 0], torch.stack([torch.eye(2) > 0, torch.eye(2) < 0]), None),
        ([np.eye(2) > 0], np.ones((2, 2, 2), bool), "expected 1 elements, yours 2"),
        ([], np.zeros((0, 3, 3), bool), None),
        ([1, 2], {1: "a", 2: "b"}.keys(), None),
        ([1, 2], {"a": 1, "b": 2}.values(), None),
        ([0, 1, 2], range(3), None),
        ((0.1, 0.0), torch.tensor([0.1, 0.0]), None),
        ({"a": (0.1, 0.0)}, {"a": np.array([0.1, 0.0])}, None),
        (torch.eye(2), [[1.0, 0.0], [0.0, 1.0]], None),
        (torch.eye(2), [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])], None),
        (np.eye(2), [[1.0, 0.0], [0.0, 0.5]], "expected 1.00, yours 0.50 at [1, 1] (1 of 4 differ)"),
        (torch.eye(2), [[1.0, 0.0], [0.0]], "expected float [2, 2], yours a list of 2"),
    ],
)
def test_difference(expected, yours, words):
    assert difference(expected, yours) == words
