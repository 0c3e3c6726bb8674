"""Mask2Former is told no task: what it learns, and what each kind of it answers."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.errors import ConfigError
from oneformer_lite.inference import RawPrediction, instance_inference, semantic_inference
from oneformer_lite.model import Mask2Former, build
from oneformer_lite.training import Trainer, toytown_training

SMALL = {
    "image_size": 64, "test_size": 64, "pretrained": False, "hidden_dim": 48, "num_heads": 4, "num_queries": 8,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64, "num_points": 64,
    "object_mask_threshold": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


@pytest.fixture(scope="module")
def model() -> Mask2Former:
    torch.manual_seed(0)
    return build(dataclasses.replace(config.mask2former_toytown(), **SMALL)).eval()


def trained_for(model: Mask2Former, task: str) -> Mask2Former:
    other = build(dataclasses.replace(model.config, trained_task=task)).eval()
    other.load_state_dict(model.state_dict())
    return other


def test_the_task_changes_nothing_but_how_the_output_is_read(model, data) -> None:
    images = torch.randn(1, 3, 64, 96)
    assert model(images).mask_logits.equal(model(images, "semantic").mask_logits)
    with torch.inference_mode():
        prepared = ofl.data.normalise(data[0].image)[None]
        out = model(prepared)
    found = ofl.predict(model, data[0].image, "semantic")
    raw = RawPrediction(out.class_logits[0], out.mask_logits[0], (64, 64), (64, 64), (64, 64))
    by_hand = torch.einsum("qk,qhw->khw", raw.class_logits.softmax(-1)[:, :-1], raw.masks().sigmoid())
    assert torch.from_numpy(found.label_map).equal(by_hand.argmax(0)) and by_hand.allclose(semantic_inference(raw))


def test_it_starts_from_its_own_queries(model) -> None:
    trace = model(torch.randn(2, 3, 64, 64), trace=True).trace
    assert trace["query.object_queries"][1].equal(model.queries.weight)
    before = trace["prediction0.class_logits"]  # supervised before they saw the picture
    assert before[0].equal(before[1]) and len(model.decoder.layers) == 2
    assert trace["prediction2.class_logits"].shape == (2, 8, model.config.num_classes + 1)


@pytest.mark.parametrize(
    "task, others", [("instance", ("panoptic", "semantic")), ("semantic", ("panoptic", "instance"))]
)
def test_a_model_for_one_task_refuses_the_others(model, data, task, others) -> None:
    one = trained_for(model, task)
    assert ofl.predict(one, data[0].image, task).task == task and ofl.evaluate(one, data, task)
    for other in others:
        with pytest.raises(ConfigError, match=f"trained for {task} segmentation alone.*no answer for '{other}'"):
            ofl.predict(one, [data[0].image], other)
        with pytest.raises(ConfigError, match=f"ask for {task}, or take a panoptic model"):
            ofl.evaluate(one, data, [task, other])
    assert one(torch.randn(1, 3, 64, 64)).class_logits.shape[1] == 8  # a look at its logits needs no task
    inspector = ofl.widgets.MaskInspector(one, data[0])
    assert inspector.state["task"] == task and inspector.still().size[0] > 50
    findings = {finding.check: finding.verdict for finding in ofl.doctor(one, data, images=2).findings}
    assert findings["gradients"] == "fine"


@pytest.mark.parametrize("task", ["panoptic", "instance", "semantic"])
def test_training_draws_its_task_alone(model, data, tmp_path, task) -> None:
    recipe = toytown_training(
        out=str(tmp_path), data="nowhere", steps=1, batch_size=4, workers=0, evaluations=0, look_first=False
    )
    trainer = Trainer(dataclasses.replace(model.config, trained_task=task), recipe, data, None)
    assert next(trainer._batches()).tasks == [task] * 4


def official_instances(class_logits, mask_logits, is_thing, most):
    """``MaskFormer.instance_inference`` of the official code, in loops: (class, score, pixels)."""
    scores = class_logits.softmax(-1)[:, :-1]
    pairs = sorted((scores[q, k].item(), q, k) for q in range(len(scores)) for k in range(scores.shape[1]))[::-1]
    found = []
    for score, q, k in pairs[:most]:
        if is_thing[k]:
            mask = mask_logits[q] > 0
            inside = mask_logits[q].sigmoid()[mask]
            found.append((k, score * (inside.sum() / (mask.sum() + 1e-6)).item(), int(mask.sum())))
    return sorted(found)


@pytest.mark.parametrize("queries, classes", [(30, 8), (9, 5), (120, 2)])
def test_instances_by_the_official_rule(queries, classes) -> None:
    """Of 100 pairs of query and class those that are things, also where there are fewer pairs, or more queries."""
    generator = torch.Generator().manual_seed(queries)
    for _ in range(70):
        class_logits = 2 * torch.randn(queries, classes + 1, generator=generator)
        masks = torch.randn(queries, 6, 7, generator=generator)
        things = tuple(bool(k % 2) for k in range(classes))
        raw = RawPrediction(class_logits, masks, (6, 7), (6, 7), (6, 7))
        found, labels, scores = instance_inference(raw, things, most=100)
        ours = sorted(zip(labels.tolist(), scores.tolist(), found.flatten(1).sum(1).tolist()))
        expected = official_instances(class_logits, masks, things, 100)
        assert [(k, n) for k, _, n in ours] == [(k, n) for k, _, n in expected]
        assert [s for _, s, _ in ours] == pytest.approx([s for _, s, _ in expected], rel=1e-5)


def test_the_best_hundred_instances(model, data) -> None:
    assert len(ofl.predict(model, data[0].image, "instance", min_score=0.0).segments) <= 100
    few = build(dataclasses.replace(model.config, max_instances=3)).eval()
    assert len(ofl.predict(few, data[0].image, "instance", min_score=0.0).segments) <= 3
