"""EoMT: queries among a ViT's tokens, masks that fade out block by block, squares padded with black."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.config import EomtConfig
from oneformer_lite.data.batch import PIXEL_MEAN, PIXEL_STD
from oneformer_lite.errors import ConfigError
from oneformer_lite.model import EoMT, build
from oneformer_lite.model.output import Trace

SMALL = {
    "image_size": 64, "hidden_dim": 48, "num_heads": 4, "num_queries": 8, "query_blocks": 2, "num_points": 64,
    "backbone_options": {"depth": 4, "init_values": 1.0},
}  # fmt: skip
KINDS = {"dinov2": "vit_small_patch14_reg4_dinov2", "dinov3": "vit_small_patch16_dinov3_qkvb"}


def small(kind: str = "dinov3", **fields) -> EomtConfig:
    return dataclasses.replace(config.eomt_toytown(), backbone=KINDS[kind], **(SMALL | fields))


@pytest.fixture(scope="module", params=KINDS)
def model(request) -> EoMT:
    torch.manual_seed(0)
    return build(small(request.param)).eval()


def test_shapes_and_predictions(model) -> None:
    images = torch.randn(3, 3, 50, 64)
    out = model(images, trace=True)
    assert out.class_logits.shape == (3, 8, 15) and out.mask_logits.shape == (3, 8, 16, 16)
    assert len(out.predictions) == 3  # before each of the two blocks, and after the last
    assert out.trace["decoder.layer1.attention"].shape == (3, 4, 8, 4, 4)
    assert not model(images).auxiliary


@pytest.mark.parametrize("shares", [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.5, 0.25)])
def test_looking_on_changes_nothing(model, shares) -> None:
    model.set_shares(shares)
    images = torch.randn(2, 3, 64, 64)
    plain, traced = model(images), model(images, trace=True)
    assert plain.mask_logits.equal(traced.mask_logits) and plain.class_logits.equal(traced.class_logits)
    alone = model(images[1:]).mask_logits  # whatever the others of the batch are
    assert alone.allclose(plain.mask_logits[1:], atol=1e-4)
    model.set_shares((1.0, 1.0))


def test_queries_look_at_the_patches_of_their_masks_alone(model) -> None:
    model.set_shares((1.0, 0.0))
    trace = model(torch.randn(2, 3, 64, 64), trace=True).trace
    masks = torch.nn.functional.interpolate(trace["prediction0.mask_logits"], (4, 4), mode="bilinear")
    region = trace["decoder.layer0.attention_region"]
    assert region.equal(masks > 0) and 0 < region.sum() < region.numel()
    weights = trace["decoder.layer0.attention"]
    assert (weights * ~region[:, None]).abs().max() == 0 and weights.sum((-1, -2)).max() < 1  # the rest: other tokens
    assert trace["decoder.layer1.attention_region"].all() and (trace["decoder.layer1.attention"] > 0).all()
    model.set_shares((1.0, 1.0))


def test_a_query_without_a_mask_is_not_blind(model) -> None:
    """Of its row nothing of the picture is left, but queries, CLS and registers are."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model.mask_head.layers[-1].weight.zero_()
        model.mask_head.layers[-1].bias.zero_()
    out = model(torch.randn(1, 3, 64, 64), trace=True)
    assert not out.trace["decoder.layer0.attention_region"].any()
    assert out.class_logits.isfinite().all() and not out.trace["decoder.layer0.attention"].isnan().any()
    model.load_state_dict(state)


def test_recorded_attention_is_what_the_block_computes(model) -> None:
    """Mixing the values by the recorded weights gives the block's own result."""
    from oneformer_lite.model.networks.vit import attention_weights, run_block

    tokens = model.backbone(torch.randn(1, 3, 64, 64))
    block, x = model.backbone.blocks[0], tokens.values
    allowed = torch.rand(1, 1, x.shape[1], x.shape[1]) > 0.3
    weights = attention_weights(block, x, tokens.rope, allowed)
    qkv = block.attn.qkv(block.norm1(x))
    if tokens.rope is not None:
        qkv = qkv + torch.cat([block.attn.q_bias, block.attn.k_bias, block.attn.v_bias])
    value = qkv.chunk(3, dim=-1)[2].unflatten(-1, (4, -1)).transpose(1, 2)
    update = block.attn.proj((weights @ value).transpose(1, 2).flatten(2))
    scale1, scale2 = (block.gamma_1, block.gamma_2) if tokens.rope is not None else (block.ls1.gamma, block.ls2.gamma)
    by_hand = x + scale1 * update
    by_hand = by_hand + scale2 * block.mlp(block.norm2(by_hand))
    assert by_hand.allclose(run_block(block, x, tokens.rope, allowed), atol=1e-5)


@pytest.mark.parametrize(
    "shares, words",
    [
        ((1.0, 1.0), "of 16 cells, inside its mask"), ((1.0, 0.0), "all cells: masks have faded out in this layer"),
        ((1.0, 0.25), "not among the 25% that are still bound to theirs"),
    ],
)  # fmt: skip
def test_the_query_inspector_shows_annealed_masks(model, shares, words, tmp_path) -> None:
    from oneformer_lite.inspectors.queries.reading import read_queries
    from oneformer_lite.inspectors.queries.words import looked_words

    model.set_shares(shares)
    scene = ofl.data.Toytown("val", 64)[0]
    reading = read_queries(model, scene.image, "panoptic")
    assert reading.bound == shares and reading.attention[1].shape == (8, 4, 4)
    said = {looked_words(reading, 2, query) for query in range(8)}
    assert any(words in line for line in said) and (shares[1] or len(said) == 1)
    page = ofl.widgets.QueryInspector(model, scene).to_html(tmp_path / "page.html").read_text()
    assert words in page and "read the map of stride 16" in page
    model.set_shares((1.0, 1.0))


# -- annealing


@pytest.mark.parametrize(
    "blocks, progress, expected",
    [  # sixths of the training, (1 - p)^0.9 within each
        (4, 0.0, (1, 1, 1, 1)), (4, 1 / 6, (1, 1, 1, 1)), (4, 0.25, (0.5**0.9, 1, 1, 1)),
        (4, 2 / 3, (0, 0, 0, 1)), (4, 0.75, (0, 0, 0, 0.5**0.9)), (4, 5 / 6, (0, 0, 0, 0)), (4, 1.0, (0, 0, 0, 0)),
        (3, 0.25, (0.5**0.9, 1, 1)), (3, 0.5, (0, 0.5**0.9, 1)), (5, 9 / 24, (0, 0.5**0.9, 1, 1, 1)), (1, 1 / 3, (0,)),
    ],
)  # fmt: skip
def test_masks_fade_out_as_published(blocks, progress, expected) -> None:
    model = build(small(query_blocks=blocks, backbone_options={"depth": 6}))
    assert model.shares == (1.0,) * blocks
    model.anneal(progress)
    assert model.shares == pytest.approx(expected, abs=1e-9)
    assert model.mask_shares.tolist() == pytest.approx(expected, abs=1e-6)


def test_published_steps_of_annealing() -> None:
    """Official configurations, in steps of the whole training."""
    for c, steps, starts, ends in [
        (config.eomt_coco_l(), 88_692, (14782, 29564, 44346, 59128), (29564, 44346, 59128, 73910)),
        (config.eomt_coco_s(), 177_384, (29564, 73910, 118256), (59128, 103474, 147820)),
        (config.eomt_coco_g(), 88_692, (14782, 25869, 36955, 48042, 59128), (29564, 40651, 51737, 62824, 73910)),
        (config.eomt_cityscapes_l(), 19_902, (3317, 6634, 9951, 13268), (6634, 9951, 13268, 16585)),
        (config.eomt_ade20k_l("semantic"), 39_120, (6520, 13040, 19560, 26080), (13040, 19560, 26080, 32600)),
        (config.eomt_dinov3_coco_l(), 88_692, (0, 29564, 44346, 59128), (3000, 44346, 59128, 73910)),
        (config.eomt_dinov3_coco_b(), 177_384, (0, 73910, 118256), (3000, 103474, 147820)),
        (config.eomt_dinov3_coco_l("instance"), 88_692, (14782, 29564, 44346, 59128), (29564, 44346, 59128, 73910)),
        (config.eomt_dinov3_ade20k_l(), 19_560, (0, 6520, 9780, 13040), (3000, 9780, 13040, 16300)),
    ]:
        assert c.recipe["steps"] == steps
        found = [[steps * share for share in shares] for shares in zip(*c.annealing)]
        assert found[0] == pytest.approx(starts, abs=1) and found[1] == pytest.approx(ends, abs=1)


def test_a_share_of_the_queries_is_bound(model) -> None:
    masks = model.read(model.encode(torch.randn(4, 3, 64, 64)))[-1].masks
    everything = model.allowed(masks, (4, 4), 1.0, 29)
    half = model.allowed(masks, (4, 4), 0.5, 29)
    free = half[:, 0, :8, -16:].flatten(2).all(-1)
    opened = free & ~everything[:, 0, :8, -16:].flatten(2).all(-1)
    draws = (torch.arange(1, 9) * 0.6180339887).frac() > 0.5  # the same for all pictures, however many they are
    assert (free | ~draws).all() and not (opened & ~draws).any() and draws.sum() == 4
    assert half[0, 0, 8:].all() and half[:, 0, :, :13].all()  # all rows of others, all columns of others
    assert (half | ~everything).all()  # nothing is closed that was open
    torch.manual_seed(0)
    model.train()
    drawn = torch.stack([model.allowed(masks, (4, 4), 0.5, 29)[:, 0, :8, -16:].flatten(2).all(-1) for _ in range(40)])
    model.eval()
    assert 0.4 < drawn.float().mean() < 0.75 and not drawn[0].equal(drawn[1])


def test_shares_are_part_of_the_weights(model, tmp_path) -> None:
    model.set_shares((0.0, 0.25))
    model.save_pretrained(tmp_path)
    loaded = ofl.from_pretrained(tmp_path)
    assert loaded.shares == (0.0, 0.25) and type(loaded) is EoMT
    images = torch.randn(1, 3, 64, 64)
    assert loaded(images).mask_logits.equal(model(images).mask_logits)
    model.set_shares((1.0, 1.0))
    assert not loaded(images).mask_logits.equal(model(images).mask_logits)


# -- learning, and leaving


def test_it_trains_its_masks_fade_out_and_its_losses_fall(tmp_path) -> None:
    from oneformer_lite.training import read_log, toytown_training, train

    c = small(backbone_options={"depth": 3, "init_values": 1.0})
    recipe = toytown_training(
        out=str(tmp_path), data="nowhere", steps=40, batch_size=4, workers=0, evaluations=0, log_steps=1,
        look_first=False, lr=2e-3, warmup_steps=5,
    )  # fmt: skip
    result = train(c, recipe, ofl.data.Toytown("train", 64, 4))
    records = [record for record in read_log(tmp_path) if record["kind"] == "train"]
    for name in ("class", "mask", "dice", "total"):
        values = [record[name] for record in records]
        assert sum(values[-8:]) < 0.9 * sum(values[:8]), name
    assert result.model.shares == (0.0, 0.0)  # also of averaged weights
    assert ofl.from_pretrained(tmp_path / "model").shares == (0.0, 0.0)


@pytest.mark.parametrize("shares", [(1.0, 0.0)])
def test_it_is_exported(model, shares, tmp_path) -> None:
    import json

    from oneformer_lite.weights.onnx import Segmenter, onnx_difference, save_onnx

    model.set_shares(shares)
    images = torch.randn(2, 3, 64, 64)
    program = torch.export.export(Segmenter(model).eval(), (images,))
    assert program.module()(images)[1].allclose(model(images).mask_logits, atol=1e-4)
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    path = save_onnx(model, tmp_path / "model.onnx")
    facts = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert json.loads(facts["size"]) == [64, 64] and json.loads(facts["tasks"]) == []
    black = [-mean / std for mean, std in zip(PIXEL_MEAN, PIXEL_STD)]
    assert json.loads(facts["pad_value"]) == pytest.approx(black, abs=1e-5)
    difference = onnx_difference(model, path)
    assert difference is None or difference < 1e-4
    with pytest.raises(ConfigError, match="multiples of 64"):
        save_onnx(model, path, (96, 64))
    model.set_shares((1.0, 1.0))


# -- pictures


def test_pictures_are_padded_with_black_to_squares(model) -> None:
    images = torch.randn(2, 3, 40, 64)
    padded = model.padded(images)
    black = (-torch.tensor(PIXEL_MEAN) / torch.tensor(PIXEL_STD)).view(3, 1, 1)
    assert padded.shape == (2, 3, 64, 64) and padded[..., :40, :].allclose(images, atol=1e-5)
    assert padded[..., 40:, :].allclose(black.expand(2, 3, 24, 64))
    square = torch.randn(1, 3, 64, 64)
    assert model.padded(square).equal(square)
    assert model(torch.randn(1, 3, 70, 100)).mask_logits.shape[-2:] == (32, 32)  # positions are resampled


def test_dinov3_stretches_places_in_training_alone() -> None:
    model = build(small("dinov3", rope_rescale=2.0)).eval()
    images = torch.randn(1, 3, 64, 64)
    assert model(images).mask_logits.equal(model(images).mask_logits)
    model.train()
    model.set_shares((0.0, 0.0))
    assert not model(images).mask_logits.equal(model(images).mask_logits)
    still = build(small("dinov3")).train()
    still.set_shares((0.0, 0.0))
    assert still(images).mask_logits.equal(still(images).mask_logits)


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"image_size": 100}, "image_size 100 must be a multiple"),
        ({"anneal_starts": (0.1,), "anneal_ends": (0.2,)}, "anneal_starts must be a share for each of 2 blocks"),
        ({"anneal_starts": (0.1, 2.0), "anneal_ends": (0.2, 0.3)}, "shares of the training, 0 to 1"),
        ({"anneal_starts": (0.1, 0.5), "anneal_ends": (0.2, 0.3)}, "must lie after anneal_starts"),
        ({"anneal_starts": (0.1, 0.5)}, "or both be empty"),
        ({"backbone_options": {"embed_dim": 4}}, "unknown names .*'embed_dim'"),
        ({"trained_task": "depth"}, "trained_task is 'depth'"),
        ({"test_size": 160}, "test_size is 160, but an EoMT sees pictures at .* image_size 64"),
        ({"test_max_size": 1333}, "test_max_size is 1333"),
        ({"query_blocks": 5}, "query_blocks 5 are more than the 4 blocks"),
        ({"query_blocks": 0}, "query_blocks must be at least 1"),
        ({"hidden_dim": 24, "num_heads": 4}, "has 6 channels, but DINOv3 turns them in fours"),
    ],
)
def test_configurations_that_are_none(fields, words) -> None:
    with pytest.raises(ConfigError, match=words):
        build(small(**fields))


@pytest.mark.parametrize(
    "backbone", ["resnet50", "vit_base_patch16_224", "vit_small_patch16_dinov3", "vit_x_reg4_dinov2"]
)
def test_other_backbones_are_refused(backbone) -> None:
    with pytest.raises(ConfigError, match="no vision transformer of DINOv2 or DINOv3"):
        build(dataclasses.replace(small(), backbone=backbone, backbone_options={}))


def test_weights_that_cannot_be_fetched(monkeypatch) -> None:
    def offline(*_, **__):
        raise OSError("no network")

    model = build(small())
    monkeypatch.setattr("oneformer_lite.model.networks.vit.timm.create_model", offline)
    with pytest.raises(ConfigError, match="could not be fetched, or do not fit .OSError.*--from-scratch"):
        model.backbone.load_imagenet_weights()


def test_fetched_weights_are_taken(monkeypatch) -> None:
    """Whatever timm returns under the name, which resamples positions and patches itself."""
    import timm

    model, create = build(small("dinov2")), timm.create_model
    asked = {}

    def pretrained(name, pretrained, **sizes):
        asked.update(name=name, pretrained=pretrained, **sizes)
        torch.manual_seed(5)
        return create(name, pretrained=False, **sizes)

    monkeypatch.setattr("oneformer_lite.model.networks.vit.timm.create_model", pretrained)
    before = model.backbone.network.pos_embed.clone()
    model.backbone.load_imagenet_weights()
    assert asked["pretrained"] and asked["img_size"] == 64 and asked["patch_size"] == 16
    assert model.backbone.has_imagenet_weights and not before.equal(model.backbone.network.pos_embed)
    model.backbone.load_imagenet_weights()  # once


def test_layers_above() -> None:
    """The last norm and all outside the transformer learn at the full rate, positions as the first block."""
    model = build(small("dinov2"))
    found = {name: model.layers_above(name) for name, _ in model.named_parameters()}
    assert found["backbone.network.blocks.3.attn.qkv.weight"] == found["backbone.network.norm.weight"] == 0
    assert found["backbone.network.blocks.0.ls1.gamma"] == found["backbone.network.pos_embed"] == 3
    assert found["backbone.network.patch_embed.proj.bias"] == found["backbone.network.cls_token"] == 3
    assert found["queries.weight"] == found["upscale.0.conv1.weight"] == found["class_head.bias"] == 0


def test_reading_what_was_encoded_once(model) -> None:
    images = torch.randn(1, 3, 64, 64)
    trace = Trace()
    assert model.read(model.encode(images, trace))[-1].mask_logits.equal(model(images).mask_logits)
    assert trace["backbone.stride16"].shape == (1, 48, 4, 4)
