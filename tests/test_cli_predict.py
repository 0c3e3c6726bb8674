"""``oneformer-lite predict``: what cannot be read, and what lies where the results shall be."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.cli import main

SCENES = ofl.data.Toytown("val", 128)


@pytest.fixture
def at(tmp_path: Path, monkeypatch) -> Path:
    """A working folder with two pictures of the same scene and one of another."""
    monkeypatch.chdir(tmp_path)
    for name, number in (("a.png", 0), ("b.png", 0), ("c.png", 1)):
        Image.fromarray(SCENES[number].image).save(name)
    return tmp_path


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", "cut"], ids=["empty", "page", "cut"])
@pytest.mark.parametrize("others", [[], ["b.png"]], ids=["alone", "with another"])
def test_an_unreadable_picture_is_noted_whether_it_is_the_only_one_or_not(at, capsys, content, others) -> None:
    Path("a.png").write_bytes(Path("a.png").read_bytes()[:999] if content == "cut" else content)
    with pytest.raises(SystemExit) as exit_:
        main(["predict", "a.png", *others, "--out", "out", "--json", "found.json"])
    assert exit_.value.code == 1
    found = json.loads(Path("found.json").read_text())
    assert [entry["file"] for entry in found["unreadable"]] == ["a.png"] and found["unreadable"][0]["error"]
    assert [entry["file"] for entry in found["pictures"]] == others
    said = capsys.readouterr().err
    assert "left out: a.png" in said and f"1 of {1 + len(others)} pictures could not be read: 'a.png'" in said


def test_without_json_the_status_is_the_same(at, capsys) -> None:
    Path("a.png").write_bytes(b"")
    with pytest.raises(SystemExit) as exit_:
        main(["predict", "a.png", "--out", "out"])
    assert exit_.value.code == 1 and "left out: a.png is empty" in capsys.readouterr().err


def test_masks_of_other_pictures_are_told_and_stay(at, capsys) -> None:
    command = ["predict", "--task", "semantic", "--out", "out", "--masks", "masks"]
    assert main([*command, "a.png"]) == 0 and "earlier" not in capsys.readouterr().err
    assert main([*command, "a.png"]) == 0 and "earlier" not in capsys.readouterr().err  # its own are written again
    assert main([*command, "c.png"]) == 0
    assert "holds masks of 1 other pictures, of earlier calls, which stay: 'a'" in capsys.readouterr().err
    assert sorted(path.name for path in Path("masks").iterdir()) == ["a_semantic.png", "c_semantic.png"]


def test_instances_of_an_earlier_call_are_told(at, capsys) -> None:
    command = ["predict", "a.png", "--task", "instance", "--out", "out", "--masks", "masks", "--min-score"]
    assert main([*command, "0.3"]) == 0
    many = len(list(Path("masks").iterdir()))
    assert "not of this prediction" not in capsys.readouterr().err
    assert main([*command, "0.9"]) == 0
    said = capsys.readouterr()
    few = said.out.count(" score ")
    assert 0 < few < many and "holds instances of 'a' that are not of this prediction" in said.err
    assert f"a_instance_{many}.png" in said.err or f"and {many - few - 4} more" in said.err


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        (["a.png", "a_panoptic.png"], ["--out", "."], "a_panoptic.png is a picture to be segmented, and the result of"),
        (["a.png", "masks/a_instance_1.png"], ["--out", "out", "--masks", "masks", "--task", "instance"], "mask of"),
        (["a.png", "masks/a_semantic.png"], ["--out", "out", "--masks", "masks", "--task", "semantic"], "mask of"),
    ],
)
def test_what_is_given_is_not_written_over(at, capsys, given, options, words) -> None:
    Path("masks").mkdir()
    shutil.copy("c.png", given[1])
    before = Path(given[1]).read_bytes()
    assert main(["predict", *given, *options]) == 2
    assert words in capsys.readouterr().err and Path(given[1]).read_bytes() == before and not Path("out").exists()


@pytest.mark.parametrize("name", [None, 5, "", "a/b", "/a"])
def test_masks_need_a_name(tmp_path, name) -> None:
    prediction = ofl.predict(ofl.from_pretrained("toytown"), SCENES[0].image, "semantic")
    with pytest.raises(ofl.errors.ConfigError, match="name must be what the files' names begin with"):
        prediction.save_masks(tmp_path, name)


@pytest.mark.parametrize("name", ["\u0444\u043e\u0442.png", os.fsdecode(b"caf\xe9.png")], ids=["letters", "bytes"])
def test_names_that_the_terminal_cannot_show_end_nothing(at, monkeypatch, name: str) -> None:
    """A pipe in an older encoding (of Windows, or of a cron job), and a name that is not UTF-8 on the disk."""
    Path("a.png").rename(name)
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["predict", name, "--out", "out", "--json", "found.json", "--masks", "masks"]) == 0
    terminal.flush()
    assert b".png -> " in terminal.buffer.getvalue() and b"\\u" in terminal.buffer.getvalue()
    (picture,) = json.loads(Path("found.json").read_text())["pictures"]
    assert picture["file"] == name and Path("out").is_dir()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--min-score", "70%"], "expected a number with a point for its decimals, such as 0.5, got '70%'"),
        (["--min-score", "0,7"], "expected a number with a point for its decimals, such as 0.5, got '0,7'"),
        (["--windows", "large"], "expected a whole number, got 'large'"),
        (["--scales", "1,1.5"], "expected a number with a point for its decimals, such as 0.5, got '1,1.5'"),
    ],
)
def test_what_is_no_number_is_told_as_such(capsys, arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "a.png", *arguments])
    assert words in capsys.readouterr().err
