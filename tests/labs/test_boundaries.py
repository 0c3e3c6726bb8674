"""Answers that are right but at a boundary of their card: a case refuses each, and its hint names the cause."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch

from oneformer_lite import labs
from oneformer_lite.labs.exercise import find
from oneformer_lite.labs.seen import seen


def verdict(true, said, no_object, silent=0.0, offset=0.0, of_named=False):
    named = [s - t for t, s in zip(true, said, strict=True) if s != no_object]
    if len(true) - len(named) > len(true) / 2 - silent:
        return "no object"
    most, times = Counter(named).most_common(1)[0]
    if times <= len(named if of_named else true) / 2 - offset:
        return "mixed"
    return f"off by {most:+d}" if most else "fine"


def symptom(values, finite=np.isfinite, last=max):
    if not finite(values).all():
        return "not finite"
    start, end = np.mean(values[:10]), np.mean(values[-10:])
    if end < 0:
        return "below zero"
    return "zero" if last(values[-10:]) < 1e-6 else "flat" if end > 0.98 * start else "falls"


def one_map(masks, scores, hidden_count=True):
    free, count = np.ones(masks.shape[1:], bool), 0
    ids = np.zeros(masks.shape[1:], int)
    for place in np.argsort(-scores):
        new = masks[place] & free
        count += bool(hidden_count or new.any())
        ids[new] = count
        free &= ~new
    return ids


def odd(runs, of_seeds=sorted):
    kinds = {}
    for name, *_ in runs:
        own = [run for run in runs if run[0] == name]
        kinds[name] = of_seeds(run[1] for run in own), {run[2] * run[3] for run in own}, {run[4] for run in own}
    return next((name for name, kind in kinds.items() if kind != kinds[runs[0][0]]), "")


def add_and_norm(x, update, before=1e-5, after=0.0):
    total = x + update
    spread = (total.var(-1, correction=0, keepdim=True) + before).sqrt() + after
    return (total - total.mean(-1, keepdim=True)) / spread


def not_nan(values):
    return ~np.isnan(values)


WRONG = {  # exercise, the right answer, what is wrong with it, a word of the hint
    "20.3 half are no object": ("20.3", verdict, {"silent": 0.5}, None),
    "20.3 half have the offset": ("20.3", verdict, {"offset": 0.5}, None),
    "20.3 half of both": ("20.3", verdict, {"silent": 0.5, "offset": 0.5}, "exactly half"),
    "20.3 of the named ones": ("20.3", verdict, {"of_named": True}, "of all masks"),
    "20.2 NaN alone": ("20.2", symptom, {"finite": not_nan}, "infinite"),
    "20.2 the mean of the last ten": ("20.2", symptom, {"last": np.mean}, "each of the last ten"),
    "21.1 a hidden mask has no number": ("21.1", one_map, {"hidden_count": False}, "keeps its number"),
    "19.3 seeds as they come": ("19.3", odd, {"of_seeds": list}, "another order"),
    "00b.3 beside the root": ("00b.3", add_and_norm, {"before": 0.0, "after": 1e-5}, "before the root"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_case_lies_on_the_boundary(name):
    id, right, fault, hint = WRONG[name]
    assert labs.check(id, right).passed, labs.check(id, right)
    result = labs.check(id, partial(right, **fault))
    printed = [words for case, words in result.differences if not case.startswith("drawn")]
    assert any(printed) and not all(printed), result
    assert hint is None or hint in (result.hint or ""), result


def painted(classes, masks, least, share, one=1, best=True):
    inside = masks > 0.5
    quality = (masks * inside).flatten(1).sum(1) / (inside.flatten(1).sum(1) + one)
    scores, ids, count = classes * quality**2, torch.zeros(masks.shape[1:], dtype=torch.int64), 0
    for n in scores.argsort(descending=best).tolist():
        free = inside[n] & (ids == 0)
        if scores[n] >= least and inside[n].any() and free.sum() / inside[n].sum() >= share:
            count += 1
            ids[free] = count
    return ids


def shares(progress, spans, low=0.0, high=1.0):
    return [(1 - min(high, max(low, (progress - begin) / (end - begin)))) ** 0.9 for begin, end in spans]


def may_look(groups, most, others, of=torch.repeat_interleave):
    noised = groups * most
    group = of(torch.arange(groups), most)
    may = torch.zeros(noised + others, noised + others, dtype=torch.bool)
    may[:noised, :noised] = group[:, None] == group
    may[:, noised:] = True
    return may


def seeds(hours, step, steps, judging, variants, once=False):
    train = step * steps * (variants + 1)
    total = 3600 * hours
    count = int((total - judging) / train if once else total / (train + judging * (variants + 1)))
    return count if count >= 3 else 0


def prepared(image, masks, mirror, inside=lambda masks: masks > 127):
    return (image.flip(1), inside(masks).flip(2)) if mirror else (image, inside(masks))


def box_costs(said, wanted, weight=5):
    l1 = (said[:, None] - wanted).abs().sum(-1)
    return find("16.1").reference(said, wanted) + (weight - 5) * l1


def attend(value, shapes, locations, weights, advance=True):
    total, start = 0, 0
    for level, (h, w) in enumerate(shapes):
        maps = value[start : start + h * w].permute(1, 2, 0).unflatten(2, (h, w))
        start += h * w * advance
        grid = 2 * locations[:, :, level].transpose(0, 1) - 1
        looks = torch.nn.functional.grid_sample(maps, grid, align_corners=False)
        total = total + (looks * weights[:, :, level].transpose(0, 1)[:, None]).sum(-1)
    return total.permute(2, 0, 1).flatten(1)


TOLD = {
    "17.4 the 1 is missing": ("17.4", painted, {"one": 0}, "plus 1"),
    "17.4 the worst first": ("17.4", painted, {"best": False}, "begins with the worst"),
    "16.4 p is not kept within 0 and 1": ("16.4", shares, {"low": -9, "high": 9}, "within 0 and 1"),
    "16.4 p is not kept below 1": ("16.4", shares, {"high": 9}, "below 1"),
    "16.4 p is not kept above 0": ("16.4", shares, {"low": -9}, "above 0"),
    "03.3 the level start is never advanced": ("03.3", attend, {"advance": False}, "each level begins where"),
    "16.1 L1 counts once": ("16.1", box_costs, {"weight": 1}, "multiply it by 5"),
    "17.2 repeat": ("17.2", may_look, {"of": torch.Tensor.repeat}, "repeat_interleave"),
    "19.1 judged once": ("19.1", seeds, {"once": True}, "once for the whole night"),
    "20.5 inside is 255 alone": ("20.5", prepared, {"inside": lambda masks: masks == 255}, "nearly 255"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_the_hint_names_the_cause(name):
    id, right, fault, hint = TOLD[name]
    assert not any(words for _, words in labs.check(id, right).differences), labs.check(id, right)
    assert hint in (labs.check(id, partial(right, **fault)).hint or ""), labs.check(id, partial(right, **fault))


def test_a_guess_is_not_answered_with_the_fault():
    for said in ("normalisation", "shifted classes", "no idea", ["P"], 7):
        text = repr(labs.check("20.1", lambda run, said=said: said))
        assert "is not right" in text and "expected" not in text, text
        assert not any(fault in text.replace(str(said), "") for fault in ("single pictures", "'no object'")), text
    assert labs.check("20.1", lambda run: "normalisation").pair is None


def test_another_choice_is_no_slip_of_letters():
    expected = ["no object", "normalisation", "no object"]
    assert seen(expected, ["normalisation", "normalisation", "no object"], 0, {}) is None
    assert "differs from" in (seen(expected, ["no objekt", "normalisation", "no object"], 0, {}) or "")


def test_an_id_without_its_zero_is_known():
    assert "do you mean '07.2'?" in repr(labs.check("7.2", lambda table: table))
    assert "there are labs" in repr(labs.check("77.2", lambda table: table))


def test_one_argument_is_one():
    assert "with 1 argument:" in labs.check("07.2", lambda: 0).hint
    assert "with 2 arguments:" in labs.check("07.1", lambda queries: 0).hint


def pair(queries, texts):
    a, b = (torch.nn.functional.normalize(t.flatten(1), dim=-1) for t in (queries, texts))
    return a @ b.T


def listed_pair(queries, texts):
    a, b = [torch.nn.functional.normalize(t.flatten(1), dim=-1) for t in [queries, texts]]
    return a @ b.T


def rows(queries, texts):
    a, b = pair(queries, queries[:1]), pair(texts, texts[:1])
    return torch.stack([pair(q[None], texts)[0] for q in queries]) + 0 * (a.sum() + b.sum())


def nested(queries, texts):
    one = (torch.stack([row / row.norm().clamp_min(1e-12) for row in t.flatten(1)]) for t in (queries, texts))
    a, b = one
    return a @ b.T


def until(queries, texts):
    n = 0
    while n < len(queries):
        n += 1
    return pair(queries, texts)


@pytest.mark.parametrize(("mine", "loops"), [(pair, 0), (listed_pair, 0), (rows, 1), (nested, 1), (until, 1)])
def test_two_names_that_are_written_out_are_no_loop(mine, loops):
    result = labs.check("07.1", mine)
    assert result.passed and bool(result.broken) == bool(loops), result
