"""Files of a run that are damaged, or JSON of another kind: whoever looks sees the rest and is told."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import pytest
from run_folder import write_run

import oneformer_lite as ofl
from oneformer_lite.errors import OneFormerLiteError
from oneformer_lite.training.locks import LAUNCHER_LOCK, TRAINER_LOCK
from oneformer_lite.training.log import LOG, Log, LogReader, examine_log, read_log
from oneformer_lite.training.run import OUTPUT

pytestmark = pytest.mark.filterwarnings("ignore:.*is no record and left out")

VALUES = (b"", b"{", b"[1, 2]", b"7", b'"text"', b"null", b"\xff\xfe\x00", b"\x00" * 50, b"[" * 100_000, b'{"a": NaN}')
STATES = (
    {"state": 3}, {"state": ["running"]}, {"state": "singing"}, {"state": "failed", "reason": 5}, {"reason": "why"},
    {"state": "failed", "reason": None}, {"state": {"state": "failed"}},
)  # fmt: skip
LINES = (
    {"kind": "train"}, {"kind": 5, "step": 1}, {"kind": "train", "step": "1"}, {"kind": "train", "step": 1.5},
    {"kind": "train", "step": True}, {"kind": "train", "step": -1}, {"kind": "train", "step": 10**30},
    {"kind": "train", "step": 5, "seconds": "long"}, {"kind": "train", "step": 5, "total": "low"},
    {"kind": "train", "step": 5, "total": [1]}, {"kind": "train", "step": 5, "total": 10**400},
    {"kind": "train", "step": 5, "by_layer": 3}, {"kind": "train", "step": 5, "by_layer": {"mask": 1}},
    {"kind": "train", "step": 5, "by_layer": {"mask": ["a"]}}, {"kind": "eval", "step": 5, "PQ": {"all": 3}},
    {"kind": "train", "step": 5, "by_layer": {"mask": [1.0] * 5000}}, [1], 3, None, "text", {},
)  # fmt: skip
RECIPES = (
    {}, {"config": 1}, {"config": [], "train_config": {}}, {"config": {"hidden_dim": "wide"}},
    {"config": {"colour": 1}}, {"train_config": {"steps": "many"}}, {"train_config": {"steps": [1]}},
    {"train_config": {"task_probabilities": 5}}, {"train_config": {"out": 7}}, {"train_config": {"data": {}}},
    {"train_config": {"colour": 1}}, {"devices": [2]}, {"devices": {}}, {"devices": True}, {"devices": None},
)  # fmt: skip


def look_everywhere(run: ofl.Run) -> None:
    """All that shows a run; only what we mean to raise is raised."""
    assert run.status in ("running", "finished", "stopped", "failed")
    assert isinstance(run.reason, str) and isinstance(run.history, list) and repr(run)
    assert run.stop() == run.status
    watch = run.watch()
    watch.refresh()
    watch.still()
    watch.close()
    replay = run.replay()
    replay.set(step=7).set(step=30)
    replay.still()
    assert replay.to_html().stat().st_size


@pytest.mark.parametrize("content", [*VALUES, *(json.dumps(state).encode() for state in STATES)], ids=range(17))
def test_state(tmp_path: Path, content: bytes) -> None:
    run = write_run(tmp_path)
    (tmp_path / "state.json").write_bytes(content)
    assert run.status == "failed" and "state.json cannot be read" in run.reason
    if content in VALUES[:3]:
        look_everywhere(run)


@pytest.mark.parametrize("content", [*VALUES[1:], *(json.dumps(line).encode() for line in LINES)], ids=range(30))
def test_log(tmp_path: Path, content: bytes) -> None:
    run = write_run(tmp_path)
    lines = (tmp_path / LOG).read_bytes().split(b"\n")
    content = content.replace(b"\n", b" ")
    (tmp_path / LOG).write_bytes(b"\n".join([*lines[:5], content, *lines[5:]]))
    with pytest.warns(UserWarning, match=f"{LOG}: line 6, is no record and left out"):
        assert len(run.history) == 44  # 40 steps, 4 evaluations
    assert examine_log(tmp_path)[1][0][0] == 6
    with pytest.warns(UserWarning, match=f"{LOG}: line 6, is no record"):
        assert len(LogReader(tmp_path).read()) == 44
    with pytest.warns(UserWarning, match=f"{LOG}: line 6, is no record"):  # resumed, it goes on without it
        assert len(Log(tmp_path, step=40).records) == 44
    assert examine_log(tmp_path)[1] == []


@pytest.mark.parametrize(
    "line",
    (
        {"kind": "train", "step": 41}, {"kind": "train", "step": 0, "seconds": 1, "lr": 1e299},
        {"kind": "other", "step": 3}, {"kind": "train", "step": 9, "by_layer": {"mask": []}},
        {"kind": "train", "step": 2**53, "by_layer": {"mask": [1.0]}, "memory_mb": -1e299},
    ),
    ids=range(5),
)  # fmt: skip
def test_records_that_lack_what_others_have(tmp_path: Path, line: dict) -> None:
    run = write_run(tmp_path)
    with (tmp_path / LOG).open("a") as file:
        file.write(json.dumps(line) + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_log(tmp_path)) == 45
    look_everywhere(run)


@pytest.mark.parametrize("content", VALUES, ids=range(10))
def test_recipe(tmp_path: Path, content: bytes) -> None:
    run = write_run(tmp_path, state="stopped")
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(OneFormerLiteError, match="run.json"):
        ofl.Run.attach(tmp_path)
    with pytest.raises(OneFormerLiteError, match="run.json"):
        run.resume()
    if content in VALUES[:3]:
        look_everywhere(run)  # the log alone is shown as well


@pytest.mark.parametrize("changes", RECIPES, ids=str)
def test_recipe_of_other_kinds(tmp_path: Path, changes: dict) -> None:
    run = write_run(tmp_path, state="stopped")
    content = json.loads((tmp_path / "run.json").read_text())
    for name, value in changes.items():
        content[name] = content[name] | value if isinstance(value, dict) and name != "devices" else value
    (tmp_path / "run.json").write_text(json.dumps(content if changes else {}))
    with pytest.raises(OneFormerLiteError, match="run.json"):
        run.resume()
    with pytest.raises(OneFormerLiteError, match="run.json"):
        ofl.Run.attach(tmp_path)


def test_folders_where_files_should_be_and_pictures_of_other_names(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    for name in ("step_x.webp", "step_.webp", "step_²7.webp", "step_99999999999999999999.webp", "step_-1.webp"):
        (tmp_path / "pictures" / name).write_bytes(b"")
    look_everywhere(run)
    for name in ("state.json", "output.log", ".trainer.lock", ".launcher.lock"):
        (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / name).mkdir()
    assert run.status == "failed" and "state.json cannot be read" in run.reason and run.output() == ""
    (tmp_path / LOG).unlink()
    (tmp_path / LOG).mkdir()
    with pytest.raises(OneFormerLiteError, match=LOG):
        run.history  # noqa: B018


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("kind", ["pipe", "link out"])
@pytest.mark.parametrize("name", [TRAINER_LOCK, LAUNCHER_LOCK, OUTPUT, LOG])
def test_pipes_are_not_waited_for_and_links_not_followed(tmp_path: Path, name: str, kind: str) -> None:
    folder = write_run(tmp_path / "run").folder
    (folder / name).unlink(missing_ok=True)
    (tmp_path / "secret").write_text("what lies elsewhere\n")
    os.mkfifo(folder / name) if kind == "pipe" else (folder / name).symlink_to(tmp_path / "secret")
    run = ofl.Run(folder)
    assert run.status != "running" and "elsewhere" not in run.output() + run.reason
    if name == LOG:
        for look in (lambda: run.history, LogReader(folder).read, lambda: examine_log(folder)):
            with pytest.raises(OneFormerLiteError, match="cannot be read"):
                look()
    else:
        assert run.history
