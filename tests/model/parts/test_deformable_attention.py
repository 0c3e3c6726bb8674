"""Both forms of multi-scale deformable sampling against a loop over every query, head and point."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from transformers import DeformableDetrConfig
from transformers.models.deformable_detr.modeling_deformable_detr import DeformableDetrMultiscaleDeformableAttention
from transformers.models.oneformer.modeling_oneformer import multi_scale_deformable_attention

from oneformer_lite.model.parts.deformable_attention import (
    DeformableAttention,
    level_sizes,
    sample,
    sample_by_bag,
    sample_by_grid,
    softmax_over_few,
)

SHAPES = [(3, 5), (2, 4), (1, 2)]  # non-square, down to a single row
FORMS = [sample_by_grid, sample_by_bag]


def inputs(batch=2, queries=4, heads=3, points=2, dim=2, shapes=SHAPES) -> tuple[Tensor, Tensor, Tensor]:
    """Values, locations (some of them outside the map) and weights that sum to 1, in double precision."""
    torch.manual_seed(0)
    length, levels = sum(h * w for h, w in shapes), len(shapes)
    value = torch.randn(batch, length, heads, dim, dtype=torch.float64)
    locations = torch.rand(batch, queries, heads, levels, points, 2, dtype=torch.float64) * 1.8 - 0.4
    weights = torch.randn(batch, queries, heads, levels * points, dtype=torch.float64).softmax(-1)
    return value, locations, weights.unflatten(-1, (levels, points))


def pixel(image: Tensor, y: int, x: int) -> Tensor:
    """The value [d] of a pixel of [h, w, d]; zero outside."""
    height, width = image.shape[:2]
    return image[y, x] if 0 <= y < height and 0 <= x < width else torch.zeros_like(image[0, 0])


def slow_sample(value: Tensor, shapes: list, locations: Tensor, weights: Tensor) -> Tensor:
    """Equation 3 of Deformable DETR, word by word."""
    batch, _, heads, dim = value.shape
    _, queries, _, levels, points, _ = locations.shape
    out = value.new_zeros(batch, queries, heads, dim)
    maps = [
        v.unflatten(1, shape) for v, shape in zip(value.split([h * w for h, w in shapes], dim=1), shapes)
    ]
    for b, q, m, level, p in torch.cartesian_prod(
        *(torch.arange(n) for n in (batch, queries, heads, levels, points))
    ).tolist():
        height, width = shapes[level]
        x = locations[b, q, m, level, p, 0].item() * width - 0.5
        y = locations[b, q, m, level, p, 1].item() * height - 0.5
        x0, y0 = math.floor(x), math.floor(y)
        image = maps[level][b, :, :, m]
        value_there = sum(
            (1 - abs(x - cx)) * (1 - abs(y - cy)) * pixel(image, cy, cx)
            for cx in (x0, x0 + 1)
            for cy in (y0, y0 + 1)
        )
        out[b, q, m] += weights[b, q, m, level, p] * value_there
    return out.flatten(2)


@pytest.mark.parametrize("form", FORMS)
def test_forward_equals_the_loop_and_transformers(form) -> None:
    value, locations, weights = inputs()
    expected = slow_sample(value, SHAPES, locations, weights)
    result = form(value, SHAPES, locations, weights)
    assert torch.allclose(result, expected, atol=1e-12, rtol=0)
    theirs = multi_scale_deformable_attention(value, SHAPES, locations, weights)
    assert torch.allclose(result, theirs, atol=1e-12, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_numerically(form) -> None:
    tensors = inputs(batch=1, queries=2, heads=2, points=1, dim=2, shapes=[(2, 3), (1, 2)])
    arguments = [t.requires_grad_() for t in tensors]
    call = lambda value, locations, weights: form(value, [(2, 3), (1, 2)], locations, weights)  # noqa: E731
    assert torch.autograd.gradcheck(call, arguments)


def test_both_forms_have_the_same_gradients() -> None:
    gradients = []
    for form in FORMS:
        arguments = [t.requires_grad_() for t in inputs()]
        out = form(arguments[0], SHAPES, *arguments[1:])
        gradients.append(torch.autograd.grad((out * torch.linspace(-1, 1, out.shape[-1])).sum(), arguments))
    for grid, bag in zip(*gradients):
        assert grid.abs().max() > 0.01
        assert torch.allclose(grid, bag, atol=1e-12, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_far_outside_is_zero_and_borders_fade(form) -> None:
    value = torch.ones(1, 6, 1, 1, dtype=torch.float64)
    points = torch.tensor([[3.0, 0.5], [0.5, -2.0], [0.0, 0.5], [0.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    locations = points.view(1, 5, 1, 1, 1, 2)
    result = form(value, [(2, 3)], locations, torch.ones(1, 5, 1, 1, 1, dtype=torch.float64))
    assert result.flatten().tolist() == pytest.approx([0, 0, 0.5, 0.25, 1])


def test_pixel_centres_return_the_pixels_in_row_order() -> None:
    value = torch.arange(6.0).view(1, 6, 1, 1)
    y, x = torch.meshgrid((torch.arange(2) + 0.5) / 2, (torch.arange(3) + 0.5) / 3, indexing="ij")
    locations = torch.stack([x, y], -1).view(1, 6, 1, 1, 1, 2)
    for form in FORMS:
        result = form(value, [(2, 3)], locations, torch.ones(1, 6, 1, 1, 1))
        assert torch.allclose(result.flatten(), torch.arange(6.0), atol=1e-5)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("dim", [2, 32])
def test_the_chosen_form_is_right_either_way(grad: bool, dim: int) -> None:
    value, locations, weights = inputs(dim=dim)
    with torch.set_grad_enabled(grad):
        result = sample(value, SHAPES, locations, weights)
    assert torch.allclose(result, sample_by_grid(value, SHAPES, locations, weights), atol=1e-12)


def test_initial_offsets_form_a_ring_on_the_unit_square() -> None:
    attention = DeformableAttention(dim=16, num_heads=8, num_levels=3, num_points=4)
    assert not attention.sampling_offsets.weight.any()
    bias = attention.sampling_offsets.bias.view(8, 3, 4, 2)
    corners = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]
    for head, direction in enumerate(corners):
        for point in range(4):
            expected = torch.tensor(direction) * (point + 1.0)
            assert torch.allclose(bias[head, :, point], expected.expand(3, 2), atol=1e-5)
    assert not attention.attention_weights.weight.any() and not attention.attention_weights.bias.any()
    assert not attention.value_proj.bias.any() and not attention.output_proj.bias.any()


def test_offsets_are_pixels_of_their_level_and_weights_sum_to_one() -> None:
    attention = DeformableAttention(dim=8, num_heads=4, num_levels=2, num_points=1)
    reference = torch.tensor([[0.25, 0.5]])
    locations, weights = attention.sampling(torch.randn(1, 1, 8), reference, [(2, 4), (1, 2)])
    right = locations[0, 0, 0, :, 0]  # head 0 starts one pixel to the right
    assert torch.allclose(right, torch.tensor([[0.25 + 1 / 4, 0.5], [0.25 + 1 / 2, 0.5]]))
    below = locations[0, 0, 1, :, 0]  # head 1, a quarter turn on: one pixel down
    assert torch.allclose(below, torch.tensor([[0.25, 0.5 + 1 / 2], [0.25, 0.5 + 1 / 1]]), atol=1e-6)
    assert torch.allclose(weights.sum((-1, -2)), torch.ones(1, 1, 4))


@pytest.mark.parametrize(
    "box, points, first, last",
    [
        ((0.5, 0.5, 0.5, 0.5), 4, 0.5625, 0.75),  # a quarter of half a side, and the border
        ((0.5, 0.5, 0.5, 0.5), 1, 0.75, 0.75),
        ((0.25, 0.5, 0.0, 1.0), 4, 0.25, 0.25),  # of no width
        ((0.5, 0.1, 1.0, 0.2), 2, 0.75, 1.0),
    ],
)
def test_offsets_into_a_box_count_in_boxes_on_every_level(box, points, first, last) -> None:
    attention = DeformableAttention(dim=8, num_heads=4, num_levels=2, num_points=points)
    boxes = torch.tensor([[box], [(0.1, 0.9, 0.2, 0.1)]])  # another picture's
    locations, _ = attention.sampling(torch.randn(2, 1, 8), boxes, [(2, 4), (1, 2)])
    right = locations[0, 0, 0]  # head 0 starts to the right
    for point, x in ((0, first), (-1, last)):
        assert right[:, point, 0].tolist() == pytest.approx([x] * 2)
    assert torch.allclose(right[..., 1], torch.tensor(box[1]).expand(2, points))
    assert torch.allclose(locations[1, 0, 1, :, -1], torch.tensor([0.1, 0.95]).expand(2, 2))  # head 1: down


def test_own_positions_of_each_picture_are_shared_ones_if_they_are_the_same() -> None:
    torch.manual_seed(0)
    attention, query, reference = DeformableAttention(8, 2, 3, 2), torch.randn(2, 4, 8), torch.rand(2, 4, 2)
    torch.nn.init.normal_(attention.sampling_offsets.weight)
    own, _ = attention.sampling(query, reference, SHAPES)
    for b in range(2):
        assert own[b].equal(attention.sampling(query[b, None], reference[b], SHAPES)[0][0])


@pytest.mark.parametrize("coordinates", [2, 4])
def test_around_points_and_in_boxes_it_is_that_of_transformers(coordinates: int) -> None:
    torch.manual_seed(0)
    sizes = {"d_model": 16, "num_feature_levels": 3, "disable_custom_kernels": True}
    theirs = DeformableDetrMultiscaleDeformableAttention(DeformableDetrConfig(**sizes), num_heads=2, n_points=4)
    ours = DeformableAttention(16, 2, 3, 4)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    ours.load_state_dict(theirs.state_dict())
    query, memory, reference = torch.randn(2, 5, 16), torch.randn(2, 25, 16), torch.rand(2, 5, coordinates)
    shapes, starts = torch.tensor(SHAPES), torch.tensor([0, 15, 23])
    expected, _ = theirs(
        query, encoder_hidden_states=memory, reference_points=reference[:, :, None].expand(-1, -1, 3, -1),
        spatial_shapes=shapes, spatial_shapes_list=SHAPES, level_start_index=starts,
    )  # fmt: skip
    assert torch.allclose(ours(query, reference, memory, SHAPES), expected, atol=1e-5)


def test_a_box_has_gradients_of_its_own() -> None:
    torch.manual_seed(0)
    attention = DeformableAttention(8, 2, 2, 2).double()
    memory, query = torch.randn(1, 10, 8).double(), torch.randn(1, 2, 8).double()
    boxes = torch.tensor([[[0.42, 0.37, 0.31, 0.23], [0.6, 0.55, 0.2, 0.4]]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda box: attention(query, box, memory, SHAPES[1:]), boxes)


def test_cached_sizes_may_be_used_after_inference() -> None:
    level_sizes.cache_clear()
    with torch.inference_mode():
        level_sizes(((2, 4), (1, 2)))
    sizes = level_sizes(((2, 4), (1, 2)))
    assert sizes.tolist() == [[4, 2], [2, 1]] and not sizes.is_inference()


def test_whole_module_equals_its_parts() -> None:
    torch.manual_seed(0)
    attention = DeformableAttention(dim=8, num_heads=2, num_levels=3, num_points=2)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    memory, reference = torch.randn(2, 25, 8), torch.rand(25, 2)
    value = attention.value_proj(memory).unflatten(-1, (2, 4))
    locations, weights = attention.sampling(memory, reference, SHAPES)
    expected = attention.output_proj(slow_sample(value, SHAPES, locations, weights))
    assert torch.allclose(attention(memory, reference, memory, SHAPES), expected, atol=1e-5)


def test_softmax_over_few_is_softmax():
    scores = torch.randn(4, 3, 12, dtype=torch.float64) * 50
    scores[0, 0] = 1e4  # powers that would overflow
    scores.requires_grad_()
    mine, theirs = softmax_over_few(scores), scores.softmax(-1)
    assert torch.allclose(mine, theirs, atol=1e-15)
    upstream = torch.randn_like(mine)
    mine, theirs = (torch.autograd.grad(result, scores, upstream)[0] for result in (mine, theirs))
    assert torch.allclose(mine, theirs, atol=1e-14)
