"""Mask DINO in the house: what its queries see in training, and that it trains, resumes, predicts and is shown."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from member_checks import assert_resumes_bit_equal, assert_saves_and_loads_bit_equal, trained

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.config import MaskDinoConfig
from oneformer_lite.data.batch import Batch
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.losses.reading import take_apart
from oneformer_lite.losses import Criterion
from oneformer_lite.model import MaskDino, build
from oneformer_lite.model.output import MaskProduct, Predictions
from oneformer_lite.model.parts.boxes import boxes_of_masks, inverse_sigmoid, refined
from oneformer_lite.model.parts.denoising import BoxDenoising
from oneformer_lite.model.parts.pixel_decoder import tokens_of
from oneformer_lite.model.parts.selection import proposals
from oneformer_lite.training import read_log
from oneformer_lite.training.finetune import start_from

SMALL = {
    "pretrained": False, "image_size": 64, "test_size": 64, "hidden_dim": 48, "num_heads": 4, "num_queries": 12,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64, "num_points": 64,
    "denoising_queries": 16, "object_mask_threshold": 0.01,
}  # fmt: skip
KINDS = {
    "chosen": {}, "from masks": {"initial_boxes": "mask2box", "extra_maps": 1},
    "learned": {"two_stage": False, "class_loss": "softmax", "class_prior": 0.0},
}  # fmt: skip


def small(**fields) -> MaskDinoConfig:
    return dataclasses.replace(config.mask_dino_toytown(), **SMALL | fields)


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


@pytest.fixture(scope="module")
def batch(data) -> Batch:
    return ofl.data.collate([(data[i], "panoptic") for i in range(2)])


@pytest.fixture(scope="module", params=KINDS)
def model(request) -> MaskDino:
    torch.manual_seed(0)
    return build(small(**KINDS[request.param])).eval()


# -- boxes


def test_the_inverse_of_a_sigmoid_is_finite_and_steps_add_up() -> None:
    shares = torch.tensor([0.0, 1e-7, 0.25, 0.5, 1.0, 2.0, -1.0], dtype=torch.float64)
    ends = torch.log(torch.tensor(1e-5 / 1, dtype=torch.float64))
    assert torch.allclose(inverse_sigmoid(shares)[[2, 3]], torch.tensor([1 / 3, 1], dtype=torch.float64).log())
    assert inverse_sigmoid(shares)[[0, 6]].tolist() == [ends] * 2 and inverse_sigmoid(shares)[5] == -ends
    assert refined(torch.tensor([0.5]), torch.tensor([0.0])).item() == 0.5
    twice = refined(refined(torch.tensor([0.3]), torch.tensor([0.4])), torch.tensor([-0.4]))
    assert twice.item() == pytest.approx(0.3)


def test_boxes_around_masks_by_both_rules() -> None:
    logits = torch.full((1, 2, 4, 8), -1.0)
    logits[0, 0, 1:3, 2:6] = 1  # the second mask is empty
    exact, shorter = (boxes_of_masks(logits, rule)[0] for rule in ("bitmask", "mask2box"))
    assert exact[0].tolist() == [0.5, 0.5, 0.5, 0.5] and exact[1].tolist() == [0, 0, 0, 0]
    assert shorter[0].tolist() == [3.5 / 8, 1.5 / 4, 3 / 8, 1 / 4]
    assert inverse_sigmoid(shorter[1]).sigmoid().tolist() == pytest.approx([1, 1, 0, 0], abs=1e-4)


# -- denoising


def wanted(batch: Batch, *counts: int) -> list[ofl.data.Targets]:
    return [
        dataclasses.replace(t, masks=t.masks[:1].expand(n, -1, -1), labels=t.labels[:1].expand(n), texts=[""] * n)
        for t, n in zip(batch.targets, counts)
    ]


def learned(model: MaskDino, batch: Batch, targets: list, seed: int = 0):
    torch.manual_seed(seed)
    return model.learn(dataclasses.replace(batch, targets=targets))


@torch.no_grad()
def test_matched_queries_do_not_see_the_truth(model, batch) -> None:
    """Their answers are the same without denoising queries, whose noise changes them not at all."""
    with_them, others = learned(model, batch, batch.targets), learned(model, batch, batch.targets, seed=1)
    without = learned(model, batch, [])
    assert with_them.denoising and not without.denoising
    for found, again, alone in zip(with_them.predictions, others.predictions, without.predictions):
        for name in ("class_logits", "boxes", "mask_logits"):
            assert torch.allclose(getattr(found, name), getattr(alone, name), atol=1e-5), name
            assert torch.allclose(getattr(found, name), getattr(again, name), atol=1e-5), name
    assert not with_them.denoising[-1][0].boxes.allclose(others.denoising[-1][0].boxes, atol=1e-3)


@torch.no_grad()
def test_groups_do_not_see_each_other(model, batch, monkeypatch) -> None:
    before = learned(model, batch, wanted(batch, 4, 2))
    made = BoxDenoising.forward

    def other_last_group(self, targets):
        noised = made(self, targets)
        content = noised.content.clone()
        content[:, noised.slices()[-1]] += 1
        return noised._replace(content=content)

    monkeypatch.setattr(BoxDenoising, "forward", other_last_group)
    after = learned(model, batch, wanted(batch, 4, 2))
    *same, changed = zip(before.denoising[-1], after.denoising[-1])
    assert len(same) == 3 and all(a.boxes.allclose(b.boxes, atol=1e-5) for a, b in same)
    assert not changed[0].class_logits.allclose(changed[1].class_logits, atol=1e-3)


@pytest.mark.parametrize(
    "counts, groups", [((0, 0), 0), ((17, 0), 0), ((3, 0), 5), ((16, 2), 1), ((1, 1), 16)]
)
@pytest.mark.filterwarnings("ignore:an image has 1. segments but the model has 12 queries")
def test_as_many_groups_as_fit(model, batch, counts, groups) -> None:
    """Without targets, with too many, with an image that has none: no crash, and every part is in the graph. All masks
    are denoised, also those that there is no query to match with."""
    targets = wanted(batch, *counts)
    output = learned(model, batch, targets)
    assert len(output.denoising[0] if output.denoising else []) == groups
    losses = Criterion(model.config)(output, targets)
    assert losses["total"].isfinite() and bool(losses["denoising_box"] > 0) == bool(groups)
    model.zero_grad()
    losses["total"].backward()
    table = model.denoising.class_table.weight
    assert table.grad is not None and bool(table.grad.any()) == bool(groups)


def test_noise_stays_within_its_reach(batch) -> None:
    torch.manual_seed(0)
    quiet, loud = (BoxDenoising(16, 14, 1000, noise) for noise in (0.0, 0.4))
    truth = quiet(batch.targets)
    assert truth.content.shape[:2] == (2, truth.groups * truth.most) and truth.groups * truth.most <= 1000
    for b, target in enumerate(batch.targets):
        boxes = truth.box_logits[b].sigmoid().unflatten(0, (truth.groups, -1))
        assert boxes[0].allclose(boxes[-1]) and (boxes[:, len(target) :] == 0.5).all()
        content = truth.content[b].unflatten(0, (truth.groups, -1))
        assert content[0, : len(target)].equal(quiet.class_table.weight[target.labels])
        assert not content[:, len(target) :].any()
        shaken = loud(batch.targets).box_logits[b].sigmoid().unflatten(0, (truth.groups, -1))[:, : len(target)]
        boxes = boxes[:, : len(target)]
        reach = 0.4 * torch.cat([boxes[..., 2:] / 2, boxes[..., 2:]], -1) + 1e-4
        assert ((shaken - boxes).abs() <= reach).all() and not shaken[0].equal(shaken[1])
    labels = batch.targets[0].labels.repeat(2000)
    assert (loud._exchanged(labels) != labels).float().mean().item() == pytest.approx(0.2 * 13 / 14, abs=0.02)


def test_look_forward_twice(batch) -> None:
    """The box of the second layer teaches how the first one moved it, and not where that started."""
    torch.manual_seed(0)
    model = build(small())
    torch.nn.init.normal_(model.decoder.box_head.layers[-1].weight, std=0.1)
    features = [f.detach() for f in model.encode(batch.images).maps], model.encode(batch.images).masks.detach()
    moved = []
    step = model.decoder.box_head.forward

    def watched(x):
        moved.append(step(x))
        return moved[-1]

    model.decoder.box_head.forward = watched
    start = torch.zeros(2, 12, 4, requires_grad=True)
    memory, shapes = tokens_of(features[0])
    *_, last = model.decoder(torch.zeros(2, 12, 48), start, memory, shapes, features[1])
    said_first, moved_first, said_second, _ = moved  # of each layer: by the normalised queries, then by themselves
    found = torch.autograd.grad(last.boxes.sum(), [said_first, moved_first, said_second, start], allow_unused=True)
    assert found[0] is None and found[1].abs().sum() > 0 and found[2].abs().sum() > 0


# -- losses


def test_a_hundred_and_five_terms_at_nine_layers(batch) -> None:
    """5 of each of 10 predictions, of the selection, and of noised queries before the first layer and after each: each
    prediction is taught by its own terms alone, and by all of them."""
    torch.manual_seed(0)
    model = build(small(decoder_layers=9, denoising_queries=10)).eval()
    with torch.no_grad():
        output = model.learn(batch)
    assert [len(groups) for groups in output.denoising] == [1] * 10
    *output.auxiliary, last = (free(p) for p in output.predictions)
    output.selection = free(output.selection)
    output.class_logits, output.masks, output.boxes = last.class_logits, last.masks, last.boxes
    output.denoising = [[free(group)] for (group,) in output.denoising]
    of = {"": output.predictions, "selection_": [output.selection], "denoising_": [g for (g,) in output.denoising]}
    said = {"class": "class_logits", "mask": "masks", "dice": "masks", "box": "boxes", "giou": "boxes"}
    places = {(whose, i): p for whose, predictions in of.items() for i, p in enumerate(predictions)}
    leaves = {(*place, name): leaf(p, name) for place, p in places.items() for name in set(said.values())}
    losses, counted = Criterion(model.config)(output, batch.targets), 0
    for whose, predictions in of.items():
        for name, part in said.items():
            loss, inputs = losses[whose + name], list(leaves.values())
            found = torch.autograd.grad(loss, inputs, retain_graph=True, allow_unused=True)
            taught = {key for key, gradient in zip(leaves, found) if gradient is not None and gradient.any()}
            assert taught == {(whose, i, part) for i in range(len(predictions))}, whose + name
            counted += len(taught)
    assert counted == 105


def free(p: Predictions) -> Predictions:
    """What it says, from nowhere."""
    classes, boxes, embeddings = (x.clone().requires_grad_() for x in (p.class_logits, p.boxes, p.masks.embeddings))
    return Predictions(classes, MaskProduct(embeddings, p.masks.features), no_object=False, boxes=boxes)


def leaf(p: Predictions, name: str) -> torch.Tensor:
    return p.masks.embeddings if name == "masks" else getattr(p, name)


# -- in the house


def test_every_parameter_learns_and_losses_fall(batch) -> None:
    for kind in ("chosen", "learned"):
        torch.manual_seed(0)
        model = build(small(**KINDS[kind])).train()
        criterion, optimizer, seen = Criterion(model.config), torch.optim.AdamW(model.parameters(), 2e-3), []
        for _ in range(30):
            losses = criterion(model.learn(batch), batch.targets)
            optimizer.zero_grad()
            losses["total"].backward()
            optimizer.step()
            seen.append(float(losses["total"].detach()))
        idle = [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
        assert idle == [] and sum(seen[-5:]) < 0.85 * sum(seen[:5]), seen


def test_it_trains_and_its_run_says_what_it_lost(data, tmp_path) -> None:
    made = small()
    run = trained(made, data, tmp_path / "run")
    steps = [record for record in read_log(run) if record["kind"] == "train"]
    terms = ["class", "mask", "dice", "box", "giou"]
    names = [prefix + name for prefix in ("", "selection_", "denoising_") for name in terms]
    assert all(set(names) <= record.keys() for record in steps) and sorted(steps[0]["by_layer"]) == sorted(terms)
    assert all(len(layers) == 3 for layers in steps[0]["by_layer"].values())
    model = build(made).eval()
    assert_saves_and_loads_bit_equal(model, made, run, tmp_path / "folder")


def test_it_is_trained_further_with_other_classes_and_queries(tmp_path) -> None:
    torch.manual_seed(0)
    trained_ = build(small(**KINDS["learned"])).eval()
    trained_.save_pretrained(tmp_path)
    kept = [c for c in trained_.config.categories if c.id % 2]
    new = build(config.for_classes(small(**KINDS["learned"], num_queries=14), kept))
    assert [words.split(" (")[0] for words in start_from(new, str(tmp_path))] == ["2 of 14 queries"]
    rows = [trained_.config.class_names.index(c.name) for c in kept]
    assert new.denoising.class_table.weight.equal(trained_.denoising.class_table.weight[rows])
    assert new.query_boxes.weight[:12].equal(trained_.query_boxes.weight)
    assert new.decoder.class_head.weight.equal(trained_.decoder.class_head.weight[[*rows, -1]])


def test_it_resumes_bit_equal(data, tmp_path) -> None:
    assert_resumes_bit_equal(small(), data, tmp_path)


def test_it_predicts_and_is_judged(model, data) -> None:
    for task in ("panoptic", "instance", "semantic"):
        found = ofl.predict(model, data[0].image[:50], task, min_score=0.0)
        assert found.task == task
    assert {"PQ", "AP", "mIoU"} <= ofl.evaluate(model, data).keys()


def test_more_queries_than_places_are_refused_in_words() -> None:
    model = build(small(num_queries=60)).eval()
    with pytest.raises(ConfigError, match="have 21 places in all.*60 are to become queries.*at most 21"):
        model(torch.randn(1, 3, 32, 32))
    assert model(torch.randn(1, 3, 64, 64)).class_logits.shape[1] == 60


@pytest.mark.parametrize("sizes, side", [("dino", 0.05), ("released", 0.2)])
def test_proposals_of_the_finest_map(sizes: str, side: float) -> None:
    boxes, counts = proposals(((2, 2), (4, 4), (8, 8)), sizes)
    assert counts.all() and torch.allclose(boxes[-64:, 2:].sigmoid(), torch.tensor(side))
    assert torch.allclose(boxes[:4, 2:].sigmoid(), torch.tensor(0.25 - side))


# -- looked into


def test_inspectors_show_what_it_has(model, data) -> None:
    """Five costs side by side; each loss again as the sum of its parts; sampling of the encoder; no task to be told."""
    matches = ofl.widgets.MatchInspector(model, data[0])
    assert matches.parts == ("class", "mask", "dice", "box", "giou") and len(matches.readings) == 3
    reading = matches.readings["panoptic"]
    assert reading.costs.shape[:3] == (3, 5, 12) and len(reading.limits) == 5
    assert ("to say no" in matches._unmatched.value) != ("“no object” at weight" in matches._unmatched.value)
    assert ("to say no" in matches._unmatched.value) == (model.config.class_loss == "focal")
    matches.set(giou_weight=0.0, layer=0)
    losses = ofl.widgets.LossInspector(model, [data[0], data[1]])
    assert losses.still() and ofl.widgets.MergeInspector(model, data[0]).still()
    for name in ("MaskInspector", "QueryInspector", "SamplingInspector", "FeatureInspector", "TaskInspector"):
        assert getattr(ofl.widgets, name)(model, data[0]).still(), name
    assert "learns from no texts" in repr(ofl.widgets.ContrastInspector(model, [data[0], data[1]]))


def test_parts_of_the_losses_are_the_criterions(model, batch) -> None:
    criterion, seeds = Criterion(model.config), [(0,), (1,)]
    output = learned(model, batch, batch.targets)
    found = take_apart(criterion, output, batch.targets, seeds).losses()
    expected = {name: float(value.detach()) for name, value in criterion(output, batch.targets, seeds).items()}
    assert found.keys() == expected.keys() and len(found) == (16 if model.config.two_stage else 11)
    assert all(found[name] == pytest.approx(value, rel=1e-4) for name, value in expected.items())


def test_the_doctor_examines_it(data) -> None:
    torch.manual_seed(0)
    findings = ofl.doctor(build(small()), data, images=2).findings
    assert findings and not [f for f in findings if f.verdict == "fault"], findings
