"""The Hungarian U-Net by hand: classes from what is pooled, masks as channels or products, matching on shrunk masks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from small_roots import small_hungarian
from test_unet import parameters

from oneformer_lite import config
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import Matcher
from oneformer_lite.losses.pixels import every_mask, targets_at_masks
from oneformer_lite.model import build
from oneformer_lite.model.hungarian_unet import PooledClasses, allowed_among, region_of
from oneformer_lite.model.output import MaskProduct, Predictions


def test_it_is_the_unet_with_other_heads() -> None:
    unet, hungarian = config.unet_cityscapes(), config.hungarian_unet_cityscapes()
    heads = 33 * 100 + 513 * 100 * 20
    assert parameters(hungarian) == parameters(unet) - 33 * 19 + heads
    layer = 4 * (256**2 + 256) + 2 * 256 * 1024 + 1024 + 256 + 4 * 256
    with_layers = replace(hungarian, transformer_layers=2)
    between = 512 * 256 + 256 + 256 * 512 + 512
    assert parameters(with_layers) == parameters(hungarian) + 2 * layer + between - 256 * 100 * 20


@torch.no_grad()
def test_classes_from_the_pooled_map() -> None:
    torch.manual_seed(0)
    head, cells = PooledClasses(5, 3, 2), torch.randn(2, 5, 2, 3)
    found = head(cells)
    assert found.shape == (2, 3, 3)
    expected = head.weight[1, 2] @ cells[1].mean((1, 2)) + head.bias[1, 2]
    torch.testing.assert_close(found[1, 2, 1], expected)


@torch.no_grad()
def test_channels_are_masks() -> None:
    torch.manual_seed(0)
    model = build(small_hungarian(masks="channels", transformer_layers=1)).eval()
    out = model(torch.randn(1, 3, 64, 64), trace=True)
    features = out.trace["decoder.features"]
    assert features.shape == (1, 8, 32, 32) and model.config.mask_stride == 2
    torch.testing.assert_close(out.mask_logits, model.mask_head(features))
    before = out.class_logits
    model.layers[0].linear2.bias.add_(1)  # classes are read after the transformer
    assert not model(torch.randn(1, 3, 64, 64)).class_logits.equal(before)


@torch.no_grad()
def test_products_of_queries_and_pixels() -> None:
    torch.manual_seed(0)
    model, images = build(small_hungarian()).eval(), torch.randn(1, 3, 64, 64)
    out = model(images, trace=True)
    features = out.trace["pixel_decoder.mask_features"]
    assert features.shape == (1, 32, 64, 64) and len(out.predictions) == 3
    up = model.pixel_features(model.decoder.blocks[-1].forward(torch.zeros(1, 16, 32, 32)))
    assert up.shape == (1, 128, 32, 32)  # four pixels to a cell
    embedding = model.mask_head(model.norm(out.trace["decoder.layer1.queries"]))
    torch.testing.assert_close(out.mask_logits, torch.einsum("bqc,bchw->bqhw", embedding, features))
    model.colors.weight.zero_()
    without = model(images, trace=True).trace["pixel_decoder.mask_features"]
    assert not without.allclose(features)


@torch.no_grad()
def test_queries_look_where_they_already_see_their_mask() -> None:
    torch.manual_seed(0)
    model = build(small_hungarian()).eval()
    trace = model(torch.randn(2, 3, 64, 64), trace=True).trace
    for i in range(2):
        coarse = trace[f"prediction{i}.mask_logits"]
        region = trace[f"decoder.layer{i}.attention_region"]
        assert region.equal(region_of(coarse, (8, 8))) and region.flatten(2).any(-1).all()
        assert not trace[f"decoder.layer{i}.attention"].masked_select(~region[:, None]).any()


def test_regions_and_who_looks_at_whom() -> None:
    masks = torch.full((1, 3, 4, 4), -1.0)
    masks[0, 0, 1, 2] = 1.0
    masks[0, 1, 2:] = 1.0
    region = region_of(masks, (2, 2))
    assert region[0].flatten(1).tolist() == [[False, True, False, False], [False, False, True, True], [True] * 4]
    allowed = allowed_among(region)
    assert allowed.shape == (1, 7, 7) and allowed[0, 3:].all() and allowed[0, :, :3].all()
    assert allowed[0, :3, 3:].equal(region[0].flatten(1))


@pytest.mark.parametrize("product", [False, True])
def test_masks_are_matched_where_they_are_shrunk(product: bool) -> None:
    torch.manual_seed(0)
    c = replace(small_hungarian(), matched_stride=4, start_stride=1, num_queries=3)
    masks = MaskProduct(torch.randn(1, 3, 5), torch.randn(1, 5, 8, 10)) if product else torch.randn(1, 3, 8, 10)
    found = Predictions(torch.randn(1, 3, 15), masks)
    target = Targets(torch.rand(2, 8, 10) > 0.5, torch.tensor([1, 4]), ["", ""])
    (small,) = every_mask([found], 4)
    torch.testing.assert_close(small, F.avg_pool2d(found.mask_logits, 4, ceil_mode=True).flatten(2))
    (truth,) = targets_at_masks([target], [found], 4)
    assert truth.shape == (2, 6) and truth[1, 0] == target.masks[1, :4, :4].float().mean()
    assert Matcher(c).shrink == 4 and Matcher(replace(c, matched_stride=1)).shrink == 1
    whole = list(every_mask([found]))[0]
    assert whole.shape == (1, 3, 80) and targets_at_masks([target], [found])[0].shape == (2, 80)


def test_a_small_report_size_is_matched_at_a_quarter() -> None:
    c = config.hungarian_unet_cityscapes()
    assert (c.matching_shrink, c.mask_stride, c.num_queries, c.mask_weight) == (4, 1, 100, 0.0)
    assert not c.has_term("mask") and c.has_term("dice") and c.has_term("class")
