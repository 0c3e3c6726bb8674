"""Validation pictures that are training pictures under another path."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data import InstanceDataset
from oneformer_lite.dataset_checks.splits import check_apart


@pytest.mark.parametrize("copies", [0, 1, 3])
def test_copies_in_another_folder_are_training_pictures_as_well(tmp_path: Path, copies: int) -> None:
    """Frames are called alike in all folders; only the content tells which of them are the same."""
    rng, places = np.random.default_rng(0), {}
    for split in ("train", "val"):
        for number in range(4):
            path = tmp_path / split / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
            if split == "val" and number < copies:
                path.write_bytes((tmp_path / "train" / f"{number}.png").read_bytes())
        images = [{"id": i, "file_name": f"{i}.png", "height": 8, "width": 8} for i in range(4)]
        objects = [{"id": i, "image_id": i, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 5]]} for i in range(4)]
        content = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "disc"}]}
        (tmp_path / f"{split}.json").write_text(json.dumps(content))
        places[split] = InstanceDataset(tmp_path / split, tmp_path / f"{split}.json")
    finding = check_apart(places["train"], places["val"])
    assert finding.verdict == ("warning" if copies else "fine")
    assert not copies or finding.evidence.startswith(f"{copies} of 4 validation pictures are training p")
    (tmp_path / "val" / "0.png").unlink()
    assert check_apart(places["train"], places["val"]).verdict == ("warning" if copies > 1 else "fine")
