"""Runs that went well, runs that did not, and runs whose files are damaged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from planted import Changed, assert_fault, found, fresh_model, losses, run_folder

import oneformer_lite as ofl
from oneformer_lite.errors import CheckpointError, ConfigError
from oneformer_lite.training.checkpoint import save_checkpoint
from oneformer_lite.training.state import write_state

NO_SCORE = {"kind": "eval", "PQ": 0.0, "mIoU": 0.0012}


def test_a_run_that_learns_passes(tmp_path: Path) -> None:
    records = [losses(step) for step in range(1, 60)] + [{"kind": "eval", "PQ": 20.0, "mIoU": 40.0}]
    diagnosis = ofl.doctor(run=run_folder(tmp_path, records))
    assert diagnosis.healthy, diagnosis
    assert found(diagnosis, "data of the run").verdict == "warning"  # its folder is gone


@pytest.mark.parametrize(
    ("records", "check", "words"),
    [
        ([losses(s, **{"class": 0.0}) for s in range(1, 60)], "class loss over the run", ["zero for the last"]),
        ([losses(s, mask=None) for s in range(1, 60)], "mask loss over the run", ["59 of 59", "not finite"]),
        ([losses(1) for _ in range(60)], "progress", ["does not fall"]),
        ([losses(s) for s in range(1, 130)] + [dict(NO_SCORE)], "scores", ["next to nothing"]),
    ],
    ids=["zero", "nan", "flat", "nothing"],
)
def test_runs_that_went_wrong(tmp_path: Path, records: list[dict], check: str, words: list[str]) -> None:
    assert_fault(ofl.doctor(run=run_folder(tmp_path, records)), check, *words)


def test_a_low_score_after_few_steps_is_too_little_to_judge_by(tmp_path: Path) -> None:
    diagnosis = ofl.doctor(run=run_folder(tmp_path, [losses(s) for s in range(1, 30)] + [dict(NO_SCORE)]))
    finding = found(diagnosis, "scores")
    assert finding.verdict == "too little" and finding.cure == "train longer" and "next to nothing" in finding.evidence


def test_a_recipe_of_single_pictures(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, [losses(1)], batch_size=4, accumulate=4)
    assert_fault(ofl.doctor(run=folder), "recipe", "contrastive", "exactly 0")


def test_crops_that_lose_everything(tmp_path: Path) -> None:
    empty = Changed(lambda s: s.replace(segments=()))
    diagnosis = ofl.doctor(dataset=empty, run=run_folder(tmp_path, [losses(1)]))
    assert_fault(diagnosis, "augmented targets", "no ground truth is left after cropping")


def learning(count: int = 60) -> list[dict]:
    return [losses(step) for step in range(1, count)]


def test_a_score_that_falls_and_scores_that_are_empty(tmp_path: Path) -> None:
    falling = run_folder(tmp_path / "a", [*learning(), {"kind": "eval", "PQ": 60.0}, {"kind": "eval", "PQ": 5.0}])
    assert_fault(ofl.doctor(run=falling), "scores", "PQ was 60.00 at step 60", "half is lost")
    none = {"kind": "eval", "PQ": None, "AP": None, "mIoU": None}
    assert_fault(ofl.doctor(run=run_folder(tmp_path / "b", [*learning(), none])), "scores", "all empty")


@pytest.mark.parametrize("loss", ["class", "mask", "dice"])
def test_one_loss_that_stays_flat(tmp_path: Path, loss: str) -> None:
    flat = run_folder(tmp_path, [losses(step, **{loss: 2.0}) for step in range(1, 60)])
    finding = found(ofl.doctor(run=flat), f"{loss} loss over the run")
    assert finding.verdict == "warning" and "does not fall" in finding.evidence and loss in finding.cure


@pytest.mark.parametrize("values", [lambda s: 3.58, lambda s: 3.58 + 0.02 * (s % 3), lambda s: 5.0 - s / 60])
def test_a_contrastive_loss_that_stood_still(tmp_path: Path, values) -> None:
    records = [losses(step, contrastive=values(step)) for step in range(1, 60)]
    finding = found(ofl.doctor(run=run_folder(tmp_path, records)), "contrastive loss over the run")
    assert finding.verdict == "warning" and "never below 2 ln 6 = 3.58" in finding.evidence  # the recipe's batches
    assert "contrastive_weight=0" in finding.cure and "ContrastInspector" in finding.cure


@pytest.mark.parametrize(
    ("count", "contrastive", "settings"),
    [(60, 1.5, {}), (30, 3.58, {}), (60, 3.58, {"batch_size": 12}), (60, 0.0, {"batch_size": 2, "accumulate": 2})],
    ids=["tasks are told apart", "too little to judge", "below that of its batch", "one picture at a time"],
)
def test_a_contrastive_loss_that_did_not(tmp_path: Path, count: int, contrastive: float, settings: dict) -> None:
    folder = run_folder(tmp_path, [losses(s, contrastive=contrastive) for s in range(1, count)], **settings)
    assert "never below" not in found(ofl.doctor(run=folder), "contrastive loss over the run").evidence


def test_a_run_of_one_task_whose_texts_are_all_alike(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, learning(), task_probabilities=(0.0, 0.0, 1.0))
    finding = found(ofl.doctor(dataset=Changed(), run=folder), "texts to tell apart")
    assert finding.verdict == "warning" and "one task, semantic" in finding.evidence and "2 ln 6" in finding.evidence


def test_a_loss_that_comes_back(tmp_path: Path) -> None:
    total = [10.0] * 10 + [4.0] * 40 + [9.0] * 10
    finding = found(ofl.doctor(run=run_folder(tmp_path, [losses(1, total=t) for t in total])), "progress")
    assert finding.verdict == "warning" and "down at 4 in between" in finding.evidence, finding


@pytest.mark.parametrize("content", [b'{"state": "fin', b"", b"[1, 2]", b"\xff\xfe"])
def test_a_damaged_state(tmp_path: Path, content: bytes) -> None:
    folder = run_folder(tmp_path, learning())
    (folder / "state.json").write_bytes(content)
    diagnosis = ofl.doctor(run=folder)
    assert_fault(diagnosis, "state", "state.json cannot be read")
    assert found(diagnosis, "progress").verdict == "fine"  # the rest is looked at


@pytest.mark.parametrize("line", [b"caf\xe9", b'{"step": 3, "seconds": 1.0}', b"42", b'{"kind": "train"}', b""])
def test_a_damaged_log(tmp_path: Path, line: bytes) -> None:
    folder = run_folder(tmp_path, learning())
    log = folder / "metrics.jsonl"
    first, rest = log.read_bytes().split(b"\n", 1)
    log.write_bytes(first + b"\n" + line + b"\n" + rest)
    diagnosis = ofl.doctor(run=folder)
    assert_fault(diagnosis, "log", "line 2 of metrics.jsonl is no record", "1 such lines", "delete")
    assert found(diagnosis, "progress").verdict == "fine"


def test_a_last_line_cut_short_is_no_fault(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, learning())
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"kind": "tra')
    assert ofl.doctor(run=folder).healthy


@pytest.mark.parametrize(("content", "words"), [(b"", "is empty"), (b"PK\x03\x04 torn", "cannot be read")])
def test_a_damaged_checkpoint(tmp_path: Path, content: bytes, words: str) -> None:
    folder = run_folder(tmp_path, learning())
    (folder / "checkpoint.pt").write_bytes(content)
    diagnosis = ofl.doctor(run=folder)
    assert_fault(diagnosis, "weights", words)
    assert "()" not in found(diagnosis, "weights").evidence
    assert found(diagnosis, "progress").verdict == "fine"


def test_a_damaged_checkpoint_with_one_before_it(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, learning())
    model = fresh_model()
    for step in (1, 2):
        save_checkpoint(folder, model.config, step=step, seconds=1.0, model=model.state_dict())
    with (folder / "checkpoint.pt").open("rb+") as file:
        file.write(b"torn")
    diagnosis = ofl.doctor(run=folder)
    assert "resumes from checkpoint.previous.pt, step 1" in found(diagnosis, "weights").evidence
    assert diagnosis.healthy and found(diagnosis, "weights").verdict == "warning"


@pytest.mark.parametrize("state", [{"model": 3}, {"model": {}, "average": 5}, {"model": {}}])
def test_a_checkpoint_of_another_content(tmp_path: Path, state: dict) -> None:
    folder = run_folder(tmp_path, learning())
    torch.save({"config": dataclasses.asdict(fresh_model().config), "step": 1, **state}, folder / "checkpoint.pt")
    assert_fault(ofl.doctor(run=folder), "weights", "checkpoint.pt does not")


def test_weights_without_a_checkpoint_are_looked_at(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, learning())
    assert "neither checkpoint.pt nor model" in found(ofl.doctor(run=folder), "not examined").evidence
    model = fresh_model()
    with torch.no_grad():
        model.decoder.class_head.bias[0] = float("nan")
    model.save_pretrained(folder / "model")
    assert_fault(ofl.doctor(run=folder), "numbers", "decoder.class_head.bias")
    (folder / "model" / "model.safetensors").write_bytes(b"torn")
    assert_fault(ofl.doctor(run=folder), "weights", "model.safetensors")


def test_a_damaged_recipe_and_no_run(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, learning())
    (folder / "run.json").write_text("{")
    diagnosis = ofl.doctor(run=folder)
    assert_fault(diagnosis, "recipe", "run.json")
    assert found(diagnosis, "progress").verdict == "fine"
    with pytest.raises(ConfigError, match="is a file"):
        ofl.doctor(run=folder / "run.json")
    with pytest.raises(CheckpointError, match="holds no run"):
        ofl.doctor(run=tmp_path / "elsewhere")


def exploding(count: int, **changes) -> list[dict]:
    return [losses(1)] + [losses(1, mask=1.4e8, total=7e8, **changes) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 5, 60])
def test_a_run_that_diverged_is_no_healthy_one_however_short(tmp_path: Path, count: int) -> None:
    diagnosis = ofl.doctor(run=run_folder(tmp_path, exploding(count), lr=1.0))
    assert_fault(diagnosis, "mask loss over the run", "exploded, to 1.4e+08", "2 at the start", "learning rate is 1,")
    assert_fault(diagnosis, "progress", "from 40 to 7e+08", "start again in another folder with a lower one")
    assert_fault(diagnosis, "recipe", "500 times the highest of the recipes (0.0001 as published", "a lower one")


def test_a_run_that_exploded_and_came_back_is_told_and_one_odd_record_is_not(tmp_path: Path) -> None:
    back = [losses(1)] + [losses(1, total=1800.0) for _ in range(5)]
    diagnosis = ofl.doctor(run=run_folder(tmp_path / "a", [*back, *learning()]))
    assert_fault(diagnosis, "progress", "exploded, to 1.8e+03")
    spike = [losses(step, total=5000.0 if step == 20 else 40 / step) for step in range(1, 60)]
    assert found(ofl.doctor(run=run_folder(tmp_path / "b", spike)), "progress").verdict == "fine"


@pytest.mark.parametrize(("skipped", "verdict"), [(0, "fine"), (3, "fine"), (10, "warning"), (45, "fault")])
def test_skipped_steps_are_counted(tmp_path: Path, skipped: int, verdict: str) -> None:
    finding = found(
        ofl.doctor(run=run_folder(tmp_path, [losses(s, skipped=min(s, skipped)) for s in range(1, 60)])),
        "skipped steps",
    )
    assert finding.verdict == verdict and (f"{skipped or 'none'} of 59" in finding.evidence)
    assert bool(finding.cure) is (verdict != "fine")


def test_a_run_that_failed_before_its_first_checkpoint_is_not_resumed_from_it(tmp_path: Path) -> None:
    for name, content in (("a", None), ("b", b"not looked into here")):
        folder = run_folder(tmp_path / name, learning())
        write_state(folder, "failed", "DataError: train.json does not exist")
        if content:
            (folder / "checkpoint.pt").write_bytes(content)
        assert_fault(ofl.doctor(run=folder), "state", "train.json does not exist", "mend what it says")
        cure = found(ofl.doctor(run=folder), "state").cure
        assert ("resume" in cure) is bool(content) and ("start the run again" in cure) is (content is None)


def test_what_a_finished_run_says_of_itself_is_shown(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, learning())
    write_state(folder, "finished", "the total loss has not fallen: 40 at first, 41 at the end")
    finding = found(ofl.doctor(run=folder), "state")
    assert finding.verdict == "warning" and "finished, but the total loss has not fallen" in finding.evidence
    assert ofl.Run(folder).reason in repr(ofl.Run(folder))
