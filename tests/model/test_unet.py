"""U-Net by hand, and what it weighs."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from small_roots import small_unet
from torch import nn

from oneformer_lite import config
from oneformer_lite.model import build


def parameters(c) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(c).parameters())


def in_all_classes(c, count: int):
    """With another number of classes, whose names nobody asks for."""
    names = dict.fromkeys(("class_names", "is_thing", "class_colors", "category_ids"), ())
    return dataclasses.replace(c, num_classes=count, **names)


def test_it_weighs_what_the_comparison_says() -> None:
    """Convolutions with bias, each with scale and shift; halves joined, so decoder blocks take twice their channels."""
    down, before = 0, 3
    for channels in (32, 64, 128, 256, 512):
        down += 9 * before * channels + 9 * channels**2 + 2 * channels + 4 * channels
        before = channels
    up = sum(
        4 * 2 * c * c + c + 9 * 2 * c * c + 9 * c * c + 2 * c + 4 * c for c in (256, 128, 64, 32)
    )
    assert down + up + 33 * 34 == 7_767_074
    assert parameters(in_all_classes(config.unet_cityscapes(), 34)) == 7_767_074
    assert parameters(config.unet_cityscapes()) == 7_767_074 - 15 * 33


@torch.no_grad()
def test_by_hand() -> None:
    """One channel, halved once, all convolutions the identity: a pixel gets itself and the greatest of its four."""
    model = build(small_unet(base_channels=1, depth=1, norm="group", num_classes=14, mask_loss="bce")).eval()
    for module in model.modules():
        if isinstance(module, nn.Sequential):
            module[1] = module[4] = nn.Identity()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.weight.zero_()
            module.bias.zero_()
            module.weight[0, :, 1, 1] = 1  # of the first channel that leaves: the sum of those that enter
    model.encoder.blocks[0][0].weight[0, 1:] = 0  # red alone
    model.decoder.enlarge[0].weight.fill_(10)
    model.decoder.enlarge[0].bias.fill_(100)
    model.class_head.weight.copy_(torch.arange(14.0).view(14, 1, 1, 1))
    model.class_head.bias.zero_()
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():  # the second channel of the coarse map is 0
        found = model(images).mask_logits
    greatest = images[:, :1].unfold(2, 2, 2).unfold(3, 2, 2).amax((-2, -1))
    expected = images[:, :1] + 100 + 10 * greatest.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(found, expected * torch.arange(14.0).view(14, 1, 1))


@pytest.mark.parametrize("depth", [1, 3, 5])
def test_maps_halve_and_double(depth: int) -> None:
    model = build(small_unet(base_channels=2, depth=depth)).eval()
    trace = model(torch.randn(1, 3, 32, 64), trace=True).trace
    for level in range(depth + 1):
        assert trace[f"backbone.stride{2**level}"].shape == (1, 2 * 2**level, 32 // 2**level, 64 // 2**level)
    assert trace["decoder.features"].shape == (1, 2, 32, 64)


def test_pictures_alone_or_together() -> None:
    model, images = build(small_unet()).eval(), torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model(images).mask_logits[1:], model(images[1:]).mask_logits, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("channels", [1, 3, 6, 12])
def test_groups_of_any_number_of_channels(channels: int) -> None:
    model = build(small_unet(base_channels=channels, depth=1, norm="group"))
    assert model(torch.rand(1, 3, 32, 32)).mask_logits.shape[-2:] == (32, 32)
