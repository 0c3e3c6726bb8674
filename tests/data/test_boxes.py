"""Masks in another convention than COCO's are noticed by the boxes and areas beside them, and by their shapes."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from coco_codes import code, lengths
from PIL import Image

from oneformer_lite.data import Toytown
from oneformer_lite.data.instance import InstanceDataset, encode_mask
from oneformer_lite.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
HEIGHT, WIDTH = 120, 200


def discs(count: int = 6, size: tuple[int, int] = (HEIGHT, WIDTH)) -> list[np.ndarray]:
    rng, (rows, columns) = np.random.default_rng(3), np.indices(size)
    centres = rng.uniform((10, 10), (size[0] - 10, size[1] - 30), (count, 2))
    return [((rows - y) / 8) ** 2 + ((columns - x) / 20) ** 2 < 1 for y, x in centres]


def told(mask: np.ndarray) -> dict:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
    return {"bbox": [int(value) for value in box], "area": int(mask.sum())}


def inverted(mask: np.ndarray) -> dict:
    runs = lengths(mask.ravel(order="F"))
    return {"size": list(mask.shape), "counts": runs[1:] if runs[0] == 0 else [0, *runs]}


def polygon(mask: np.ndarray, scale=(1.0, 1.0), exchanged: bool = False) -> list:
    x, y, width, height = told(mask)["bbox"]
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]]) * scale
    return [(corners[:, ::-1] if exchanged else corners).ravel().tolist()]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., InstanceDataset]:
    def read(entries: list[dict], size: tuple[int, int] = (HEIGHT, WIDTH), known: bool = True) -> InstanceDataset:
        Image.new("RGB", size[::-1]).save(tmp_path / "a.png")
        image = {"id": 1, "file_name": "a.png"} | ({"height": size[0], "width": size[1]} if known else {})
        objects = [{"id": i + 1, "image_id": 1, "category_id": 1} | entry for i, entry in enumerate(entries)]
        content = {"images": [image], "annotations": objects, "categories": [{"id": 1, "name": "disc"}]}
        (tmp_path / "a.json").write_text(json.dumps(content))
        return InstanceDataset(tmp_path, tmp_path / "a.json")

    return read


def said(read: Callable[[], object]) -> str:
    """The warnings, or the refusal."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            read()
        except DataError as error:
            return f"refused: {error}"
    return " ".join(str(w.message) for w in caught if w.category is UserWarning)


@pytest.mark.parametrize("with_box", ["box", "box and area", "nothing"])
@pytest.mark.parametrize("count", [1, 6])
def test_codes_along_the_rows_are_refused(read, with_box, count):
    keys = {"box": ("bbox",), "box and area": ("bbox", "area"), "nothing": ()}[with_box]
    entries = [{"segmentation": code(m, "C")} | {key: told(m)[key] for key in keys} for m in discs(count)]
    words = f"refused: .*{count} of {count} objects looked at seem to have .* along the rows .*order='F'"
    assert re.match(words, said(lambda: read(entries)))


def test_codes_along_the_rows_of_square_pictures_need_a_box(read):
    masks = discs(size=(HEIGHT, HEIGHT))
    entries = [{"segmentation": code(m, "C"), "bbox": told(m)["bbox"]} for m in masks]
    assert "along the rows" in said(lambda: read(entries, (HEIGHT, HEIGHT)))


@pytest.mark.parametrize("keys", [("bbox",), ("area",), ("bbox", "area")])
@pytest.mark.parametrize("packed", [False, True])
def test_codes_that_begin_with_the_object_are_refused(read, keys, packed):
    def entry(mask):
        segmentation = encode_mask(~mask) if packed else inverted(mask)
        return {"segmentation": segmentation} | {key: told(mask)[key] for key in keys}

    assert re.match("refused: .*6 of 6 .*begin with the object", said(lambda: read([entry(m) for m in discs()])))


@pytest.mark.parametrize("form", [inverted, lambda mask: encode_mask(~mask)])
@pytest.mark.parametrize("count", [1, 6])
def test_codes_that_begin_with_the_object_are_odd_without_boxes(read, form, count):
    message = said(lambda: read([{"segmentation": form(mask)} for mask in discs(count)]))
    assert f"{count} of {count} objects looked at seem to have masks of most of their pictures" in message
    whole = np.ones((HEIGHT, WIDTH), bool)
    some = [code(whole), code(~discs()[0]), *map(code, discs()[1:4])]  # a background among objects is nothing odd
    assert not said(lambda: read([{"segmentation": segmentation} for segmentation in some]))


def test_a_large_object_is_not_taken_for_what_surrounds_it(read):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[5:-5, 5:-5] = True  # its box is hardly smaller than the picture, which is the box of the rest
    assert "begin with the object" in said(lambda: read([{"segmentation": inverted(mask)} | told(mask)]))
    assert not said(lambda: read([{"segmentation": code(mask)} | told(mask)]))


def test_outlines_in_percent_are_refused(read):
    entries = [{"segmentation": polygon(m, (100 / WIDTH, 100 / HEIGHT))} | told(m) for m in discs()]
    assert re.match("refused: .*in percent .*width / 100", said(lambda: read(entries)))


def test_outlines_in_percent_without_boxes_are_noticed(read):
    corners = [[[10 * i, 10 * i, 10 * i + 9, 10 * i, 10 * i + 9, 10 * i + 9]] for i in range(9)]
    entries = [{"segmentation": segmentation} for segmentation in corners]
    assert "all 9 outlines lie within 0 to 100 and reach up to there" in said(lambda: read(entries, (400, 600)))
    assert not said(lambda: read(entries, (120, 600))) and not said(lambda: read(entries[:4], (400, 600)))


def test_points_or_boxes_with_y_first_are_odd(read):
    entries = [{"segmentation": polygon(m, exchanged=True)} | told(m) for m in discs(size=(WIDTH, WIDTH))]
    assert re.match(".*points are y, x, or boxes", said(lambda: read(entries, (WIDTH, WIDTH))))


def test_boxes_elsewhere_are_odd(read):
    entries = [{"segmentation": polygon(m, (0.5, 0.5))} | told(m) for m in discs()]
    assert "the boxes (bbox) of 6 of 6 objects looked at lie elsewhere" in said(lambda: read(entries))


def test_a_part_of_the_file_in_another_convention_is_odd(read):
    entries = [{"segmentation": code(m, "C" if i < 2 else "F")} | told(m) for i, m in enumerate(discs())]
    message = said(lambda: read(entries))
    assert "2 of 6 objects looked at seem to have run-length codes along the rows" in message
    assert "refused" not in message


@pytest.mark.parametrize("form", [code, encode_mask, polygon])
@pytest.mark.parametrize("box", ["as told", "loose", "corners", "middle", "shares", "none", "text", "zero"])
def test_nothing_is_said_of_what_is_right_whatever_the_boxes(read, form, box):
    def entry(mask):
        x, y, width, height = told(mask)["bbox"]
        boxes = {
            "as told": [x, y, width, height], "loose": [x - 3, y - 3, width + 6, height + 4],
            "corners": [x, y, x + width, y + height], "middle": [x + width / 2, y + height / 2, width, height],
            "shares": [x / WIDTH, y / HEIGHT, width / WIDTH, height / HEIGHT], "none": None, "text": "0 0 1 1",
            "zero": [0, 0, 0, 0],
        }  # fmt: skip
        return {"segmentation": form(mask), "bbox": boxes[box], "area": width * height}

    assert not said(lambda: read([entry(mask) for mask in discs()]))


def test_nothing_is_said_of_toytown(read):
    scene = Toytown("val", size=160)[13]
    entries = [{"segmentation": encode_mask(mask)} | told(mask) for mask in scene.segment_masks()]
    assert len(entries) > 5 and not said(lambda: read(entries, scene.size))


@pytest.mark.parametrize("keys", [(), ("area",), ("bbox", "area")])
def test_nothing_is_said_of_nuclei(read, shared_data, keys):
    path = sorted((shared_data / "nuclei" / "instances").glob("*.png"))[5]
    numbers = np.array(Image.open(path))
    masks = [numbers == number for number in np.unique(numbers) if number][:40]
    entries = [{"segmentation": encode_mask(m)} | {key: told(m)[key] for key in keys} for m in masks]
    assert not said(lambda: read(entries, numbers.shape))


def test_outlines_beyond_a_picture_whose_size_only_the_file_itself_tells(read):
    entries = [{"segmentation": [[30, 20, 3 * WIDTH, 20, 3 * WIDTH, 90]]}, {"segmentation": [[1, 1, 9, 1, 9, 9]]}]
    dataset = read(entries, known=False)
    with pytest.warns(UserWarning, match="1 of 2 objects reach far over the edge of the picture a.png, whose size"):
        dataset[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        dataset[0]  # said once
        read(entries[1:], known=False)[0]


def crossed(mask: np.ndarray) -> list:
    """All x, then all y, of the outline of a box."""
    x, y, width, height = told(mask)["bbox"]
    return [[x, x + width, x + width, x, y, y, y + height, y + height]]


@pytest.mark.parametrize("boxes", [True, False])
def test_outlines_that_cross_themselves_are_told_by_their_areas(read, boxes):
    masks = discs(8, (HEIGHT, HEIGHT))
    entries = [{"segmentation": crossed(mask), **told(mask)} for mask in masks]
    for entry in entries if not boxes else []:
        del entry["bbox"]
    with pytest.warns(UserWarning, match=r"outlines of \d of 8 objects looked at enclose far more or fewer pixels"):
        read(entries, (HEIGHT, HEIGHT))


@pytest.mark.parametrize("area", [lambda a: a, lambda a: 0, lambda a: 1.4 * a, lambda a: None, lambda a: 10**400])
def test_areas_that_fit_or_say_nothing_are_read_in_silence(read, area):
    entries = [{"segmentation": polygon(mask), **told(mask)} for mask in discs()]
    for entry in entries:
        entry["area"] = area(entry["area"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        read(entries)


def test_a_number_that_no_float_holds_is_no_box(read):
    entries = [{"segmentation": polygon(mask), **told(mask)} for mask in discs()]
    entries[0]["bbox"] = [10**400, 1, 2, 3]
    assert len(read(entries)) == 1
