"""Files of labelling tools that are no COCO file are called by name, and what is encoded twice is called so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oneformer_lite.data import InstanceDataset, PanopticDataset
from oneformer_lite.errors import DataError

REGION = {"shape_attributes": {"name": "polygon", "all_points_x": [1, 5, 5], "all_points_y": [1, 1, 5]}}
COCO = {
    "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 30}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 5]], "iscrowd": 0}],
    "categories": [{"id": 1, "name": "disc"}],
}
LABEL_STUDIO = {"id": 1, "annotations": [{"result": [{"type": "polygonlabels"}]}], "data": {"image": "a.png"}}


@pytest.fixture
def refusal(tmp_path: Path):
    def refusal(content: object, reader=InstanceDataset) -> str:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (tmp_path / "a.json").write_bytes(raw)
        folders = (tmp_path,) if reader is InstanceDataset else (tmp_path, tmp_path)
        with pytest.raises(DataError) as refused:
            reader(folders[0], tmp_path / "a.json", *folders[1:])
        message = str(refused.value)
        assert "a.json" in message and "\n" not in message and len(message) < 700
        return message

    return refusal


@pytest.mark.parametrize("reader", [InstanceDataset, PanopticDataset])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a.png123": {"filename": "a.png", "size": 123, "regions": [REGION], "file_attributes": {}}},
         "VGG Image Annotator's own JSON: export annotations as COCO"),
        ({"a.png": {"fileref": "", "filename": "a.png", "regions": {"0": REGION}}}, "VGG Image Annotator's own JSON"),
        ({"_via_settings": {}, "_via_img_metadata": {}, "_via_attributes": {}}, "VGG Image Annotator's own project"),
        ({"project": {}, "config": {}, "attribute": {}, "file": {}, "metadata": {}, "view": {}}, "(version 3)"),
        ({"version": "5.4.1", "flags": {}, "shapes": [], "imagePath": "a.png", "imageData": None},
         "LabelMe's own file"),
        ([{"shapes": [], "imagePath": "a.png"}], "LabelMe's own file"),
        ([LABEL_STUDIO], "Label Studio's own JSON: export as COCO"), (LABEL_STUDIO, "Label Studio's own JSON"),
        ([{"completions": [], "data": {}, "id": 1}], "Label Studio's own JSON (of an old version)"),
        ([{"image": "a.png", "id": 1, "annotator": 1, "annotation_id": 1, "lead_time": 2.5}], "(JSON-MIN)"),
        ([{"version": 0, "tags": [], "shapes": [], "tracks": []}], "CVAT's own backup of a task"),
        ({"info": {}, "categories": {"label": {}}, "items": []}, "Datumaro's own JSON"),
        ({"description": "", "tags": [], "size": {}, "objects": []}, "Supervisely's own file"),
        ({"data_row": {"id": "c"}, "projects": {}}, "Labelbox"),
        ([{"ID": "c", "DataRow ID": "d", "Labeled Data": "http", "Label": {}}],
         "Labelbox's own JSON (of an old version)"),
        ({"version": "2.0", "schema_ref": "", "item": {}, "annotations": []}, "V7 Darwin's own file"),
        ([{"image": "a.png", "annotations": []}], "CreateML's boxes"),
        ([{"name": "a.png", "labels": []}], "BDD100K's own JSON"),
        ({"imgHeight": 1, "imgWidth": 1, "objects": []}, "Cityscapes' outlines of one picture"),
        ([{"file_name": "a.png", "image_id": 1, "annotations": []}], "detectron2's list of pictures"),
        (COCO["images"], "the images of a COCO file without the rest"),
    ],
)  # fmt: skip
def test_a_tools_own_json_is_named_with_what_to_do(refusal, reader, content, words) -> None:
    message = refusal(content, reader)
    assert words in message and ". This seems to be " in message or "it is NDJSON of Labelbox" in message


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\n  "])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<annotations>\n  <version>1.1</version>\n  <meta>\n    <job>", "it is XML of CVAT (choose COCO 1.0 when"),
        (b"<!-- by me -->\n<annotations><meta></meta>", "XML of CVAT"),
        (b"<annotation>\n\t<folder>VOC</folder>\n\t<filename>a.jpg</filename>", "XML of one picture, as of Pascal"),
        (b'<annotation verified="yes"><size>', "XML of one picture, as of Pascal VOC"),
        (b"<svg width='1'>", "a drawing in SVG"), (b"<html>404</html>", "it is a web page or XML"),
    ],
)
def test_xml_is_told_from_a_web_page(refusal, before, content, words) -> None:
    for head in (b"", b'<?xml version="1.0" encoding="utf-8"?>\n'):
        message = refusal(before + head + content)
        assert words in message and "export it as COCO's JSON, or download it again" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"0 0.5 0.5 0.25 0.25\n1 0.1 0.1 0.2 0.2\n", "text of numbers, as YOLO has one for each picture"),
        (b"12 0.51 0.22 .3 1 0.4 0.25 0.1 0.9\n", "text of numbers, as YOLO"),
        (b"filename,file_size,file_attributes,region_count\na.png,1,{},1\n", "CSV of the VGG Image Annotator"),
        (b'#filename,file_size,file_attributes\n"a.png"', "CSV of the VGG Image Annotator"),
        (b'{"data_row": {"id": "c"}}\n{"data_row": {"id": "d"}}\n', "NDJSON of Labelbox"),
        (repr(COCO).encode(), "as Python prints it, with single quotes"),
        (repr([COCO["images"]]).encode(), "as Python prints it, with single quotes"),
    ],
)
def test_text_that_is_no_json_is_named(refusal, content, words) -> None:
    assert words in refusal(content)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("reader", [InstanceDataset, PanopticDataset])
def test_a_file_that_was_encoded_twice_is_called_so(refusal, reader, times) -> None:
    text = json.dumps(COCO)
    for _ in range(times - 1):
        text = json.dumps(text)
    message = refusal(text, reader)
    assert "It is a text that holds JSON, encoded twice: json.loads(json.load(file)) is what is meant" in message


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_so_is_a_list_in_it(refusal, key) -> None:
    assert "(text that holds JSON: it was encoded twice)" in refusal(COCO | {key: json.dumps(COCO[key])})


@pytest.mark.parametrize(
    "value", ["[[1, 1, 5, 1, 5, 5]]", '{"size": [20, 30], "counts": [600]}', " [[1, 1, 5, 1, 5, 5]]\n"]
)
def test_so_is_an_outline(refusal, value) -> None:
    made = json.loads(json.dumps(COCO))
    made["annotations"][0]["segmentation"] = value
    assert "(text that holds JSON: it was encoded twice)" in refusal(made)
    made["annotations"][0] = json.dumps(COCO["annotations"][0])
    assert "(text that holds JSON: it was encoded twice), expected an object" in refusal(made)


def test_the_page_says_what_is_not_read() -> None:
    page = (Path(__file__).parents[2] / "data" / "README.md").read_text(encoding="utf-8")
    for words in ("XML", "YOLO", "encoded twice", "Datumaro"):
        assert words in page.split("## Exports of labelling tools")[1]
