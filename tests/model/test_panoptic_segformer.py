"""Panoptic SegFormer: equal to the official mask decoders, and to transformers' deformable encoder and decoder; sizes;
it trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import panoptic_segformer_reference as ref
import pytest
import torch
from member_checks import assert_resumes_bit_equal, assert_saves_and_loads_bit_equal, trained
from torch import nn
from unchecked import unchecked

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.errors import ConfigError
from oneformer_lite.losses import Criterion
from oneformer_lite.model import PanopticSegFormer, build
from oneformer_lite.model.output import logits_of_values, values_of_logits
from oneformer_lite.model.panoptic_segformer import last
from oneformer_lite.model.parts.attention_masks import AttentionMaskBlock, AttentionMaskDecoder
from oneformer_lite.model.parts.boxes import refined
from oneformer_lite.model.parts.layers import sine_positions
from oneformer_lite.model.parts.location_decoder import LocationDecoder
from oneformer_lite.model.parts.multiscale_encoder import MultiScaleEncoder
from oneformer_lite.weights.names import below, rename

RECORDED = np.load(Path(__file__).with_name("panoptic_segformer_reference.npz"))
SMALL = {
    "image_size": 64, "test_size": 64, "pretrained": False, "hidden_dim": 48, "num_heads": 4, "thing_queries": 12,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64, "thing_blocks": 1,
    "stuff_blocks": 2, "object_mask_threshold": 0.05,
}  # fmt: skip


def small(**changes) -> config.PanopticSegFormerConfig:
    return replace(config.panoptic_segformer_toytown(), **{**SMALL, **changes})


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


@pytest.fixture(scope="module")
def model() -> PanopticSegFormer:
    torch.manual_seed(0)
    return build(small()).eval()


def decoder(kind: str) -> AttentionMaskDecoder:
    found = AttentionMaskDecoder(ref.DIM, ref.HEADS, ref.BLOCKS, 3, self_attention=kind == "stuff").double()
    state = {name: torch.from_numpy(ref.value(name, tuple(v.shape))) for name, v in found.state_dict().items()}
    found.load_state_dict(state)
    return found.requires_grad_(False)


def positions(kind: str) -> torch.Tensor | float:
    return torch.from_numpy(ref.drawn("positions", (ref.STUFF, ref.DIM))) if kind == "stuff" else 0.0


# -- the mask decoders


@pytest.mark.parametrize("kind, count", [("things", ref.THINGS), ("stuff", ref.STUFF)])
def test_mask_decoders_say_what_the_official_ones_say(kind, count) -> None:
    queries, memory = (torch.from_numpy(x) for x in (ref.queries(kind, count), ref.memory()))
    with unchecked():
        found = decoder(kind)(queries, memory, ref.SHAPES, positions(kind))
    for name, expected in (("masks", found.masks), ("queries", found.queries)):
        np.testing.assert_allclose(torch.stack(expected).numpy(), RECORDED[f"{kind}.{name}"], rtol=1e-5, atol=1e-6)


def test_a_mask_depends_neither_on_values_nor_on_the_softmax() -> None:
    block, memory = AttentionMaskBlock(16, 4, 2, False), torch.randn(1, 5, 16)
    shapes, queries = [(2, 2), (1, 1)], torch.randn(1, 3, 16)
    before = block(queries, memory, shapes)
    nn.init.normal_(block.v_proj.weight, std=9)
    after = block(queries, memory, shapes)
    assert after[2].equal(before[2]) and not after[0].equal(before[0])
    # one place scored higher: the mask changes there alone, where a softmax would change all
    scores = block.mask.scores(queries, memory)
    more = scores.clone()
    more[..., 0] += 3
    changed = (block.mask.masks(more, shapes) != block.mask.masks(scores, shapes)).flatten(2).any(1)[0]
    assert not changed[1:].any()


def test_masks_by_hand() -> None:
    """One head, two levels: relu(2 relu(s - 1) + 3 relu(t) - 1), with t enlarged."""
    mask = AttentionMaskBlock(4, 1, 2, False).mask
    with torch.no_grad():
        for linear, weight, bias in zip(mask.levels, (1.0, 1.0), (-1.0, 0.0)):
            linear.weight.fill_(weight), linear.bias.fill_(bias)
        mask.together.weight.copy_(torch.tensor([[2.0, 3.0]])), mask.together.bias.fill_(-1.0)
    scores = torch.tensor([0.0, 2.0, 3.0, 1.0, 0.5]).view(1, 1, 1, 5)
    assert mask.masks(scores, [(2, 2), (1, 1)])[0, 0].tolist() == [[0.5, 2.5], [4.5, 0.5]]


def test_things_have_their_mask_whoever_else_is_decoded_and_stuff_does_not() -> None:
    memory = torch.from_numpy(ref.memory())
    for kind, alone in (("things", True), ("stuff", False)):
        queries = torch.from_numpy(ref.queries(kind, ref.STUFF))
        with unchecked():
            whole = decoder(kind)(queries, memory, ref.SHAPES, positions(kind)).masks[-1]
            some = positions(kind)[1:] if kind == "stuff" else 0.0
            part = decoder(kind)(queries[:, 1:], memory, ref.SHAPES, some).masks[-1]
        assert torch.allclose(whole[:, 1:], part) == alone


def test_values_and_logits() -> None:
    values = torch.tensor([0.0, 0.5, 1.0, 2.0])
    assert (logits_of_values(values) > 0).tolist() == [False, False, True, True]
    assert values_of_logits(logits_of_values(values)).tolist() == values.tolist()


# -- the encoder and the location decoder, beside transformers' Deformable DETR


def test_encoder_and_location_decoder_say_what_transformers_says() -> None:
    from transformers import DeformableDetrConfig, DeformableDetrForObjectDetection

    torch.manual_seed(0)
    c = DeformableDetrConfig(
        use_timm_backbone=True, use_pretrained_backbone=False, backbone="resnet18", d_model=32, encoder_layers=2,
        decoder_layers=3, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48,
        thing_queries=7, with_box_refine=True, two_stage=False, num_labels=5, num_feature_levels=4, dropout=0.0,
        attention_dropout=0.0, activation_dropout=0.0,
    )  # fmt: skip
    theirs = DeformableDetrForObjectDetection(c).double().eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3 if parameter.ndim < 2 else parameter.shape[-1] ** -0.5)
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    seen = {}
    inner = theirs.model
    inner.encoder.register_forward_hook(
        lambda _, args, options, out: seen.update(memory=out[0], **options), with_kwargs=True
    )
    with torch.no_grad():
        expected = theirs(images, output_hidden_states=True)
    encoder = MultiScaleEncoder(32, 4, 4, 2, 4, 48, 0.0, stride=8).double().eval()
    location = LocationDecoder(32, 4, 3, 4, 4, 48, 0.0, 5).double().eval()
    load_theirs(encoder, location, theirs)
    shapes = [(8, 12), (4, 6), (2, 3), (1, 2)]
    maps = [m.transpose(1, 2).unflatten(2, s) for m, s in
            zip(seen["inputs_embeds"].split([h * w for h, w in shapes], dim=1), shapes)]  # fmt: skip
    with unchecked(), torch.no_grad():
        memory = torch.cat([m.flatten(2).transpose(1, 2) for m in encoder(maps)], dim=1)
        torch.testing.assert_close(memory, seen["memory"], rtol=1e-5, atol=1e-6)
        where, what = inner.query_position_embeddings.weight.split(32, dim=1)
        found = location(what, where, memory, shapes)
    torch.testing.assert_close(found[-1].class_logits, expected.logits, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found[-1].boxes, expected.pred_boxes, rtol=1e-5, atol=1e-6)
    for layer, one in enumerate(found):
        torch.testing.assert_close(one.queries, expected.intermediate_hidden_states[:, layer], rtol=1e-5, atol=1e-6)


def load_theirs(encoder: nn.Module, location: nn.Module, theirs: nn.Module) -> None:
    state = {name: value for name, value in theirs.state_dict().items() if "backbone" not in name}
    forward = [
        *((f"{start}fc{i}", f"feed_forward.linear{i}") for i in (1, 2) for start in ("", "mlp.")),
        ("final_layer_norm", "feed_forward.norm"),
    ]
    attention = [("self_attn.o_proj", "self_attention.out_proj"), ("self_attn", "self_attention")]
    table = [
        ("model.level_embed", "encoder.level_embed"),
        ("model.reference_points", "location.reference_points"),
        *below("model.encoder.layers.{}.", "encoder.layers.{}.", [
            ("self_attn_layer_norm", "norm"), ("self_attn", "attention"), *forward,
        ]),
        *below("model.decoder.layers.{}.", "location.layers.{}.", [
            ("self_attn_layer_norm", "norm1"), *attention, ("encoder_attn_layer_norm", "norm2"),
            ("encoder_attn", "cross_attention"), *forward,
        ]),
        ("class_embed.{}", "location.layers.{}.class_head"),
        ("bbox_embed.{}", "location.layers.{}.box_head"),
    ]  # fmt: skip
    found = rename(state, table)
    for part, module in (("encoder.", encoder), ("location.", location)):
        own = {name.removeprefix(part): value for name, value in found.items() if name.startswith(part)}
        module.load_state_dict(own)


def test_positions_lie_in_the_middle_of_their_cells() -> None:
    found = sine_positions(4, 6, 8, offset=-0.5)
    assert found[0, :, 0].tolist() == pytest.approx(np.sin((np.arange(4) + 0.5) / 4 * 2 * np.pi), abs=1e-5)


def test_a_box_starts_at_its_point_and_moves_from_there() -> None:
    step = torch.zeros(1, 1, 4)
    assert refined(torch.tensor([[[0.2, 0.7]]]), step)[0, 0].tolist() == pytest.approx([0.2, 0.7, 0.5, 0.5])
    box = torch.tensor([[[0.2, 0.7, 0.1, 0.3]]])
    assert refined(box, step)[0, 0].tolist() == pytest.approx(box[0, 0].tolist())
    assert refined(box, step + 1)[0, 0, 2].item() == pytest.approx(1 / (1 + 9 * np.exp(-1)))


def test_no_gradient_goes_from_a_box_to_the_layers_before() -> None:
    location = LocationDecoder(8, 2, 2, 1, 2, 16, 0.0, 3)
    for parameter in location.parameters():
        nn.init.normal_(parameter, std=0.5)
    found = location(torch.randn(4, 8), torch.randn(4, 8), torch.randn(1, 6, 8), [(2, 3)])
    found[1].boxes.sum().backward()
    assert location.layers[0].box_head.layers[0].weight.grad is None
    assert location.layers[0].feed_forward.linear1.weight.grad.abs().sum() > 0  # through the queries


# -- the whole


@pytest.mark.parametrize(
    "name, millions, unlearned",
    [
        # what published counts have besides: branches that nobody asks; what they leave out: what does not learn
        ("r50", 51.0, True), ("r101", 69.9, True), ("swin_l", 221.4, False), ("pvtv2_b5", 104.9, False),
    ],
)  # fmt: skip
def test_published_sizes(name, millions, unlearned) -> None:
    with torch.device("meta"):
        found = build(getattr(config, f"panoptic_segformer_coco_{name}")())
    counts = {part: sum(p.numel() for p in getattr(found, part).parameters()) / 1e6
              for part in ("thing_masks", "stuff_masks")}  # fmt: skip
    assert counts == {"thing_masks": pytest.approx(3.29, abs=0.005), "stuff_masks": pytest.approx(6.45, abs=0.005)}
    dead = 4 * (2 * 256 * 257 + 257 * 4 + 257 * 80)
    learned = sum(p.numel() for p in found.parameters() if p.requires_grad or not unlearned)
    assert (learned + dead) / 1e6 == pytest.approx(millions, abs=0.1)


def test_readings_come_last_and_shorter_decoders_repeat_their_first(model) -> None:
    assert model.readings == 3 and last(4, [1, 2]) == [1, 1, 1, 2] and last(1, [1, 2]) == [2]
    with torch.no_grad():
        trace = model(torch.randn(1, 3, 64, 64), trace=True).trace
    assert trace["prediction0.mask_logits"].shape == (1, 12 + len(model.stuff), 16, 16)
    classes, masks = ([trace[f"prediction{i}.{name}"] for i in range(3)] for name in ("class_logits", "mask_logits"))
    classes = [logits[:, :12] for logits in classes]
    assert classes[0].equal(classes[1]) and not classes[1].equal(classes[2])  # two layers
    assert masks[0][:, :12].equal(masks[1][:, :12]) and not masks[0][:, 12:].equal(masks[1][:, 12:])
    assert trace["decoder.layer2.attention"].shape == (1, 4, 12 + len(model.stuff), 16, 16)
    assert [trace[f"location.layer{i}.reference"].shape[-1] for i in range(2)] == [2, 4]


def test_each_query_knows_its_own_classes_alone(model) -> None:
    with torch.no_grad():
        found = model(torch.randn(1, 3, 64, 64))
    known = found.class_logits[0] > -90
    assert known[:12].eq(torch.tensor(model.config.is_thing)).all()
    assert known[12:, list(model.config.stuff)].equal(torch.eye(len(model.stuff), dtype=torch.bool))
    assert model.config.fixed_queries == {label: 12 + i for i, label in enumerate(model.config.stuff)}


def test_masks_of_some_queries_are_those_of_all(model, data) -> None:
    batch = ofl.data.collate([(data[0], "panoptic"), (data[1], "panoptic")])
    with torch.no_grad():
        output = model.learn(batch)
        some = output.masks_of(torch.tensor([[3, 0], [11, 5]]))
    whole = values_of_logits(output.mask_logits)
    torch.testing.assert_close(some[-1][1, 0], whole[1, 11], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(some[-1][0, 1], whole[0, 0], rtol=1e-5, atol=1e-5)


def test_every_parameter_learns_and_the_losses_fall(data) -> None:
    torch.manual_seed(0)
    found = build(small())
    assert [n for n, p in found.named_parameters() if not p.requires_grad] == []
    batch = ofl.data.collate([(data[0], "panoptic"), (data[1], "panoptic")])
    criterion, optimizer = Criterion(found.config), torch.optim.AdamW(found.parameters(), 1e-3)
    totals, learned = [], set()
    for _ in range(30):
        losses = criterion(found.learn(batch), batch.targets)
        optimizer.zero_grad()
        losses["total"].backward()
        learned |= {n for n, p in found.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        nn.utils.clip_grad_norm_(found.parameters(), 0.5)
        optimizer.step()
        totals.append({name: loss.item() for name, loss in losses.items()})
    assert {n for n, _ in found.named_parameters()} == learned
    assert totals[-1]["total"] < 0.75 * totals[0]["total"]
    assert all(totals[-1][name] < totals[0][name] for name in ("class", "giou", "dice", "stuff_class", "stuff_dice"))


def test_it_trains_resumes_saves_and_loads(data, tmp_path) -> None:
    run = trained(small(), data, tmp_path / "run")
    assert_resumes_bit_equal(small(), data, tmp_path)
    torch.manual_seed(0)
    assert_saves_and_loads_bit_equal(build(small()).eval(), small(), run, tmp_path / "saved")


def test_offsets_and_reference_points_learn_slowly(model) -> None:
    from oneformer_lite.training import recipe_for
    from oneformer_lite.training.optim import parameter_groups

    c = recipe_for(config.panoptic_segformer_coco_r50(), out="unused")
    rates = {id(p): g["lr"] for g in parameter_groups(model, c) for p in g["params"]}
    names = dict(model.named_parameters())
    slow = {name for name, p in names.items() if rates[id(p)] == pytest.approx(1.4e-5)}
    assert {name for name in slow if not name.startswith("backbone")} == {
        name for name in names if "sampling_offsets" in name or "reference_points" in name
    } and len(slow) < len(names)
    assert (c.lr, c.weight_decay, c.clip_norm, c.decay_all, c.batch_size) == (1.4e-4, 1e-4, 0.1, True, 8)


def test_a_model_without_stuff_and_one_without_things(data) -> None:
    named = small()
    things = replace(named, is_thing=(True,) * named.num_classes)
    batch = ofl.data.collate([(data[0], "panoptic")])
    found = build(things)
    losses = Criterion(things)(found.learn(batch), batch.targets)
    losses["total"].backward()
    assert losses["stuff_dice"] == losses["stuff_class"] == 0 and losses["dice"] > 0
    assert found.eval()(torch.randn(1, 3, 64, 64)).mask_logits.shape[1] == 12
    with pytest.raises(ConfigError, match="none of the classes is a thing"):
        build(replace(named, is_thing=(False,) * named.num_classes))


def test_fine_tuning_finds_things_and_stuff_again_by_their_names(data, tmp_path) -> None:
    from oneformer_lite.training.finetune import start_from

    torch.manual_seed(0)
    before = build(small()).eval()
    before.save_pretrained(tmp_path)
    added = [ofl.data.Category(99, "balloon", True), ofl.data.Category(98, "sand", False)]
    order = [*reversed(data.categories[2:]), *added]
    after = build(config.for_classes(small(), order))
    fresh = after.stuff_queries.weight.detach().clone()
    new = start_from(after, str(tmp_path))
    assert new == [f"2 of {len(order)} classes (balloon, sand)"]
    old, names = before.config, after.config.class_names
    for part in ("class_head", "stuff_queries"):
        rows = after.config.rows_of_classes[part], old.rows_of_classes[part]
        weights = [m.location.layers[0].class_head.weight if part == "class_head" else m.stuff_queries.weight
                   for m in (after, before)]  # fmt: skip
        for row, index in enumerate(rows[0]):
            if names[index] in old.class_names:
                place = rows[1].index(old.class_names.index(names[index]))
                assert weights[0][row].equal(weights[1][place])
    assert after.stuff_queries.weight[-1].equal(fresh[-1])
