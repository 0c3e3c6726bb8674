"""U-Net and Seq2Seg in the house: they predict, are judged, train, resume, save, load, are diagnosed, exported and
looked into like members with queries, or say what they have not."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from member_checks import assert_resumes_bit_equal, assert_saves_and_loads_bit_equal, recipe, trained
from small_roots import small_seq2seg, small_unet

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.errors import ConfigError
from oneformer_lite.losses import Criterion
from oneformer_lite.model import MaskModel, build
from oneformer_lite.training import Trainer, read_log, recipe_for
from oneformer_lite.training.measure import answer


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


MADE = {"unet": small_unet(), "seq2seg": small_seq2seg(mask_loss="bce", dice_weight=1.0)}


@pytest.fixture(scope="module", params=list(MADE))
def made(request) -> config.BaseConfig:
    return MADE[request.param]


@pytest.fixture(scope="module")
def model(made) -> MaskModel:
    torch.manual_seed(0)
    return build(made).eval()


@pytest.fixture(scope="module")
def run(made, data, tmp_path_factory):
    return trained(made, data, tmp_path_factory.mktemp("semantic"))


def test_it_has_a_mask_for_each_class(model, data) -> None:
    images = torch.randn(2, 3, 50, 64)
    out = model(images, "semantic")
    assert out.class_logits.shape == (2, 14, 15) and out.mask_logits.shape == (2, 14, 64, 64)
    assert out.probabilities.equal(torch.eye(14).expand(2, -1, -1))
    found = ofl.predict(model, data[0].image, "semantic")
    with torch.inference_mode():
        masks = model(ofl.data.normalise(data[0].image)[None]).mask_logits[0]
    assert np.array_equal(found.label_map, masks.argmax(0).numpy())
    odd = ofl.predict(model, data[0].image[:50, :61], "semantic")
    assert odd.label_map.shape == (50, 61)


def test_it_is_judged_by_its_task_alone(model, data) -> None:
    metrics = ofl.evaluate(model, data, "semantic")
    assert 0 <= metrics["mIoU"] <= 100 and "PQ" not in metrics
    for task in ("panoptic", "instance"):
        with pytest.raises(ConfigError, match=f"trained for semantic segmentation alone.*no answer for '{task}'"):
            ofl.predict(model, data[0].image, task)
        with pytest.raises(ConfigError, match="ask for semantic"):
            ofl.evaluate(model, data, task)
    recipe_ = recipe("unused", task_probabilities=(1, 1, 0))
    with pytest.raises(ConfigError, match="never draw semantic"):
        Trainer(model.config, recipe_, data, None)


def test_it_trains(made, run) -> None:
    terms = list(Criterion(made).terms)
    assert terms == (["mask"] if made.model_type == "unet" else ["mask", "dice"])
    records = read_log(run)
    steps = [record for record in records if record["kind"] == "train"]
    assert len(steps) == 3 and all(np.isfinite(record[name]) for record in steps for name in (*terms, "total"))
    assert list(steps[0]["by_layer"]) == terms and "class" not in steps[0]
    assert any("mIoU" in record for record in records)


@pytest.mark.parametrize("mask_loss", ["bce", "focal", "softmax"])
def test_every_parameter_learns(made, data, mask_loss) -> None:
    torch.manual_seed(0)
    own = replace(made, mask_loss=mask_loss, dice_weight=0.5)
    model = build(own).train()
    batch = ofl.data.collate([(data[i], "semantic") for i in range(2)])
    Criterion(own)(model.learn(batch), batch.targets)["total"].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert list(model.idle(2)) == []


def test_it_resumes_bit_equal(made, data, tmp_path) -> None:
    assert_resumes_bit_equal(made, data, tmp_path)


def test_it_saves_and_loads_bit_equal(model, made, run, tmp_path) -> None:
    assert_saves_and_loads_bit_equal(model, made, run, tmp_path)


class Renamed:
    """Toytown whose last class is called otherwise."""

    tasks = ofl.data.TASKS

    def __init__(self) -> None:
        self.samples = ofl.data.Toytown("train", 64, 4)
        self.categories = (*self.samples.categories[:-1], ofl.data.Category(999, "balloon", True))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int):
        return self.samples[index].replace(categories=self.categories)


def test_it_is_fine_tuned(made, run, tmp_path) -> None:
    """Classes are found again by their names in what makes the masks."""
    data = Renamed()
    with pytest.warns(UserWarning, match="1 of 14 classes .balloon."):
        trainer = Trainer(
            config.for_classes(made, data.categories), recipe(tmp_path, start_from=str(run / "model")), data, None
        )
    before, after = ofl.from_pretrained(run / "model").class_head, trainer.model.class_head
    assert after.weight[:13].equal(before.weight[:13]) and not after.weight[13].equal(before.weight[13])
    assert after.bias[:13].equal(before.bias[:13])


def test_its_cost_is_measured(made) -> None:
    question = {"config": config.stored(made), "train_config": asdict(recipe("unused"))}
    assert answer(question | {"processes": 1, "steps": 1})["step_seconds"] > 0


def test_the_doctor_examines_it(model, data, run) -> None:
    checks = {finding.check: finding for finding in ofl.doctor(model, data, images=2).findings}
    for name in ("gradients", "mask loss", "queries", "normalisation"):
        assert checks[name].verdict == "fine", name
    assert "class loss" not in checks
    assert any(finding.check == "mask loss over the run" for finding in ofl.doctor(run=run, dataset=data).findings)


@pytest.mark.parametrize(
    "name, words",
    [
        ("MaskInspector", ""), ("QueryInspector", ""), ("LossInspector", ""),
        ("FeatureInspector", {"unet": "stride 1", "seq2seg": "This model records no maps"}),
        ("MatchInspector", "This model has a mask for each class, so nothing is matched"),
        ("MergeInspector", "knows no segments that could be merged"),
        ("SamplingInspector", "records no sampling points"), ("TaskInspector", "This model is not told its task"),
        ("ContrastInspector", "This model learns from no texts"),
    ],
)  # fmt: skip
def test_every_inspector_looks_into_it_or_says_what_it_has_not(model, data, tmp_path, name, words) -> None:
    words = words[model.config.model_type] if isinstance(words, dict) else words
    given = [data[0], data[1]] if name in ("LossInspector", "ContrastInspector") else data[0]
    inspector = getattr(ofl.widgets, name)(model, given)
    inspector.set(**inspector.state)
    page = inspector.to_html(tmp_path / "page.html").read_text()
    assert inspector.still().size[0] > 50 and name in page and words in page


def test_the_loss_inspector_adds_up(model, data) -> None:
    inspector = ofl.widgets.LossInspector(model, [data[0], data[1]])
    batch = ofl.data.collate([(data[i], "semantic") for i in range(2)])
    expected = Criterion(model.config)(model.learn(batch), batch.targets)
    parts = inspector.step_shown().parts
    assert parts.losses() == pytest.approx({name: float(v.detach()) for name, v in expected.items()}, rel=1e-5)
    assert len(parts.labels) == 28  # absent classes learn too


def test_a_softmax_over_classes_is_exported(tmp_path) -> None:
    pytest.importorskip("onnxscript")
    from oneformer_lite.weights.onnx import onnx_difference, save_onnx

    torch.manual_seed(0)
    model = build(small_seq2seg(encoder_layers=1, mask_loss="softmax")).eval()
    path = save_onnx(model, tmp_path / "model.onnx", (64, 96))
    difference = onnx_difference(model, path)
    assert difference is None or difference < 1e-4


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"trained_task": "panoptic"}, "trained_task is 'panoptic'; expected one of .'semantic',"),
        ({"backbone": "resnet18"}, "has a network of its own, so backbone stays .* got 'resnet18'"),
        ({"backbone_norm": "frozen"}, "backbone_norm"),
        ({"class_weight": 1.0}, "no loss of classes: class_weight is 1"),
        ({"mask_weight": 0.0, "dice_weight": 0.0}, "one of which must be above 0"),
        ({"mask_loss": "ce"}, "mask_loss is 'ce'"),
        ({"dice_loss": "cubed"}, "dice_loss is 'cubed'"),
        ({"compared_on": "points"}, "compared_on is 'points'"),
    ],
)
def test_contradictions_are_refused(made, changes, words) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(made, **changes)


def test_there_are_as_many_queries_as_classes(made, data) -> None:
    two = config.for_classes(made, data.categories[:2])
    assert two.num_queries == 2 and dict(two.fixed_queries) == {0: 0, 1: 1}
    assert build(two)(torch.randn(1, 3, 32, 32)).mask_logits.shape == (1, 2, 32, 32)


def test_nobody_has_imagenet_weights_of_it(made, data, tmp_path) -> None:
    with pytest.raises(ConfigError, match="nobody has ImageNet weights"):
        Trainer(replace(made, pretrained=True), recipe(tmp_path), data, None)


@pytest.mark.parametrize("name", config.roots_presets.__all__)
def test_presets_have_recipes(name) -> None:
    c = getattr(config, name)()
    assert name in config.PRESETS and recipe_for(c, minutes=1).minutes == 1
    if c.data_set == "cityscapes":
        found = recipe_for(c)
        assert (found.batch_size, found.augmentation, found.weight_decay) == (24, "small_streets", 0.0)
        assert found.steps == (5535 if c.model_type == "seq2seg" else 3690)
