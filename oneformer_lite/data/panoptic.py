"""COCO's panoptic format: a JSON of segments and, for each image, a PNG whose colours are ids.

The JSON lists for each image which category each id has (``segments_info``); how colours stand for
ids is in ``segment_ids.py``. Any data set in this layout can be read, and :func:`write_panoptic`
writes it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..files import all_to_disk, make_folder, write_json
from ..listing import few
from ..notices import warn_user
from .coco_json import file_names, files_listed_twice, indices_of, parse_categories, read_annotations, sizes_of
from .fields import FLAG, ID, SEGMENT_ID, WHOLE, Entries
from .folders import require_folder
from .image import open_image, to_rgb, write_image
from .map_dataset import MapDataset
from .sample import TASKS, Category, Sample, SegmentInfo
from .segment_ids import check_ids, compare_ids, decode_ids, encode_ids, present_ids

_UNPACK = ", and that the archive (COCO's panoptic one holds two more inside it) is unpacked"
UNSEEN = "pictures with segments that have no pixel"


class PanopticDataset(MapDataset):
    """Images with panoptic annotations; ``dataset[i]`` is a :class:`Sample`. Lesson 01.

    Class ids follow the order of the JSON's ``categories``. The order of the samples is that of its
    ``annotations``; images without one are skipped. Segments that are listed but have no pixel are left out with a
    warning. The JSON is judged when it is opened, pictures and PNGs when they are read; whatever contradicts the
    format raises a :class:`DataError` that names the file. ``left_out`` counts what of the file is not used; pictures
    with unseen segments as they are read, each once, in the process that reads them.
    """

    tasks = TASKS

    def __init__(
        self, image_dir: str | Path, panoptic_json: str | Path, panoptic_dir: str | Path
    ) -> None:
        self.json_path = Path(panoptic_json)
        lists = self._index()
        self.image_dir = require_folder(image_dir, "the pictures", _UNPACK)
        self.panoptic_dir = require_folder(panoptic_dir, "the panoptic PNGs", _UNPACK)
        # read again: strings of the parsed file would hold on to the memory blocks that they share with the rest of it
        self.image_ids, self._file_names, self._png_names = json.loads(lists)

    def _index(self) -> str:
        """Judge the file and keep what samples need as flat arrays; ids and names of the images as JSON.

        The 1.4 million dictionaries of COCO's training file would be copied into every data-loader
        process, because reading a Python object writes to its reference count.
        """
        content = read_annotations(self.json_path)
        images, annotations = content["images"], content["annotations"]
        self.categories = parse_categories(content["categories"], all_things=False)
        listed = images.distinct("id", images.column("id", ID))
        names = file_names(images)
        if twice := files_listed_twice(images, names):
            warn_user(f"{twice}: they are taken for two pictures, each with its own segments")
        image_ids = annotations.distinct("image_id", annotations.column("image_id", ID))
        order = indices_of(annotations, "image_id", image_ids, listed, "image")
        pngs = file_names(annotations)
        self._sizes = np.array(sizes_of(images), np.int32).reshape(-1, 2)[order]
        segments, ends = annotations.children("segments_info")
        category_ids = [category.id for category in self.categories]
        class_ids = indices_of(segments, "category_id", segments.column("category_id", WHOLE), category_ids, "category")
        self._ends = np.array(ends, np.int64)
        self._ids = np.array(segments.column("id", SEGMENT_ID), np.int32)
        self._class_ids = np.array(class_ids, np.int32)
        self._is_crowd = np.array(segments.column("iscrowd", FLAG, 0), bool)
        self._say_what_is_missing(len(images), segments)
        return json.dumps([image_ids, [names[i] for i in order], pngs])

    def _say_what_is_missing(self, images: int, segments: Entries) -> None:
        """Pictures without an annotation, and what keeps the whole file from teaching anything."""
        absent, crowds = images - len(self._ends), int(self._is_crowd.sum())
        self._unseen: set[int] = set()
        self.left_out = {"pictures without an annotation": absent} if absent else {}
        if absent:
            warnings.warn(f"{self.json_path}: left out: {absent} of {images} pictures have no annotation", stacklevel=4)
        if not len(segments):
            what = "has no segments" if len(self._ends) else "lists no annotated pictures"
            warnings.warn(f"{self.json_path} {what}: there is nothing to learn from it", stacklevel=4)
        elif crowds == len(segments):
            warnings.warn(f"{self.json_path}: all {crowds} segments are crowds, which are never targets", stacklevel=4)

    @property
    def class_counts(self) -> list[int]:
        """Segments of each class in all pictures, crowds left out."""
        return np.bincount(self._class_ids[~self._is_crowd], minlength=len(self.categories)).tolist()

    @property
    def segment_classes(self) -> np.ndarray:
        """The class of each segment of the file, in its order."""
        return self._class_ids

    @property
    def thing_counts(self) -> np.ndarray:
        """Things in each picture [n], crowds left out."""
        is_thing = np.array([category.is_thing for category in self.categories], dtype=bool)
        counted = np.concatenate([[0], np.cumsum(is_thing[self._class_ids] & ~self._is_crowd)])
        return np.diff(counted[np.concatenate([[0], self._ends])])

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
                f"{self.json_path}: {path.name} lists a segment id twice: {ids}; give each its own"
            )
        class_ids, is_crowd = self._class_ids[chosen].tolist(), self._is_crowd[chosen].tolist()
        self._compare_sizes(index, segment_map.shape, path)
        drawn = set(present_ids(segment_map).tolist())
        segments = [SegmentInfo(*entry) for entry in zip(ids, class_ids, is_crowd, strict=True)]
        unseen = [segment for segment in segments if segment.id not in drawn]
        if drawn and unseen:
            segments = [segment for segment in segments if segment.id in drawn]
            self._count_unseen(index, unseen, path)
        compare_ids(drawn, {segment.id for segment in segments}, str(path))
        return segment_map, tuple(segments)

    def _compare_sizes(self, index: int, shape: tuple[int, ...], path: Path) -> None:
        listed = tuple(self._sizes[index].tolist())
        if all(listed) and listed != shape:
            raise DataError(
                f"{path} has (height, width) {shape}, but {self.json_path} says {listed} of image "
                f"{self.image_ids[index]}: use the PNG and the JSON of the same release"
            )

    def _count_unseen(self, index: int, unseen: list[SegmentInfo], path: Path) -> None:
        """Say once that listed segments have no pixel. Not of stuff wholly under things: ADE20K's official
        preparation lists such segments."""
        ids = {segment.id for segment in unseen if self.categories[segment.class_id].is_thing}
        if ids and UNSEEN not in self.left_out:
            warnings.warn(
                f"{path}: the segments {few(ids)} are listed in {self.json_path} but have no pixel. Such segments are "
                "left out; dataset.left_out counts the pictures read here that have some, this is said once",
                stacklevel=4,
            )
        if ids:
            self._unseen.add(index)
            self.left_out[UNSEEN] = len(self._unseen)


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
    """Write the JSON from the entries that :func:`save_sample` returned, whole or not at all, once their files are
    on the disk."""
    entries = [
        {"id": c.id, "name": c.name, "isthing": int(c.is_thing), "color": list(c.color),
         "supercategory": "thing" if c.is_thing else "stuff"}
        for c in categories
    ]  # fmt: skip
    all_to_disk()
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
