"""What labelling tools export, as data/README.md says of each: read, or refused with the cure that stands there."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from coco_codes import code_of_box, outline
from PIL import Image

from oneformer_lite.data import InstanceDataset, PanopticDataset, SemanticDataset
from oneformer_lite.errors import DataError

HEIGHT, WIDTH = 40, 60
BOXES = ((5, 5, 25, 20), (30, 20, 50, 35))  # left, top, right, bottom
PAGE = Path(__file__).parents[2] / "data" / "README.md"
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def coco(file_name: str = "a.png", first: int = 1) -> dict:
    """Two objects; categories are numbered from ``first``."""
    return {
        "info": {"description": "", "year": ""},
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "images": [{"id": 1, "file_name": file_name, "width": WIDTH, "height": HEIGHT, "license": 0, "coco_url": ""}],
        "annotations": [
            {"id": i + 1, "image_id": 1, "category_id": first + i, "segmentation": [outline(*box)], "iscrowd": 0,
             "area": 300.0, "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]}
            for i, box in enumerate(BOXES)
        ],
        "categories": [{"id": first + i, "name": name, "supercategory": ""} for i, name in enumerate(("disc", "box"))],
    }  # fmt: skip


def cvat() -> dict:
    made = coco()
    for annotation in made["annotations"]:
        annotation["attributes"] = {"occluded": False, "rotation": 0.0}
    return made


def cvat_brush() -> dict:
    made = cvat()
    for annotation, box in zip(made["annotations"], BOXES):
        annotation.update(segmentation=code_of_box(box, (HEIGHT, WIDTH)), iscrowd=1)
    return made


def boxes_alone() -> dict:
    made = cvat()
    made["annotations"][0]["segmentation"] = []
    return made


def label_studio() -> dict:
    made = coco("images\\a.png", first=0)
    for annotation in made["annotations"]:
        annotation["ignore"] = 0
    return made


def roboflow() -> dict:
    made = coco()
    made["categories"].insert(0, {"id": 0, "name": "shapes", "supercategory": "none"})
    made["images"][0]["extra"] = {"name": "a photo.png"}
    return made


def coco_annotator() -> dict:
    made = coco()
    for category, color in zip(made["categories"], ("#ff8800", "#0088ff")):
        category.update(color=color, metadata={}, keypoint_colors=[])
    made["images"][0].update(path="/datasets/mine/a.png", annotated=True, deleted=False, regenerate_thumbnail=False)
    return made


def labelme() -> dict:
    made = coco("JPEGImages\\a.png", first=0)
    for category in made["categories"]:
        category["supercategory"] = None
    made["images"][0].update(url=None, date_captured=None)
    return made


def via() -> dict:
    made = coco()
    made["images"][0]["id"] = "1"
    for annotation in made["annotations"]:
        annotation.update(id=str(annotation["id"]), image_id="1", segmentation=annotation["segmentation"][0])
    return made


def supervisely() -> dict:
    made = coco()
    for annotation, box in zip(made["annotations"], BOXES):
        annotation["segmentation"] = [[float(value) for value in outline(*box)]]
    return made


def labelbox() -> dict:
    made = coco()
    for annotation, box in zip(made["annotations"], BOXES):
        annotation["segmentation"] = code_of_box(box, (HEIGHT, WIDTH))
    return made


OUTLINES: dict[tuple[str, str], tuple[Callable[[], dict], dict]] = {
    ("CVAT", "COCO 1.0"): (cvat, {}),
    ("Label Studio", "COCO"): (label_studio, {}),
    ("Roboflow", "COCO segmentation"): (roboflow, {}),
    ("COCO Annotator", "COCO"): (coco_annotator, {}),
    ("LabelMe", "its script `labelme2coco.py`"): (labelme, {}),
    ("VGG Image Annotator (VIA)", "COCO"): (via, {}),
    ("Supervisely", "its app that exports to COCO"): (supervisely, {}),
    ("Labelbox", "NDJSON, then a converter to COCO"): (labelbox, {}),
}
MAPS = {("CVAT", "Segmentation mask 1.1"), ("Label Studio", "PNG (brush)"), ("Segments.ai", "COCO panoptic")}


@pytest.fixture
def read(tmp_path: Path):
    def read(made: object, **options) -> InstanceDataset:
        for folder in ("", "images", "JPEGImages"):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / folder / "a.png")
        (tmp_path / "a.json").write_text(json.dumps(made))
        return InstanceDataset(tmp_path, tmp_path / "a.json", **options)

    return read


def test_the_page_has_these_tools():
    section = PAGE.read_text(encoding="utf-8").split("## Exports of labelling tools")[1].split("All values that")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `(\w+)`", section, flags=re.MULTILINE)
    assert {(tool, choose) for tool, choose, _ in rows} == {*OUTLINES, *MAPS}
    assert {(tool, choose) for tool, choose, reader in rows if reader == "InstanceDataset"} == {*OUTLINES}


@pytest.mark.parametrize("tool", OUTLINES, ids=lambda tool: tool[0])
def test_outlines_of_each_tool_are_read(read, tool):
    make, options = OUTLINES[tool]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        sample = read(make(), **options)[0]
    for segment, mask, (left, top, right, bottom), name in zip(
        sample.segments, sample.masks, BOXES, ("disc", "box"), strict=True
    ):
        assert mask[top:bottom, left:right].all() and mask.sum() == (bottom - top) * (right - left)
        assert sample.categories[segment.class_id].name == name and not segment.is_crowd


def test_masks_of_cvats_brush_and_its_boxes(read):
    with pytest.raises(DataError, match="CVAT writes so .* crowds_as_objects=True"):
        read(cvat_brush())
    assert [int(mask.sum()) for mask in read(cvat_brush(), crowds_as_objects=True)[0].masks] == [300, 300]
    with pytest.raises(DataError, match="skip_boxes=True"):
        read(boxes_alone())
    with pytest.warns(UserWarning, match="left out: 1 objects without an outline"):
        assert len(read(boxes_alone(), skip_boxes=True)[0].segments) == 1


def test_coloured_masks_of_cvat_and_maps_of_brushes_are_not_mixed_up(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images" / "a.png")
    Image.new("RGB", (WIDTH, HEIGHT), (250, 50, 83)).save(tmp_path / "labels" / "a.png")
    with pytest.raises(DataError, match="convert its colours to class ids first"):
        SemanticDataset(tmp_path / "images", tmp_path / "labels", ["ground", "disc"])[0]
    (tmp_path / "labels" / "a.png").rename(tmp_path / "labels" / "task-1-annotation-1-by-1-tag-disc-0.png")
    with pytest.raises(DataError, match="named like a picture"):
        SemanticDataset(tmp_path / "images", tmp_path / "labels", ["ground", "disc"])


@pytest.mark.parametrize("name", ["..\\..\\files\\1\\a.png", "../../label-studio/data/media/upload/1/a.png"])
def test_paths_of_label_studio_that_climb_are_refused(read, name):
    made = label_studio()
    made["images"][0]["file_name"] = name
    with pytest.raises(DataError, match=r'expected a path below the folder .* no "\.\."'):
        read(made)


def test_a_parent_category_of_roboflow_is_a_class_that_never_comes(read):
    dataset = read(roboflow())
    assert [c.name for c in dataset.categories] == ["shapes", "disc", "box"] and dataset.class_counts == [0, 1, 1]


def test_a_panoptic_export_of_segments_ai(tmp_path):
    ids = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number, (left, top, right, bottom) in enumerate(BOXES, start=1):
        ids[top:bottom, left:right, 0] = number
    Image.fromarray(ids).save(tmp_path / "a.png")
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.jpg")
    made = coco("a.jpg")
    segments = [{"id": i, "category_id": i, "isthing": 1, "bbox": [], "area": 300, "iscrowd": 0} for i in (1, 2)]
    made["annotations"] = [{"image_id": 1, "file_name": "a.png", "segments_info": segments}]
    for category in made["categories"]:
        category.update(isthing=1, color=[10, 20, 30], attributes=[])
    (tmp_path / "a.json").write_text(json.dumps(made))
    sample = PanopticDataset(tmp_path, tmp_path / "a.json", tmp_path)[0]
    assert [(s.id, s.class_id) for s in sample.segments] == [(1, 0), (2, 1)]
    assert [(sample.segment_map == i).sum() for i in (1, 2)] == [300, 300]
