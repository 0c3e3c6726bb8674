"""ADE20K's archives in miniature: maps against a painter that works pixel by pixel, and against hand-made ones."""

import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image
from web import Web

from oneformer_lite.cli import main
from oneformer_lite.data.classes import class_list
from oneformer_lite.data.instance import InstanceDataset
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.published.ade20k import COUNTS, INSTANCES, SCENES, convert_one, download_ade20k, panoptic
from oneformer_lite.data.published.jobs import Archive
from oneformer_lite.data.semantic import SemanticDataset
from oneformer_lite.errors import DataError

SMALL = {"train": 3, "val": 1}
CLASSES = class_list("ade20k")
THINGS = [c.id for c in CLASSES if c.is_thing]


def maps(seed):
    """A label map [8, 12] and an instance map [8, 12, 3] that overlap.

    Wall (1), sky (3) and mountain (17) are stuff; the bed (8) of the label map has no instance. The instances
    are a person (4th thing), a car (9th) and another person, who hides the mountain.
    """
    semantic = np.zeros((8, 12), np.uint8)
    semantic[:3], semantic[3:6], semantic[6:, :4] = 3, 1, 8
    semantic[4, 7] = 17
    instance = np.zeros((8, 12, 3), np.uint8)
    instance[2:5, 1:4] = 4, 2, 9
    instance[3:8, 6:9] = 4, 5, 9
    instance[0, 10:] = 9, 7, 9
    return np.roll(semantic, seed, axis=1), np.roll(instance, seed, axis=1)


def encode(pixels, kind="png"):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def official_archives():
    scenes, instances = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(scenes, "w") as zip_, tarfile.open(fileobj=instances, mode="w") as tar:
        zip_.writestr("ADEChallengeData2016/objectInfo150.txt", "Idx Ratio ...")
        for folder, short, count in (("training", "train", 3), ("validation", "val", 1)):
            for i in range(count):
                stem = f"{folder}/ADE_{short}_{i + 1:08d}"
                semantic, instance = maps(i)
                picture = np.full((8, 12, 3), 50 * i, np.uint8)
                zip_.writestr(f"ADEChallengeData2016/images/{stem}.jpg", encode(picture, "jpeg"))
                zip_.writestr(f"ADEChallengeData2016/annotations/{stem}.png", encode(semantic))
                entry = tarfile.TarInfo(f"annotations_instance/{stem}.png")
                content = encode(instance)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return {"ADEChallengeData2016.zip": scenes.getvalue(), "annotations_instance.tar": instances.getvalue()}


@pytest.fixture
def web():
    server = Web(**official_archives())
    yield server
    server.close()


def published(web):
    return tuple(
        Archive(web.url(name), len(web.files[f"/{name}"]), hashlib.sha256(web.files[f"/{name}"]).hexdigest())
        for name in ("ADEChallengeData2016.zip", "annotations_instance.tar")
    )


def paint(semantic, instance):
    """What a pixel shows in the end: (class id, instance number or 0), or None for void."""
    shown = {}
    for y, x in np.ndindex(semantic.shape):
        kind, number, _ = instance[y, x].tolist()
        label = int(semantic[y, x]) - 1
        if number:
            shown[y, x] = (THINGS[kind - 1], number)
        elif label >= 0 and not CLASSES[label].is_thing:
            shown[y, x] = (label, 0)
    return shown


def test_the_classes_and_the_official_numbers():
    """The official mapping of instance classes gives the things in the order of the 150 classes."""
    assert len(CLASSES) == 150 and len(THINGS) == 100
    assert THINGS[:9] == [7, 8, 10, 12, 14, 15, 18, 19, 20] and THINGS[-3:] == [147, 148, 149]
    assert [CLASSES[THINGS[i - 1]].name.split(",")[0] for i in (1, 4, 9, 50, 59, 100)] == [
        "bed", "person", "car", "bus", "plane", "flag",
    ]  # fmt: skip
    assert COUNTS == {"train": 20_210, "val": 2_000}
    assert SCENES.url.endswith("/ADEChallengeData2016.zip") and INSTANCES.size == 90_398_720


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_pixel_shows_what_lies_on_top(seed):
    semantic, instance = maps(seed)
    segment_map, segments, objects = panoptic(semantic, instance)
    by_id = {s["id"]: s for s in segments}
    shown = paint(semantic, instance)
    of_number = {}
    for y, x in np.ndindex(segment_map.shape):
        if (y, x) not in shown:
            assert segment_map[y, x] == 0
            continue
        category, number = shown[y, x]
        assert by_id[segment_map[y, x]]["category_id"] == category
        assert of_number.setdefault((category, number), segment_map[y, x]) == segment_map[y, x]
    assert len(set(of_number.values())) == len(of_number) == 5
    assert len(segments) == 6  # the mountain is hidden, but listed
    assert not (segment_map[semantic == 8] > 0).any()  # the bed without instances


def test_areas_and_boxes_by_hand():
    """Stuff as it was before things were painted over it, as in the official files."""
    segments = panoptic(*maps(0))[1]
    assert [(s["category_id"], s["area"], s["bbox"]) for s in segments] == [
        (0, 35, [0, 3, 12, 3]), (2, 36, [0, 0, 12, 3]), (16, 1, [7, 4, 1, 1]),
        (12, 9, [1, 2, 3, 3]), (12, 15, [6, 3, 3, 5]), (20, 2, [10, 0, 2, 1]),
    ]  # fmt: skip
    assert all(s["iscrowd"] == 0 for s in segments)


def test_an_instance_of_two_classes_is_refused():
    semantic, instance = maps(0)
    instance[3, 2, 0] = 5
    with pytest.raises(DataError, match=r"x.jpg: instance 2 has the classes \[4, 5\]"):
        panoptic(semantic, instance, "x.jpg")


def check(root):
    panoptic_, instances = (
        open_split(root, "train"), InstanceDataset(root / "train", root / "annotations/instances_train.json"),
    )  # fmt: skip
    names = [c.name for c in CLASSES]
    semantic = SemanticDataset(root / "train", root / "annotations/semantic_train", names)
    assert panoptic_.categories == CLASSES and len(instances.categories) == 100
    assert panoptic_.image_ids == instances.image_ids == [f"ADE_train_{i + 1:08d}" for i in range(3)]
    for i in range(3):
        labels, objects = maps(i)
        segment_map, segments, _ = panoptic(labels, objects)
        sample = panoptic_[i]
        assert np.array_equal(sample.segment_map, segment_map)
        assert [s.id for s in sample.segments] == [s["id"] for s in segments if s["category_id"] != 16]  # it is hidden
        numbers = [n for n in np.unique(objects[..., 1]) if n]
        masks = instances[i].masks
        assert all(np.array_equal(mask, objects[..., 1] == n) for mask, n in zip(masks, numbers, strict=True))
        assert [instances.categories[s.class_id].id for s in instances[i].segments] == [12, 12, 20]
        assert np.array_equal(semantic[i].segment_map, labels)  # class id + 1 is SemanticDataset's segment id
    assert len(open_split(root, "val")) == 1


def test_fetched_converted_and_not_done_twice(web, tmp_path):
    download_ade20k(tmp_path, workers=1, counts=SMALL, published=published(web))
    check(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["annotations", "train", "val"]
    assert not [p.name for p in (tmp_path / "annotations").iterdir() if p.name.startswith((".", "raw"))]
    asked = len(web.requests)
    download_ade20k(tmp_path, workers=1, counts=SMALL, published=published(web))
    assert len(web.requests) == asked


def test_the_users_archives_are_used_and_kept(web, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, content in web.files.items():
        (mine / name[1:]).write_bytes(content)
    download_ade20k(tmp_path / "ade", archives=mine, workers=2, counts=SMALL, published=published(web))
    check(tmp_path / "ade")
    assert not web.requests and len(list(mine.iterdir())) == 2


def test_stopped_in_the_middle_it_goes_on(web, tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("oneformer_lite.data.published.ade20k.save_panoptic_json", stop)
        download_ade20k(tmp_path, workers=1, counts=SMALL, published=published(web))
    download_ade20k(tmp_path, workers=1, counts=SMALL, published=published(web))
    check(tmp_path)


def test_an_archive_cut_between_two_members_is_noticed(web, tmp_path):
    with pytest.raises(DataError, match="holds 3 files instead of 20210"):
        download_ade20k(tmp_path, workers=1, published=published(web))
    assert not (tmp_path / "train").exists()


def test_the_command_names_what_cannot_be_fetched(web, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("oneformer_lite.data.published.archive.free_space", lambda folder: 10**10)  # on any disk
    assert main(["download", "ade20k", "--root", str(tmp_path), "--mirror", web.url("nowhere")]) == 2
    assert "404" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("semantic", "instance"),
    [
        (np.zeros((8, 12, 3), np.uint8), None),  # in colour
        (np.zeros((8, 12), np.uint16), None),  # 16 bits: 0 would become 65535 instead of void
        (np.zeros((8, 12), bool), None),
        (np.zeros((12, 8), np.uint8), None),
        (None, np.zeros((8, 12), np.uint8)),  # grey
        (None, np.zeros((8, 12, 4), np.uint8)),
        (None, np.zeros((4, 6, 3), np.uint8)),
    ],
)
def test_maps_of_another_kind_are_refused_by_name(tmp_path, semantic, instance):
    good = maps(0)
    for folder, pixels in (
        ("raw_semantic_val", good[0] if semantic is None else semantic),
        ("raw_instances_val", good[1] if instance is None else instance),
        ("val", np.zeros((8, 12, 3), np.uint8)),
    ):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "a.png")
    with pytest.raises(DataError, match=r"val/a.png: the picture is \(12, 8\), its maps .*: expected a label map"):
        convert_one((tmp_path / "val/a.png", tmp_path, "val", tmp_path, tmp_path))


@pytest.mark.parametrize("value", [151, 200, 255])
def test_labels_beyond_the_150_classes_are_refused(value):
    semantic, instance = maps(0)
    semantic[0, 0] = value
    with pytest.raises(DataError, match=f"here: the label map has the value {value}, expected 0..150"):
        panoptic(semantic, instance, "here")


def test_hidden_files_of_other_systems_are_left_alone(web, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, content in web.files.items():
        (mine / name[1:]).write_bytes(content)
    with zipfile.ZipFile(mine / "ADEChallengeData2016.zip", "a") as file:
        for kind, suffix in (("images", "jpg"), ("annotations", "png")):
            file.writestr(f"ADEChallengeData2016/{kind}/validation/._ADE_val_00000001.{suffix}", b"\0\5\26\7")
    scenes = Archive("http://nowhere/ADEChallengeData2016.zip")
    own = tmp_path / "ade/val"  # unpacked by the user, on a stick of a Mac
    own.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(own / "ADE_val_00000001.jpg")
    (own / "._ADE_val_00000001.jpg").write_bytes(b"\0\5\26\7")
    download_ade20k(tmp_path / "ade", archives=mine, workers=1, counts=SMALL, published=(scenes, published(web)[1]))
    check(tmp_path / "ade")
