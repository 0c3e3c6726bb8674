# ruff: noqa: E501, tables
"""Hints that must not mislead: what is said holds in the cases that are wrong, and names the cause that there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from wrong_answers import answer

from oneformer_lite import labs
from oneformer_lite.labs.exercise import find

MISLED = (  # exercise, answer, a pattern of what is not said, and one of what is
    ("07.3", "table.softmax(1) - torch.eye(len(table))", "2.5 times", "rows alone, and not divided"),
    ("07.3", "t = torch.eye(len(table))\nreturn (table.softmax(1) + table.softmax(0) - 2 * t) / 2", "root", "divide by B"),
    ("00.1", "out = np.full(ids.shape, -1)\nfor s, c in classes.items():\n    out[ids == c] = s\nreturn out",
     "one element alone", "look for the id, write the class"),
    ("00.1", "out = ids.copy()\nfor s, c in classes.items():\n    out[out == s] = c\nreturn out", "relu", "found again"),
    ("00.3", "p, l = class_logits.softmax(-1)[:, :-1].max(-1)\n"
     "return [names[l[q]] for q in p.argsort(descending=True).tolist() if p[q] > 0.5]", "same class", "no threshold"),
    ("00.3", "p, l = class_logits.softmax(0).max(-1)\n"
     "return [names[l[q]] for q in p.argsort(descending=True).tolist() if l[q] < len(names)]", "comes twice", "dim=-1"),
    ("01.3", "[f'a photo with a {names[i]}' for i in sorted(class_ids)][:length]", "never looks", "always has"),
    ("08.1", "-class_logits.log_softmax(0)[:, labels]", "same factor", "no logarithm"),
    ("08.1", "-class_logits.softmax(-1)[:, labels - 1]", "same factor", "subtracted from the labels"),
    ("08.4", "[q + 1 for q in find('08.4').reference(table)]", "a sign", "counted from 1"),
    ("04.4", "(f, a), (s, b) = layers\nr = F.relu(ids.float() @ f.T + a) @ s.T + b\nr = r - r.mean(-1, keepdim=True)\n"
     "return r / (r.square().mean(-1, keepdim=True) + 1e-5) * scale + shift", "scale were 0", ""),
    ("15.1", "return [n if not n.startswith('head.') else 'decoder.class_' + n for n in names]", "last entry alone",
     "never looks at table"),
    ("22.1", "n = sum(g.norm() for g in gradients)\nreturn [g * min(1, most / (n + 1e-6)) for g in gradients]", "0.727 times",
     "lengths do not add up"),
    ("09.2", "p = x.sigmoid()\nreturn 1 - ((p * y).sum(1) + 1) / (p.sum(1) + y.sum(1) + 1)", "one element", "twice the"),
    ("07.1", "q, t = queries.flatten(1), texts.flatten(1)\nreturn q @ t.T / (q.norm() * t.norm())", "NaN", "whole batch"),
)  # fmt: skip


@pytest.mark.parametrize(("exercise", "text", "wrong", "right"), MISLED, ids=[f"{n}" for n in range(len(MISLED))])
def test_no_coincidence_is_told_for_a_cause(exercise, text, wrong, right):
    result = labs.check(exercise, answer(exercise, text))
    assert result.attempted and not result.passed
    assert wrong not in (result.hint or "") and right in (result.hint or ""), result.hint


def test_a_factor_that_changes_from_case_to_case_is_said_to_be_computed_wrongly():
    ys = ([2.0, 7.0, 4.0], [5.0, 1.0, 2.0], [3.0, 3.5, 3.2])
    cases = [labs.Case(str(y), torch.arange(1.0, 7.0).view(2, 3), torch.tensor(y)) for y in ys]
    exercise = labs.Exercise("98.1", lambda x, y: x / y.sum(), lambda: cases)
    found = labs.check(exercise, lambda x, y: x / y.max()).hint
    assert "by another each time (1.86, 1.6, 2.77)" in found, found
    several = labs.Exercise("98.1", lambda x, y: [x / y.sum(), x], lambda: cases)
    assert "another each time" in labs.check(several, lambda x, y: [x / y.max(), x * y.sum() / y.max()]).hint


def within(queries, texts):
    def inner(a, b, c):
        return a

    return inner(queries, texts)


def library(queries, texts):
    return torch.sigmoid(queries, texts, 1)


def unexpected(queries, texts):
    return torch.nn.functional.relu(queries, axis=1)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (within, "calls inner in that line"),
        (library, "calls sigmoid in that line"),
        (unexpected, "calls relu in that line"),
        (lambda queries: queries, "keep those of the line 'def'"),
        (lambda queries, texts, more: queries, "keep the arguments of the line 'def'"),
        (lambda queries, texts: queries(texts), "a Tensor is not callable"),
        (lambda queries, texts: len({}.get(0)), "None stands where a value is needed"),
        (lambda queries, texts: [1, 2]["a":], None),
        (lambda queries, texts: {}[np.int64(3)], "there is no 3 yet"),
        (lambda queries, texts: queries.numpy()[{}], "an index is no whole number"),
    ],
)
def test_an_error_is_told_where_it_is(function, words):
    found = labs.check("07.1", function).hint
    assert words is None or words in (found or ""), found
    assert "keep th" in (words or "") or "'def'" not in (found or "")


@pytest.mark.parametrize(
    "text",
    [
        "for q in queries:\n    return q @ texts[0].T",
        "for q in queries:\n    if len(q) > 1:\n        return q\n    else:\n        return texts",
        "out = []\nfor q in queries:\n    out.append(q.sum())\n    break\nreturn torch.stack(out)",
    ],
)
def test_a_loop_that_ends_in_its_first_round_is_told(text):
    assert "ends in its first round" in labs.check("07.1", answer("07.1", text)).hint


def test_loops_that_go_on_are_not():
    text = (
        "out = torch.zeros(len(queries), len(texts))\nfor i in range(len(queries)):\n    for j in range(len(texts)):\n"
        "        out[i, j] = queries[i].sum() + texts[j].sum()\nreturn out"
    )
    assert "first round" not in (labs.check("07.1", answer("07.1", text)).hint or "")


TOLD_APART = {  # what passed although it is wrong
    "15.1 all rows in turn": ("15.1", "import re\nout = []\nfor n in names:\n    for l, r in table:\n"
     "        m = re.match(re.escape(l).replace(r'\\{\\}', r'(\\d+)') + r'(?=\\.|$)', n)\n"
     "        n = r.replace('{}', m[1] if m.groups() else '') + n[m.end():] if m else n\n    out.append(n)\nreturn out"),
    "15.1 the longest row": ("15.1", "return find('15.1').reference(names, sorted(table, key=lambda row: -len(row[0])))"),
    "04.4 the second bias": ("04.4", "(f, a), (s, b) = layers\nreturn find('04.4').reference(ids, [(f, a), (s, -b)], scale, shift)"),
    "04.4 no second bias": ("04.4", "(f, a), (s, b) = layers\nreturn find('04.4').reference(ids, [(f, a), (s, 0 * b)], scale, shift)"),
    "08.4 another cost": ("08.4", "find('08.4').reference(table.nan_to_num(nan=1000.0))"),
    "11.2 an empty mask": ("11.2", "a, b, c = find('11.2').reference(class_logits, mask_logits, is_thing)\n"
     "return a, b, torch.where(a.any(-1).any(-1), c, torch.nan)"),
    "11.3 the newest of a class": ("11.3", "ids, found = find('11.3').reference(class_logits, mask_logits, is_thing, score, overlap)\n"
     "return torch.where((ids > 0) & (ids < len(found)) & (torch.tensor([0, *found])[ids.long()] == 2), len(found), ids), found"),
    "12.3 one pixel": ("12.3", "n = [sum((t == c).sum() for _, t in pairs) for c in range(classes)]\n"
     "lone = [c for c in range(classes) if n[c] == 1]\n"
     "return find('12.3').reference([(a, np.where(np.isin(b, lone), -1, b)) for a, b in pairs], classes)"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD_APART)
def test_a_case_tells_it_from_the_right_answer(name):
    result = labs.check(TOLD_APART[name][0], answer(*TOLD_APART[name]))
    wrong = [what for _, what in result.differences if what]
    assert wrong and not all(what.startswith("yours raises") for what in wrong), result


@pytest.mark.parametrize("nothing", ["[]", "np.array([])", "torch.tensor([])", "np.zeros((0,), bool)", "()"])
def test_no_rows_are_none_in_whatever_they_come(nothing):
    text = f"masks, found = find('00.2').reference(ids, classes, is_thing)\nreturn (masks if len(masks) else {nothing}), found"
    mine = answer("00.2", text)
    assert [what for _, what in labs.check("00.2", mine).differences if what] == []
    ours = labs.exercise.Exercise("98.1", find("00.2").reference, find("00.2").cases, name="mine")
    from oneformer_lite.labs.adapt import adapted

    masks, found = adapted(mine, ours)(np.ones((2, 3), int), {1: 0}, [False])
    assert masks.shape == (0, 2, 3) and found == [] and not (masks.sum(0) > 1).any()


def test_no_columns_are_not_no_rows():
    exercise = find("08.1")
    mine = lambda logits, labels: exercise.reference(logits, labels) if len(labels) else []  # noqa: E731
    assert ("no segment", "expected float [5, 0], yours a list of 0") in labs.check("08.1", mine).differences
