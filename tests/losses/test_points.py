"""Reading masks at points, and choosing the points."""

from __future__ import annotations

import pytest
import torch
from transformers.models.oneformer.modeling_oneformer import sample_point

from oneformer_lite.losses.points import PointSource, sample_points, uncertain_points


def test_bilinear_values_by_hand() -> None:
    maps = torch.tensor([[[[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]]]])  # value = 10 row + column
    points = torch.tensor([[[1 / 6, 1 / 4], [5 / 6, 3 / 4], [0.5, 0.5], [2 / 6, 1 / 4], [3.0, 0.5]]])
    values = sample_points(maps, points)
    assert values.shape == (1, 1, 5)
    assert values.flatten().tolist() == pytest.approx([0, 12, 6, 0.5, 0], abs=1e-5)


def test_agrees_with_transformers() -> None:
    torch.manual_seed(0)
    maps, points = torch.randn(2, 3, 5, 7), torch.rand(2, 11, 2)
    expected = sample_point(maps, points, align_corners=False)
    assert torch.allclose(sample_points(maps, points), expected)


def test_gradient_reaches_the_map() -> None:
    maps = torch.randn(1, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    points = torch.rand(1, 5, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m: sample_points(m, points), maps)


def ramp() -> torch.Tensor:
    """Two masks of 64 x 64 whose logits grow from -10 (left) to 10, and from -10 (top) to 10."""
    rising = torch.linspace(-10, 10, 64).expand(64, 64)
    return torch.stack([rising, rising.T])


def test_most_points_lie_where_the_logit_is_nearly_zero() -> None:
    torch.manual_seed(0)
    points = uncertain_points(ramp(), num_points=1000, oversample=3.0, importance=0.75)
    assert points.shape == (2, 1000, 2)
    assert points.min() >= 0 and points.max() <= 1
    for mask, axis in ((0, 0), (1, 1)):
        distance = (points[mask, :, axis] - 0.5).abs()
        # the best 750 of 3000: an eighth of the width to either side, more at the border, where values fade
        assert distance[:750].max() < 0.25 and distance[:750].median() < 0.08
        assert distance[750:].max() > 0.45  # the rest lie anywhere
        assert points[mask, :750, 1 - axis].std() > 0.25


def test_the_nearest_candidates_are_chosen_exactly() -> None:
    torch.manual_seed(3)
    candidates = torch.rand(2, 40, 2)
    logits = sample_points(ramp()[:, None], candidates)[:, 0].abs()
    expected = logits.sort(dim=1).values[:, :5]
    torch.manual_seed(3)
    points = uncertain_points(ramp(), num_points=10, oversample=4.0, importance=0.5)[:, :5]
    chosen = sample_points(ramp()[:, None], points)[:, 0].abs()
    assert torch.allclose(chosen.sort(dim=1).values, expected, atol=1e-6)


@pytest.mark.parametrize("importance, hard", [(0.0, False), (1.0, True)])
def test_importance_at_its_ends(importance: float, hard: bool) -> None:
    torch.manual_seed(0)
    points = uncertain_points(ramp(), 400, 3.0, importance)
    assert points.shape == (2, 400, 2)
    assert bool((points[0, :, 0] - 0.5).abs().max() < 0.4) is hard


def test_points_carry_no_gradient_and_follow_the_type() -> None:
    logits = ramp().double().requires_grad_()
    points = uncertain_points(logits, 10, 3.0, 0.75)
    assert not points.requires_grad and points.dtype == torch.float64


def test_an_images_points_depend_on_its_seed_alone() -> None:
    cpu, seeds, counts = torch.device("cpu"), [(1, 5), (1, 6), (2, 5)], [2, 0, 3]
    together = PointSource(cpu, seeds)
    matching, masks = together.for_images(3, 4), together.for_masks(counts, 2, 7)
    assert matching.shape == (3, 4, 2) and masks.shape == (10, 7, 2)
    assert len(torch.unique(masks.flatten(0, 1), dim=0)) == 70  # all masks of both layers have their own
    last = PointSource(cpu, seeds[2:])
    assert torch.equal(last.for_images(1, 4)[0], matching[2])
    alone = last.for_masks(counts[2:], 2, 7)  # rows run layer by layer, and image by image within
    assert torch.equal(torch.cat([masks[2:5], masks[7:10]]), alone)


def test_without_seeds_points_come_from_the_global_generator() -> None:
    torch.manual_seed(0)
    expected = torch.rand(10, 7, 2)
    torch.manual_seed(0)
    assert torch.equal(PointSource(torch.device("cpu")).for_masks([2, 0, 3], 2, 7), expected)
