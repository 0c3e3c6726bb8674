"""The table of published checkpoints: in step with its page, the presets and the names of the files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import oneformer_lite
from oneformer_lite.config import presets
from oneformer_lite.weights.published import FOLDERS, PUBLISHED, Checkpoint, page

README = Path(oneformer_lite.__file__).parent / "weights" / "README.md"
FILES = [row for row in PUBLISHED if row.file]


def test_the_page_is_made_of_the_table() -> None:
    assert README.read_text(encoding="utf-8") == page(), "run python -m oneformer_lite.weights.published > README.md"
    printed = subprocess.run([sys.executable, "-m", "oneformer_lite.weights.published"], capture_output=True, text=True)
    assert printed.stdout == page()


def test_the_counts_of_the_official_readme() -> None:
    scored = [sum(row.data_set == name and row.pq is not None for row in PUBLISHED) for name in FOLDERS]
    assert scored == [2, 9, 6, 3]
    hub = [row.hub for row in PUBLISHED if row.hub]
    assert len(set(hub)) == len(hub) == 7 and len({row.file for row in FILES}) == len(FILES) == 22


@pytest.mark.parametrize("row", FILES, ids=lambda row: row.file)
def test_file_names_tell_the_same_as_the_presets(row: Checkpoint) -> None:
    """The official names: [trained on]_[crop]_queries_context_backbone_oneformer_data set_length.pth."""
    pattern = r"(?:(\w+)_pretrain_)?(?:(\d+)x\2_)?(\d+)_(\d+)_(\w+)_oneformer_([a-z0-9]+)_\w+\.pth"
    first, crop, queries, context, backbone, data_set = re.fullmatch(pattern, row.file).groups()
    config = row.config()
    assert (config.num_queries, config.text_context) == (int(queries), int(context))
    assert row.preset.removesuffix("_from_coco") == f"{data_set}_{backbone}"
    assert data_set == FOLDERS[row.data_set] and backbone.replace("_", "-") == row.backbone.lower()
    assert config.image_size == int(crop or {"ade20k": 640}.get(data_set, 1024))
    assert bool(first) == bool(row.note)
    assert row.url == f"https://shi-labs.com/projects/oneformer/{data_set}/{row.file}"


@pytest.mark.parametrize("row", [row for row in PUBLISHED if row.hub], ids=lambda row: row.hub)
def test_hub_names_tell_the_same_as_the_presets(row: Checkpoint) -> None:
    size = {"t": "tiny", "l": "large"}
    data_set, kind, letter = row.preset.split("_")
    assert row.hub == f"shi-labs/oneformer_{data_set}_{kind}_{size[letter]}" and row.crop is None


@pytest.mark.parametrize("row", [row for row in PUBLISHED if row.pq], ids=lambda row: f"{row.call}{row.note}")
def test_scores_are_those_of_the_presets_descriptions(row: Checkpoint) -> None:
    text = getattr(presets, row.preset).__doc__
    assert (f"{row.pq} / {row.ap} / {row.miou}" if row.ap else f"{row.pq} PQ, {row.miou} mIoU") in text
    assert row.miou_ms is None or row.miou <= row.miou_ms


def test_two_lines_load_and_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Library:
        config = presets

        @staticmethod
        def from_pretrained(source, config=None):
            calls.append((source, config))

        @staticmethod
        def predict(model, image, task):
            return type("Prediction", (), {"save": lambda self, path: None})()

    for row in PUBLISHED:
        assert len(row.lines().splitlines()) == 2
        exec(row.lines(), {"ofl": Library})  # the lines are ours: they must be valid and name what exists
        assert calls[-1] == ((row.hub, None) if row.hub else (row.file, row.config()))
