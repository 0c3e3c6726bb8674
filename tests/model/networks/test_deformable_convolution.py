"""Convolutions that choose where they look: equal to plain ones at first, and to a slow twin wherever they look."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oneformer_lite.errors import ConfigError
from oneformer_lite.model.networks.backbone import Backbone
from oneformer_lite.model.networks.deformable_convolution import DeformableConv2d

SMALL = {"layers": (1, 2, 2, 1), "channels": (8, 8, 16, 16)}
FORMS = {
    "plain": {"padding": 1}, "stride": {"padding": 1, "stride": 2}, "dilated": {"padding": 2, "dilation": 2},
    "groups": {"padding": 1, "groups": 2},
}  # fmt: skip


def slowly(layer: DeformableConv2d, x: Tensor) -> Tensor:
    """The sum over nine places, each of which is read between four pixels; beyond the picture all is zero."""
    offsets = layer.conv_offset(x)
    (height, width), (h, w) = x.shape[2:], offsets.shape[2:]
    rows = torch.arange(h)[:, None] * layer.stride[0] - layer.padding[0]
    columns = torch.arange(w)[None] * layer.stride[1] - layer.padding[1]
    read = []
    for place in range(9):
        y = rows + place // 3 * layer.dilation[0] + offsets[:, 2 * place]
        x_ = columns + place % 3 * layer.dilation[1] + offsets[:, 2 * place + 1]
        grid = torch.stack((2 * x_ / (width - 1) - 1, 2 * y / (height - 1) - 1), -1)
        read.append(F.grid_sample(x, grid, align_corners=True))
    unfolded = torch.stack(read, 2).flatten(1, 2).unflatten(1, (layer.groups, -1))  # [B, groups, C / groups * 9, h, w]
    weight = layer.weight.flatten(1).unflatten(0, (layer.groups, -1))
    return torch.einsum("bgchw,goc->bgohw", unfolded, weight).flatten(1, 2)


@pytest.mark.parametrize("form", FORMS)
def test_as_a_plain_one_then_as_its_slow_twin(form: str) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 6, 3, bias=False, **FORMS[form])
    layer, x = DeformableConv2d(plain), torch.randn(2, 4, 9, 11)
    torch.testing.assert_close(layer(x), plain(x))
    for parameter in layer.conv_offset.parameters():
        nn.init.normal_(parameter, std=0.5)
    assert not torch.allclose(layer(x), plain(x), atol=0.1)
    torch.testing.assert_close(layer(x), slowly(layer, x), rtol=1e-4, atol=1e-5)


def test_the_stages_that_are_named() -> None:
    torch.manual_seed(0)
    plain = Backbone("resnet50", pretrained=False, options=SMALL.items()).eval()
    options = (SMALL | {"deformable": (0, 1, 0, 1)}).items()
    deformable = Backbone("resnet50", pretrained=False, options=options).eval()
    changed = [name for name, module in deformable.network.named_modules() if isinstance(module, DeformableConv2d)]
    assert changed == ["layer2.0.conv2", "layer2.1.conv2", "layer4.0.conv2"]
    more, unexpected = deformable.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert more == [f"network.{name}.conv_offset.{kind}" for name in changed for kind in ("weight", "bias")]
    images = torch.randn(1, 3, 64, 96)
    maps = deformable(images)
    for ours, theirs in zip(maps, plain(images), strict=True):
        torch.testing.assert_close(ours, theirs)
    maps[3].square().sum().backward()
    gradients = [deformable.network.get_submodule(name).conv_offset.weight.grad for name in changed]
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_imagenet_weights_have_no_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    state = Backbone("resnet50", pretrained=False, options=SMALL.items()).network.state_dict()
    monkeypatch.setattr("oneformer_lite.model.networks.backbone.imagenet_state", lambda name: state)
    backbone = Backbone("resnet50", pretrained=False, options=(SMALL | {"deformable": (0, 1, 1, 1)}).items())
    backbone.load_imagenet_weights()
    own = backbone.network.state_dict()
    assert all(own[name].equal(value) for name, value in state.items())
    assert all(not value.any() for name, value in own.items() if name not in state)


def test_half_precision_and_the_exported_program() -> None:
    """The operator has no bfloat16."""
    torch.manual_seed(0)
    layer, x = DeformableConv2d(nn.Conv2d(4, 6, 3, padding=1, bias=False)), torch.randn(1, 4, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(layer(x.bfloat16()), layer(x.bfloat16().float()))
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), layer(x))


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("resnet18", (0, 1, 1, 1), "resnet18 are two 3 x 3 convolutions"),
        ("resnet50", (0, 1, 1), "must be four whole numbers, one for each stage, in 0..1, got .0, 1, 1."),
        ("resnet50", (0, 2, 1, 1), "in 0..1"),
        ("swin_tiny_patch4_window7_224", (0, 1, 1, 1), "unknown names"),
    ],
)
def test_what_cannot_be(name: str, value: tuple[int, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Backbone(name, pretrained=False, options=[("deformable", value)])
