"""COCO's instance format: one JSON with a polygon or a run-length code for each object.

Objects may overlap here, and there is no stuff, so such a data set trains and evaluates the
instance task only.
"""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path

import numpy as np

from ..errors import DataError
from .coco_json import parse_categories, read_annotations, require_folder
from .image import read_image
from .sample import Sample, SegmentInfo


class InstanceDataset:
    """Images with instance annotations; ``dataset[i]`` is a :class:`Sample` with ``masks``.

    Segments are numbered 1..n in the order of the file. ``masks`` bool [n, H, W] may overlap;
    ``segment_map`` is a flat picture of them for display, later objects over earlier ones. Every
    image counts, also one without objects (a false alarm on it must cost something). Objects whose
    outline encloses no pixel are left out.

    Whatever contradicts the format raises a :class:`DataError` that names the file.
    """

    tasks = ("instance",)

    def __init__(self, image_dir: str | Path, instance_json: str | Path) -> None:
        self.json_path = Path(instance_json)
        content = read_annotations(self.json_path, ("images", "annotations", "categories"))
        self.image_dir = require_folder(image_dir, "the pictures")
        self.categories = parse_categories(content["categories"], self.json_path, all_things=True)
        try:
            self._index(content["images"], content["annotations"])
        except (KeyError, TypeError) as error:
            raise DataError(
                f"{self.json_path}: an entry is not as expected ({error!r}): images need 'id' and "
                "'file_name', annotations 'id', 'image_id', 'category_id' and 'segmentation' "
                "(boxes alone do not make masks)"
            ) from error

    def _index(self, images: list[dict], annotations: list[dict]) -> None:
        """Check the references and pack each image's objects into one long byte string.

        Packed, because reading Python objects in a data-loader process copies their memory, and
        COCO's training file holds 860 thousand outlines.
        """
        self.image_ids = [image["id"] for image in images]
        self._file_names = [image["file_name"] for image in images]
        class_ids = {category.id: index for index, category in enumerate(self.categories)}
        objects: dict = {image_id: [] for image_id in self.image_ids}
        if len(objects) != len(images):
            raise DataError(f"{self.json_path}: two images share an id: give each its own")
        for entry in annotations:
            if entry["image_id"] not in objects or entry["category_id"] not in class_ids:
                raise DataError(
                    f"{self.json_path}: annotation {entry['id']} refers to image "
                    f"{entry['image_id']} and category {entry['category_id']}, which the file "
                    "does not both list: add them or remove the annotation"
                )
            class_id, is_crowd = class_ids[entry["category_id"]], bool(entry.get("iscrowd", 0))
            row = (entry["id"], class_id, is_crowd, entry["segmentation"])
            objects[entry["image_id"]].append(row)
        packed = [json.dumps(objects[image_id]).encode() for image_id in self.image_ids]
        self._ends = np.array([0, *accumulate(map(len, packed))], dtype=np.int64)
        self._packed = b"".join(packed)

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]  # negative indices count from the end; IndexError outside
        image = read_image(self.image_dir / self._file_names[index])
        height, width = image.shape[:2]
        rows = json.loads(self._packed[self._ends[index] : self._ends[index + 1]])
        masks = np.zeros((len(rows), height, width), bool)
        for mask, (annotation_id, _, _, segmentation) in zip(masks, rows, strict=True):
            mask[:] = self._decode(segmentation, height, width, annotation_id)
        drawn = masks.any((1, 2))
        rows = [row for row, keep in zip(rows, drawn, strict=True) if keep]
        masks = masks[drawn]
        segment_map = np.zeros((height, width), np.int32)
        for number, mask in enumerate(masks, start=1):
            segment_map[mask] = number
        return Sample(
            image=image,
            segment_map=segment_map,
            segments=tuple(
                SegmentInfo(number, class_id, is_crowd)
                for number, (_, class_id, is_crowd, _) in enumerate(rows, start=1)
            ),
            categories=self.categories,
            image_id=self.image_ids[index],
            file_name=self._file_names[index],
            tasks=self.tasks,
            masks=masks,
        )

    def _decode(
        self, segmentation: list | dict, height: int, width: int, annotation_id: int
    ) -> np.ndarray:
        try:
            return decode_mask(segmentation, height, width)
        except Exception as error:  # pycocotools raises bare Exception, TypeError, KeyError ...
            raise DataError(
                f"{self.json_path}: the segmentation of annotation {annotation_id} is not valid "
                f"for a picture of height {height} and width {width} ({error}): expected polygons "
                "[[x, y, x, y, ...], ...] or a run-length code {'size': [height, width], "
                "'counts': ...}"
            ) from error


def encode_mask(mask: np.ndarray) -> dict:
    """COCO's compressed run-length code of a mask bool [H, W], with ``counts`` as str for JSON."""
    from pycocotools import mask as coco_mask

    code = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(code["size"]), "counts": code["counts"].decode("ascii")}


def decode_mask(segmentation: list | dict, height: int, width: int) -> np.ndarray:
    """bool [H, W] from COCO polygons or a run-length code (compressed or not), by pycocotools.

    Polygons of fewer than three points enclose nothing and are skipped, as in detectron2; COCO has
    some. (Left in, pycocotools would take a list of four numbers for a box.)
    """
    from pycocotools import mask as coco_mask

    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != [height, width]:
            raise ValueError(f"its size is {segmentation['size']}")
        if isinstance(segmentation["counts"], list):
            segmentation = coco_mask.frPyObjects(segmentation, height, width)
        return coco_mask.decode(segmentation).astype(bool)
    if not isinstance(segmentation, list):
        raise TypeError(f"it is {segmentation!r}")
    polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
    if not polygons:
        return np.zeros((height, width), bool)
    codes = coco_mask.frPyObjects(polygons, height, width)
    return coco_mask.decode(coco_mask.merge(codes)).astype(bool)
