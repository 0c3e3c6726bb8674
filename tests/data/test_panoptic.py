"""COCO's panoptic format, written and read; small samples by hand and real COCO."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from panoptic_files import edit_json, read

from oneformer_lite.data.panoptic import PanopticDataset
from oneformer_lite.data.panoptic_writing import save_sample, write_panoptic
from oneformer_lite.data.sample import TASKS, Sample
from oneformer_lite.errors import DataError


def write(folder: Path, samples: list[Sample]) -> None:
    write_panoptic(folder / "images", folder / "panoptic.json", folder / "panoptic", samples)


def test_written_samples_read_back_identically(panoptic_folder, make_sample):
    dataset = read(panoptic_folder)
    assert len(dataset) == 2 and dataset.image_ids == [1, 2] and dataset.tasks == TASKS
    assert dataset.categories == make_sample().categories
    for index, sample in enumerate([make_sample(1), make_sample(2)]):
        came = dataset[index]
        np.testing.assert_array_equal(came.segment_map, sample.segment_map)
        assert came.segments == sample.segments and came.image_id == sample.image_id
        assert came.image.shape == (6, 8, 3) and came.image.dtype == np.uint8
    assert [s.file_name for s in dataset] == ["000000000001.jpg", "street.jpg"]
    np.testing.assert_array_equal(dataset[-2].segment_map, dataset[0].segment_map)
    with pytest.raises(IndexError):
        dataset[2]


def test_json_has_cocos_layout_with_areas_and_boxes_by_hand(panoptic_folder):
    content = json.loads((panoptic_folder / "panoptic.json").read_text())
    assert content["images"][0] == {
        "id": 1, "file_name": "000000000001.jpg", "height": 6, "width": 8
    }  # fmt: skip
    annotation = content["annotations"][0]
    assert (annotation["image_id"], annotation["file_name"]) == (1, "000000000001.png")
    assert annotation["segments_info"] == [
        {"id": 300, "category_id": 3, "area": 20, "bbox": [0, 0, 8, 4], "iscrowd": 0},
        {"id": 5, "category_id": 7, "area": 6, "bbox": [1, 2, 2, 3], "iscrowd": 0},
        {"id": 70000, "category_id": 7, "area": 8, "bbox": [4, 1, 4, 2], "iscrowd": 1},
    ]
    assert content["categories"][1] == {
        "id": 3, "name": "sky", "isthing": 0, "color": [70, 130, 180], "supercategory": "stuff"
    }  # fmt: skip


def test_json_is_replaced_in_one_step(panoptic_folder, make_sample):
    """Whoever has the old file open reads it to its end."""
    path = panoptic_folder / "panoptic.json"
    before = path.read_text()
    with open(path) as old:
        write(panoptic_folder, [make_sample(3)])
        assert old.read() == before
    assert read(panoptic_folder).image_ids == [3]


def test_image_without_any_segment_is_legal(tmp_path, make_sample):
    empty = make_sample().replace(segment_map=np.zeros((6, 8), np.int32), segments=())
    write(tmp_path, [empty, make_sample(2)])
    assert read(tmp_path)[0].segments == ()
    assert len(read(tmp_path)[1].segments) == 3


def test_images_without_annotation_are_skipped(panoptic_folder, make_sample):
    edit_json(panoptic_folder, lambda content: content["annotations"].pop(0))
    assert read(panoptic_folder).image_ids == [2]
    np.testing.assert_array_equal(read(panoptic_folder)[0].segment_map, make_sample(2).segment_map)


def test_categories_without_colours_get_distinct_ones(panoptic_folder):
    edit_json(panoptic_folder, lambda content: [c.pop("color") for c in content["categories"]])
    first, second = read(panoptic_folder).categories
    assert first.color != second.color


# -------------------------------------------------------------------------------- real COCO


@pytest.fixture(scope="module", params=["train2017", "val2017"])
def coco(request, coco_sample) -> PanopticDataset:
    annotations = coco_sample / "annotations"
    name = f"panoptic_{request.param}"
    return PanopticDataset(
        coco_sample / request.param, annotations / f"{name}.json", annotations / name
    )


def test_coco_is_read_completely(coco):
    samples = list(coco)
    assert len(samples) == {"train2017": 100, "val2017": 20}[coco.image_dir.name]
    assert any(s.is_crowd for sample in samples for s in sample.segments)
    assert any((sample.segment_map == 0).any() for sample in samples)
    entries = {a["image_id"]: a for a in json.loads(coco.json_path.read_text())["annotations"]}
    for sample in samples:
        listed = entries[sample.image_id]["segments_info"]
        assert [(s.id, s.is_crowd) for s in sample.segments] == [
            (entry["id"], bool(entry["iscrowd"])) for entry in listed
        ]
        assert [sample.categories[s.class_id].id for s in sample.segments] == [
            entry["category_id"] for entry in listed
        ]


def test_coco_lists_80_things_then_53_stuff_classes_in_the_order_of_their_ids(coco):
    assert [c.is_thing for c in coco.categories] == [True] * 80 + [False] * 53
    ids = [c.id for c in coco.categories]
    assert ids == sorted(ids) and (ids[0], ids[79], ids[80], ids[132]) == (1, 90, 92, 200)
    assert coco.categories[0].name == "person"
    assert len({c.color for c in coco.categories}) == 133


def test_coco_written_again_is_the_same_with_the_official_areas_and_boxes(coco, tmp_path):
    indices = range(12)
    write(tmp_path, [coco[i] for i in indices])
    again = read(tmp_path)
    assert again.categories == coco.categories
    for i in indices:
        np.testing.assert_array_equal(again[i].segment_map, coco[i].segment_map)
        assert (again[i].segments, again[i].file_name) == (coco[i].segments, coco[i].file_name)
    official = json.loads(coco.json_path.read_text())
    written = json.loads((tmp_path / "panoptic.json").read_text())
    assert written["annotations"] == official["annotations"][:12]
    sizes = {image["id"]: (image["height"], image["width"]) for image in official["images"]}
    assert all(sizes[i["id"]] == (i["height"], i["width"]) for i in written["images"])


# -------------------------------------------------------------------------- writing fails


def test_map_and_segments_that_disagree_are_not_written(tmp_path, make_sample):
    sample = make_sample(9)
    with pytest.raises(DataError, match=r"image 9: .* 5 have pixels"):
        save_sample(
            sample.replace(segments=(sample.segments[0], sample.segments[2])),
            tmp_path / "x.jpg",
            tmp_path / "x.png",
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("second", [(1, "other.jpg"), (2, "000000000001.jpg")])
def test_two_samples_of_one_name_are_refused(tmp_path, make_sample, second):
    with pytest.raises(DataError, match="comes twice"):
        write(tmp_path, [make_sample(1), make_sample(*second)])
    assert not (tmp_path / "panoptic.json").exists()


def test_samples_of_other_classes_and_no_samples_are_refused(tmp_path, make_sample):
    other = make_sample(2).replace(categories=make_sample().categories[::-1])
    with pytest.raises(DataError, match="other categories"):
        write(tmp_path, [make_sample(1), other])
    with pytest.raises(DataError, match="no samples"):
        write(tmp_path, [])


def test_overlapping_masks_are_refused(tmp_path, make_sample):
    sample = make_sample().replace(masks=make_sample().segment_masks())
    with pytest.raises(DataError, match="overlapping"):
        write(tmp_path, [sample])


def test_folder_that_cannot_be_made_is_named(tmp_path, make_sample):
    (tmp_path / "images").write_text("a file where the folder should be")
    with pytest.raises(DataError) as error:
        write(tmp_path, [make_sample()])
    assert str(tmp_path / "images") in str(error.value)


def test_json_that_cannot_be_replaced_is_named_and_nothing_is_left(tmp_path, make_sample):
    (tmp_path / "panoptic.json").mkdir()
    with pytest.raises(DataError) as error:
        write(tmp_path, [make_sample()])
    assert str(tmp_path / "panoptic.json") in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "panoptic", "panoptic.json"]


FULL_DISK = """
import os, resource, sys
from pathlib import Path
import numpy as np
from oneformer_lite.data.panoptic_writing import save_panoptic_json, save_sample
from oneformer_lite.data.sample import Sample
from oneformer_lite.errors import DataError

folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # no file may grow beyond 2000 bytes
image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
sample = Sample(image, np.zeros((64, 64), np.int32), (), ())
for attempt in (
    lambda: save_panoptic_json(folder / "x.json", [{"id": i} for i in range(999)], [], []),
    lambda: save_sample(sample, folder / "x.jpg", folder / "x.png"),
):
    try:
        attempt()
    except DataError as error:
        print(error, flush=True)
os._exit(0)  # Python 3.12.1 itself crashes when it tidies up after a failed write
"""


def test_full_disk_gives_a_sentence_and_leaves_no_half_written_file(tmp_path):
    pytest.importorskip("resource", reason="only Unix can limit the size of files")
    (tmp_path / "x.json").write_text("{}")
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    lines = run.stdout.splitlines()
    assert run.returncode == 0 and len(lines) == 2, run.stderr
    assert str(tmp_path / "x.json") in lines[0] and str(tmp_path / "x.jpg") in lines[1]
    assert all("the disk has room" in line for line in lines)
    assert (tmp_path / "x.json").read_text() == "{}"
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
