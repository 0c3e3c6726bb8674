"""The pictures that a run leaves at its evaluations: which, how many, and none of steps that are done again."""

from __future__ import annotations

import dataclasses
import json

import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.training import Trainer, pictures, toytown_training
from oneformer_lite.training.pictures import cut_pictures, find_pictures, write_pictures


@pytest.fixture(scope="module")
def config() -> ofl.ModelConfig:
    small = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "encoder_layers": 1, "decoder_layers": 1}
    return dataclasses.replace(ofl.config.toytown(), pretrained=False, **small)


def test_a_run_leaves_pictures_at_its_evaluations_and_its_end(config, tmp_path):
    recipe = toytown_training(
        out=str(tmp_path), steps=4, batch_size=2, workers=0, evaluations=2, eval_images=1, log_steps=1
    )
    train_data, val_data = (Toytown(split, 64, length=4) for split in ("train", "val"))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/step_0000003.webp").touch()  # of a run that was killed before it saved
    Trainer(config, recipe, train_data, val_data).run()
    assert list(find_pictures(tmp_path)) == [2, 4]
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"step_0000002.webp", "step_0000004.webp"}
    with Image.open(find_pictures(tmp_path)[4]) as image:
        told = json.loads(image.getexif()[0x010E])
    columns = ["annotation", "panoptic", "instance", "semantic"]
    assert told == {"columns": columns, "rows": pictures.IMAGES, "cell": [320, 320]}


def test_large_pictures_are_reduced_and_only_supplied_tasks_shown(config, tmp_path):
    class Semantic(list):
        tasks = ("semantic",)

    sample = Toytown("val", 352, length=1)[0]
    path = write_pictures(ofl.OneFormer(config), Semantic([sample]), tmp_path, 12)
    with Image.open(path) as image:
        told = json.loads(image.getexif()[0x010E])
    assert told == {"columns": ["annotation", "semantic"], "rows": 1, "cell": [176, 176]}


def test_their_number_is_bounded_and_later_ones_are_cut(config, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST", 5)
    monkeypatch.setattr("oneformer_lite.render.prediction_sheet", lambda *_: b"")
    model, data = ofl.OneFormer(config), Toytown("val", 64, length=1)
    for step in range(10, 70, 10):
        write_pictures(model, data, tmp_path, step)
    assert list(find_pictures(tmp_path)) == [10, 30, 50, 60]  # the first and the newest stay
    cut_pictures(tmp_path, 50)
    assert list(find_pictures(tmp_path)) == [10, 30, 50]


def test_a_disk_without_room_costs_pictures_not_the_run(config, tmp_path):
    recipe = toytown_training(out=str(tmp_path), steps=2, batch_size=2, workers=0, evaluations=1, eval_images=1)
    train_data, val_data = (Toytown(split, 64, length=4) for split in ("train", "val"))
    trainer = Trainer(config, recipe, train_data, val_data)
    (tmp_path / "pictures").write_text("in the way, after the look at the start")
    with pytest.warns(UserWarning, match="goes on without new pictures: .*pictures"):
        assert trainer.run().finished


def test_a_picture_that_cannot_be_read_costs_pictures_not_the_run(config, tmp_path):
    class Lost(Toytown):
        def __getitem__(self, index: int):
            if index == 0:
                raise FileNotFoundError("picture 0 is gone")
            return super().__getitem__(index)

    recipe = toytown_training(out=str(tmp_path), steps=2, batch_size=2, workers=0, evaluations=1, eval_images=2)
    with pytest.warns(UserWarning, match="goes on without new pictures: .*picture 0 is gone"):
        assert Trainer(config, recipe, Toytown("train", 64, length=4), Lost("val", 64, length=4)).run().finished


@pytest.mark.parametrize("link", ["file", "folder", "inside"])
def test_links_out_of_a_strangers_run_are_not_followed(tmp_path, link):
    outside, run = tmp_path / "outside", tmp_path / "run"
    for folder in (outside, run):
        folder.mkdir()
    (outside / "step_0000001.webp").write_bytes(b"secret")
    if link == "folder":
        (run / "pictures").symlink_to(outside)
    else:
        (run / "pictures").mkdir()
        (run / "pictures/step_0000002.webp").write_bytes(b"own")
        target = outside / "step_0000001.webp" if link == "file" else "step_0000002.webp"
        (run / "pictures/step_0000001.webp").symlink_to(target)
    assert list(find_pictures(run)) == {"file": [2], "folder": [], "inside": [1, 2]}[link]
    (tmp_path / "elsewhere").symlink_to(run)
    assert list(find_pictures(tmp_path / "elsewhere")) == list(find_pictures(run)), "a run may be linked as a whole"
