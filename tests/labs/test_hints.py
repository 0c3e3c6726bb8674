"""Hints: apt for most wrong answers that people make up, and never a word where nothing is known."""

from __future__ import annotations

import math
import re
import sys

import numpy as np
import pytest
import torch
from wrong_answers import KEPT_OUT, SEEN, answer

from oneformer_lite import labs
from oneformer_lite.labs import hints
from oneformer_lite.labs.calls import outputs
from oneformer_lite.labs.exercise import find
from oneformer_lite.labs.seen import seen_in_pair


@pytest.fixture(autouse=True)
def hints_may_fail(monkeypatch):
    """Errors within hints, which a check hides, show here."""
    monkeypatch.setattr(sys.modules["oneformer_lite.labs.check"], "_help", hints.hint)


@pytest.mark.parametrize("half", [SEEN, KEPT_OUT], ids=["seen", "kept out"])
def test_more_than_half_of_made_up_wrong_answers_get_an_apt_hint(half):
    apt = 0
    for exercise, text, pattern in half:
        mine = answer(exercise, text)
        result = labs.check(exercise, mine)
        assert result.attempted and not result.passed, f"{exercise} lets pass: {text}"
        assert "called with: " in repr(result)
        apt += bool(re.search(pattern, result.hint or "", re.IGNORECASE))
    assert len(half) == 50 and apt >= 32, apt


def test_none_of_them_is_a_canned_mistake():
    for exercise, text, _ in SEEN + KEPT_OUT:
        cases, mistakes = find(exercise).cases(), find(exercise).mistakes
        yours = outputs(answer(exercise, text), cases)
        for mistake in mistakes:
            theirs = outputs(mistake.answer, cases)
            assert not all(hints.agree(a, b, 1e-4) for a, b in zip(theirs, yours, strict=True)), (text, mistake.hint)


E_ = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])
TWO = np.stack([E_, E_ + 1])
SQUARE = np.array([[1.0, 2.0], [3.0, 5.0]])


@pytest.mark.parametrize(
    ("expected", "yours", "words"),
    [
        (E_, E_.T, "transposed"),
        (SQUARE, SQUARE.T, "transposed: rows and columns"),
        (([E_, 2 * E_], [3, 8]), [E_, 2 * E_], "one of the 2 results alone"),
        (E_, E_.ravel(), "the shape is not"),
        (E_, E_[None], "the shape is not"),
        (E_, -E_, "the sign"),
        (E_, 1 - E_, "1 minus"),
        (E_, 2 * E_, "twice"),
        (E_, E_ / 3, "0.3333 times"),
        (E_, E_ + 1, "+1 off everywhere"),
        (E_, E_[:, ::-1], "reversed along axis 1"),
        (E_, E_[::-1], "reversed along axis 0"),
        (E_, E_[:, [1, 0, 2]], "a permutation"),
        (E_, np.exp(E_), "yours is exp of what is expected"),
        (E_, np.log(E_), "exp of yours is what is expected"),
        (E_ / 2, (E_ / 2).astype(int), "decimals are cut off"),
        (E_.astype(int), E_, "their kind is not"),
        (E_ > 2, (E_ > 2).astype(float), "their kind is not: True and False"),
        (E_ > 2, E_ <= 2, "inverted"),
        (E_, E_.sum(1), "takes the sum over axis 1 as well"),
        (E_.mean(0), E_, "mean over axis 0 is missing"),
        (E_, E_[:, :2], "1 too few along axis 1, at the end"),
        (E_, E_ * np.array([[1], [2]]), "entries at the same place of axis 0 are off by the same factor"),
        (TWO, TWO * np.array([[[1], [3]], [[2], [4]]]), "of axes 0 and 1 are off"),
        (E_, np.where(E_ == 7, 0, E_), "one element alone is wrong, at [1, 2]"),
        (E_, np.where((E_ == 5) | (E_ == 2) | (E_ == 3), 0, E_), "all is right but where yours is 0"),
        (E_, np.full_like(E_, np.nan), "NaN comes from"),
        (E_, np.zeros_like(E_), "0 everywhere"),
        (SQUARE, SQUARE.diagonal(), "every row with every other is asked for"),
        ([1, 2, 3], [3, 2, 1], "reversed"),
        ([3, 1, 2], [1, 2, 3], "sorted"),
        ([3, 1, 2], [4, 2, 3], "+1 off"),
        ([3, 1, 2], [3, 1], "last element is missing"),
        (["a", "b", "a"], ["a", "b"], "each element once"),
        (["a", "b"], [["a", "b"]], "a list within the list"),
        ((E_, SQUARE), E_, "one of the 2 results alone"),
        ("a photo", "a Photo", "capital"),
        ({1: 0.5, 2: 0.7}, {1: 0.5}, "lacks 1 of the keys"),
        ({1: 0.5}, {"1": 0.5}, "of another kind: str"),
        ({1: 0.5, 2: 0.7}, {1: 1.0, 2: 1.4}, "twice"),
    ],
)
def test_what_is_seen(expected, yours, words):
    assert words in (seen_in_pair(expected, yours, {}) or "nothing")


def test_a_factor_is_named_by_the_argument_whose_length_it_is():
    exercise = labs.Exercise("98.1", lambda x: x.mean(0), lambda: [labs.Case("five", torch.arange(35.0).view(5, 7))])
    found = labs.check(exercise, lambda x: x.sum(0)).hint
    assert "5 is the length of x's axis 0: a sum where a mean is asked for?" in found


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_number_that_does_not_fit_into_an_array_is_no_matter_of_exp(kind):
    """What NumPy 2 raises where 256 times a byte is asked for, the first slip in the first lab."""
    shift = 256 if kind == "uint8" else 256**2
    hint = labs.check("01.1", lambda rgb: rgb[..., 0] + rgb[..., 2].astype(kind) * shift).hint
    assert hint == f"{kind} cannot hold a number that large: widen the array with astype before you calculate with it"
    exercise = labs.Exercise("98.6", lambda x: x, lambda: [labs.Case("a thousand", 1000.0)])
    assert labs.check(exercise, lambda x: math.exp(x)).hint == "a number becomes too large: exp of something large?"


def test_noise_gets_no_explanation():
    rng = np.random.default_rng(0)
    for _ in range(50):
        expected, yours = rng.standard_normal((2, 4, 5))
        assert seen_in_pair(expected, yours, {}) is None
        assert seen_in_pair(list(expected[0]), list(yours[0]), {}) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("q @ k", "inner sizes must agree"),
        ("q + k.T", "stand on the same axis"),
        ("q.astype(float)", "has no .astype"),
        ("unknown(q)", "unknown is not defined"),
        ("[q][1]", "an index points beyond the end"),
        ("{}['q']", "there is no 'q' yet"),
        ("1 / 0", "a division by zero"),
        ("q if q > 0 else k", "any() or all()|any(), all()"),
    ],
)
def test_exceptions_get_their_usual_cause(body, words):
    exercise = labs.Exercise(
        "98.1", lambda q, k: q @ k.T, lambda: [labs.Case("two", torch.rand(2, 3), torch.rand(4, 3))]
    )
    found = labs.check(exercise, eval(f"lambda q, k: {body}")).hint or ""
    assert any(part in found for part in words.split("|")), found


def test_a_check_survives_objects_that_raise_when_they_are_looked_at(monkeypatch):
    monkeypatch.undo()

    class Trap:
        def __getattr__(self, name):
            raise RuntimeError("hands off")

    result = labs.check("07.1", lambda queries, texts: Trap())
    assert result.attempted and not result.passed and repr(result)


BY_ERROR_OR_KIND = (  # answers that were told nothing, or something wrong
    ("16.3", "m = torch.ones(sum(inside.shape) + others, sum(inside.shape) + others)\n"
     "m[: len(inside), -inside.shape[1] :] = inside\nreturn m", "their kind is not: True and False are asked for"),
    ("20.4", "return labels[queries]", "4 is no place on an axis of size 3"),
    ("07.2", "return -(table.log_softmax(1) + table.log_softmax(0)).diagonal()", "mean over all axes is missing"),
    ("21.3", "o = side // 4\nif length <= side:\n    return [0]\nn = -(-(length - o) // (side - o))\n"
     "return [i * (length - side) // (n - 1) for i in range(n)]", "round to the nearest pixel"),
    ("21.3", "o = side // 4\nif length <= side:\n    return [0]\nn = -(-(length - o) // (side - o))\n"
     "return [i * (length - side) / (n - 1) for i in range(n)]", "round to the nearest, round()"),
    ("02.1", "return [(side + 2 * p - k) / s + 1 for k, s, p in layers]", "asked for, yours has 64.5"),
    ("02.2", "lateral + F.interpolate(coarse, scale_factor=2, mode='bilinear')", "take the other's shape"),
    ("11.1", "torch.einsum('qk,qhw->khw', class_logits.softmax(0)[:, :-1], mask_logits.sigmoid())",
     "the classes of a query (last axis), not over the queries"),
    ("08.3", "p = logits.sigmoid()\nreturn 1 - (2 * p @ labels.T + 1) / (labels.sum(1) + 1)", "that of the query"),
    ("08.3", "p = logits.sigmoid()\nreturn 1 - (2 * p @ labels.T + 1) / (p.sum(1)[:, None] + 1)", "of the segment"),
    ("05.2", "x[0, ids.argmax(1)]", "a row of its own"),
    ("03.1", "h, w = feature_map.shape[1:]\nout = 0\nfor r in range(h):\n    for c in range(w):\n"
     "        out = out + feature_map[:, r, c] * (1 - abs(c - x * w + 0.5)) * (1 - abs(r - y * h + 0.5))\nreturn out",
     "a share would be negative"),
    ("07.2", "F.cross_entropy(table, table.argmax(1)) + F.cross_entropy(table.T, table.argmax(0))", "what is true"),
    ("14.1", "q = after / before\nreturn lr * q**2, round(steps / q)", "ROOT of the batch size"),
    ("14.1", "return lr * (after / before) ** 0.5, steps * before // after", "round to the nearest step"),
)  # fmt: skip


@pytest.mark.parametrize(("exercise", "text", "words"), BY_ERROR_OR_KIND)
def test_common_slips_are_named(exercise, text, words):
    result = labs.check(exercise, answer(exercise, text))
    assert not result.passed and words in (result.hint or ""), repr(result)


@pytest.mark.parametrize(
    ("expected", "yours", "words"),
    [
        ([4, 7, 9, 12], [4, 9, 12, 30], "element 1, 7, is left out"),
        ([4, 7, 9, 12], [4, 5, 7, 9], "element 1, 5, is one too many"),
        ([4, 7, 9, 12], [4, 8, 10, 13], "right before element 1, and from there on all are +1 off"),
        ([4, 7, 9, 12], [4, 2, 9, 1], "element 1 is the first that is wrong, 2 where 7 is asked for; 2 of 4 are"),
        ([4, 7, 9], [4, 7, 9, 1], "1 too many at the end; the rest is right"),
        ([4, 7], [3.6, 7.4], "whole numbers are asked for: round to the nearest"),
        ([4, 7], [3.6, 6.1], "whole numbers are asked for: round up"),
        ([4, 7], [4.6, 7.1], "whole numbers are asked for: // instead of /, or int()"),
        ([4, 7], [float("nan"), 9.5], "whole numbers are asked for, yours has nan"),
    ],
)
def test_lists_of_numbers_are_told_where_and_how_they_differ(expected, yours, words):
    assert words in (seen_in_pair(expected, yours, {}) or "")


def test_no_hint_is_bad_english():
    flags, shares = np.array([True, False, True]), np.array([0.2, 0.7, 0.9])
    assert "their kind is not: True and False are asked for" in seen_in_pair(flags, flags.astype(int), {})
    assert seen_in_pair(flags, shares, {}) == "True and False are asked for: compare with a threshold"
    assert "True and False are asked for, yours are whole numbers" in seen_in_pair(flags, np.array([3, 4, 9]), {})
