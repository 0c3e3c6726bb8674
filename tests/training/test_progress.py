"""What a run prints: of the first of its processes alone, and in its first line what is trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.data.views import Listed
from oneformer_lite.training import Trainer, toytown_training
from oneformer_lite.training.log import Log
from oneformer_lite.training.progress import Progress, opening


@pytest.mark.parametrize("first", [True, False])
def test_the_first_process_alone_speaks(tmp_path: Path, capsys, first: bool) -> None:
    with Progress(toytown_training(steps=4), Log(tmp_path), 0, 0.0, visible=first) as progress:
        progress.say("24 pictures")
        progress.evaluation(2, 60.0, 8, {"PQ": 12.5, "mIoU": 30.0})
    printed = capsys.readouterr()
    assert not printed.out
    lines = [line.strip() for line in printed.err.replace("\r", "\n").splitlines()]
    for line in ("24 pictures", "step 2, 1.0 min: PQ 12.5  mIoU 30.0  (8 images)"):
        assert (line in lines) is first, printed.err
    assert first or not printed.err


@pytest.mark.parametrize(
    ("without", "only_with_things", "words"),
    [
        (6, True, "18 pictures (6 without a thing are left out), 14 classes"),
        (6, False, "24 pictures, 14 classes"),
        (0, True, "24 pictures, 14 classes"),
    ],
)
def test_the_first_line_says_what_is_left_out(tmp_path: Path, without: int, only_with_things: bool, words: str) -> None:
    scenes = Toytown("train", 64, 24)
    data = Listed(scenes, scenes.categories, scenes.tasks)
    data.thing_counts = np.repeat([0, 1], [without, 24 - without])
    small = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "encoder_layers": 1, "decoder_layers": 1}
    config = dataclasses.replace(ofl.config.toytown(), pretrained=False, **small)
    recipe = toytown_training(
        out=str(tmp_path), steps=1, evaluations=0, look_first=False, only_with_things=only_with_things
    )
    assert Trainer(config, recipe, data, None)._words().startswith(words)


@pytest.mark.parametrize(("pictures", "few"), [(1, "a single picture can"), (19, "19 pictures can"), (20, None)])
def test_a_handful_of_pictures_is_told_what_it_can_become(pictures: int, few: str | None) -> None:
    first, *more = opening(pictures, 3, 2, "CPU in float32", 7).splitlines()
    assert first.startswith(f"{pictures} pictures (3 without a thing are left out), 2 classes, on the CPU in float32")
    assert len(more) == (few is not None) and (few is None or more[0].startswith(f"  {few} be learned by heart"))
