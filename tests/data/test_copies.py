"""Validation pictures that are training pictures under another path."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data import InstanceDataset
from oneformer_lite.dataset_checks import splits
from oneformer_lite.dataset_checks.splits import check_apart


def opened(folder: Path, split: str, names: list[str]) -> InstanceDataset:
    images = [{"id": i, "file_name": name, "height": 8, "width": 8} for i, name in enumerate(names)]
    objects = [{"id": i, "image_id": i, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 5]]} for i in range(4)]
    content = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "disc"}]}
    (folder / f"{split}.json").write_text(json.dumps(content))
    return InstanceDataset(folder / split, folder / f"{split}.json")


@pytest.mark.parametrize("called", ["{}.png", "copy of {}.png"])
@pytest.mark.parametrize("copies", [0, 1, 3])
def test_copies_are_training_pictures_as_well(tmp_path: Path, copies: int, called: str) -> None:
    """Frames are called alike in all folders, and copies otherwise; only the content tells which of them are the same.
    All have the same size in bytes."""
    rng, places = np.random.default_rng(0), {}
    for split, form in (("train", "{}.png"), ("val", called)):
        (tmp_path / split).mkdir()
        for number in range(4):
            path = tmp_path / split / form.format(number)
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
            if split == "val" and number < copies:
                path.write_bytes((tmp_path / "train" / f"{number}.png").read_bytes())
        places[split] = opened(tmp_path, split, [form.format(i) for i in range(4)])
    assert len({path.stat().st_size for path in tmp_path.glob("*/*.png")}) == 1
    finding = check_apart(places["train"], places["val"])
    assert finding.verdict == ("warning" if copies else "fine")
    assert not copies or finding.evidence.startswith(f"{copies} of 4 validation pictures are training p")
    (tmp_path / "val" / called.format(0)).unlink()
    assert check_apart(places["train"], places["val"]).verdict == ("warning" if copies > 1 else "fine")


def test_of_many_pictures_of_one_size_some_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uncompressed pictures all have the same size."""
    seen = []
    monkeypatch.setattr(splits, "READ", 5)
    monkeypatch.setattr(splits, "_are_same", lambda *paths: seen.append(paths) or False)
    for split, form in (("train", "{}.bmp"), ("val", "{}_.bmp")):
        (tmp_path / split).mkdir()
        for number in range(4):
            Image.new("RGB", (8, 8)).save(tmp_path / split / form.format(number))
    train, val = (opened(tmp_path, *place) for place in (
        ("train", [f"{i}.bmp" for i in range(4)]), ("val", [f"{i}_.bmp" for i in range(4)])
    ))  # fmt: skip
    assert check_apart(train, val).verdict == "fine" and len(seen) == 5
