"""Seq2Seg with object queries and the Hungarian U-Net in the house: they predict, are judged, train, resume, save,
load, are diagnosed, exported and looked into like all members."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from member_checks import assert_resumes_bit_equal, assert_saves_and_loads_bit_equal, recipe, trained
from small_roots import small_hungarian, small_query_seq2seg, small_seq2seg

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.data.digits import Digits
from oneformer_lite.errors import ConfigError
from oneformer_lite.losses import Criterion
from oneformer_lite.model import MaskModel, build
from oneformer_lite.training import read_log, train

PLAIN = {"masks": "channels", "transformer_layers": 0, "start_stride": 1}
MADE = {
    "hungarian": small_hungarian(), "channels": small_hungarian(**PLAIN),
    "linear": small_query_seq2seg(masks="linear", mask_size=16, query_positions=True),
}  # fmt: skip
OTHERS = {
    "channels, layers": small_hungarian(masks="channels", mask_weight=0.0), "product": small_query_seq2seg(),
    "decoder": small_hungarian(masks="decoder", decoder_layers=3, empty_weight=1.0),
    "attention": small_query_seq2seg(masks="attention"), "instance": small_hungarian(trained_task="instance"),
}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


@pytest.fixture(scope="module", params=list(MADE))
def made(request) -> config.BaseConfig:
    return MADE[request.param]


@pytest.fixture(scope="module")
def model(made) -> MaskModel:
    torch.manual_seed(0)
    return build(made).eval()


@pytest.fixture(scope="module")
def run(made, data, tmp_path_factory):
    return trained(made, data, tmp_path_factory.mktemp("queries"))


def test_it_predicts_every_task(model, data) -> None:
    images = torch.randn(2, 3, 50, 64)
    out, side = model(images), 64 // model.config.mask_stride
    assert out.class_logits.shape == (2, 12, 15) and out.mask_logits.shape == (2, 12, side, side)
    assert out.class_logits.equal(model(images, ["semantic", "instance"]).class_logits)
    for task in ofl.data.TASKS:
        found = ofl.predict(model, data[0].image[:60, :45], task)
        assert found.task == task and found.image.shape == (60, 45, 3)
    assert {"PQ", "AP", "mIoU"} <= ofl.evaluate(model, data).keys()


def test_it_trains(made, run) -> None:
    terms = list(Criterion(made).terms)
    assert terms == ["class", "mask", "dice"]
    records = [record for record in read_log(run) if record["kind"] == "train"]
    assert len(records) == 3 and all(np.isfinite(record[name]) for record in records for name in (*terms, "total"))
    layers = 3 if made.model_type == "hungarian_unet" and made.masks == "product" else 1
    assert len(records[0]["by_layer"]["dice"]) == layers


@pytest.mark.parametrize("name", [*MADE, *OTHERS])
def test_every_parameter_learns(data, name) -> None:
    torch.manual_seed(0)
    made = (MADE | OTHERS)[name]
    model = build(made).train()
    batch = ofl.data.collate([(data[i], made.trained_task) for i in range(2)])
    losses = Criterion(made)(model.learn(batch), batch.targets)
    losses["total"].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert ("mask" in losses) == (made.mask_weight > 0)  # a loss without weight is not even computed
    assert list(model.idle(2)) == []


def test_it_resumes_bit_equal(made, data, tmp_path) -> None:
    assert_resumes_bit_equal(made, data, tmp_path)


def test_it_saves_and_loads_bit_equal(model, made, run, tmp_path) -> None:
    assert_saves_and_loads_bit_equal(model, made, run, tmp_path)


def test_it_is_fine_tuned(made, data, run, tmp_path) -> None:
    """For other classes: those of the same name keep their rows."""
    fewer = config.for_classes(made, (*data.categories[:2], ofl.data.Category(999, "balloon", True)))
    with pytest.warns(UserWarning, match="1 of 3 classes .balloon."):
        from oneformer_lite.training.finetune import set_initial_weights

        model = build(fewer)
        set_initial_weights(model, recipe(tmp_path, start_from=str(run / "model")))
    before, after = ofl.from_pretrained(run / "model").class_head, model.class_head
    assert after.weight[:2].equal(before.weight[:2]) and after.weight[-1].equal(before.weight[-1])


def test_the_doctor_examines_it(model, data, run) -> None:
    checks = {finding.check: finding for finding in ofl.doctor(model, data, images=2).findings}
    for name in ("gradients", "class loss", "mask loss", "dice loss", "normalisation", "task token"):
        assert checks[name].verdict == "fine", name
    assert any(finding.check == "mask loss over the run" for finding in ofl.doctor(run=run, dataset=data).findings)


@pytest.mark.parametrize("name", [
    "MaskInspector", "MatchInspector", "MergeInspector", "FeatureInspector", "QueryInspector", "LossInspector",
    "SamplingInspector", "TaskInspector", "ContrastInspector",
])  # fmt: skip
def test_inspectors_look_into_it(model, data, tmp_path, name) -> None:
    several = name in ("LossInspector", "ContrastInspector")
    inspector = getattr(ofl.widgets, name)(model, [data[0], data[1]] if several else data[0])
    inspector.set(**inspector.state)
    page = inspector.to_html(tmp_path / "page.html").read_text()
    assert inspector.still().size[0] > 50 and name in page
    words = {"channels": "stride 1", "product": "stride 2", "linear": "This model records no maps"}
    assert name != "FeatureInspector" or words[model.config.masks] in page
    has = model.config.masks == "product"
    sentences = {"SamplingInspector": "decoder is an FPN or the like" if has else "records no sampling points",
                 "ContrastInspector": "from no texts", "TaskInspector": "is not told its task"}  # fmt: skip
    assert sentences.get(name, name) in page and sentences.get(name, name) in repr(inspector)


def test_it_is_exported(tmp_path) -> None:
    pytest.importorskip("onnxscript")
    from oneformer_lite.weights.onnx import onnx_difference, save_onnx

    torch.manual_seed(0)
    model = build(MADE["hungarian"]).eval()
    path = save_onnx(model, tmp_path / "model.onnx", (64, 64))
    difference = onnx_difference(model, path)
    assert difference is None or difference < 1e-4


@pytest.mark.parametrize(
    "make, changes, words",
    [
        (small_hungarian, {"start_stride": 4, "depth": 4}, "is a stride of 64, which must divide 32"),
        (small_hungarian, {"start_stride": 3}, "which must divide 32"),
        (small_hungarian, {"transformer_layers": 0}, "masks='product' needs transformer_layers"),
        (small_hungarian, {"masks": "linear"}, "masks is 'linear'; expected one of"),
        (small_hungarian, {"backbone": "resnet18"}, "has a network of its own, so backbone stays 'unet'"),
        (small_query_seq2seg, {"masks": "linear", "mask_size": 24}, "must be a multiple of mask_size 24"),
        (small_query_seq2seg, {"max_positions": 64, "query_positions": True}, "8 x 8 patches and 12 queries need"),
        (small_query_seq2seg, {"masks": "channels"}, "masks is 'channels'"),
        (small_query_seq2seg, {"mask_loss": "softmax"}, "mask_loss is 'softmax'"),
    ],
)
def test_contradictions_are_refused(make, changes, words) -> None:
    with pytest.raises(ConfigError, match=words):
        make(**changes)


@pytest.mark.parametrize(
    "made, measure",
    [(MADE["hungarian"], "PQ"), (OTHERS["product"], "PQ"), (small_seq2seg(), "mIoU")],
    ids=["hungarian", "product", "seq2seg"],
)
def test_two_scenes_are_learned_by_heart(made, measure) -> None:
    data = ofl.data.Toytown("train", 64, 2)
    task = "semantic" if measure == "mIoU" else "panoptic"
    torch.manual_seed(0)
    model, batch = build(made).train(), ofl.data.collate([(sample, task) for sample in data])
    criterion, optimizer = Criterion(made), torch.optim.AdamW(model.parameters(), 5e-3, weight_decay=0.0)
    for step in range(40):
        optimizer.param_groups[0]["lr"] = 5e-3 * min(1, (step + 1) / 10)
        optimizer.zero_grad()
        criterion(model.learn(batch), batch.targets)["total"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert ofl.evaluate(model.eval(), data, task)[measure] > 40


@pytest.mark.parametrize("name, changes", [
    ("hungarian_unet_digits", {"base_channels": 4, "hidden_dim": 16, "num_heads": 2, "ffn": 16}),
    ("query_seq2seg_digits", {"hidden_dim": 16, "num_heads": 2, "encoder_ffn": 16}),
])  # fmt: skip
def test_digits_that_lie_over_each_other_are_learned_whole(tmp_path, name, changes) -> None:
    digits = Digits("train", "hard", length=4)
    c = replace(getattr(config, name)(), **changes)
    settings = {"steps": 2, "batch_size": 2, "workers": 0, "evaluations": 1, "eval_images": 2, "log_steps": 1}
    run = train(c, ofl.training.recipe_for(c, out=str(tmp_path), look_first=False, **settings), digits, digits)
    assert run.finished and any("AP" in record for record in read_log(tmp_path))
    found = ofl.predict(run.model, digits[0].image, "instance", min_score=0.0)
    assert all(segment.mask.shape == (64, 64) for segment in found.segments)


def test_digits_have_presets_and_a_recipe() -> None:
    for name in ("hungarian_unet_digits", "query_seq2seg_digits"):
        c = getattr(config, name)()
        found = ofl.training.recipe_for(c, minutes=1)
        assert c.num_classes == 10 and found.augmentation == "fit" and found.task_probabilities == (0, 1 / 3, 0)
    names = ("hungarian_unet_digits", "hungarian_unet_toytown", "seq2seg_toytown", "query_seq2seg_toytown")
    rates = [ofl.training.recipe_for(getattr(config, name)(), minutes=1).lr for name in names]
    assert rates == [2e-3, 2e-3, 1e-3, 1e-3]
    report = config.query_seq2seg_digits()
    found = ofl.training.recipe_for(report)
    assert (found.steps, found.batch_size, found.lr, found.final_lr, found.clip_norm) == (11_256, 64, 1e-4, 1.0, None)
    found = report.num_queries, report.class_weight, report.no_object_weight, report.dice_loss
    assert found == (6, 0.1, 0.5, "squared")
    assert replace(report, masks="product").mask_stride == 1 and report.mask_stride == 2
