"""Swin: its index and mask by hand, stochastic depth, and timm's network where the two agree.

Equality with transformers' Swin at every kind of size is in test_backbone_parity.py.
"""

from __future__ import annotations

import pytest
import timm
import torch

from oneformer_lite.errors import ConfigError
from oneformer_lite.model.networks.imagenet import swin_state
from oneformer_lite.model.networks.swin import (
    FORBIDDEN,
    PatchMerging,
    Swin,
    from_windows,
    relative_position_index,
    shift_mask,
    to_windows,
)

SIZES = {"embed_dim": 16, "depths": (2, 2, 2, 2), "num_heads": (1, 2, 4, 8)}


def swin(window: int = 4, **options: object) -> Swin:
    torch.manual_seed(0)
    return Swin(**{**SIZES, "window_size": window, **options})


def test_relative_positions_by_hand() -> None:
    """Rows of the table for (dy, dx) = (-1, -1), (-1, 0), ... (1, 1); tokens a b / c d."""
    expected = [
        [4, 3, 1, 0],  # from a: to itself; to b, one right: dx = -1; to c, one below: dy = -1; to d
        [5, 4, 2, 1],
        [7, 6, 4, 3],
        [8, 7, 5, 4],
    ]
    assert relative_position_index(2).tolist() == expected


def test_windows_by_hand_and_back() -> None:
    x = torch.arange(2 * 4 * 6).view(2, 4, 6, 1)
    windows = to_windows(x, 2)
    assert windows.shape == (2 * 6, 4, 1)
    assert windows[:4, :, 0].tolist() == [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11], [12, 13, 18, 19]]
    assert windows[6, 0, 0] == 24  # the second picture follows the whole first
    assert from_windows(windows.float(), x.shape).equal(x.float())


def test_shift_mask_by_hand() -> None:
    """4x4 map, windows of 2 shifted by 1: the seams run through the last row and column of windows."""
    mask = shift_mask(4, 4, 2, 1, torch.zeros(1)) / FORBIDDEN
    left_right = [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]  # tokens a b / c d
    top_bottom = [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert mask[0].tolist() == torch.zeros(4, 4).tolist()
    assert mask[1].tolist() == left_right
    assert mask[2].tolist() == top_bottom
    assert mask[3].tolist() == (1 - torch.eye(4)).tolist()


def test_merging_takes_corners_column_by_column() -> None:
    merging = PatchMerging(1)
    merging.norm = torch.nn.Identity()
    torch.nn.init.eye_(merging.reduction.weight)  # the first two of the four
    x = torch.tensor([[0.0, 1, 2], [3, 4, 5], [6, 7, 8]]).view(1, 3, 3, 1)  # odd: padded with zeros
    assert merging(x).tolist() == [[[[0, 3], [2, 5]], [[6, 0], [8, 0]]]]


@pytest.mark.parametrize("height, width", [(1, 1), (31, 45), (64, 96), (100, 132)])
def test_any_size(height: int, width: int) -> None:
    network = swin().eval()
    assert network.channels == [16, 32, 64, 128]
    with torch.no_grad():
        features = network(torch.randn(2, 3, height, width))
    expected = [(2, c, -(-height // s), -(-width // s)) for c, s in zip(network.channels, (4, 8, 16, 32))]
    assert [tuple(f.shape) for f in features] == expected


def test_pictures_of_a_batch_do_not_meet() -> None:
    network = swin().eval()
    images = torch.randn(3, 3, 50, 70)
    with torch.no_grad():
        for alone, together in zip(network(images[1:2]), network(images)):
            assert torch.allclose(alone[0], together[1], atol=1e-5)


def test_windows_limit_sight_and_shifts_join_them() -> None:
    """A changed pixel reaches its own window through one block, the windows beside it through the shifted one."""
    images = torch.randn(1, 3, 64, 64)
    changed = images.clone()
    changed[..., 15, 15] += 1  # the last pixel of the first window: 4x4 tokens of 4x4 pixels
    for depth, reach in ((1, 16), (2, 24)):
        network = swin(depths=(depth, 1, 1, 1)).eval()
        with torch.no_grad():
            differs = (network(images)[0] - network(changed)[0]).abs().amax((0, 1)) > 0
        assert torch.zeros(16, 16).bool().logical_or(differs).nonzero().amax(0).tolist() == [reach // 4 - 1] * 2


def test_every_parameter_learns() -> None:
    network = swin(drop_path_rate=0.0)
    sum((f * torch.randn_like(f)).sum() for f in network(torch.randn(1, 3, 100, 132))).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


def test_stochastic_depth_grows_linearly() -> None:
    blocks = [block for stage in swin(depths=(1, 2, 3, 1), drop_path_rate=0.3).layers for block in stage.blocks]
    assert [block.drop_path.drop_prob for block in blocks] == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])


def test_stochastic_depth_drops_in_training_only() -> None:
    network = swin(drop_path_rate=0.5)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for mode, varies in ((True, True), (False, False)):
            network.train(mode)
            outputs = [network(images)[3] for _ in range(6)]
            assert any(not o.equal(outputs[0]) for o in outputs) is varies
        certain = swin(drop_path_rate=0.0).eval()
        assert certain(images)[3].equal(network(images)[3])  # and no scale is left behind
        block = network.layers[0].blocks[1]
        block.drop_path.drop_prob = 1.0
        x, mask = torch.randn(1, 8, 8, 16), shift_mask(8, 8, 4, 2, images)
        assert block.train()(x, mask).equal(x)
        assert not block.eval()(x, mask).equal(x)


def test_half_precision_throughout() -> None:
    features = swin().to(torch.bfloat16)(torch.randn(1, 3, 40, 40, dtype=torch.bfloat16))
    assert {f.dtype for f in features} == {torch.bfloat16}


def test_names_are_the_official_ones() -> None:
    names = set(swin().state_dict())
    block = "layers.1.blocks.0."
    parts = ("norm1.weight", "attn.qkv.bias", "attn.proj.weight", "attn.relative_position_bias_table", "mlp.fc1.bias")
    assert {block + part for part in parts} <= names
    assert {"patch_embed.proj.weight", "patch_embed.norm.bias", "layers.2.downsample.reduction.weight"} <= names
    assert not [n for n in names if "layers.3.downsample" in n or "index" in n or "mask" in n]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"depths": (2, 2, 2)}, r"4 stages, got depths \(2, 2, 2\)"),
        ({"num_heads": (3, 2, 4, 8)}, "3 heads cannot share the 16 channels"),
    ],
)
def test_impossible_sizes(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        swin(**options)


def from_timm(size: int) -> tuple[Swin, torch.nn.Module]:
    """timm's classifier for pictures of ``size``, with random weights, and our network with its weights."""
    theirs = timm.create_model("swin_tiny_patch4_window7_224", img_size=size, **SIZES).eval()
    for name, parameter in theirs.named_parameters():
        if name.endswith("bias_table"):
            torch.nn.init.normal_(parameter)
    ours = swin(window=7).eval()
    ours.load_state_dict(swin_state(theirs.state_dict()))  # strict
    return ours, theirs


@torch.no_grad()
def differences(size: int) -> list[float]:
    ours, theirs = from_timm(size)
    images = torch.randn(1, 3, size, size)
    pairs = zip(ours(images), theirs.forward_intermediates(images, intermediates_only=True))
    return [float((a - b).abs().max() / b.abs().max()) for a, b in pairs]


def test_timms_weights_make_timms_network() -> None:
    """448: windows tile every map, and every map is larger than one window."""
    assert max(differences(448)) < 1e-5


def test_timm_differs_where_a_map_is_one_window() -> None:
    """224: the last map is 7x7. timm does not shift there, the official code does; that is why we have our own."""
    *same, other = differences(224)
    assert max(same) < 1e-5 and other > 1e-2


def test_timms_weights_lose_what_is_fixed_or_classifies() -> None:
    ours, theirs = from_timm(448)
    state = theirs.state_dict()
    table = ours.layers[0].blocks[0].attn.relative_position_index
    state["layers.0.blocks.0.attn.relative_position_index"] = table  # older files of timm's carry both
    state["layers.0.blocks.1.attn_mask"] = torch.zeros(4)
    renamed = swin_state(state)
    assert renamed.keys() == ours.state_dict().keys()
    assert renamed["layers.0.downsample.reduction.weight"].equal(state["layers.1.downsample.reduction.weight"])
