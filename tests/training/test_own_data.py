"""Data sets that are given to ofl.train: what is missing is said of them, never of a folder that nobody named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import oneformer_lite as ofl
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.toytown import Toytown, write_toytown
from oneformer_lite.errors import ConfigError, DataError
from oneformer_lite.training import toytown_training, train
from oneformer_lite.training.loader import run_split
from oneformer_lite.training.state import has_own_data, write_recipe

CONFIG = dataclasses.replace(ofl.config.toytown(), pretrained=False, image_size=64)


@pytest.mark.parametrize("there", [False, True], ids=["no folder", "a folder of the same name"])
def test_training_data_alone_are_not_judged_on_a_folder_that_nobody_named(tmp_path, monkeypatch, there) -> None:
    monkeypatch.chdir(tmp_path)  # the recipe's default is data/toytown
    if there:
        write_toytown("data/toytown", "val", 64, 2, workers=1)
    for given in (Toytown("train", 64, 4), [Toytown("train", 64, 4)[0]] * 2):
        with pytest.raises(ConfigError, match="no validation data.*give val_data, or set evaluations=0") as caught:
            train(CONFIG, toytown_training(out="run", steps=1, workers=0), given)
        assert "data/toytown" not in str(caught.value)


def test_the_folder_says_that_its_data_were_given(tmp_path: Path) -> None:
    recipe = toytown_training(out=str(tmp_path), steps=1)
    for own in (True, False):
        write_recipe(CONFIG, recipe, "auto", own)
        assert has_own_data(tmp_path) is own
    assert not has_own_data(tmp_path / "nowhere")
    (tmp_path / "run.json").write_text('{"own_data": "yes"}')
    assert not has_own_data(tmp_path)


def test_neither_doctor_nor_resume_open_another_folder_for_it(tmp_path: Path) -> None:
    write_toytown(tmp_path / "data", "train", 64, 2, workers=1)
    recipe = toytown_training(out=str(tmp_path / "run"), data=str(tmp_path / "data"), steps=1)
    write_recipe(CONFIG, recipe, "auto", own_data=True)
    with pytest.raises(DataError, match="trained with data sets given to ofl.train"):
        run_split(tmp_path / "run", recipe)
    found = next(f for f in ofl.doctor(run=tmp_path / "run").findings if f.check == "data of the run")
    assert found.verdict == "warning" and "given to ofl.train" in found.evidence and "dataset=..." in found.cure
    with pytest.raises(ConfigError, match=r"call ofl.train\(config, train_config, train_data, val_data\)"):
        ofl.Run(tmp_path / "run").resume()
    write_recipe(CONFIG, recipe, "auto")
    assert len(run_split(tmp_path / "run", recipe)) == 2


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "does not exist: expected the folder of a data set"),
        (["notes.txt"], "no annotation of the split 'train': expected .*panoptic_train.json and the folder .* of PNGs"),
        (["val.json"], "outlines of objects, annotations/instances_train.json, .* or train.json.*ofl.data.open"),
        (["masks/0.png"], "label maps, annotations/semantic_train, labels/train, masks/train or train/labels"),
        (["annotations/panoptic_train2017.json"], "has the splits train2017, not 'train'"),
    ],
)
def test_a_folder_without_the_split_is_told_what_it_holds_instead(tmp_path: Path, files: list[str], words: str) -> None:
    for name in files:
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).touch()
    with pytest.raises(DataError, match=words):
        open_split(tmp_path / "data", "train")
