"""COCO's panoptic format: a JSON of segments and, for each image, a PNG whose colours are ids.

The JSON lists for each image which category each id has (``segments_info``); how colours stand for
ids is in ``segment_ids.py``. Any data set in this layout can be read, and :func:`write_panoptic`
writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..files import make_folder, write_json
from .coco_json import parse_categories, read_annotations, require_folder
from .image import open_image, to_rgb, write_image
from .map_dataset import MapDataset
from .sample import TASKS, Category, Sample, SegmentInfo
from .segment_ids import check_ids, compare_ids, decode_ids, encode_ids, few, present_ids


class PanopticDataset(MapDataset):
    """Images with panoptic annotations; ``dataset[i]`` is a :class:`Sample`. Lesson 01.

    Class ids follow the order of the JSON's ``categories``. The order of the samples is that of its
    ``annotations``; images without one are skipped. The files are checked when they are read, and
    whatever contradicts the format raises a :class:`DataError` that names the file.
    """

    tasks = TASKS

    def __init__(
        self, image_dir: str | Path, panoptic_json: str | Path, panoptic_dir: str | Path
    ) -> None:
        self.json_path = Path(panoptic_json)
        content = read_annotations(self.json_path, ("images", "annotations", "categories"))
        self.image_dir = require_folder(image_dir, "the pictures")
        self.panoptic_dir = require_folder(panoptic_dir, "the panoptic PNGs")
        self.categories = parse_categories(content["categories"], self.json_path, all_things=False)
        try:
            self._index(content["images"], content["annotations"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{self.json_path}: an entry is not as expected ({error!r}): images need 'id' and "
                "'file_name', annotations 'image_id', 'file_name' and 'segments_info', segments "
                "'id' and 'category_id'"
            ) from error

    def _index(self, images: list[dict], annotations: list[dict]) -> None:
        """Keep what samples need as flat arrays.

        The 1.4 million dictionaries of COCO's training file would be copied into every data-loader
        process, because reading a Python object writes to its reference count.
        """
        file_names = {image["id"]: image["file_name"] for image in images}
        if len(file_names) != len(images):
            raise DataError(f"{self.json_path}: two images share an id: give each its own")
        class_ids = {category.id: index for index, category in enumerate(self.categories)}
        self.image_ids = [annotation["image_id"] for annotation in annotations]
        orphans = {image_id for image_id in self.image_ids if image_id not in file_names}
        if orphans:
            raise DataError(
                f"{self.json_path}: annotations refer to image ids {few(orphans)}, which "
                "'images' does not list: add these images or remove their annotations"
            )
        segments = [segment for a in annotations for segment in a["segments_info"]]
        unknown = {s["category_id"] for s in segments} - class_ids.keys()
        if unknown:
            raise DataError(
                f"{self.json_path}: segments have the category ids {few(unknown)}, which "
                "'categories' does not list: add these categories or correct the ids"
            )
        self._file_names = [file_names[image_id] for image_id in self.image_ids]
        self._png_names = [annotation["file_name"] for annotation in annotations]
        self._ends = np.cumsum([len(a["segments_info"]) for a in annotations], dtype=np.int64)
        self._ids = np.array([s["id"] for s in segments], dtype=np.int64)
        self._class_ids = np.array([class_ids[s["category_id"]] for s in segments], dtype=np.int32)
        self._is_crowd = np.array([bool(s.get("iscrowd", 0)) for s in segments], dtype=bool)

    def _files(self, index: int) -> tuple[Path, Path, str]:
        file_name = self._file_names[index]
        return self.image_dir / file_name, self.panoptic_dir / self._png_names[index], file_name

    def annotation(self, index: int) -> tuple[np.ndarray, tuple[SegmentInfo, ...]]:
        """The segment map int32 [H, W] and its segments, without decoding the picture."""
        index = range(len(self))[index]  # negative indices count from the end; IndexError outside
        path = self.panoptic_dir / self._png_names[index]
        picture = open_image(path)
        if picture.mode not in ("RGB", "RGBA"):
            raise DataError(
                f"{path} has Pillow's mode {picture.mode!r}, but a panoptic PNG stores its ids in "
                "three colours (mode 'RGB'): is this the folder of the panoptic PNGs?"
            )
        segment_map = decode_ids(to_rgb(picture))
        chosen = slice(self._ends[index - 1] if index else 0, self._ends[index])
        ids = self._ids[chosen].tolist()
        if len(set(ids)) != len(ids):
            raise DataError(
                f"{self.json_path}: {path.name} lists a segment id twice: {ids}; number them anew"
            )
        class_ids, is_crowd = self._class_ids[chosen].tolist(), self._is_crowd[chosen].tolist()
        drawn = set(present_ids(segment_map).tolist())
        segments = [
            SegmentInfo(*entry)
            for entry in zip(ids, class_ids, is_crowd, strict=True)
            if not self._is_covered(*entry[:2], drawn)
        ]
        compare_ids(drawn, {segment.id for segment in segments}, str(path))
        return segment_map, tuple(segments)

    def _is_covered(self, segment_id: int, class_id: int, drawn: set[int]) -> bool:
        """Whether it is stuff wholly under things: ADE20K's official preparation lists such segments."""
        return segment_id not in drawn and bool(drawn) and not self.categories[class_id].is_thing


def save_sample(
    sample: Sample, image_path: str | Path, png_path: str | Path
) -> tuple[dict, dict]:
    """Write one picture and its PNG; return its entries for ``images`` and ``annotations``."""
    image_path, png_path = Path(image_path), Path(png_path)
    if sample.masks is not None:
        raise DataError(
            f"image {sample.image_id} has overlapping masks, which the panoptic format cannot "
            "store: give every pixel to one segment first"
        )
    check_ids(sample.segment_map, [s.id for s in sample.segments], f"image {sample.image_id}")
    write_image(image_path, sample.image)
    write_image(png_path, encode_ids(sample.segment_map))
    height, width = sample.size
    image_entry = {
        "id": sample.image_id, "file_name": image_path.name, "height": height, "width": width,
    }  # fmt: skip
    annotation_entry = {
        "image_id": sample.image_id,
        "file_name": png_path.name,
        "segments_info": [
            segment_entry(sample.segment_map == s.id, s.id, sample.categories[s.class_id].id, s.is_crowd)
            for s in sample.segments
        ],
    }
    return image_entry, annotation_entry


def segment_entry(mask: np.ndarray, segment_id: int, category_id: int, is_crowd: bool = False) -> dict:
    """COCO's ``segments_info`` for the pixels bool [H, W]: area in pixels, bbox as x, y, width, height."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    return {
        "id": int(segment_id),
        "category_id": category_id,
        "area": int(np.count_nonzero(mask)),
        "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
        "iscrowd": int(is_crowd),
    }


def save_panoptic_json(
    path: str | Path,
    images: Sequence[dict],
    annotations: Sequence[dict],
    categories: Sequence[Category],
    info: dict | None = None,
) -> None:
    """Write the JSON from the entries that :func:`save_sample` returned, whole or not at all."""
    entries = [
        {"id": c.id, "name": c.name, "isthing": int(c.is_thing), "color": list(c.color),
         "supercategory": "thing" if c.is_thing else "stuff"}
        for c in categories
    ]  # fmt: skip
    write_json(path, {"info": info or {}, "licenses": [], "images": list(images),
                      "annotations": list(annotations), "categories": entries})  # fmt: skip


def write_panoptic(
    image_dir: str | Path,
    panoptic_json: str | Path,
    panoptic_dir: str | Path,
    samples: Iterable[Sample],
    info: dict | None = None,
) -> None:
    """Write samples as a data set that :class:`PanopticDataset` reads, in COCO's layout.

    The JSON comes last and appears only when complete, so a stopped run leaves no data set that
    looks whole. Files are named after ``sample.file_name``, else after the image id.
    """
    for folder in (image_dir, panoptic_dir):
        make_folder(folder)
    images, annotations, stems, image_ids, categories = [], [], set(), set(), None
    for sample in samples:
        stem = Path(sample.file_name).stem or f"{sample.image_id:012d}"
        categories = categories or sample.categories
        if stem in stems or sample.image_id in image_ids or sample.categories != categories:
            raise DataError(
                f"image {sample.image_id} ({stem}) comes twice or has other categories than the "
                "first: give each sample its own image_id and file_name, and all the same classes"
            )
        stems.add(stem)
        image_ids.add(sample.image_id)
        image_entry, annotation_entry = save_sample(
            sample, Path(image_dir) / f"{stem}.jpg", Path(panoptic_dir) / f"{stem}.png"
        )
        images.append(image_entry)
        annotations.append(annotation_entry)
    if categories is None:
        raise DataError(f"no samples to write to {panoptic_json}: pass at least one")
    save_panoptic_json(panoptic_json, images, annotations, categories, info)
