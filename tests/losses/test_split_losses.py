"""Things apart from stuff: losses, rounds of matching and masks' own matching beside the official code's numbers."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "model"))
import panoptic_segformer_reference as ref
from unchecked import unchecked

from oneformer_lite.config import PanopticSegFormerConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import Criterion
from oneformer_lite.losses.masks import value_dice_loss
from oneformer_lite.losses.matching import value_dice_cost
from oneformer_lite.losses.split import candidates, dense, of_classes, resized, to_quarter
from oneformer_lite.model.output import Predictions, SplitOutput
from oneformer_lite.model.parts.attention_masks import AttentionMaskDecoder

RECORDED = np.load(Path(ref.__file__).with_suffix(".npz"))
NAMES = ("class", "box", "giou", "dice", "stuff_class", "stuff_dice")
CONFIG = PanopticSegFormerConfig(
    num_classes=ref.THING_CLASSES + ref.STUFF, is_thing=(True,) * ref.THING_CLASSES + (False,) * ref.STUFF,
    thing_queries=ref.QUERIES, hidden_dim=ref.DIM, num_heads=ref.HEADS, pretrained=False,
)  # fmt: skip


def decoder(kind: str) -> AttentionMaskDecoder:
    found = AttentionMaskDecoder(ref.DIM, ref.HEADS, ref.BLOCKS, 3, self_attention=kind == "stuff").double()
    state = {name: torch.from_numpy(ref.value(name, tuple(v.shape))) for name, v in found.state_dict().items()}
    found.load_state_dict(state)
    return found


def head(name: str, x: torch.Tensor) -> torch.Tensor:
    shapes = {"weight": (1, ref.DIM), "bias": (1,)}
    weight, bias = (torch.from_numpy(ref.value(f"{name}.{w}", shape)) for w, shape in shapes.items())
    return torch.nn.functional.linear(x, weight, bias)[..., 0]


def output_of(cases: list[int], memory: torch.Tensor) -> SplitOutput:
    """What a model of the recorded parts says of some cases' queries; things' classes and boxes are drawn."""
    said = [ref.located(case) for case in cases]
    logits, boxes = (torch.from_numpy(np.stack(column, axis=1)) for column in zip(*said))
    never = torch.full((*logits.shape[:-1], ref.STUFF), -100.0, dtype=torch.float64)
    things = [
        Predictions(torch.cat([a, b], -1), memory[:0], no_object=False, boxes=c)
        for a, b, c in zip(logits, never, boxes)
    ]
    queries = torch.from_numpy(np.concatenate([ref.queries(f"located{c}", ref.QUERIES)[:1] for c in cases]))
    memory = memory.expand(len(cases), -1, -1)
    content = torch.from_numpy(ref.drawn("stuff_content", (ref.STUFF, ref.DIM))).expand(len(cases), -1, -1)
    of_things, of_stuff = decoder("things"), decoder("stuff")
    where = torch.from_numpy(ref.drawn("positions", (ref.STUFF, ref.DIM)))
    stuff = of_stuff(content, memory, ref.SHAPES, where)
    output = SplitOutput(things[-1].class_logits, memory[:0], things[:-1], no_object=False)
    output.things, output.stuff_masks = things, stuff.masks
    output.masks_of = lambda chosen: of_things(
        queries.take_along_dim(chosen[..., None], dim=1), memory, ref.SHAPES
    ).masks
    output.presence = [head(f"presence{i}", x) for i, x in enumerate(stuff.queries)]
    # both thing and stuff queries count for the criterion's check of the number of masks
    output.class_logits = torch.zeros(len(cases), ref.QUERIES + ref.STUFF, CONFIG.num_classes, dtype=torch.float64)
    return output


def targets_of(case: int) -> Targets:
    masks, labels = (torch.from_numpy(x) for x in ref.scene(case))
    return Targets(masks, labels, [""] * len(labels))


def losses_of(cases: list[int], rounds: int) -> tuple[dict[str, torch.Tensor], torch.Tensor, Criterion]:
    memory = torch.from_numpy(ref.memory()[:1]).requires_grad_()
    criterion = Criterion(replace(CONFIG, matching_rounds=rounds))
    with unchecked():
        losses = criterion(output_of(cases, memory), [targets_of(case) for case in cases])
    return losses, memory, criterion


@pytest.mark.parametrize("case", range(ref.CASES))
def test_losses_are_the_official_ones(case) -> None:
    """Of one picture, with three rounds as they are meant, and with the one at which the released code stops."""
    losses, memory, criterion = losses_of([case], 3 if case < ref.BROKEN else 1)
    expected = {name: RECORDED[f"case{case}.{name}"] for name in NAMES}
    if case == ref.CASES - 1:  # without things: there the class loss of stuff is 0, which is not repeated
        assert expected.pop("stuff_class") == 0 and losses["stuff_class"] > 0.1
    for name, value in expected.items():
        assert losses[name].item() * criterion.weights[name] == pytest.approx(float(value), rel=1e-5, abs=1e-9), name
    if case < ref.CASES - 1:
        (gradient,) = torch.autograd.grad(losses["total"], memory)
        np.testing.assert_allclose(gradient[0, :, :4].numpy(), RECORDED[f"case{case}.gradient"], rtol=1e-4, atol=1e-6)


def test_a_batch_is_divided_by_all_its_things_and_all_its_stuff() -> None:
    """The shares of things and stuff are in that number: n / (n + m) of a mean over n, m / (n + m) of one over m."""
    alone = [losses_of([case], 3)[0] for case in (0, 1)]
    both, _, criterion = losses_of([0, 1], 3)
    counts = [len(targets_of(case)) for case in (0, 1)]
    for name in NAMES:
        assert both[name].item() == pytest.approx(
            sum(n * loss[name].item() for n, loss in zip(counts, alone)) / sum(counts), rel=1e-9
        )
    assert {name: len(values) for name, values in criterion.by_prediction.items()} == dict.fromkeys(NAMES, ref.LAYERS)
    for name in NAMES:
        assert criterion.by_prediction[name].sum().item() == pytest.approx(both[name].item())


@pytest.mark.parametrize(
    "targets, rounds, expected", [(1, 3, 3), (2, 3, 6), (2, 1, 2), (4, 3, 8), (9, 3, 9), (0, 3, 0)]
)
def test_each_target_gets_a_query_in_each_round_as_far_as_there_are_queries(targets, rounds, expected) -> None:
    cost = torch.rand(11, targets, generator=torch.Generator().manual_seed(0))
    found = candidates(cost, rounds)
    assert len(found) == expected == len(found.unique())
    if targets:
        assert set(candidates(cost, 1).tolist()) <= set(found.tolist())


def test_rounds_by_hand() -> None:
    """Queries 0 and 1 suit both targets best; 2 and 3 come next."""
    cost = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0], [5.0, 2.0], [9.0, 9.0]])
    assert candidates(cost, 1).tolist() == [0, 1] and candidates(cost, 3).tolist() == [0, 1, 2, 3]


def test_of_the_candidates_those_whose_masks_fit_answer() -> None:
    _, _, criterion = losses_of([0], 3)
    memory = torch.from_numpy(ref.memory()[:1])
    with unchecked():
        pairs = criterion.match(output_of([0], memory), [targets_of(0)])
        (values,), (chosen,), (queries,) = pairs.values[-1], pairs.chosen, pairs.candidates
        wanted = resized(pairs.targets[0].masks.to(values), values.shape[-2:])
    first = pairs._costs[0]
    by_mask = 2 * value_dice_cost(values.flatten(1), wanted.flatten(1))
    total = first.total[queries] + 2 * first.parts["class"][queries] + by_mask
    best = min(
        (total[list(rows), range(3)].sum().item(), rows)
        for rows in itertools.permutations(range(len(queries)), 3)
    )
    assert chosen.tolist() == list(best[1]) and len(queries) == RECORDED["case0.candidates"] == 9


def test_dice_of_values_by_hand() -> None:
    values, labels = torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[0.0, 1.0, 1.0]])
    assert value_dice_loss(values, labels).item() == pytest.approx(1 - 2 * 3 / (5 + 2), abs=1e-6)
    assert value_dice_cost(values, labels).item() == pytest.approx(1 - 2 * 3 / (5 + 2 + 2e-3), abs=1e-6)


def test_things_and_stuff_are_told_apart() -> None:
    target = targets_of(0)
    things = of_classes(target, CONFIG.things)
    masks, present = dense(target, CONFIG.stuff)
    assert len(things) == 3 and present.tolist() == [True, False, True]
    assert masks[0].equal(target.masks[3]) and not masks[1].any() and masks[2].equal(target.masks[4])


@pytest.mark.parametrize("stride, size", [(4, (4, 6)), (8, (8, 12)), (16, (16, 24))])
def test_masks_are_learned_at_a_quarter(stride, size) -> None:
    assert to_quarter(torch.rand(3, 4, 6), stride).shape == (3, *size)


def test_an_output_that_was_not_made_for_learning_is_refused() -> None:
    output = output_of([0], torch.from_numpy(ref.memory()[:1]))
    output.things = []
    with unchecked(), pytest.raises(ValueError, match="call model.learn"):
        Criterion(CONFIG)(output, [targets_of(0)])
