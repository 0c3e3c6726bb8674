"""What there is too little of to judge is neither called healthy nor a fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from planted import Changed, found, fresh_model, losses, run_folder

import oneformer_lite as ofl
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.toytown import Toytown, write_toytown
from oneformer_lite.dataset_checks.amount import FEW, HANDFUL, check_amount, handful
from oneformer_lite.diagnosis import fit
from oneformer_lite.diagnosis.history import _check_scores
from oneformer_lite.metrics import Evaluation
from oneformer_lite.training import toytown_training
from oneformer_lite.training.checkpoint import save_checkpoint
from oneformer_lite.training.state import write_recipe

CATEGORIES = Toytown.categories


def test_the_summary_has_a_third_answer(tmp_path: Path) -> None:
    diagnosis = ofl.doctor(run=run_folder(tmp_path, [losses(1)]))
    assert {f.check for f in diagnosis.undecided} == {"progress", "scores"} and diagnosis.healthy
    assert diagnosis.summary().endswith("checks, too little to judge in 2 more")
    assert "\n?   progress: only 1 records yet" in repr(diagnosis)
    assert 'class="verdict too little"' in diagnosis.to_html()
    order = [f.verdict for f in diagnosis.findings]
    assert order == sorted(order, key=["fault", "warning", "too little", "fine"].index)


class Counted:
    categories = CATEGORIES[:3]

    def __init__(self, pictures: int, counts: list[int] | None = None) -> None:
        self.pictures = pictures
        if counts is not None:
            self.class_counts = counts

    def __len__(self) -> int:
        return self.pictures


@pytest.mark.parametrize(
    ("pictures", "counts", "words"),
    [
        (HANDFUL, [FEW, 200, 0], None),  # a class that never comes is another check's
        (HANDFUL, None, None),
        (4, None, "4 pictures can be learned by heart"),
        (1, [9, 9, 9], "a single picture can be learned by heart"),
        (500, [800, 3, FEW - 1], f"fewer than {FEW} segments of 2 of 3 classes ("),
    ],
)
def test_pictures_and_segments_are_counted(pictures: int, counts: list[int] | None, words: str | None) -> None:
    finding = check_amount(Counted(pictures, counts))
    assert (finding is None) if words is None else (finding.verdict == "too little" and words in finding.evidence)
    assert finding is None or "start_from" in finding.cure
    started = check_amount(Counted(pictures, counts), started=True)
    assert started is None or ("annotate more" in started.cure and "start_from" not in started.cure)


def test_a_handful_is_told_in_the_first_line_of_a_training() -> None:
    assert handful(0) == handful(HANDFUL) == "" and "4 pictures" in handful(4) and "trained start" in handful(4)
    assert "even a model with a trained start needs more" in handful(4, started=True)


def score(tmp_path: Path, *rounds: dict, steps: int = 20):
    log = [losses(step) for step in range(1, steps)] + [{"kind": "eval", **r} for r in rounds]
    return found(ofl.doctor(run=run_folder(tmp_path, log)), "scores")


def test_scores_are_told_over_the_run_and_few_pictures_say_little(tmp_path: Path) -> None:
    several = score(tmp_path / "a", {"PQ": 3.0}, {"PQ": 12.0}, {"PQ": 20.0})
    assert several.verdict == "fine" and "(PQ over the run: 3.0, 12.0, 20.0)" in several.evidence
    few = score(tmp_path / "b", {"PQ": 20.0, "images": 2})
    assert few.verdict == "too little" and "(of 2 pictures)" in few.evidence
    assert "eval_images" not in few.cure and "the 2 are all that there are" in few.cure  # 48 were asked for
    one = score(tmp_path / "e", {"PQ": 20.0, "images": 1})
    assert "(of 1 picture)" in one.evidence and "the 1 is the one that there is" in one.cure
    assert "eval_images=48" in _check_scores([{"kind": "eval", "step": 9, "PQ": 20.0, "images": 4}], 9, asked=4).cure
    split = score(tmp_path / "c", {"PQ": 0.0, "mIoU": 23.0})
    assert split.verdict == "warning" and "next to nothing in PQ" in split.evidence
    many = score(tmp_path / "d", *[{"PQ": float(n)} for n in range(1, 15)])
    assert "1.0, 2.0, 3.0, 4.0, ..., 14.0" in many.evidence


def history(steps: int, **scores) -> list[dict]:
    rounds = [{"kind": "eval", "step": steps, **scores}] if scores else []
    return [{"kind": "train", "step": steps}, *rounds]


@pytest.mark.parametrize(
    ("value", "steps", "scores", "verdict", "words"),
    [
        (0.2, 500, {}, "fault", "PQ 0.2 on 6 of those that it was trained on, after 500 steps: next to nothing"),
        (0.2, 20, {}, "too little", "after 20 steps"),
        (float("nan"), 500, {}, "too little", "nothing to score"),
        (80.0, 500, {"PQ": 0.0}, "warning", "0.0 in validation: they were learned by heart"),
        (80.0, 500, {"PQ": 60.0}, "fine", "PQ 80.0 on 6"),
        (80.0, 500, {}, "fine", "PQ 80.0"),
    ],
)
def test_a_run_is_judged_on_its_own_pictures(monkeypatch, value, steps, scores, verdict, words) -> None:
    rows = [{"name": "car", "TP": 3, "FP": 1, "FN": 0}, {"name": "bus", "TP": 0, "FP": 0, "FN": 2},
            {"name": "dog", "TP": 0, "FP": 0, "FN": 0}]  # fmt: skip
    monkeypatch.setattr(fit, "evaluate", lambda model, samples, task: Evaluation({"PQ": value}, rows))
    samples = [Toytown("train", 64)[0]] * 9
    first, never = fit.check_fit(fresh_model(), samples, history(steps, **scores))
    assert ("start_from" in first.cure) == (verdict == "warning")
    assert "start_from" not in fit.check_fit(fresh_model(), samples, history(steps, **scores), started=True)[0].cure
    assert first.verdict == verdict and words in first.evidence
    assert "1 of the 2 in these pictures: bus" in never.evidence
    assert never.verdict == ("too little" if steps < 100 else "warning")


def test_label_maps_know_what_was_predicted_by_their_confusion(monkeypatch) -> None:
    rows = [{"name": "car"}, {"name": "bus"}, {"name": "dog"}]
    result = Evaluation({"mIoU": 50.0}, rows, np.array([[5, 0, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]]))
    monkeypatch.setattr(fit, "evaluate", lambda model, samples, task: result)
    samples = [Toytown("train", 64)[0].replace(tasks=("semantic",))]
    _, never = fit.check_fit(fresh_model(), samples, history(500))
    assert never.verdict == "warning" and "1 of the 2 in these pictures: bus" in never.evidence
    result.confusion[1, 1] = 1
    all_named = fit.check_fit(fresh_model(), samples, history(500))[1]
    assert all_named.verdict == "fine" and all_named.evidence == "none: all 2 in these pictures are predicted"


def test_the_doctor_of_a_run_does_all_this(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    write_toytown(tmp_path / "data", "train", 64, 4, workers=1)
    folder = run_folder(tmp_path / "run", [losses(step) for step in range(1, 30)])
    model = fresh_model()
    save_checkpoint(folder, model.config, step=29, seconds=1.0, model=model.state_dict())
    diagnosis = ofl.doctor(dataset=open_split(tmp_path / "data", "train"), run=folder)
    assert found(diagnosis, "its own pictures").verdict == "too little"
    assert found(diagnosis, "classes never predicted").verdict == "too little"
    amount = found(diagnosis, "amount of data")
    assert "4 pictures" in amount.evidence and "start_from" in amount.cure
    write_recipe(model.config, toytown_training(out=str(folder), steps=30, start_from="toytown"), "cpu:1")
    again = ofl.doctor(dataset=open_split(tmp_path / "data", "train"), run=folder)
    assert "start_from" not in repr(again) and found(again, "amount of data").verdict == "too little"
    assert not [f for f in ofl.doctor(model, Changed()).findings if f.check in ("its own pictures", "amount of data")]
