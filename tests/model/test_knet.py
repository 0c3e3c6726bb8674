"""K-Net's parts by hand, and what holds for every member."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from member_checks import assert_resumes_bit_equal, assert_saves_and_loads_bit_equal, lost, trained
from torchvision.ops import FeaturePyramidNetwork

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.data.batch import Batch
from oneformer_lite.losses import Criterion
from oneformer_lite.model import KNet, build
from oneformer_lite.model.parts.fpn import LocalisationFPN, PlainFPN
from oneformer_lite.model.parts.kernels import KernelStage, pooled
from oneformer_lite.training import read_log
from oneformer_lite.training.finetune import start_from

pytestmark = pytest.mark.filterwarnings("ignore:.*(segments but the model has|number of queries)")
SMALL = {
    "image_size": 64, "test_size": 64, "pretrained": False, "hidden_dim": 32, "num_heads": 4, "thing_kernels": 12,
    "stages": 2, "stage_ffn": 48,
}  # fmt: skip


def small(**fields) -> config.KNetConfig:
    return dataclasses.replace(config.knet_toytown(), **SMALL | fields)


def built(**fields) -> KNet:
    torch.manual_seed(0)
    return build(small(**fields)).eval()


def noisy(model: KNet) -> KNet:
    """Weights of the first step are so small that kernels are hardly told apart."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("size", [(8, 12), (7, 10)])
@torch.no_grad()
def test_the_fpn_is_torchvisions(size) -> None:
    ours, theirs = PlainFPN([4, 6, 8], 16), FeaturePyramidNetwork([4, 6, 8], 16)
    names = [f"{i}.0.{kind}" for i in range(3) for kind in ("weight", "bias")]
    theirs.inner_blocks.load_state_dict(dict(zip(names, ours.laterals.state_dict().values())))
    theirs.layer_blocks.load_state_dict(dict(zip(names, ours.outputs.state_dict().values())))
    sizes = [tuple(-(-side // 2**i) for side in size) for i in range(3)]
    maps = [torch.randn(2, c, *s) for c, s in zip((4, 6, 8), sizes)]
    expected = theirs({str(i): m for i, m in enumerate(maps)})
    for found, wanted in zip(ours(maps), expected.values()):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("stride", [4, 8])
def test_all_levels_come_to_one_stride(stride) -> None:
    fpn = LocalisationFPN(16, stride)
    location, semantic = fpn([torch.randn(1, 16, 64 // s, 96 // s) for s in (4, 8, 16, 32)])
    assert location.shape == semantic.shape == (1, 16, 64 // stride, 96 // stride)
    assert [len(level) for level in fpn.levels] == [1, 1, 2, 3]


def test_pooling_sums_and_no_gradient_reaches_masks() -> None:
    features = torch.randn(1, 5, 3, 4, requires_grad=True)
    masks = torch.randn(1, 2, 3, 4, requires_grad=True)
    found = pooled(features, masks)
    by_hand = features[0][:, masks[0, 1] > 0].sum(1)
    torch.testing.assert_close(found[0, 1], by_hand)
    found.sum().backward()
    assert masks.grad is None and features.grad.any()
    twice = (torch.cat([t, t], dim=2).detach() for t in (features, masks))
    features2, masks2 = twice
    torch.testing.assert_close(pooled(features2, masks2), 2 * found.detach())
    torch.testing.assert_close(pooled(features2, masks2, "mean"), pooled(features, masks, "mean").detach())


@pytest.mark.parametrize("how", ["sum", "mean"])
def test_a_mask_of_nothing_pools_zeros_and_the_stage_stays_finite(how) -> None:
    features, kernels = torch.randn(1, 16, 4, 4), torch.randn(1, 3, 16)
    masks = torch.full((1, 3, 4, 4), -1.0)
    masks[0, 2] = 0  # not above 0
    assert not pooled(features, masks, how).any()
    found = KernelStage(16, 2, 24, 5, how)(kernels, features, masks)
    assert all(part.isfinite().all() for part in found)
    assert [tuple(part.shape) for part in found] == [(1, 3, 16), (1, 3, 5), (1, 3, 4, 4)]


@torch.no_grad()
def test_permuted_thing_kernels_permute_predictions_and_stuff_stays() -> None:
    model = noisy(built())
    images = torch.randn(1, 3, 64, 64)
    before = model(images, trace=True).predictions
    order = torch.randperm(12)
    model.queries.weight.copy_(model.queries.weight[order])
    after = model(images, trace=True).predictions
    whole = torch.cat([order, torch.arange(12, model.config.num_queries)])
    assert not order.equal(torch.arange(12))
    for a, b in zip(before, after):
        torch.testing.assert_close(b.mask_logits, a.mask_logits[:, whole], rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(b.class_logits, a.class_logits[:, whole], rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_queries_answer_for_their_classes_alone() -> None:
    model = built()
    c = model.config
    stuff = [k for k, thing in enumerate(c.is_thing) if not thing]
    assert c.fixed_queries == {k: 12 + i for i, k in enumerate(stuff)} and c.num_queries == 12 + len(stuff)
    first, *_, last = model(torch.randn(1, 3, 64, 64), trace=True).predictions
    chances = last.probabilities[0]
    assert not chances[:12, stuff].any()
    for label, query in c.fixed_queries.items():
        assert chances[query].nonzero().flatten().tolist() == [label]
    assert first.probabilities[0, :12][:, list(c.is_thing)].sub(0.01).abs().max() < 1e-6


def test_fields_that_contradict_each_other() -> None:
    assert small(trained_task="instance").num_queries == 12 and not small(trained_task="instance").fixed_queries
    assert small(num_queries=5).num_queries == small().num_queries  # always what follows from the others
    for fields in ({"feature_stride": 16}, {"mask_stride": 8}, {"trained_task": "semantic"}, {"pooling": "max"}):
        with pytest.raises(ofl.errors.ConfigError, match=next(iter(fields))):
            small(**fields)


@pytest.mark.parametrize("stride, masks", [(4, 16), (8, 16)])
@torch.no_grad()
def test_masks_have_a_quarter_of_the_size_whatever_the_features(stride, masks) -> None:
    output = built(feature_stride=stride)(torch.randn(1, 3, 50, 64), trace=True)
    assert all(p.mask_logits.shape[-2:] == (masks, masks) for p in output.predictions)
    assert output.trace["pixel_decoder.mask_features"].shape[-1] == 64 // stride
    regions = [output.trace[f"decoder.layer{i}.attention_region"] for i in range(2)]
    assert all(region.shape[-1] == 64 // stride for region in regions)


def learning_batch(data) -> Batch:
    return ofl.data.collate([(data[i], "panoptic") for i in range(2)])


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


@pytest.mark.parametrize("task", ["panoptic", "instance"])
def test_every_parameter_learns(data, task) -> None:
    model = built(trained_task=task, early_layers_learn=True).train()
    batch = ofl.data.collate([(data[i], task) for i in range(2)])
    Criterion(model.config)(model.learn(batch), batch.targets)["total"].backward()
    idle = [name for name, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert not idle


def test_early_layers_stay_as_published() -> None:
    model = build(small(backbone="resnet18", early_layers_learn=False))
    frozen = {name.split(".")[2] for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {"conv1", "bn1", "layer1"}


def test_losses_fall(data) -> None:
    torch.manual_seed(0)
    totals = lost(build(small(pretrained=True)).train(), learning_batch(data), 30, lr=1e-3, clip_norm=1.0)
    assert set(totals[0]) == {"class", "mask", "dice", "rank", "semantic", "total"}
    for name in totals[0]:
        assert totals[-1][name] < totals[0][name], name
    assert totals[-1]["total"] < 0.8 * totals[0]["total"]


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return trained(small(), data, tmp_path_factory.mktemp("knet"))


def test_trains(run) -> None:
    record = [r for r in read_log(run) if r["kind"] == "train"][0]
    assert list(record["by_layer"]) == ["class", "mask", "dice", "rank"] and record["semantic"] > 0
    assert record["by_layer"]["class"][0] == 0  # the first masks have no classes


def test_resumes_bit_equal(data, tmp_path) -> None:
    assert_resumes_bit_equal(small(), data, tmp_path)


def test_saves_and_loads_bit_equal(run, tmp_path) -> None:
    assert_saves_and_loads_bit_equal(built(), small(), run, tmp_path / "saved")


@pytest.mark.parametrize("task", ["panoptic", "instance", "semantic"])
def test_a_panoptic_one_answers_every_task(data, task) -> None:
    found = ofl.predict(built(), data[0].image, task)
    assert isinstance(found.segments, list) if task == "instance" else found.categories == data.categories


def test_an_instance_one_answers_its_own_task_alone(data) -> None:
    model = built(trained_task="instance")
    assert isinstance(ofl.predict(model, data[0].image, "instance").segments, list)
    with pytest.raises(ofl.errors.ConfigError, match="instance"):
        ofl.predict(model, data[0].image, "panoptic")


def test_starts_from_one_of_other_classes(data, run) -> None:
    fewer = config.for_classes(small(), [c for c in data.categories if c.name != "sky"])
    model = build(fewer)
    assert start_from(model, str(run / "model")) == [] and model.config.num_queries == small().num_queries - 1
    before = ofl.from_pretrained(run / "model")
    rows = [k for k, c in enumerate(data.categories) if c.name != "sky"]
    for ours, theirs in ((model, before), (model.stages[0], before.stages[0])):
        assert ours.class_head.weight.equal(theirs.class_head.weight[rows])
    assert model.queries.weight.equal(before.queries.weight)
