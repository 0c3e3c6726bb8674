"""What lies in a run's folder cannot lead what is written there elsewhere, nor keep a run waiting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_launch import recipe, small_config

import oneformer_lite as ofl
from oneformer_lite.errors import DataError
from oneformer_lite.training import launch as launching
from oneformer_lite.training.own_folder import run_folder

FILES = (
    ".trainer.lock", ".launcher.lock", "output.log", "metrics.jsonl", "run.json", "state.json", "stop", ".reserve",
    "checkpoint.pt", "checkpoint.previous.pt", "pictures/step_1.webp", "model/config.json", "best/model.safetensors",
)  # fmt: skip


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").write_text("mine")
    return tmp_path / "outside"


@pytest.mark.parametrize("name", FILES)
def test_links_and_pipes_are_refused(tmp_path: Path, outside: Path, name: str) -> None:
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    for target in (outside / "precious", outside / "to be made"):
        path.symlink_to(target)
        with pytest.raises(DataError, match="a link to .*Delete it, or choose another"):
            run_folder(tmp_path / "run")
        path.unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(path)
        with pytest.raises(DataError, match="no ordinary file"):
            run_folder(tmp_path / "run")
        path.unlink()
    path.write_text("")
    assert run_folder(tmp_path / "run") == tmp_path / "run"


@pytest.mark.parametrize("name", ["pictures", "model", "best"])
def test_folders_that_lead_out_are_refused(tmp_path: Path, outside: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(outside)
    with pytest.raises(DataError, match="a link to"):
        run_folder(tmp_path / "run")


@pytest.mark.parametrize("name", [".launcher.lock", ".trainer.lock", "output.log", "metrics.jsonl"])
def test_nothing_is_started_or_written(tmp_path: Path, outside: Path, monkeypatch, name: str) -> None:
    monkeypatch.setattr(launching, "start", lambda *_: pytest.fail("started"))
    run = tmp_path / "run"
    run.mkdir()
    (run / name).symlink_to(outside / "precious")
    settings = recipe(tmp_path / "data", run, steps=1)
    for begin in (lambda: ofl.launch(small_config(), settings, "cpu:1"), lambda: ofl.train(small_config(), settings)):
        with pytest.raises(DataError, match="a link to"):
            begin()
    assert (outside / "precious").read_text() == "mine" and [path.name for path in run.iterdir()] == [name]


def test_the_folder_itself_may_be_a_link_and_other_files_may_lie_there(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "run").symlink_to(outside)
    (outside / "notes").symlink_to(outside / "precious")
    assert run_folder(tmp_path / "run") == tmp_path / "run"
