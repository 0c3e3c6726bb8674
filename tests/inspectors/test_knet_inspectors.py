"""What the inspectors show of K-Net is what it does: its losses in parts, its pixels by its own rule, its stages."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.inspectors.losses.reading import read_losses, take_apart
from oneformer_lite.inspectors.matches.reading import read_matches
from oneformer_lite.inspectors.queries.claims import claims_at, rule_of, standings
from oneformer_lite.inspectors.queries.reading import read_queries
from oneformer_lite.losses import Criterion
from oneformer_lite.model import KNet, Predictions, build

pytestmark = pytest.mark.filterwarnings("ignore:.*(segments but the model has)")
SMALL = {
    "image_size": 64, "test_size": 64, "pretrained": False, "hidden_dim": 32, "num_heads": 4, "thing_kernels": 12,
    "stages": 2, "stage_ffn": 48,
}  # fmt: skip
DATA = ofl.data.Toytown("val", 64, 4)
NAMES = [c.name for c in DATA.categories] + ["no object"]


def small(**fields) -> KNet:
    torch.manual_seed(0)
    return build(dataclasses.replace(config.knet_toytown(), **SMALL | fields)).eval()


@pytest.mark.parametrize("task", ["panoptic", "instance"])
def test_parts_sum_to_the_losses(task) -> None:
    model = small(trained_task=task)
    batch = ofl.data.collate([(DATA[i], task) for i in range(2)])
    output = model.learn(batch)
    criterion = Criterion(model.config)
    losses = criterion(output, batch.targets)
    parts = take_apart(criterion, output, batch.targets)
    for name, value in parts.losses().items():
        assert value == pytest.approx(float(losses[name].detach()), rel=1e-4), name
    for name, values in parts.by_layer().items():
        np.testing.assert_allclose(values, criterion.by_prediction[name].numpy(), rtol=1e-4, atol=1e-6)
    assert not parts.classes[0].any() and not parts.no_object[0].any() and parts.no_object[1].any()
    assert set(parts.whole) == {"rank", "semantic"}


def said(seed: int, **fields) -> KNet:
    """A model whose queries say something: classes apart, masks large and small."""
    model = small(**fields)
    draw = torch.Generator().manual_seed(seed)
    shape = 1, model.config.num_queries
    classes = 2 * torch.randn(*shape, model.config.num_classes, generator=draw)
    masks = F.interpolate(4 * torch.randn(*shape, 4, 4, generator=draw), size=(16, 16), mode="bilinear")
    masks[:, ::4] -= 8
    classes[:, 12:] += 2  # stuff wins some, too
    classes = classes.masked_fill(~model.answered, -1e4)
    model.read = lambda *given, **how: [Predictions(classes, masks, no_object=False)]
    return model


@pytest.mark.parametrize("size", [64, 96])
def test_winners_are_those_of_predict(size) -> None:
    won, reasons = set(), set()
    for seed in range(2):
        model = said(seed, object_mask_threshold=0.95, overlap_threshold=0.3)
        image = ofl.data.Toytown("val", size, 4)[seed].image
        for task in ("panoptic", "semantic"):
            made, wanted = read_queries(model, image, task), ofl.predict(model, image, task)
            found = standings(made, made.num_layers, model.config)
            reasons |= {s.dropped[:9] for s in found}
            assert not any(s.barred for s in found)
            for row, column in np.random.default_rng(seed).integers(0, size, (30, 2)).tolist():
                logits = made.logits_at(made.num_layers, row, column).numpy()
                given = found, made.probabilities[-1].numpy(), logits, NAMES, rule_of(model.config)
                outcome, _ = claims_at(task, *given)
                if task == "panoptic":
                    ids = {segment.id: segment.class_name for segment in wanted.segments}
                    name = ids.get(int(wanted.segment_map[row, column]))
                    assert outcome.startswith("Void") if name is None else outcome.endswith(f"wins: {name}."), outcome
                    won.add(name)
                else:
                    assert outcome.lower().startswith(NAMES[wanted.label_map[row, column]])
    assert len(won) > 4 and None in won and {"its score", ""} <= reasons


def test_instances_by_the_class_alone() -> None:
    model, image = said(3), DATA[0].image
    made = read_queries(model, image, "instance")
    found = [s for s in standings(made, made.num_layers, model.config) if not s.barred]
    best = model.read()[0].probabilities[0, :12].amax(-1)
    assert len(found) == int((best >= 0.5).sum()) > 2
    assert sorted(s.score for s in found) == pytest.approx(sorted(best[best >= 0.5].tolist()), rel=1e-5)


def test_a_kernels_life() -> None:
    """The first masks and those of each stage, who answers for what by the stage before, and what is pooled."""
    model, sample = small(), DATA[0]
    reading = read_queries(model, sample.image, "panoptic", sample)
    assert reading.num_layers == 2 and len(reading.probabilities) == len(reading.truth.matched) == 3
    assert (reading.truth.matched[0] == reading.truth.matched[1]).all()
    stuff = [k for k, c in enumerate(sample.categories) if not c.is_thing and k in reading.truth.class_ids]
    for place, label in enumerate(reading.truth.class_ids):
        if label in stuff:
            assert (reading.truth.matched[:, model.config.fixed_queries[label]] == place).all()
    inspector = ofl.widgets.QueryInspector(model, sample)
    for layer in range(3):
        assert inspector.set(layer=layer).still().size


def test_every_inspector_shows_it_or_says_why_not(tmp_path) -> None:
    model, sample = small(), DATA[0]
    said_why = {
        "ContrastInspector": "learns from no texts", "TaskInspector": "not told its task",
        "SamplingInspector": "no sampling", "MergeInspector": "all queries compete for every pixel",
    }  # fmt: skip
    for name in ("ContrastInspector", "FeatureInspector", "LossInspector", "MaskInspector", "MatchInspector",
                 "MergeInspector", "QueryInspector", "SamplingInspector", "TaskInspector"):  # fmt: skip
        several = name in ("ContrastInspector", "LossInspector")
        inspector = getattr(ofl.widgets, name)(model, [DATA[0], DATA[1]] if several else sample)
        page = inspector.to_html(tmp_path / f"{name}.html").read_text()
        assert said_why.get(name, "") in page and inspector.still().size
    batch = ofl.data.collate([(DATA[0], "panoptic")])
    assert read_losses(model, [batch], [[(0,)]]).first == 0
    assert read_matches(model, sample, "panoptic").costs.shape[0] == 3
