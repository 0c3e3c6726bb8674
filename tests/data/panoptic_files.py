"""The data set of the fixture ``panoptic_folder``: read, and spoiled on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from oneformer_lite.data.panoptic import PanopticDataset


def read(folder: Path) -> PanopticDataset:
    return PanopticDataset(str(folder / "images"), folder / "panoptic.json", folder / "panoptic")


def edit_json(folder: Path, change: Callable[[dict], object]) -> None:
    """Let ``change`` work on the content of the annotation file."""
    content = json.loads((folder / "panoptic.json").read_text())
    change(content)
    (folder / "panoptic.json").write_text(json.dumps(content))
