"""Whose file is this? What labelling tools and programs write that is no COCO file, by the keys of its JSON."""

from __future__ import annotations

from .json_fields import is_json_in_text

# file: the keys that all such files have; the first that fits counts
_KNOWN = {
    "LabelMe's own file of one picture: its script labelme2coco.py makes a COCO file of all": {"shapes", "imagePath"},
    "VGG Image Annotator's own project: export annotations as COCO": {"_via_img_metadata"},
    "VGG Image Annotator's own JSON: export annotations as COCO": {"regions", "filename"},
    "VGG Image Annotator's own project (version 3), which has no export to COCO: a converter is needed": {
        "project", "file", "view", "metadata",
    },
    "Label Studio's own JSON: export as COCO": {"annotations", "data"},
    "Label Studio's own JSON (of an old version): export as COCO": {"completions", "data"},
    "Label Studio's own short JSON (JSON-MIN): export as COCO": {"annotation_id", "annotator"},
    "CVAT's own backup of a task: export the task as COCO 1.0": {"shapes", "tracks", "tags"},
    "Datumaro's own JSON: export as COCO": {"categories", "items"},
    "Supervisely's own file of one picture: its app exports to COCO": {"objects", "size"},
    "Labelbox's own JSON: a converter to COCO is needed": {"data_row", "projects"},
    "Labelbox's own JSON (of an old version): a converter to COCO is needed": {"Labeled Data", "Label"},
    "V7 Darwin's own file of one picture: export as COCO": {"annotations", "item"},
    "VoTT's own project: export it in another format and convert that to COCO": {"assets", "tags"},
    "JSON of one picture each (CreateML's boxes, SA-1B's masks): a converter to COCO is needed": {
        "image", "annotations",
    },
    "BDD100K's own JSON: a converter to COCO is needed": {"name", "labels"},
    "Cityscapes' outlines of one picture: oneformer-lite download cityscapes prepares the whole data set": {
        "imgHeight", "imgWidth", "objects",
    },
    "GeoJSON, of places on Earth: a converter to COCO is needed": {"type", "features"},
    "detectron2's list of pictures: write 'images', 'annotations' and 'categories' as COCO has them": {
        "file_name", "annotations",
    },
    "COCO results of a model, not annotations": {"image_id", "category_id", "score"},
    "the annotations of a COCO file without the rest of it": {"image_id", "category_id"},
    "the images of a COCO file without the rest of it": {"file_name", "height", "width"},
}  # fmt: skip


def whose(content: object) -> str:
    """Says which tool writes such a JSON, if its keys tell, as the end of a sentence that refuses it."""
    if is_json_in_text(content):
        return (
            ". It is a text that holds JSON, encoded twice: json.loads(json.load(file)) is what is meant, to be "
            "written once with json.dump"
        )
    entry = _first(content)
    tool = next((tool for tool, keys in _KNOWN.items() if keys <= entry.keys()), "")
    if not tool and (inner := _first(list(entry.values()))):  # by the names of pictures
        tool = next((tool for tool, keys in _KNOWN.items() if keys <= inner.keys()), "")
    return f". This seems to be {tool}" if tool else ""


def _first(content: object) -> dict:
    """The object itself, or the first of a list; empty if there is none."""
    entry = content[0] if isinstance(content, list) and content else content
    return entry if isinstance(entry, dict) else {}
