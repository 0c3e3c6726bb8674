"""Both forms of dilated neighbourhood attention: against each other, by hand, and against natten's figures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from oneformer_lite.errors import ConfigError
from oneformer_lite.model.networks import neighborhood_attention as module
from oneformer_lite.model.networks.neighborhood_attention import attend_by_pixel, attend_by_tile, axis_tiles, neighbors

FORMS = [attend_by_pixel, attend_by_tile]
# height, width, kernel size, dilation: windows that fill the map, groups of two lengths, one row of tiles and more
MAPS = [(3, 3, 3, 1), (7, 9, 3, 1), (7, 8, 3, 2), (11, 13, 5, 2), (10, 17, 3, 3), (14, 14, 7, 2), (15, 27, 5, 3)]
MAPS += [(21, 20, 3, 5), (12, 30, 11, 1), (23, 26, 11, 2)]

# What natten 0.14.6 says (its C++ kernels for the CPU, compiled on their own, in double precision) about the inputs
# of `waves`: the last channel of the last head at four pixels, and three derivatives of the sum of the first
# channel by the bias of the last head.
NATTEN = {
    (9, 11, 5, 1): (
        [-0.1592138441, -0.1873474363, 0.0785660682, 0.006225953],
        [-0.0338624941, 0.0156913427, -0.1457035789],
    ),
    (10, 13, 3, 3): (
        [-0.198587372, -0.4218984666, -0.1397117509, -0.0476273013],
        [0.5933707233, 0.069914068, 0.4350990821],
    ),
    (23, 29, 11, 2): (
        [-0.0040779958, -0.0361064263, -0.0021387654, 0.0310200423],
        [0.013334792, -0.0017699688, -0.0010985183],
    ),
}


def inputs(h: int, w: int, kernel: int, batch=1, heads=2, dim=3, grad=False) -> tuple[Tensor, ...]:
    """Queries, keys and values [B, h, w, M, d] and a bias [M, s, s], in double precision."""
    torch.manual_seed(0)
    maps = [torch.randn(batch, h, w, heads, dim, dtype=torch.float64) for _ in range(3)]
    bias = torch.randn(heads, 2 * kernel - 1, 2 * kernel - 1, dtype=torch.float64)
    return tuple(t.requires_grad_(grad) for t in (*maps, bias))


def waves(h: int, w: int, kernel: int) -> tuple[Tensor, ...]:
    """The same kind of inputs, the same on every machine."""

    def wave(*shape: int, step: float) -> Tensor:
        return torch.sin(step * torch.arange(torch.Size(shape).numel(), dtype=torch.float64)).view(shape)

    maps = (wave(1, h, w, 2, 3, step=step) for step in (0.7, 1.3, 2.9))
    return *maps, wave(2, 2 * kernel - 1, 2 * kernel - 1, step=0.3).requires_grad_()


@pytest.mark.parametrize(
    "position, length, kernel, dilation, expected",
    [
        (4, 9, 3, 1, [3, 4, 5]),
        (0, 9, 3, 1, [0, 1, 2]),  # moved inside
        (8, 9, 5, 1, [4, 5, 6, 7, 8]),
        (7, 9, 5, 1, [4, 5, 6, 7, 8]),
        (6, 10, 3, 3, [3, 6, 9]),
        (9, 10, 3, 3, [3, 6, 9]),  # the group of 0 has four members,
        (8, 10, 3, 3, [2, 5, 8]),  # that of 2 has three
        (1, 10, 3, 3, [1, 4, 7]),
    ],
)
def test_neighbors_by_hand(position, length, kernel, dilation, expected):
    assert neighbors(position, length, kernel, dilation) == expected


@pytest.mark.parametrize("form", FORMS)
def test_the_bias_belongs_to_the_step_from_pixel_to_neighbor(form):
    """Equal keys and one-hot values: the output is the softmax of the bias itself."""
    h, w, kernel, dilation = 6, 7, 3, 2
    zeros = torch.zeros(1, h, w, 1, h * w, dtype=torch.float64)
    value = torch.eye(h * w, dtype=torch.float64).view(1, h, w, 1, h * w)
    bias = torch.zeros(1, 5, 5, dtype=torch.float64)
    bias[0, 2 + 1, 2 - 2] = 50.0  # one group step down, two to the left: only where the window was moved left
    weight = form(zeros, zeros, value, bias, kernel, dilation).view(h, w, h, w)
    assert weight[2, 6, 4, 2] == pytest.approx(1)  # column 6 is the last of 0 2 4 6: it sees 2 4 6
    assert weight[0, 4, 2].sum() == pytest.approx(1 / 3)  # column 4 sees 2 4 6, none two steps to the left
    assert weight[4, 6, 0, 2] == pytest.approx(1 / 9)  # row 4 is the last of 0 2 4: nothing below it


@pytest.mark.parametrize("h, w, kernel, dilation", MAPS)
@pytest.mark.parametrize("tile", [3, 8])
def test_forms_agree(h, w, kernel, dilation, tile, monkeypatch):
    monkeypatch.setattr(module, "TILE", tile)
    axis_tiles.cache_clear()
    *maps, bias = inputs(h, w, kernel, batch=2)
    slow, fast = (form(*maps, bias, kernel, dilation) for form in FORMS)
    axis_tiles.cache_clear()
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", NATTEN, ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_natten_agrees(form, size):
    h, w, kernel, dilation = size
    *maps, bias = waves(h, w, kernel)
    out = form(*maps, bias, kernel, dilation)
    (gradient,) = torch.autograd.grad(out[..., 0].sum(), bias)
    mixed, slopes = NATTEN[size]
    pixels = [out[0, y, x, 1, 2].item() for y, x in ((0, 0), (1, w - 2), (h // 2, w // 2), (h - 1, w - 1))]
    last = 2 * kernel - 2
    assert pixels == pytest.approx(mixed, abs=1e-9)
    assert [gradient[1, i, j].item() for i, j in ((0, 0), (kernel - 1, kernel - 1), (last, 1))] == pytest.approx(
        slopes, abs=1e-9
    )


def test_a_window_as_large_as_the_map_is_ordinary_attention():
    query, key, value, bias = inputs(5, 5, 5)
    flat = [t.flatten(1, 2).transpose(1, 2) for t in (query, key, value)]
    expected = torch.nn.functional.scaled_dot_product_attention(*flat, scale=1.0).transpose(1, 2)
    torch.testing.assert_close(attend_by_tile(query, key, value, torch.zeros_like(bias), 5).flatten(1, 2), expected)


@pytest.mark.parametrize("form", FORMS)
def test_queries_may_cover_the_real_part_of_a_padded_map(form):
    query, key, value, bias = inputs(10, 13, 3)
    full = form(query, key, value, bias, 3, 3)
    torch.testing.assert_close(form(query[:, :2, :11], key, value, bias, 3, 3), full[:, :2, :11])


def test_gradients_of_both_forms_agree():
    tensors = inputs(7, 8, 3, batch=2, grad=True)
    weight = torch.randn(2, 7, 8, 2, 3, dtype=torch.float64)
    slow, fast = (torch.autograd.grad((form(*tensors, 3, 2) * weight).sum(), tensors) for form in FORMS)
    for one, other in zip(fast, slow):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_gradcheck():
    tensors = inputs(4, 5, 3, heads=1, dim=2, grad=True)
    assert torch.autograd.gradcheck(lambda *t: attend_by_tile(*t, 3, 1), tensors)


def test_memory_is_bounded_and_pieces_do_not_show(monkeypatch):
    """However large the map, keys are copied for a few tiles at a time."""
    *maps, bias = inputs(40, 41, 3)
    whole = attend_by_tile(*maps, bias, 3)
    budget, copied = 2000, []
    attend = module._attend
    monkeypatch.setattr(module, "GATHERED", budget)
    monkeypatch.setattr(
        module, "_attend", lambda *a: copied.append(a[-1].numel() * maps[0][:, 0, 0].numel()) or attend(*a)
    )
    pieces = attend_by_tile(*maps, bias, 3)
    assert max(copied) <= budget and len(copied) > 10
    torch.testing.assert_close(pieces, whole, rtol=0, atol=1e-12)


def test_tables_built_in_prediction_serve_training():
    axis_tiles.cache_clear()
    tensors = inputs(6, 7, 3, grad=True)
    with torch.inference_mode():
        attend_by_tile(*tensors, 3, 2)
    attend_by_tile(*tensors, 3, 2).sum().backward()
    assert tensors[-1].grad.isfinite().all()


def test_half_precision_runs():
    *maps, bias = inputs(9, 10, 3)
    half = attend_by_tile(*(t.bfloat16() for t in maps), bias.float(), 3)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), attend_by_tile(*maps, bias, 3), rtol=0, atol=0.05)


def test_a_map_smaller_than_the_window_is_refused():
    *maps, bias = inputs(9, 5, 3)
    with pytest.raises(ConfigError, match="at least 6, got 5: pad the map"):
        attend_by_tile(*maps, bias, 3, 2)
