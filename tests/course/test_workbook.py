"""Copies to work on: what was delivered never changes, what a learner has written is never lost."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from oneformer_lite.cli import main
from oneformer_lite.course.workbook import delivered, labs_of, reset, start
from oneformer_lite.errors import DataError


def digests(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.ipynb")}


def test_start_copies_all_that_lessons_and_labs_read_and_leaves_what_is_there(tmp_path):
    before = digests(delivered())
    copied, kept = start(tmp_path)
    assert copied > 30 and kept == 0
    assert (tmp_path / "data" / "sample" / "annotations").is_dir()
    assert len(list((tmp_path / "notebooks").glob("*.ipynb"))) == len(list(delivered().glob("*.ipynb")))
    assert not list(tmp_path.rglob("*.py"))
    mine = labs_of(tmp_path) / "03_pixel_decoder.ipynb"
    mine.write_text("mine")
    (tmp_path / "notebooks" / "00_three_tasks_one_model.ipynb").unlink()
    assert start(tmp_path) == (1, copied - 1) and mine.read_text() == "mine"
    assert digests(delivered()) == before


def test_reset_brings_one_lab_back_and_keeps_the_old_one(tmp_path):
    start(tmp_path)
    mine, other = labs_of(tmp_path) / "03_pixel_decoder.ipynb", labs_of(tmp_path) / "02_backbone_and_fpn.ipynb"
    other.write_text("other")
    for number in (1, 2):
        mine.write_text(f"mine {number}")
        lab, aside = reset("3" if number == 1 else "03", tmp_path)
        assert lab == mine and mine.read_bytes() == (delivered() / "labs" / mine.name).read_bytes()
        assert aside.name == f"03_pixel_decoder.old-{number}.ipynb" and aside.read_text() == f"mine {number}"
    mine.unlink()
    assert not reset("03", tmp_path)[1].exists() and mine.exists() and other.read_text() == "other"


@pytest.mark.parametrize("lab", ["99", "x", "", "../03"])
def test_a_lab_that_there_is_not(tmp_path, lab):
    start(tmp_path)
    with pytest.raises(DataError, match="no lab"):
        reset(lab, tmp_path)


def test_the_delivered_notebooks_are_never_the_copy(tmp_path):
    for folder in (delivered().parent, delivered(), delivered() / "labs"):
        with pytest.raises(DataError, match="of your own"):
            start(folder)
    with pytest.raises(DataError, match="work on a copy"):
        reset("03", delivered().parent)
    with pytest.raises(DataError, match="course start"):
        reset("03", tmp_path)


def test_the_commands(tmp_path, capsys):
    assert main(["course", "start", str(tmp_path)]) == 0
    assert "open them with: jupyter lab" in capsys.readouterr().out
    assert main(["course", "reset", "07", str(tmp_path)]) == 0
    assert "old-1.ipynb, beside it" in capsys.readouterr().out
    assert main(["course", "reset", "77", str(tmp_path)]) == 2
    assert "no lab '77'" in capsys.readouterr().err
