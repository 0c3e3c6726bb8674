"""The Hungarian U-Net whose queries read the maps of the way up in a masked decoder, and the loss of idle masks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_roots import small_hungarian

import oneformer_lite as ofl
from oneformer_lite.config import BaseConfig
from oneformer_lite.losses import Criterion
from oneformer_lite.model import MaskModel, build

SMALL = {"masks": "decoder", "transformer_layers": 0, "decoder_layers": 3}


def small(**changes) -> BaseConfig:
    return small_hungarian(**(SMALL | changes))


def made(**changes) -> MaskModel:
    torch.manual_seed(0)
    return build(small(**changes))


@torch.no_grad()
@pytest.mark.parametrize("layers", [0, 1])
def test_queries_read_the_maps_of_the_way_up_in_turn(layers) -> None:
    model = made(transformer_layers=layers).eval()
    out = model(torch.randn(2, 3, 64, 64), trace=True)
    assert len(out.predictions) == 4 and out.mask_logits.shape == (2, 12, 64, 64)
    sides = [out.trace[f"decoder.layer{i}.attention"].shape[-2:] for i in range(3)]
    assert sides == [(8, 8), (16, 16), (32, 32)]  # strides 8, 4, 2


@torch.no_grad()
def test_masks_are_products_of_queries_with_the_finest_map_and_colours() -> None:
    model, images = made().eval(), torch.randn(1, 3, 64, 64)
    out = model(images, trace=True)
    queries = model.masked_decoder.norm(out.trace["decoder.layer2.queries"])
    cells = model.pixel_features(out.trace["decoder.features"])  # four pixels to a cell
    features = torch.nn.functional.pixel_shuffle(cells, 2) + torch.einsum(
        "dc,bchw->bdhw", model.colors.weight.flatten(1), images
    )
    embedding = model.masked_decoder.mask_head(queries)
    torch.testing.assert_close(out.mask_logits, torch.einsum("bqc,bchw->bqhw", embedding, features))
    torch.testing.assert_close(out.class_logits, model.masked_decoder.class_head(queries))


@pytest.mark.parametrize("changes", [{}, {"empty_weight": 0.5}, {"mask_weight": 0.0, "dice_weight": 0.0}])
def test_every_parameter_learns_that_is_not_idle(changes) -> None:
    data, model = ofl.data.Toytown("train", 64, 2), made(**changes).train()
    batch = ofl.data.collate([(data[i], "panoptic") for i in range(2)])
    losses = Criterion(model.config)(model.learn(batch), batch.targets)
    losses["total"].backward()
    idle = {id(p) for module in model.idle(2) for p in module.parameters()}
    for name, parameter in model.named_parameters():
        learns = parameter.grad is not None and bool(parameter.grad.any())
        assert learns == (id(parameter) not in idle), name


def test_masks_of_idle_queries_are_learned_to_be_empty() -> None:
    data = ofl.data.Toytown("train", 64, 1)
    model = made(empty_weight=0.5).train()
    batch = ofl.data.collate([(data[0], "panoptic")])
    output, criterion = model.learn(batch), Criterion(model.config)
    losses = criterion(output, batch.targets)
    expected = 0.0
    for prediction, (queries,) in zip(output.predictions, criterion.match(output, batch.targets).assigned):
        idle = sorted(set(range(12)) - set(queries.tolist()))
        expected += -(1 - prediction.mask_logits[0, idle].sigmoid()).log().mean((1, 2)).sum() / len(queries)
    torch.testing.assert_close(losses["empty"], expected)
    without = Criterion(replace(model.config, empty_weight=0.0))(output, batch.targets)
    assert "empty" not in without
    torch.testing.assert_close(losses["total"], without["total"] + 0.5 * expected)


def test_a_picture_with_a_mask_for_each_query_has_no_idle_one() -> None:
    data = ofl.data.Toytown("train", 64, 1)
    batch = ofl.data.collate([(data[0], "panoptic")])
    torch.manual_seed(0)
    model = build(small(empty_weight=1.0, num_queries=len(batch.targets[0])))
    losses = Criterion(model.config)(model.learn(batch), batch.targets)
    assert losses["empty"] == 0 and losses["total"].isfinite()


def test_a_weight_below_zero_is_refused() -> None:
    with pytest.raises(ofl.errors.ConfigError, match="empty_weight"):
        small(empty_weight=-1.0)
