"""A run that was renamed, moved or copied runs where it is."""

from __future__ import annotations

import dataclasses
import os
import shutil
import warnings
from pathlib import Path

import pytest
from test_launch import recipe, small_config

import oneformer_lite as ofl
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.training import launch as launching
from oneformer_lite.training import train
from oneformer_lite.training.moved import absolute, relocated
from oneformer_lite.training.state import read_recipe, write_recipe


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """data/ and runs/first, which was stopped after its second step."""
    write_toytown(tmp_path / "project/data", "train", 64, 4, workers=1)
    train(small_config(), recipe(tmp_path / "project/data", tmp_path / "project/runs/first", steps=2))
    (tmp_path / "project/runs/first/state.json").write_text('{"state": "stopped", "reason": ""}')
    return tmp_path / "project"


@pytest.fixture
def started(monkeypatch) -> list[Path]:
    """The folders in which processes would have been started."""
    folders: list[Path] = []
    monkeypatch.setattr(launching, "start", lambda folder, *rest: folders.append(folder))
    return folders


@pytest.mark.parametrize("how", (Path.rename, shutil.copytree, shutil.move))
def test_resumed_where_it_is(project: Path, started: list[Path], how) -> None:
    old, new = project / "runs/first", project / "runs/second name"
    how(old, new)
    before = {path.name: path.stat().st_mtime_ns for path in old.iterdir()} if old.exists() else {}
    run = ofl.Run.attach(new).resume(steps=4)
    assert started == [new] and run.folder == new
    config, settings, devices = read_recipe(new)
    assert settings.out == str(new) and settings.steps == 4 and settings.data == str(project / "data")
    assert train(config, settings).steps == 4 and [r["step"] for r in run.history] == [1, 2, 3, 4]
    assert before == ({path.name: path.stat().st_mtime_ns for path in old.iterdir()} if before else {})
    assert old.exists() == bool(before)


def test_a_project_that_moves_takes_its_data_along(project: Path, started: list[Path]) -> None:
    project.rename(project.parent / "elsewhere")
    folder = project.parent / "elsewhere/runs/first"
    with pytest.warns(UserWarning, match="data is gone: the run in .*elsewhere.* takes .*elsewhere/data"):
        settings = read_recipe(folder)[1]
    assert settings.data == str(project.parent / "elsewhere/data")


def test_data_and_weights_within_the_folder_move_with_it(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    settings = recipe(old / "data", old, steps=2, start_from=str(old / "weights"))
    write_recipe(small_config(), settings, "cpu:1")
    (old / "data").mkdir()
    shutil.copytree(old, new)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        moved = read_recipe(new)[1]
    assert (moved.out, moved.data) == (str(new), str(new / "data"))
    assert moved.start_from == str(new / "weights")
    shutil.rmtree(new / "data")  # a copy without its data takes those of the original
    assert read_recipe(new)[1].data == str(old / "data")


def test_names_on_the_hub_and_paths_of_other_machines_stay(tmp_path: Path) -> None:
    settings = recipe(Path("/nowhere/at/all"), tmp_path / "old", steps=2, start_from="somebody/a-model")
    moved = relocated(settings, tmp_path / "new")
    assert moved.data == "/nowhere/at/all" and moved.start_from == "somebody/a-model"
    assert relocated(settings, tmp_path / "old") == settings
    assert absolute(settings).start_from == "somebody/a-model"


def test_relative_paths_are_kept_for_other_working_directories(project: Path, monkeypatch) -> None:
    monkeypatch.chdir(project)
    train(small_config(), recipe(Path("data"), Path("runs/third"), steps=1))
    monkeypatch.chdir(os.sep)
    config, settings, _ = read_recipe(project / "runs/third")
    assert settings.data == str(project / "data") and settings.out == str(project / "runs/third")
    assert train(config, dataclasses.replace(settings, steps=2)).steps == 2


def test_a_link_to_a_folder_is_the_folder(project: Path) -> None:
    link = project.parent / "link"
    link.symlink_to(project / "runs/first")
    assert ofl.Run.attach(link).folder == project / "runs/first"
    assert read_recipe(link)[1] == dataclasses.replace(read_recipe(project / "runs/first")[1], out=str(link))
