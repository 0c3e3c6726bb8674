"""OneFormer and Mask2Former with noised truth: nobody else knows of it, and all of the house takes it along."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from member_checks import assert_resumes_bit_equal, assert_saves_and_loads_bit_equal, lost, trained

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.config import BaseConfig
from oneformer_lite.config.stored import from_stored, stored
from oneformer_lite.data.batch import Batch
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.losses.reading import take_apart
from oneformer_lite.losses import Criterion
from oneformer_lite.model import MaskModel, build
from oneformer_lite.model.parts.denoising import MaskDenoising
from oneformer_lite.training import read_log
from oneformer_lite.training.finetune import start_from

SMALL = {
    "pretrained": False, "image_size": 64, "test_size": 64, "hidden_dim": 48, "num_heads": 4, "num_queries": 14,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64, "num_points": 64,
}  # fmt: skip
PRESETS = {"oneformer": config.toytown, "mask2former": config.mask2former_toytown}
SEEDS = [(0,), (1,)]


def small(name: str, denoising_queries: int = 18, **fields) -> BaseConfig:
    return dataclasses.replace(PRESETS[name](), denoising_queries=denoising_queries, **SMALL | fields)


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


@pytest.fixture(scope="module")
def batch(data) -> Batch:
    """Under two tasks, with masks of very different number."""
    return ofl.data.collate([(data[0], "panoptic"), (data[1], "instance")])


@pytest.fixture(scope="module", params=PRESETS)
def model(request) -> MaskModel:
    torch.manual_seed(0)
    return build(small(request.param)).eval()


def without(model: MaskModel) -> MaskModel:
    """The same weights, and no denoising."""
    other = build(dataclasses.replace(model.config, denoising_queries=0)).eval()
    other.load_state_dict({n: v for n, v in model.state_dict().items() if not n.startswith("denoising.")})
    return other


def learned(model: MaskModel, batch: Batch, targets: list | None = None, seed: int = 0):
    torch.manual_seed(seed)
    return model.learn(batch if targets is None else dataclasses.replace(batch, targets=targets))


def wanted(batch: Batch, *counts: int) -> list[ofl.data.Targets]:
    return [
        dataclasses.replace(t, masks=t.masks[:1].expand(n, -1, -1), labels=t.labels[:1].expand(n), texts=[""] * n)
        for t, n in zip(batch.targets, counts)
    ]


# -- off


@pytest.mark.parametrize("name", PRESETS)
def test_off_it_is_not_there(name: str, batch) -> None:
    """With it on, all other weights start as they do without."""
    torch.manual_seed(0)
    off = build(small(name, 0))
    torch.manual_seed(0)
    on = build(small(name))
    added = on.state_dict().keys() - off.state_dict().keys()
    assert added == {"denoising.class_table.weight"} and off.state_dict().keys() < on.state_dict().keys()
    assert all(value.equal(on.state_dict()[key]) for key, value in off.state_dict().items())
    assert off.denoising is None and not off.learn(batch).denoising and not off.missing_parts
    assert "denoising_class" not in Criterion(off.config).weights and PRESETS[name]().denoising_queries == 0
    assert off.decoder in off.parts_of_fixed_shapes() and on.decoder not in on.parts_of_fixed_shapes()
    assert on.denoising not in on.parts_of_fixed_shapes() and on.pixel_decoder in on.parts_of_fixed_shapes()


# -- on


@torch.no_grad()
def test_matched_queries_do_not_see_the_truth(model, batch) -> None:
    """Neither their answers nor their losses know of noised queries, and the contrastive loss is there once."""
    alone, on, again, other = (
        learned(without(model), batch), learned(model, batch), learned(model, batch), learned(model, batch, seed=1),
    )  # fmt: skip
    for a, b in zip(alone.predictions, on.predictions):
        assert torch.allclose(a.class_logits, b.class_logits, atol=1e-5)
        assert torch.allclose(a.mask_logits, b.mask_logits, atol=1e-5)
    said = [[g.class_logits for layer in out.denoising for g in layer] for out in (on, again, other)]
    assert all(a.equal(b) for a, b in zip(said[0], said[1])) and not said[0][-1].allclose(said[2][-1], atol=1e-3)
    losses = [Criterion(m.config)(o, batch.targets, SEEDS) for m, o in ((without(model), alone), (model, on))]
    assert all(losses[1][name].allclose(loss, rtol=1e-4) for name, loss in losses[0].items() if name != "total")
    new = losses[1].keys() - losses[0].keys()
    assert new == {"denoising_class", "denoising_mask", "denoising_dice"}
    weighted = sum(Criterion(model.config).weights[name] * losses[1][name] for name in new)
    assert losses[1]["total"].item() == pytest.approx(float(losses[0]["total"] + weighted), rel=1e-4)


@torch.no_grad()
def test_groups_do_not_see_each_other(model, batch, monkeypatch) -> None:
    targets = wanted(batch, 4, 2)
    torch.manual_seed(0)
    before, made = learned(model, batch, targets), MaskDenoising.forward

    def other_last_group(self, targets):
        noised = made(self, targets)
        content = noised.content.clone()
        content[:, noised.slices()[-1]] += 1
        return noised._replace(content=content)

    monkeypatch.setattr(MaskDenoising, "forward", other_last_group)
    after = learned(model, batch, targets)
    *same, changed = zip(before.denoising[-1], after.denoising[-1])
    assert len(same) == 3 and all(a.class_logits.allclose(b.class_logits, atol=1e-5) for a, b in same)
    assert not changed[0].class_logits.allclose(changed[1].class_logits, atol=1e-3)


@pytest.mark.parametrize("counts, groups", [((0, 0), 0), ((19, 0), 0), ((0, 5), 3), ((18, 2), 1), ((1, 1), 18)])
@pytest.mark.filterwarnings("ignore:an image has 1. segments but the model has 14 queries")
def test_as_many_groups_as_fit(model, batch, counts, groups) -> None:
    """Without targets, with too many, with an image that has none: no crash, and every part is in the graph."""
    targets = wanted(batch, *counts)
    output = learned(model, batch, targets)
    assert [len(layer) for layer in output.denoising] == [groups] * 3 * bool(groups)
    losses = Criterion(model.config)(output, targets)
    assert losses["total"].isfinite() and bool(losses["denoising_dice"] > 0) == bool(groups)
    model.zero_grad()
    losses["total"].backward()
    table = model.denoising.class_table.weight
    assert table.grad is not None and bool(table.grad.any()) == bool(groups)


@torch.no_grad()
def test_the_class_loss_is_that_of_all_groups_together(model, batch) -> None:
    """As published: the mean over the queries of all groups, weighted; those of no mask have no object."""
    targets = wanted(batch, 3, 1)
    output, c = learned(model, batch, targets), model.config
    found = Criterion(c)(output, targets, SEEDS)["denoising_class"]
    labels, nothing = [int(t.labels[0]) for t in targets], c.num_classes
    truth = torch.tensor([[labels[0]] * 3, [labels[1], nothing, nothing]]).repeat(1, len(output.denoising[0]))
    weights = torch.ones(nothing + 1)
    weights[-1] = c.no_object_weight
    layers = [torch.cat([group.class_logits for group in layer], dim=1) for layer in output.denoising]
    expected = [F.cross_entropy(logits.transpose(1, 2), truth, weights) for logits in layers]
    assert found.item() == pytest.approx(float(sum(expected)), rel=1e-5)
    if hasattr(c, "deep_supervision"):
        last_alone = Criterion(dataclasses.replace(c, deep_supervision=False))(output, targets, SEEDS)
        assert last_alone["denoising_class"].item() == pytest.approx(expected[-1].item(), rel=1e-5)


@torch.no_grad()
def test_they_look_where_the_truth_is(model, batch, monkeypatch) -> None:
    """In every layer, at its map's size; those without a mask look everywhere. A trace does not tell of them."""
    seen = []
    for layer in model.decoder.layers:
        inner = layer.cross_attention.forward
        monkeypatch.setattr(layer.cross_attention, "forward", lambda *a, inner=inner: seen.append(a[3]) or inner(*a))
    monkeypatch.setattr(model.denoising, "noise", 0.0)
    trace = model.learn(batch, trace=True).trace
    first, second = batch.targets
    count = len(first) * (18 // len(first))
    for allowed, side in zip(seen, (2, 4)):
        assert allowed.shape == (2, count + 14, side**2)
        truth = F.adaptive_max_pool2d(first.masks.float(), side).flatten(1) > 0
        assert allowed[0, : len(first)].equal(truth) and allowed[1, len(second) : len(first)].all()
    assert trace["decoder.layer1.attention_region"].shape == (2, 14, 4, 4)
    assert trace["decoder.layer1.queries"].shape[1] == trace["prediction1.class_logits"].shape[1] == 14


@torch.no_grad()
def test_predictions_do_without(model, batch) -> None:
    images = batch.images
    for task in ("panoptic", "instance", "semantic"):
        assert model(images, task).mask_logits.equal(without(model)(images, task).mask_logits)


# -- in the house


@pytest.mark.parametrize("name", PRESETS)
def test_every_parameter_learns_and_losses_fall(name: str, data) -> None:
    torch.manual_seed(0)
    model = build(small(name)).train()
    batch = ofl.data.collate([(data[0], "panoptic"), (data[1], "panoptic")])
    history = lost(model, batch, 20, 2e-3, 1.0)
    idle = [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert idle == []
    for term in ("total", "denoising_class", "denoising_dice"):
        early, late = (sum(step[term] for step in steps) for steps in (history[:5], history[-5:]))
        assert late < 0.9 * early, term


def test_it_trains_and_is_kept(data, tmp_path) -> None:
    made = small("mask2former")
    run = trained(made, data, tmp_path / "run")
    steps = [record for record in read_log(run) if record["kind"] == "train"]
    assert all({"denoising_class", "denoising_mask", "denoising_dice"} <= record.keys() for record in steps)
    assert all(len(layers) == 3 for layers in steps[0]["by_layer"].values())
    assert_saves_and_loads_bit_equal(build(made).eval(), made, run, tmp_path / "folder")


def test_it_resumes_bit_equal(data, tmp_path) -> None:
    assert_resumes_bit_equal(small("oneformer"), data, tmp_path)


@pytest.mark.parametrize("name", PRESETS)
def test_it_begins_and_ends_with_a_training_of_its_own(name: str, tmp_path) -> None:
    """A trained model without it is a start for one with it, and the other way round; classes keep their rows."""
    torch.manual_seed(0)
    off, on = build(small(name, 0)).eval(), build(small(name)).eval()
    for folder, model in (("off", off), ("on", on)):
        model.save_pretrained(tmp_path / folder)
    begun = build(small(name))
    own = begun.denoising.class_table.weight.clone()
    assert start_from(begun, str(tmp_path / "off"))[0].startswith("the denoising (")
    assert begun.denoising.class_table.weight.equal(own) and begun.decoder.norm.weight.equal(off.decoder.norm.weight)
    assert start_from(build(small(name, 0)), str(tmp_path / "on")) == []
    kept = [c for c in on.config.categories if c.id % 2]
    new = build(config.for_classes(small(name), kept))
    assert start_from(new, str(tmp_path / "on")) == []
    rows = [on.config.class_names.index(c.name) for c in kept]
    assert new.denoising.class_table.weight.equal(on.denoising.class_table.weight[rows])


@pytest.mark.parametrize("name", PRESETS)
def test_a_file_without_it_is_said_to_lack_it(name: str, tmp_path, batch) -> None:
    torch.manual_seed(0)
    model = build(small(name)).eval()
    model.denoising = None
    model.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=r"holds no denoising: the model predicts.*model\.add_denoising\(\)"):
        found = ofl.from_pretrained(tmp_path)
    assert found.missing_parts == ["denoising"] and not found.learn(batch).denoising
    found.add_missing_parts()
    assert found.learn(batch).denoising and not found.missing_parts


@pytest.mark.parametrize("name", PRESETS)
def test_the_fields_are_checked_and_stored(name: str) -> None:
    made = small(name, denoising_noise=0.3)
    assert from_stored(stored(made)) == made
    older = {key: value for key, value in stored(small(name, 0)).items() if not key.startswith("denoising")}
    assert from_stored(older) == small(name, 0)
    for fields, words in (
        ({"denoising_queries": -1}, "denoising_queries must be at least 0"),
        ({"denoising_queries": 10**9}, "denoising_queries must be at most 10000"),
        ({"denoising_queries": True}, "denoising_queries must be int"),
        ({"denoising_noise": 1.5}, "denoising_noise must be at most 1"),
        ({"denoising_noise": float("nan")}, "denoising_noise must be at least 0"),
    ):
        with pytest.raises(ConfigError, match=words):
            dataclasses.replace(made, **fields)


def test_it_is_looked_into(model, batch, data) -> None:
    """Parts of its losses are the criterion's; the doctor finds no fault; half precision computes them, too."""
    criterion, output = Criterion(model.config), learned(model, batch)
    found = take_apart(criterion, output, batch.targets, SEEDS).losses()
    expected = {name: float(value.detach()) for name, value in criterion(output, batch.targets, SEEDS).items()}
    assert found.keys() == expected.keys()
    assert all(found[name] == pytest.approx(value, rel=1e-4) for name, value in expected.items())
    findings = ofl.doctor(model, data, images=2).findings
    assert findings and not [f for f in findings if f.verdict == "fault"], findings
    with torch.autocast("cpu", torch.bfloat16):
        assert criterion(learned(model, batch), batch.targets, SEEDS)["total"].isfinite()
