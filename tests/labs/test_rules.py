"""What a check asks beside the value: gradients, the card, cases that no table answers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from oneformer_lite import labs
from oneformer_lite.inspectors.contrast.reading import contrast
from oneformer_lite.labs.calls import outputs
from oneformer_lite.labs.compare import difference
from oneformer_lite.labs.exercise import find


def both_directions(table):
    labels = torch.arange(len(table))
    return F.cross_entropy(table, labels) + F.cross_entropy(table.T, labels)


def rows_alone(table):
    labels = torch.arange(len(table))
    return F.cross_entropy(table, labels) + F.cross_entropy(table.detach().T, labels)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda table: both_directions(table.detach()), "no gradient flows back"),
        (lambda table: both_directions(table).item(), "no gradient flows back"),
        (lambda table: both_directions(table.detach()) + 0 * table.sum(), "no gradient flows back"),
        (lambda table: float(both_directions(table)), "no gradient flows back"),
        (lambda table: torch.no_grad()(both_directions)(table), "no gradient flows back"),
        (rows_alone, "in the gradient with respect to table: expected"),
    ],
)
def test_a_loss_of_the_right_value_that_teaches_nothing_is_wrong(answer, words):
    result = labs.check("07.2", answer)
    assert result.differences[0][1] is None and not result.passed
    assert words in repr(result) and result.hint


def test_every_exercise_on_a_loss_compares_gradients():
    assert all(find(id).gradients for id in ("07.1", "07.2", "09.1", "09.2", "10.1", "13.4"))

    def half(queries, texts):
        return torch.cosine_similarity(queries.detach().flatten(1)[:, None], texts.flatten(1), -1)

    text = repr(labs.check("07.1", half))
    assert "no gradient flows back to queries" in text


def test_the_reference_of_a_table_is_the_packages_loss():
    for case in find("07.2").all_cases(seed=3):
        package = contrast(case.args[0].double().numpy(), temperature=1.0).loss
        assert float(find("07.2").reference(*case.args)) == pytest.approx(package, rel=1e-4, abs=1e-4)


def looks(q, k, v, allowed, fill):
    return (q @ k.T / math.sqrt(q.shape[1])).masked_fill(~allowed, fill).softmax(-1) @ v


@pytest.mark.parametrize(("fill", "right"), [(-math.inf, True), (-1e9, True), (-100.0, False), (-20.0, False)])
def test_a_masked_look_needs_a_score_below_all_others(fill, right):
    assert labs.check("10.3", lambda q, k, v, allowed: looks(q, k, v, allowed, fill)).passed is right


def test_lists_of_one_length_are_not_the_same_lists():
    def as_long(texts, tasks):
        pairs = [(len(t), task) for t, task in zip(texts, tasks, strict=True)]
        return torch.tensor([[i != j and a == b for j, b in enumerate(pairs)] for i, a in enumerate(pairs)])

    assert labs.check("07.4", as_long).differences[-1][1] or not labs.check("07.4", as_long).passed


@pytest.mark.parametrize("id", ["01.1", "07.2", "08.4", "12.4"])
def test_a_table_of_the_printed_answers_fails_on_what_is_drawn(id):
    exercise = find(id)
    known = list(zip(exercise.cases(), outputs(exercise.reference, exercise.cases()), strict=True))

    def looked_up(*args):
        return next(value for case, value in known if difference(list(case.args), list(args)) is None)

    result = labs.check(id, looked_up)
    assert all(line is None for name, line in result.differences if not name.startswith("drawn"))
    assert not result.passed and result.differences[-1][0] == "drawn 2"


@pytest.mark.parametrize("id", ["01.2", "04.4", "11.3", "13.1"])
def test_other_seeds_draw_other_cases_and_the_same_seed_the_same(id):
    exercise = find(id)
    first, again, other = (outputs(exercise.reference, exercise.drawn(seed)) for seed in (1, 1, 2))
    assert difference(first, again) is None and difference(first, other) is not None


# -- what a card rules out


def look_by_grid(feature_map, x, y):
    grid = torch.tensor([[[[2 * x - 1, 2 * y - 1]]]])
    return F.grid_sample(feature_map[None], grid, align_corners=False)[0, :, 0, 0]


def norm_of_torch(ids, layers, scale, shift):
    (first, a), (second, b) = layers
    return F.layer_norm(F.relu(ids.float() @ first.T + a) @ second.T + b, scale.shape, scale, shift)


def autograd(table):
    with torch.enable_grad():
        leaf = table.clone().requires_grad_()
        return torch.autograd.grad(both_directions(leaf), leaf)[0]


def fused(q, k, v, allowed):
    return F.scaled_dot_product_attention(q[None], k[None], v[None], allowed[None])[0]


def of_all_points(logits, labels):
    pairs = F.softplus(-logits)[:, None] * labels + F.softplus(logits)[:, None] * (1 - labels)
    return pairs.mean(-1)


def row_by_row(queries, texts):
    return torch.stack([F.normalize(q.flatten(), dim=0) @ F.normalize(texts.flatten(1), dim=-1).T for q in queries])


def hidden_in_a_helper(queries, texts):
    return row_by_row(queries, texts)


def while_loop(queries, texts):
    rows, n = [], 0
    while n < len(queries):
        rows.append(F.normalize(queries[n].flatten(), dim=0) @ F.normalize(texts.flatten(1), dim=-1).T)
        n += 1
    return torch.stack(rows)


def mapped(queries, texts):
    texts = F.normalize(texts.flatten(1), dim=-1)
    return torch.stack(list(map(lambda q: F.normalize(q.flatten(), dim=0) @ texts.T, queries)))


@pytest.mark.parametrize(
    ("id", "answer", "used"),
    [
        ("03.1", look_by_grid, "grid_sample"),
        ("04.4", norm_of_torch, "layer_norm"),
        ("07.3", autograd, "grad"),
        ("10.3", fused, "scaled_dot_product_attention"),
        ("08.2", of_all_points, "a tensor of"),
        ("07.1", row_by_row, "a loop"),
        ("07.1", hidden_in_a_helper, "a loop"),
        ("07.1", while_loop, "a loop"),
        ("07.1", mapped, "a loop"),
    ],
)
def test_what_the_card_rules_out_is_said_when_it_was_used(id, answer, used):
    result = labs.check(id, answer)
    assert result.passed, repr(result)
    assert f"passed, though with {used}" in repr(result) and f"card: it rules out {used}" in repr(result)
    assert "it rules out" in result._repr_html_()


def test_what_torch_uses_itself_is_not_the_answers_use():
    def by_hand(feature_map, x, y):
        height, width = feature_map.shape[1:]
        rows = (1 - (torch.arange(height) + 0.5 - y * height).abs()).clamp(min=0)
        columns = (1 - (torch.arange(width) + 0.5 - x * width).abs()).clamp(min=0)
        return torch.einsum("chw,h,w->c", feature_map, rows.float(), columns.float())

    assert repr(labs.check("03.1", by_hand)) == "03.1  8/8 passed"


def test_every_prohibition_of_a_card_is_looked_for():
    import re
    from pathlib import Path

    folder = Path(__file__).parents[2] / "notebooks" / "source" / "labs"
    for path in folder.glob("*.py"):
        cards = re.findall(r"## (\d\d[a-z]?\.\d) .+\n# [●○]{5} · .+ you may use: (.+)", path.read_text())
        for id, words in cards:
            rules = find(id).rules
            assert bool(rules.never) == bool(re.search(r"\bno\b|\bnot\b", words)), f"{id}: {words}"
            assert ("loops" in rules.never) == ("no loops" in words), f"{id}: {words}"
            assert bool(rules.nothing_of) == ("nothing of size" in words), f"{id}: {words}"
