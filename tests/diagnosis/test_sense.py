"""Losses that fall and mean nothing, and models that have learned it: each is found, what is sound is left alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from planted import Changed, assert_fault, found, fresh_model, losses, run_folder

import oneformer_lite as ofl
from oneformer_lite.diagnosis.fit import _fit
from oneformer_lite.diagnosis.sense import check_backbone
from oneformer_lite.losses import Criterion
from oneformer_lite.training import toytown_training

NOTHING, SOME = {"kind": "eval", "PQ": 0.0, "AP": 0.3, "mIoU": 2.4}, {"kind": "eval", "PQ": 30.0, "AP": 2.0}
STEPS = range(1, 60)


@pytest.fixture(scope="module")
def shipped() -> ofl.OneFormer:
    return ofl.from_pretrained("toytown")


@pytest.mark.parametrize("loss", ["class", "mask", "dice", "contrastive"])
def test_a_loss_below_zero_is_no_loss(tmp_path: Path, loss: str) -> None:
    """Masks of 0 and 255 make it so: minus infinity is the best answer."""
    folder = run_folder(tmp_path, [losses(step, **{loss: 1.0 - step}) for step in STEPS])
    assert_fault(ofl.doctor(run=folder), f"{loss} loss over the run", "below zero", "127")


def test_a_loss_below_zero_is_found_in_a_batch_and_one_of_ones_own_may_be() -> None:
    model = fresh_model()
    criterion = Criterion(model.config)
    mask = criterion.terms["mask"]
    criterion.terms["mask"] = lambda *given: mask(*given) - 50.0
    assert_fault(ofl.doctor(model, Changed(), criterion=criterion), "mask loss", "below zero", "127")

    def with_likelihood(output, targets):
        given = Criterion(model.config)(output, targets)
        return given | {"likelihood": given["mask"] - 50.0}

    assert found(ofl.doctor(model, Changed(), criterion=with_likelihood), "likelihood loss").verdict != "fine"


@pytest.mark.parametrize(
    ("end", "scores", "verdict"),
    [(0.004, NOTHING, "fault"), (0.0001, {"kind": "eval", "AP": 0.0}, "fault"), (0.004, SOME, "fine"),
     (0.5, NOTHING, "fine"), (0.004, {}, "fine")],
    ids=["nothing is named", "of one task", "names are found", "it still has something to say", "not judged"],
)  # fmt: skip
def test_a_class_loss_of_nothing_in_a_run_that_names_nothing(tmp_path: Path, end, scores, verdict) -> None:
    """All queries have learned to say "no object": it is not zero to the last digit."""
    falls = [losses(step, **{"class": max(end, 1 - step / 20)}) for step in STEPS]
    diagnosis = ofl.doctor(run=run_folder(tmp_path, [*falls, dict(scores)] if scores else falls))
    finding = found(diagnosis, "class loss over the run")
    assert finding.verdict == verdict, finding
    assert (verdict == "fault") == ("nothing is named" in finding.evidence)


@pytest.mark.parametrize(("bias", "verdict"), [(0.0, "fine"), (40.0, "fault")])
def test_masks_that_fit_and_are_called_no_object(shipped, bias: float, verdict: str) -> None:
    head = shipped.decoder.class_head.bias
    with torch.no_grad():
        head[-1] += bias
    finding = found(ofl.doctor(shipped, Changed()), "predicted classes")
    with torch.no_grad():
        head[-1] -= bias
    assert finding.verdict == verdict and ("no object" in finding.evidence) == (verdict == "fault"), finding
    said = re.match(r"(\d+) of \1 fitting masks are called .* would be right", finding.evidence)
    assert (said is not None) == (verdict == "fault"), finding


def test_a_task_that_the_model_was_never_told(shipped, monkeypatch) -> None:
    """Its numbers move with the token; its answers do not."""
    told = shipped.task_token
    always = lambda tasks: told(["panoptic"] * len(tasks))  # noqa: E731
    monkeypatch.setattr(shipped, "task_token", lambda tasks: 0.97 * always(tasks) + 0.03 * told(tasks))
    assert_fault(ofl.doctor(shipped, Changed()), "task token", 'stuff under "instance"', "never told")
    monkeypatch.undo()
    assert found(ofl.doctor(shipped, Changed()), "task token").verdict == "fine"


@pytest.mark.parametrize(
    ("config", "recipe", "sick"),
    [({}, {"backbone_lr_multiplier": 0.0}, True), ({}, {}, False),
     ({"pretrained": True}, {"backbone_lr_multiplier": 0.0}, False),
     ({}, {"backbone_lr_multiplier": 0.0, "start_from": "toytown"}, False)],
    ids=["random and frozen", "random, learns", "trained before", "a trained start"],
)  # fmt: skip
def test_a_frozen_backbone_with_random_weights(config: dict, recipe: dict, sick: bool) -> None:
    model = replace(ofl.config.toytown(), **{"pretrained": False, **config})
    finding = check_backbone(model, toytown_training(steps=1, **recipe))
    assert (finding is not None) == sick
    assert finding is None or (finding.verdict == "fault" and "never learn" in finding.evidence)


@pytest.mark.parametrize(
    ("score", "before", "verdict"),
    [(7.0, 33.0, "fault"), (2.0, 80.0, "fault"), (30.0, 33.0, "fine"), (5.0, 9.0, "fine"), (80.0, 15.0, "warning")],
)
def test_a_model_that_was_better_in_its_own_validation(score: float, before: float, verdict: str) -> None:
    """It was trained, and judged, on pictures that were not normalised."""
    finding = _fit("PQ", score, 4, 160, [{"kind": "eval", "PQ": before}], started=False)
    assert finding.verdict == verdict and ("normalisation" in finding.cure) == (verdict == "fault"), finding
