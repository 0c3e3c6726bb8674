"""Signs in names of classes that nobody sees."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data import Category, InstanceDataset, InstanceMapDataset, SemanticDataset
from oneformer_lite.data import open as open_data
from oneformer_lite.data.by_name import class_places
from oneformer_lite.errors import OneFormerLiteError

UNSEEN = {
    "zero-width blank": "ro\u200bad", "byte-order mark": "\ufeffroad", "non-breaking blank": "main\u00a0road",
    "narrow blank": "main\u202froad", "mark of direction": "road\u200e", "isolated": "\u2066road\u2069",
    "soft hyphen": "ro\u00adad", "word joiner": "road\u2060", "filler": "road\u3164", "line": "main\u2028road",
    "joiner in Latin": "ro\u200dad",
}  # fmt: skip
SEEN = [
    "road", "main road", "Stra\u00dfe", "\u9053\u8def", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\U0001f468\u200d\U0001f33e", "caf\u0065\u0301",
]  # fmt: skip


def maps(folder: Path) -> tuple[Path, Path]:
    """The folders of a picture and of its map of 0 and 1."""
    for name in ("pictures", "maps"):
        (folder / name).mkdir()
    Image.new("RGB", (8, 8)).save(folder / "pictures" / "0.png")
    Image.fromarray(np.eye(8, dtype=np.uint8)).save(folder / "maps" / "0.png")
    return folder / "pictures", folder / "maps"


def outlines(folder: Path, names: list[str]) -> Path:
    content = {
        "images": [{"id": 1, "file_name": "0.png", "height": 8, "width": 8}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 6, 1, 6, 6]]}],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names, start=1)],
    }
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


@pytest.mark.parametrize("kind", UNSEEN)
def test_every_door_says_what_nobody_sees(tmp_path: Path, kind: str) -> None:
    name, (pictures, folder) = UNSEEN[kind], maps(tmp_path)
    said = "names of classes hold signs that nobody sees"
    with pytest.warns(UserWarning, match=said) as caught:
        InstanceDataset(pictures, outlines(tmp_path, [name, "tree"]))
    assert any(ascii(name) in ascii(str(w.message)).replace("\\\\", "\\") for w in caught)  # shown as what it is
    with pytest.warns(UserWarning, match=said):
        SemanticDataset(pictures, folder, [name, "tree"])
    with pytest.warns(UserWarning, match=said), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="none of the 1 instance maps")
        InstanceMapDataset(pictures, folder, name)


def test_a_file_of_classes_is_looked_at_as_well(tmp_path: Path) -> None:
    pictures, folder = maps(tmp_path)
    (folder / "classes.txt").write_text("ro\u200bad\ntree\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="signs that nobody sees"):
        open_data(folder, pictures=pictures)


def test_names_of_all_scripts_are_fine(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pictures, folder = maps(tmp_path)
        InstanceDataset(pictures, outlines(tmp_path, SEEN))
        SemanticDataset(pictures, folder, SEEN)


@pytest.mark.parametrize("name", ["\u200b", "\ufeff \u200e", "\u3164", "\u00a0"])
def test_a_name_of_nothing_else_is_blank(tmp_path: Path, name: str) -> None:
    pictures, folder = maps(tmp_path)
    for open_it in (
        lambda: InstanceDataset(pictures, outlines(tmp_path, [name, "tree"])),
        lambda: SemanticDataset(pictures, folder, [name, "tree"]),
        lambda: InstanceMapDataset(pictures, folder, name),
    ):
        with pytest.raises(OneFormerLiteError, match="blank"):
            open_it()


@pytest.mark.parametrize("kind", [kind for kind, name in UNSEEN.items() if "main" not in name])
def test_the_class_is_found_all_the_same(kind: str) -> None:
    given = [Category(i, name, True, (0, 0, 0)) for i, name in enumerate((UNSEEN[kind], "tree"))]
    assert class_places(["tree", "road"], given) == [1, 0]
