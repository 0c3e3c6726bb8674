"""QueryInspector gives pixels away as each member's own rule does: DETR's by mask logits, MaskFormer's without void."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.inspectors.queries.claims import Standing, claims_at, rule_of, standings
from oneformer_lite.inspectors.queries.reading import read_queries
from oneformer_lite.model import MaskModel, Predictions, build

SMALL = {
    "image_size": 64, "test_size": 64, "pretrained": False, "hidden_dim": 48, "num_heads": 4, "num_queries": 12,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64, "object_mask_threshold": 0.3,
}  # fmt: skip
NAMES = [c.name for c in ofl.data.Toytown("val", 64, 1).categories] + ["no object"]
KINDS = {
    "detr": (config.detr_toytown, {}), "detr that keeps": (config.detr_toytown, {"keep_joined_stuff": True}),
    "maskformer": (config.maskformer_toytown, {"overlap_threshold": 0.3}),
}  # fmt: skip


def member(kind: str, seed: int) -> MaskModel:
    """Whose queries say something: classes apart, masks large and small, some that win nothing."""
    preset, changes = KINDS[kind]
    model = build(dataclasses.replace(preset(), **SMALL | changes)).eval()
    draw = torch.Generator().manual_seed(seed)
    classes = 3 * torch.randn(1, 12, model.config.num_classes + 1, generator=draw)
    masks = F.interpolate(6 * torch.randn(1, 12, 4, 4, generator=draw), size=(16, 16), mode="bilinear")
    masks[:, ::4] -= 12
    model.read = lambda *given, **how: [Predictions(classes, masks)]
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [64, 96])
def test_winners_are_those_of_predict(kind: str, size: int) -> None:
    """At many pixels, of pictures at the input's size and at others, for all tasks."""
    won, barred = set(), set()
    for seed in range(2):
        model, image = member(kind, seed), ofl.data.Toytown("val", size, 4)[seed].image
        for task in ("panoptic", "instance", "semantic"):
            made, wanted = read_queries(model, image, task), ofl.predict(model, image, task)
            found = standings(made, made.num_layers, model.config)
            barred |= {s.barred for s in found}
            for row, column in np.random.default_rng(seed).integers(0, size, (30, 2)).tolist():
                logits = made.logits_at(made.num_layers, row, column).numpy()
                given = found, made.probabilities[-1].numpy(), logits, NAMES, rule_of(model.config)
                outcome, claims = claims_at(task, *given)
                if task == "panoptic":
                    ids = {segment.id: segment.class_name for segment in wanted.segments}
                    name = ids.get(int(wanted.segment_map[row, column]))
                    assert outcome.startswith("Void") if name is None else outcome.endswith(f"wins: {name}."), outcome
                    won.add(name)
                elif task == "instance":
                    count = sum(claim.why.startswith("an instance") for claim in claims_at(task, *given, most=99)[1])
                    assert count == int(wanted.masks[:, row, column].sum())
                else:
                    assert outcome.lower().startswith(NAMES[wanted.label_map[row, column]])
    assert len(won) > 4
    assert any("no pixels of its own" in why for why in barred) == (kind == "detr"), barred


def test_detrs_reasons_by_hand() -> None:
    field = [Standing(0, 0.9), Standing(1, 0.95), Standing(0, 0.99, "drops out: its segment has at most 4 pixels")]
    outcome, claims = claims_at("panoptic", field, np.zeros((3, 3)), np.array([-3.0, -4.0, 5.0]), NAMES, "logit")
    assert outcome == f"Query 0 wins: {NAMES[0]}."  # though its own mask is below 0.5, and 1 is surer of its class
    told = {claim.query: claim.why for claim in claims}
    assert told[0] == "wins: greatest mask logit" and told[1] == "loses to query 0: smaller mask logit"
    assert told[2].startswith("drops out")
    assert claims_at("panoptic", field[2:], np.zeros((1, 3)), np.array([5.0]), NAMES, "logit")[0].startswith("Void")


def test_maskformers_pixels_are_won_outside_a_mask_too() -> None:
    field, logits = [Standing(0, 0.9), Standing(1, 0.8)], np.array([-1.0, -2.0])
    assert claims_at("panoptic", field, np.zeros((2, 3)), logits, NAMES, "anywhere")[0].startswith("Query 0 wins")
    assert claims_at("panoptic", field, np.zeros((2, 3)), logits, NAMES, "within")[0].startswith("Void")


def test_the_widget_and_its_page_know_the_rule(tmp_path) -> None:
    image = ofl.data.Toytown("val", 64, 1)[0].image
    inspector = ofl.widgets.QueryInspector(member("detr", 0), image).set(point=(30, 30))
    assert "greatest mask logit" in inspector.words
    assert '"rule": "logit"' in inspector.to_html(tmp_path / "page.html").read_text().replace('"rule":"', '"rule": "')
