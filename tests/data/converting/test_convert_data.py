"""The door to the conversions, in Python and as a command."""

import os

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.cli import convert_data as command
from oneformer_lite.cli import main
from oneformer_lite.data.converting import work
from oneformer_lite.data.converting.convert import FORMATS
from oneformer_lite.errors import ConfigError, DataError


@pytest.fixture
def raw(tmp_path, save, photograph):
    """One picture of KITTI."""
    save(tmp_path / "raw/training/instance/000000_10.png", np.full((12, 20), 7 * 256, np.uint16))
    photograph(tmp_path / "raw/training/image_2/000000_10.png")
    return tmp_path / "raw"


def test_the_command_converts_and_says_how_to_go_on(raw, tmp_path, capsys):
    assert main(["convert-data", "kitti", str(raw), str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "out is ready (pictures: train 1): oneformer-lite train --data" in said.out and "converting" in said.err
    assert len(ofl.data.open(tmp_path / "out", "train")) == 1


def test_the_command_has_every_format_and_explains_it(capsys):
    assert command.FORMATS.keys() == FORMATS.keys()
    for name, text in command.FORMATS.items():
        with pytest.raises(SystemExit):
            main(["convert-data", name, "--help"])
        assert " ".join(text.split()) in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", FORMATS)
def test_another_folder_is_refused_in_a_sentence(name, tmp_path, capsys):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/readme.txt").write_text("...")
    assert main(["convert-data", name, str(tmp_path / "raw"), str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'raw'} is not in the layout of" in said and "it holds 'readme.txt'" in said
    assert os.listdir(tmp_path) == ["raw"]


def test_no_folder_and_no_such_format(tmp_path):
    with pytest.raises(DataError, match="raw does not exist .*: expected the folder of the data set"):
        ofl.data.convert_data("voc", tmp_path / "raw", tmp_path / "out")
    with pytest.raises(ConfigError, match="there is no format 'pascal': expected one of kitti, "):
        ofl.data.convert_data("pascal", tmp_path, tmp_path / "out")


@pytest.mark.parametrize("kind", ["full folder", "file", "its own source"])
def test_nothing_of_the_user_is_replaced(kind, raw, tmp_path):
    out = {"full folder": tmp_path / "out", "file": tmp_path / "file", "its own source": raw}[kind]
    (tmp_path / "out").mkdir()
    for path in (tmp_path / "out/mine.txt", tmp_path / "file"):
        path.write_text("mine")
    with pytest.raises(DataError, match="expected the name of a new folder"):
        ofl.data.convert_data("kitti", raw, out, workers=1)
    assert (tmp_path / "out/mine.txt").read_text() == (tmp_path / "file").read_text() == "mine" and raw.is_dir()


def test_an_empty_folder_is_filled_and_an_interruption_leaves_nothing(raw, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(work, "save_panoptic_json", stop)
        ofl.data.convert_data("kitti", raw, tmp_path / "out", workers=1)
    assert sorted(os.listdir(tmp_path)) == ["out", "raw"] and not os.listdir(tmp_path / "out")
    ofl.data.convert_data("kitti", raw, tmp_path / "out", workers=1)
    assert sorted(os.listdir(tmp_path / "out")) == ["annotations", "train"]


def test_where_the_disk_has_no_links_pictures_are_copied_and_counted(raw, tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.warns(UserWarning, match="^files that were copied, as the disk of the new folder cannot link .*: 1$"):
        ofl.data.convert_data("kitti", raw, tmp_path / "out", workers=1)
    copy, source = tmp_path / "out/train/000000_10.png", raw / "training/image_2/000000_10.png"
    assert copy.read_bytes() == source.read_bytes() and not copy.samefile(source)


def test_several_processes_give_the_same(raw, tmp_path, save, photograph):
    save(raw / "training/instance/000001_10.png", np.full((12, 20), 26 * 256 + 3, np.uint16))
    photograph(raw / "training/image_2/000001_10.png", seed=1)
    for out, workers in (("one", 1), ("two", 2)):
        ofl.data.convert_data("kitti", raw, tmp_path / out, workers)
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
