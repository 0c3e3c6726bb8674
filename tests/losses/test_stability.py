"""How steady the matching is: by hand, and that every member can be asked in the middle of a training."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.batch import Batch
from oneformer_lite.losses import Criterion, changed_share, matched_queries
from oneformer_lite.model import MaskModel, build

SMALL = {"pretrained": False, "image_size": 64, "test_size": 64, "hidden_dim": 48, "num_heads": 4, "num_points": 64}
MEMBERS = {
    "mask2former": {"num_queries": 12, "denoising_queries": 20},
    "toytown": {"num_queries": 12},
    "detr": {"num_queries": 12},
    "mask_dino": {"num_queries": 12, "two_stage": False},
    "knet": {"thing_kernels": 12},
    "panoptic_segformer": {"thing_queries": 12},
}


def small(member: str, **fields) -> MaskModel:
    torch.manual_seed(0)
    preset = getattr(ofl.config, member if member == "toytown" else f"{member}_toytown")()
    return build(replace(preset, **{name: value for name, value in SMALL.items() if hasattr(preset, name)}, **fields))


@pytest.fixture(scope="module")
def batch() -> Batch:
    data = ofl.data.Toytown("train", 64, 4)
    return ofl.data.collate([(data[i], "panoptic") for i in range(2)])


def test_shares_by_hand() -> None:
    before = [torch.tensor([3, 1, 4]), torch.tensor([5]), torch.tensor([], dtype=torch.int64)]
    assert changed_share(before, before) == 0
    assert changed_share(before, [torch.tensor([3, 4, 1]), torch.tensor([5]), before[2]]) == 0.5
    assert changed_share(before, [torch.tensor([0, 2, 5]), torch.tensor([1]), before[2]]) == 1
    assert math.isnan(changed_share(before[2:], before[2:])) and math.isnan(changed_share([], []))
    for other in (before[:2], before[::-1], [torch.tensor([3, 1]), *before[1:]]):
        with pytest.raises(ValueError, match=r"not the same pictures: masks of each \[3, 1, 0\], then"):
            changed_share(before, other)


@pytest.mark.parametrize("member", MEMBERS)
def test_asking_changes_nothing_of_a_training(member, batch) -> None:
    model = small(member, **MEMBERS[member]).train()
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    first = matched_queries(model, batch)
    assert torch.get_rng_state().equal(random) and [module.training for module in model.modules()] == modes
    torch.rand(5)
    assert changed_share(first, matched_queries(model, batch)) == 0
    assert all(parameter.grad is None for parameter in model.parameters())
    free = [[c not in model.config.fixed_queries for c in t.labels.tolist()] for t in batch.targets]
    for queries, own in zip(first, free):
        assert len(queries) == sum(own) == len(set(queries.tolist())) and queries.max() < 12


@pytest.mark.parametrize("member", ["mask2former", "mask_dino"])
def test_queries_are_followed(member, batch) -> None:
    """Where rows of the table change places, so do the answers."""
    model = small(member, **MEMBERS[member]).eval()
    before, order = matched_queries(model, batch), torch.randperm(12)
    tables = [t for name, t in model.named_modules() if name in ("queries", "query_positions", "query_boxes")]
    with torch.no_grad():
        for table in tables:
            table.weight.copy_(table.weight[order])
    after = [order[queries] for queries in matched_queries(model, batch)]
    assert len(tables) == 2 and changed_share(before, after) == 0


def test_it_is_the_match_of_the_criterion(batch) -> None:
    model = small("mask2former", num_queries=12).eval()
    with torch.no_grad():
        pairs = Criterion(model.config).match(model.learn(batch), batch.targets, [(7, 0), (7, 1)])
    assert changed_share(pairs.assigned[-1], matched_queries(model, batch, seed=7)) == 0
    assert changed_share(pairs.assigned[0], pairs.assigned[-1]) > 0  # it is the last prediction's


def test_chosen_queries_are_called_by_their_places(batch) -> None:
    """Whether a place is the surest of all or the second says nothing: denoising has no part in it either."""
    model = small("mask_dino", num_queries=12, denoising_queries=8).eval()
    output = model.learn(batch)
    assert output.places.shape == (2, 12)
    tokens = sum((64 // stride) ** 2 for stride in (8, 16, 32))
    matched = matched_queries(model, batch)
    for places, chosen in zip(output.places, matched):
        assert len(places.unique()) == 12 and places.max() < tokens and torch.isin(chosen, places).all()
    reversed_order = model.selection.forward

    def surest_last(*given):
        found = reversed_order(*given)
        return type(found)(*(part.flip(1) for part in found))

    model.selection.forward = surest_last
    assert not model.learn(batch).places.equal(output.places)
    assert changed_share(matched, matched_queries(model, batch)) == 0


def test_a_mask_for_each_class_has_nothing_to_match(batch) -> None:
    model = build(replace(ofl.config.unet_toytown(), image_size=64, test_size=64, base_channels=4, depth=2))
    matched = matched_queries(model, batch)
    assert [len(queries) for queries in matched] == [0, 0] and math.isnan(changed_share(matched, matched))
