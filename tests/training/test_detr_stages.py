"""DETR's two stages on Toytown: boxes first, then the masks of the frozen model; all its losses fall."""

from __future__ import annotations

import dataclasses

import member_checks
import pytest
import torch
from member_checks import assert_resumes_bit_equal, lost

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.data.by_name import UNUSED
from oneformer_lite.errors import ConfigError
from oneformer_lite.losses import Criterion
from oneformer_lite.model import build
from oneformer_lite.training import Trainer, read_log, train
from oneformer_lite.training.prepared import prepared

pytestmark = pytest.mark.filterwarnings("ignore:.*(segments but the model has|number of queries|the run starts from)")
SMALL = {
    "image_size": 64, "test_size": 64, "pretrained": False, "hidden_dim": 48, "num_heads": 4, "num_queries": 12,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64, "object_mask_threshold": 0.1,
    "dropout": 0.1,
}  # fmt: skip


def small(stage: str) -> config.DetrConfig:
    return dataclasses.replace(config.detr_toytown(), stage=stage, **SMALL)


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


def recipe(out, **changes):
    return member_checks.recipe(out, ema_decay=None, **changes)


@pytest.fixture(scope="module")
def boxes(data, tmp_path_factory):
    """The run of the first stage."""
    folder = tmp_path_factory.mktemp("boxes")
    train(small("boxes"), recipe(folder), data)
    return folder


def test_the_first_stage_learns_boxes_and_classes(boxes) -> None:
    records = [record for record in read_log(boxes) if record["kind"] == "train"]
    assert len(records) == 3
    for record in records:
        assert list(record["by_layer"]) == ["class", "box", "giou"] and "mask" not in record
    torch.manual_seed(recipe("unused").seed)
    start, end = build(small("boxes")).state_dict(), ofl.from_pretrained(boxes / "model").state_dict()
    moved = {name.split(".")[0] for name in start if not start[name].equal(end[name])}
    assert moved == {"backbone", "input_projection", "encoder", "query_positions", "layers", "norm", "class_head",
                     "box_head"}  # fmt: skip


def test_the_second_stage_teaches_masks_to_the_frozen_model(boxes, data, tmp_path) -> None:
    result = train(small("masks"), recipe(tmp_path, start_from=str(boxes / "model")), data)
    before, after = ofl.from_pretrained(boxes / "model").state_dict(), result.model.state_dict()
    moved = {name.split(".")[0] for name in before if not before[name].equal(after[name])}
    assert moved == {"mask_attention", "mask_head"}
    records = [record for record in read_log(tmp_path) if record["kind"] == "train"]
    # boxes have losses still, which teach nobody
    assert list(records[0]["by_layer"]) == ["class", "mask", "dice", "box", "giou"]
    assert records[0]["by_layer"]["mask"][0] == 0 < records[0]["by_layer"]["mask"][1]
    assert ofl.from_pretrained(tmp_path / "model").config.stage == "masks"


def test_masks_of_a_model_that_has_learned_nothing_are_refused(data, tmp_path) -> None:
    """Frozen and random: whatever masks learned from it would be worth nothing."""
    with pytest.raises(ConfigError, match="stage 'boxes' before, or all of it with 'joint'; .*start_from"):
        train(small("masks"), recipe(tmp_path), data)


def test_stages_learn_from_pictures_of_varied_sizes(boxes, data, tmp_path) -> None:
    """As published: what a batch adds to the smaller ones is told apart."""
    settings = {"augmentation": "detr", "start_from": str(boxes / "model"), "batch_size": 3}
    result = train(small("masks"), recipe(tmp_path, **settings), data)
    records = [record for record in read_log(tmp_path) if record["kind"] == "train"]
    assert result.finished and all(record["total"] > 0 for record in records) and len(records) == 3


def test_classes_between_which_numbers_have_gaps_are_learned(data, tmp_path) -> None:
    """As COCO's, whose numbers the published models keep: what no data have is found by name, and left alone."""
    gaps = [ofl.data.Category(9000 + i, f"{UNUSED}{i}", True) for i in range(2)]
    c = config.for_classes(small("boxes"), [gaps[0], *data.categories[7:], gaps[1], *data.categories[:7]])
    learned = prepared(c, recipe(tmp_path), data)
    own, given = learned[0], data[0]
    assert [own.categories[s.class_id] for s in own.segments] == [given.categories[s.class_id] for s in given.segments]
    assert learned.categories[0].name == gaps[0].name and len(learned.categories) == c.num_classes == 16
    assert own.segments[0].class_id != given.segments[0].class_id
    result = train(c, recipe(tmp_path, steps=1), data)
    assert result.finished and result.model.class_head.out_features == 17
    with pytest.raises(ConfigError, match="has 15 classes, the data 14"):
        train(config.for_classes(small("boxes"), [*data.categories, ofl.data.Category(99, "horse", True)]),
              recipe(tmp_path / "other"), data)  # fmt: skip


def test_the_frozen_model_stays_in_training_mode(boxes, data, tmp_path) -> None:
    """Its dropout goes on, as published."""
    trainer = Trainer(small("masks"), recipe(tmp_path, start_from=str(boxes / "model")), data, None)
    model = trainer.model.train()
    assert model.encoder[0].dropout.training and model.layers[0].cross_attention.training
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert not model(images).class_logits.equal(model(images).class_logits)


def test_every_parameter_of_a_stage_has_a_gradient(data) -> None:
    batch = ofl.data.collate([(data[i], "panoptic") for i in range(2)])
    for stage in ("boxes", "masks"):
        torch.manual_seed(0)
        model = build(small(stage)).train()
        with torch.no_grad():  # what starts at zero lets no gradient through to what stands before it
            for p in model.parameters():
                p.add_(torch.randn_like(p) / 100)
        Criterion(model.config)(model.learn(batch), batch.targets)["total"].backward()
        idle = {id(p) for part in model.idle(2) for p in part.parameters()}
        for name, p in model.named_parameters():
            has = p.grad is not None and bool(p.grad.any())
            assert has == p.requires_grad or id(p) in idle, (stage, name)


@pytest.mark.parametrize("stage, names", [("joint", ("class", "box", "giou", "mask")), ("boxes", None)])
def test_losses_fall(data, stage, names) -> None:
    """On one batch, again and again; dice waits until boxes and classes are found."""
    torch.manual_seed(1)
    model = build(dataclasses.replace(small(stage), dropout=0.0)).train()
    batch = ofl.data.collate([(data[i], "panoptic") for i in range(2)])
    history = lost(model, batch, 25, lr=1e-3, clip_norm=0.1)
    for name in names or history[0]:
        early, late = (sum(h[name] for h in part) / 3 for part in (history[:3], history[-3:]))
        assert late < early, (name, early, late)


def test_a_stage_is_resumed_bit_equal(boxes, data, tmp_path) -> None:
    assert_resumes_bit_equal(small("masks"), data, tmp_path, start_from=str(boxes / "model"))


def test_a_model_without_masks_yet_answers_in_a_sentence(boxes, data, tmp_path) -> None:
    model = ofl.from_pretrained(boxes / "model")
    for task in ofl.data.TASKS:
        with pytest.raises(ConfigError, match="learned boxes alone.*stage='masks'"):
            ofl.predict(model, data[0].image, task)
    with pytest.raises(ConfigError, match="learned boxes alone"):
        ofl.evaluate(model, data)
    with pytest.raises(ConfigError, match="learned boxes alone.*evaluations=0"):
        train(small("boxes"), recipe(tmp_path, evaluations=1), data, data)
    assert model(torch.randn(1, 3, 64, 64)).boxes.shape == (1, 12, 4)
    assert ofl.widgets.MatchInspector(model, data[0]).still().size[0] > 50
