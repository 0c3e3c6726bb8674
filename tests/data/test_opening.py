"""One door for panoptic annotations, outlines of objects and label maps, wherever a data set is opened."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.cli import main
from oneformer_lite.data import InstanceDataset, PanopticDataset, SegmentationDataset, SemanticDataset
from oneformer_lite.data.class_file import read_classes
from oneformer_lite.data.instance import encode_mask
from oneformer_lite.data.layouts import find, holds
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.errors import ConfigError, DataError
from oneformer_lite.training import toytown_training

NAMES = [category.name for category in ofl.data.Toytown.categories]
SCENES = [ofl.data.Toytown("train", 64, 2)[index] for index in range(2)]
SEEN = {"pictures": "train", "annotation": "annotations/instances_train.json"}


def write_pictures(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for scene in SCENES:
        Image.fromarray(scene.image).save(folder / f"{scene.image_id}.png")


def write_outlines(file: Path) -> None:
    objects = [
        {"image_id": s.image_id, "category_id": segment.class_id, "segmentation": encode_mask(mask)}
        for s in SCENES
        for segment, mask in zip(s.segments, s.segment_masks())
        if s.categories[segment.class_id].is_thing and not segment.is_crowd
    ]
    content = {
        "images": [{"id": s.image_id, "file_name": f"{s.image_id}.png", "height": 64, "width": 64} for s in SCENES],
        "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES)],
        "annotations": [one | {"id": i} for i, one in enumerate(objects, start=1)],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def write_maps(folder: Path, names: Path | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for s in SCENES:
        labels = ofl.metrics.semantic_labels(s.segment_map, s.segments, ignore=255).astype(np.uint8)
        Image.fromarray(labels).save(folder / f"{s.image_id}.png")
    if names:
        names.write_text("\n".join(NAMES) + "\n")


def test_a_panoptic_folder(tmp_path: Path) -> None:
    pngs = tmp_path / "annotations/panoptic_train"
    ofl.data.write_panoptic(tmp_path / "train", pngs.with_suffix(".json"), pngs, SCENES)
    write_outlines(tmp_path / "annotations/instances_train.json")
    opened = ofl.data.open(tmp_path)
    assert isinstance(opened, PanopticDataset) and isinstance(opened, SegmentationDataset) and len(opened) == 2
    assert (opened[1].segment_map == SCENES[1].segment_map).all() and holds(tmp_path, "train")
    assert isinstance(ofl.data.open(tmp_path, kind="instance"), InstanceDataset)
    named = ofl.data.open(tmp_path / "annotations/panoptic_train.json", pictures=tmp_path / "train")
    assert isinstance(named, PanopticDataset)
    with pytest.raises(DataError, match="no annotation of the split 'train': expected label maps"):
        ofl.data.open(tmp_path, kind="semantic")


@pytest.mark.parametrize(
    ("file", "pictures"),
    [
        ("annotations/instances_train.json", "train"), ("train/_annotations.coco.json", "train"),
        ("annotations/train.json", "images/train"), ("train.json", "pictures"),
    ],
)  # fmt: skip
def test_outlines_of_objects(tmp_path: Path, file: str, pictures: str) -> None:
    write_pictures(tmp_path / pictures)
    write_outlines(tmp_path / file)
    opened = ofl.data.open(tmp_path, "train", crowds_as_objects=True)
    assert isinstance(opened, InstanceDataset) and opened.tasks == ("instance",)
    assert (opened[0].image == SCENES[0].image).all() and len(opened[0].masks)
    named = ofl.data.open(tmp_path / file, pictures=tmp_path / pictures)
    assert isinstance(named, InstanceDataset) and len(named) == len(opened) == 2


@pytest.mark.parametrize(
    ("maps", "pictures"),
    [
        ("annotations/semantic_train", "train"), ("labels/train", "images/train"), ("masks/train", "pictures"),
        ("train/labels", "train/pictures"),
    ],
)  # fmt: skip
def test_label_maps(tmp_path: Path, maps: str, pictures: str) -> None:
    write_pictures(tmp_path / pictures)
    write_maps(tmp_path / maps)
    with pytest.raises(DataError, match="label maps need the names of their classes"):
        ofl.data.open(tmp_path, "train")
    given = ofl.data.open(tmp_path, "train", classes=NAMES)
    (tmp_path / maps / "classes.txt").write_text("\n".join(NAMES))
    opened = ofl.data.open(tmp_path, "train")
    assert isinstance(opened, SemanticDataset) and opened.categories == given.categories and len(opened) == 2
    named = ofl.data.open(tmp_path / maps, pictures=tmp_path / pictures)
    assert (named[1].segment_map == opened[1].segment_map).all()


@pytest.mark.parametrize(
    "objects", ["instances/train", "train/instances", "train.json"], ids=["maps", "maps inside", "outlines"]
)
def test_objects_before_label_maps_with_a_warning(tmp_path: Path, objects: str) -> None:
    write_pictures(tmp_path / "images" / "train")
    write_maps(tmp_path / "labels" / "train")
    (tmp_path / "labels" / "classes.txt").write_text("\n".join(NAMES))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find(tmp_path, "train")  # one kind alone
    if objects.endswith("json"):
        (tmp_path / objects).write_text("{}")
    else:
        write_maps(tmp_path / objects)
    with pytest.warns(UserWarning, match="two kinds: the objects of .* are opened.*label maps of .*labels"):
        assert find(tmp_path, "train").kind == "instance"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find(tmp_path, "train", "semantic").annotation == tmp_path / "labels" / "train"
        assert find(tmp_path, "train", "instance").annotation == tmp_path / objects


def test_a_file_of_classes_may_say_their_values(tmp_path: Path) -> None:
    names = tmp_path / "classes.txt"
    names.write_text("\ufeff0: (void)\n\n1: road\n 7 : wet grass\n", encoding="utf-8")
    assert read_classes(names) == (["road", "wet grass"], {"values": [1, 7], "ignore_index": 0})
    names.write_text("0: background\n255: ball")
    assert read_classes(names)[1]["ignore_index"] is None
    names.write_text("1: road\ngrass")
    with pytest.raises(DataError, match="some lines begin with a pixel value"):
        read_classes(names)
    names.write_text("0: (void)\n1: (void)\n2: road")
    with pytest.raises(DataError, match="2 lines say"):
        read_classes(names)
    names.write_bytes(b"stra\xdfe")
    with pytest.raises(DataError, match="not UTF-8, so the file was saved in an older encoding.*Latin-1. if this word"):
        read_classes(names)


@pytest.mark.parametrize("comment", ["# classes of my set", "// mine", "#label:color_rgb:parts:actions"])
def test_a_comment_among_the_classes_is_no_class(tmp_path: Path, comment: str) -> None:
    for place in (0, 2):
        lines = ["road", "grass", "ball"]
        (tmp_path / "classes.txt").write_text("\n".join([*lines[:place], comment, *lines[place:]]))
        with pytest.raises(DataError, match="is a comment: remove it; expected a name on each line"):
            read_classes(tmp_path / "classes.txt")


@pytest.mark.parametrize("head", ["name", "Names:", "class", "labels"])
def test_a_heading_is_no_class(tmp_path: Path, head: str) -> None:
    (tmp_path / "classes.txt").write_text(f"{head}\nroad\ngrass")
    with pytest.raises(DataError, match="begins with the heading"):
        read_classes(tmp_path / "classes.txt")


@pytest.mark.parametrize(
    "form", ["{} {}", "{}\t{}", "{},{}", "{};{}", "{}={}", "{} - {}", "{}\uff1a{}", "{}. {}", "- {1}"]
)
def test_numbers_in_another_form_are_no_part_of_the_names(tmp_path: Path, form: str) -> None:
    lines = [form.format(i, name) for i, name in enumerate(("road", "grass", "ball"), 1)]
    (tmp_path / "classes.txt").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match="all lines begin with a number or a dash.*as in 7: road"):
        read_classes(tmp_path / "classes.txt")


def test_names_that_only_look_so_are_names(tmp_path: Path) -> None:
    for names in (["3D printer", "2 wheels", "bus"], ["name"], ["10 wheeler", "car"], ["c# book", "class A"]):
        (tmp_path / "classes.txt").write_text("\n".join(names))
        assert read_classes(tmp_path / "classes.txt") == (names, {})
    (tmp_path / "classes.txt").write_text("0: (VOID)\n1: road")
    assert read_classes(tmp_path / "classes.txt")[1] == {"values": [1], "ignore_index": 0}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"kind": "boxes"}, ConfigError, "unknown kind of annotation 'boxes': expected one of 'panoptic'"),
        ({"values": (1, 2)}, ConfigError, "values: no option of instance annotations .*expected skip_boxes"),
        ({"classes": ["a"]}, ConfigError, "classes are for label maps"),
        ({"split": "val"}, DataError, "no annotation of the split 'val'"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, options: dict, error: type, words: str) -> None:
    write_pictures(tmp_path / "train")
    write_outlines(tmp_path / "annotations/instances_train.json")
    with pytest.raises(error, match=words):
        ofl.data.open(tmp_path, **options)
    assert vars(find(tmp_path, "train")) == {
        "kind": "instance", "beside": None, "elsewhere": (tmp_path / "train", tmp_path),
        **{name: tmp_path / place for name, place in SEEN.items()},
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["instance", "semantic"])
def test_commands_recipes_and_doctor_go_through_it(tmp_path: Path, kind: str, capsys) -> None:
    for split in ("train", "val"):
        write_pictures(tmp_path / split)
        if kind == "instance":
            write_outlines(tmp_path / f"annotations/instances_{split}.json")
        else:
            write_maps(tmp_path / f"annotations/semantic_{split}", tmp_path / "classes.txt")
    data = open_split(tmp_path, "train")
    assert data.tasks == (kind,)
    config = dataclasses.replace(ofl.config.toytown(), pretrained=False, image_size=64, num_points=64)
    recipe = toytown_training(
        data=str(tmp_path), out=str(tmp_path / "run"), steps=1, batch_size=2, workers=0, evaluations=0, start_from=None
    )
    assert ofl.train(ofl.config.for_classes(config, data.categories), recipe).finished
    diagnosis = ofl.doctor(run=tmp_path / "run", images=2)  # which opens the run's data
    assert not [f for f in diagnosis.findings if f.check == "data of the run"]
    capsys.readouterr()
    assert main(["eval", "--model", str(tmp_path / "run/model"), "--data", str(tmp_path), "--classes", "0"]) == 0
    printed = capsys.readouterr().out
    assert ("AP50" in printed, "mIoU" in printed) == (kind == "instance", kind == "semantic") and "PQ" not in printed


@pytest.mark.parametrize("kind", [np.zeros(3), 5, ["semantic"]])
def test_a_kind_is_a_name(tmp_path: Path, kind: object) -> None:
    with pytest.raises(ConfigError, match="unknown kind of annotation"):
        ofl.data.open(tmp_path, kind=kind)


@pytest.mark.parametrize("info", [b"x", object(), "x", {"a": object()}, {(1, 2): 3}])
def test_info_is_what_json_holds(tmp_path: Path, info: object) -> None:
    scenes = [ofl.data.Toytown("val", 64)[0]]
    with pytest.raises(ConfigError, match="info .*dict of texts and numbers"):
        ofl.data.write_panoptic(tmp_path / "p", tmp_path / "a.json", tmp_path / "s", scenes, info)
    with pytest.raises(ConfigError, match="info .*dict of texts and numbers"):
        ofl.data.write_instances(tmp_path / "p", tmp_path / "a.json", scenes, info=info)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["images/train", "images", "pictures", "."])
@pytest.mark.parametrize("before", ["", "train/"], ids=["bare", "with a folder"])
def test_the_pictures_of_outlines_are_where_the_first_of_them_is(tmp_path: Path, place: str, before: str) -> None:
    """Folders that are there without them, and names that begin at another folder, are no reason to look no further."""
    for empty in ("images/train", "images", "pictures"):
        (tmp_path / empty).mkdir(parents=True, exist_ok=True)
    write_outlines(tmp_path / "train.json")
    content = json.loads((tmp_path / "train.json").read_text())
    for image in content["images"]:
        image["file_name"] = before + image["file_name"]
    (tmp_path / "train.json").write_text(json.dumps(content))
    write_pictures(tmp_path / place / before)
    dataset = open_split(tmp_path, "train")
    assert dataset.image_dir == tmp_path / place and len([dataset[i] for i in range(2)]) == 2
    with pytest.raises(DataError, match="no-such-folder does not exist"):
        open_split(tmp_path / "train.json", pictures=tmp_path / "no-such-folder")


def test_a_folder_of_pictures_called_like_the_file_does_not_make_it_panoptic(tmp_path: Path) -> None:
    """Outlines whose pictures were named lie beside other pictures of the split."""
    write_outlines(tmp_path / "train.json")
    write_pictures(tmp_path / "train")
    write_pictures(tmp_path / "photos")
    dataset = open_split(tmp_path / "train.json", pictures=tmp_path / "photos")
    assert isinstance(dataset, InstanceDataset) and dataset.image_dir == tmp_path / "photos"


def test_two_files_of_objects_of_one_split_are_told(tmp_path: Path) -> None:
    write_pictures(tmp_path / "train")
    write_outlines(tmp_path / "annotations/instances_train.json")
    write_outlines(tmp_path / "train.json")
    words = "several files of objects .*instances_train.json is opened, and not .*/train.json. Remove"
    with pytest.warns(UserWarning, match=words):
        open_split(tmp_path, "train")


@pytest.mark.parametrize(
    "file, words",
    [
        ("valid/_annotations.coco.json", "of the split 'val' .it has some of 'valid'."),
        ("annotations/instances_default.json", "of the split 'val' .it has some of 'default'."),
        ("result.json", "of the split 'val' .it holds 'result.json'."),
        ("labels/test/0.png", "of the split 'val' .it has some of 'test'."),
    ],
)
def test_what_is_there_instead_is_told(tmp_path: Path, file: str, words: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    with pytest.raises(DataError, match=words):
        open_split(tmp_path, "val")


def test_labels_of_yolo_are_told_before_a_file_of_names_is_asked_for(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images/train")
    (tmp_path / "labels/train").mkdir(parents=True)
    (tmp_path / "labels/train/0.txt").write_text("0 0.5 0.5 0.1 0.1")
    with pytest.raises(DataError, match="expected PNG label maps.*'0.txt', such as YOLO's, .* export COCO's JSON"):
        open_split(tmp_path, "train")
