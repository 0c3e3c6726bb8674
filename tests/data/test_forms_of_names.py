"""Names that differ by their form in Unicode alone: macOS takes letters apart, and its archives keep them so."""

from __future__ import annotations

import dataclasses
import json
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data import Category, InstanceDataset, PanopticDataset
from oneformer_lite.data.by_name import class_places
from oneformer_lite.dataset_checks.splits import check_apart, missing_files
from oneformer_lite.errors import DataError
from oneformer_lite.files import on_disk
from oneformer_lite.training.fingerprint import differences, fingerprint

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
NAME = "Stra\u00dfenb\u00e4ume \u00c5 \uac00 \u30ac"  # German, Swedish, Korean, Japanese
FORMS = [unicodedata.normalize(form, NAME) for form in ("NFC", "NFD")]
assert FORMS[0] != FORMS[1]


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 20)).save(path)
    if (path.parent / FORMS[path.name.startswith(FORMS[0])]).exists():
        pytest.skip("this file system takes the two for one name")
    return path


def outlines(folder: Path, names: list[str], json_name: str = "a.json") -> Path:
    content = {
        "images": [{"id": i, "file_name": name, "height": 20, "width": 30} for i, name in enumerate(names)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "segmentation": [[2, 2, 9, 2, 9, 9]]} for i in range(len(names))
        ],
        "categories": [{"id": 1, "name": "tree"}],
    }
    (folder / json_name).write_text(json.dumps(content))
    return folder / json_name


@pytest.mark.parametrize(("there", "asked"), [FORMS, FORMS[::-1]])
@pytest.mark.parametrize("inside", [False, True], ids=["the picture", "its folder too"])
def test_a_picture_is_found_under_the_other_form(tmp_path: Path, there: str, asked: str, inside: bool) -> None:
    folders = (f"{there}/", f"{asked}/") if inside else ("", "")
    put(tmp_path / f"{folders[0]}{there}.png")
    json_path = outlines(tmp_path, [f"{folders[1]}{asked}.png"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        dataset = InstanceDataset(tmp_path, json_path)
        assert dataset[0].masks.sum() and not missing_files(dataset)
    assert ofl.data.read_image(tmp_path / f"{folders[1]}{asked}.png").shape == (20, 30, 3)


@pytest.mark.parametrize(("there", "asked"), [FORMS, FORMS[::-1]])
def test_so_are_folders_annotations_and_the_two_halves_of_a_panoptic_set(tmp_path, there, asked) -> None:
    scene = ofl.data.Toytown("val", 64)[1].replace(file_name=f"{there}.jpg")
    root = tmp_path / there
    ofl.data.write_panoptic(root / "val", root / "annotations/panoptic_val.json", root / "annotations/panoptic_val",
                            [scene])  # fmt: skip
    text = (root / "annotations/panoptic_val.json").read_text()
    names = json.loads(text)
    names["images"][0]["file_name"] = f"{asked}.jpg"
    names["annotations"][0]["file_name"] = f"{asked}.png"
    (root / "annotations/panoptic_val.json").write_text(json.dumps(names))
    dataset = ofl.data.open(tmp_path / asked, "val")
    assert isinstance(dataset, PanopticDataset) and len(dataset[0].segments) == len(scene.segments)


def test_the_exact_name_comes_first_and_others_stay_unknown(tmp_path: Path) -> None:
    for form, value in zip(FORMS, (10, 200)):
        Image.new("L", (4, 4), value).save(put(tmp_path / f"{form}.png"))
    assert [int(ofl.data.read_image(tmp_path / f"{form}.png").max()) for form in FORMS] == [10, 200]
    assert on_disk(tmp_path / "\u00e4.png") == tmp_path / "\u00e4.png"
    with pytest.raises(DataError, match="does not exist"):
        ofl.data.read_image(tmp_path / "\u00e4.png")
    put(tmp_path / "\u00c4B.png")
    with pytest.raises(DataError, match="upper and lower case differ"):
        ofl.data.read_image(tmp_path / "\u00e4b.png")


def test_one_picture_in_both_forms_is_listed_twice(tmp_path: Path) -> None:
    put(tmp_path / f"{FORMS[0]}.png")
    with pytest.raises(DataError, match="are the same file"):
        InstanceDataset(tmp_path, outlines(tmp_path, [f"{form}.png" for form in FORMS]))


def test_a_picture_of_both_splits_is_told(tmp_path: Path) -> None:
    put(tmp_path / f"{FORMS[0]}.png")
    train, val = (
        InstanceDataset(tmp_path, outlines(tmp_path, [f"{form}.png"], f"{i}.json")) for i, form in enumerate(FORMS)
    )
    assert check_apart(train, val).evidence.startswith("1 of 1 validation pictures are training pictures")


# --------------------------------------------------------------------------------------- classes


@pytest.mark.parametrize(
    ("own", "given"),
    [
        FORMS, FORMS[::-1], ("caf\u00e9", "cafe\u0301"), ("\ufb01sh", "fish"), ("\uff43\uff41\uff52", "car"),
        ("car", "c\u200bar"), ("car", "\ufeffcar"), ("stra\u00dfe", "STRASSE"),
    ],
)  # fmt: skip
def test_classes_are_found_whatever_their_form(own: str, given: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        categories = [Category(1, "road", False), Category(2, given, True)]
        assert class_places((own, "road"), categories) == [1, 0]


def test_a_run_resumes_on_the_same_names_in_another_form() -> None:
    scene = ofl.data.Toytown("val", 64)[1]
    first, *others = scene.categories
    prints = []
    for form in FORMS:
        categories = (dataclasses.replace(first, name=form), *others)
        prints.append(fingerprint(_listed([scene.replace(file_name=f"{form}.png", categories=categories)])))
    assert differences(*prints) == []
    prints.append(fingerprint(_listed([scene.replace(file_name="other.png")])))
    assert len(differences(prints[0], prints[2])) == 2


def _listed(samples):
    from oneformer_lite.data.views import as_dataset

    return as_dataset(samples)


def test_the_models_of_an_ensemble_know_the_same_classes() -> None:
    from oneformer_lite.inference.ensemble_classes import order_of

    wanted, had = ([Category(i, name, True) for i, name in enumerate(names)] for names in (
        (FORMS[0], "road"), ("road", FORMS[1]),
    ))  # fmt: skip
    assert order_of(wanted, had) == [1, 0]


def test_maps_and_pictures_are_paired_in_any_form(tmp_path: Path) -> None:
    put(tmp_path / "pictures" / f"{FORMS[0]}.png")
    (tmp_path / "labels").mkdir()
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "labels" / f"{FORMS[1]}.png")
    dataset = ofl.data.SemanticDataset(tmp_path / "pictures", tmp_path / "labels", ["a", "b"])
    assert len(dataset) == 1 and dataset[0].size == (20, 30)
