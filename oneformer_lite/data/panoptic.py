"""COCO's panoptic format: a JSON of segments and, for each image, a PNG whose colours are ids.

The JSON lists for each image which category each id has (``segments_info``); how colours stand for
ids is in ``segment_ids.py``. Any data set in this layout can be read; ``panoptic_writing.py`` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..checks import only_known_names
from ..errors import DataError
from ..files import path_of
from ..listing import few
from ..notices import warn_user
from ..spread import spread_over
from .coco_json import (
    file_names,
    files_listed_twice,
    indices_of,
    parse_categories,
    read_annotations,
    refuse_other_format,
    sizes_of,
)
from .crowds import warn_of_other_crowds
from .folders import require_folder
from .image import open_image, to_rgb
from .json_fields import FLAG, ID, SEGMENT_ID, WHOLE, Entries
from .label_map import refuse_inexact
from .map_dataset import MapDataset
from .sample import TASKS, SegmentInfo
from .segment_boxes import LOOKED_AT, other_areas, told_areas, warn_of_boxes
from .segment_ids import compare_ids, decode_ids, present_areas
from .wrong_ids import likely_cause

_UNPACK = ", and that the archive (COCO's panoptic one holds two more inside it) is unpacked"
_OF_STUFF = 0.25  # share of classes in pictures, from which several segments are worth a word
UNSEEN = "pictures with segments that have no pixel"


@only_known_names
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
        self.json_path = path_of(panoptic_json, "the annotation file")
        lists = self._index()
        self.image_dir = require_folder(image_dir, "the pictures", _UNPACK)
        self.panoptic_dir = require_folder(panoptic_dir, "the panoptic PNGs", _UNPACK)
        # read again: strings of the parsed file would hold on to the memory blocks that they share with the rest of it
        self.image_ids, self._file_names, self._png_names, told = json.loads(lists)
        stuff = {category.id for category in self.categories if not category.is_thing}
        self._said_of_areas = warn_of_boxes(self._looked_at(told), stuff, self.json_path)

    def _index(self) -> str:
        """Judge the file and keep what samples need as flat arrays; ids and names of the images as JSON, and
        number and segments of the pictures that are looked at.

        The 1.4 million dictionaries of COCO's training file would be copied into every data-loader
        process, because reading a Python object writes to its reference count.
        """
        content = read_annotations(self.json_path)
        images, annotations = content["images"], content["annotations"]
        cure = "a file of objects, without maps of segments: InstanceDataset reads it"
        refuse_other_format(annotations, "category_id", "segments_info", cure)
        self.categories = parse_categories(content["categories"], all_things=False)
        listed = images.distinct("id", images.column("id", ID))
        names = file_names(images)
        if twice := files_listed_twice(images, names):
            warn_user(f"{twice}: they are taken for two pictures, each with its own segments")
        image_ids = annotations.distinct("image_id", annotations.column("image_id", ID))
        order = indices_of(annotations, "image_id", image_ids, listed, "image")
        pngs = file_names(annotations)
        if twice := files_listed_twice(annotations, pngs):
            warn_user(f"{twice}: two pictures have the same map of segments")
        self._sizes = np.array(sizes_of(images), np.int32).reshape(-1, 2)[order]
        segments, ends = annotations.children("segments_info")
        category_ids = [category.id for category in self.categories]
        class_ids = indices_of(segments, "category_id", segments.column("category_id", WHOLE), category_ids, "category")
        self._ends = np.array(ends, np.int64)
        self._ids = np.array(segments.column("id", SEGMENT_ID), np.int32)
        self._class_ids = np.array(class_ids, np.int32)
        self._is_crowd = np.array(segments.column("iscrowd", FLAG, 0), bool)
        self._areas = told_areas(segments.rows)
        warn_of_other_crowds(segments)
        self._say_what_is_missing(len(images), segments)
        self._say_of_stuff()
        if self.categories and not any(category.is_thing for category in self.categories):
            warn_user(
                f"{self.json_path}: no category is a thing (all isthing are 0), so the instance task has nothing to "
                "find and objects of one class are one: give countable classes isthing 1"
            )
        looked_at = spread_over(len(ends), LOOKED_AT)
        told = [(i, segments.rows[ends[i - 1] if i else 0 : ends[i]]) for i in looked_at]
        return json.dumps([image_ids, [names[i] for i in order], pngs, told])

    def _looked_at(self, told: list[tuple[int, list[dict]]]) -> Iterator[tuple[str, np.ndarray, list[dict]]]:
        """Name, segment map and segments of each picture in ``told`` that can be read."""
        for index, rows in told:
            with suppress(DataError):  # said when this picture is read
                yield self._png_names[index], self._segment_map(self.panoptic_dir / self._png_names[index]), rows

    def _say_what_is_missing(self, images: int, segments: Entries) -> None:
        """Pictures without an annotation, and what keeps the whole file from teaching anything."""
        absent, crowds = images - len(self._ends), int(self._is_crowd.sum())
        self._unseen: set[int] = set()
        self.left_out = {"pictures without an annotation": absent} if absent else {}
        if absent:
            warn_user(f"{self.json_path}: left out: {absent} of {images} pictures have no annotation")
        if not len(segments):
            what = "has no segments" if len(self._ends) else "lists no annotated pictures"
            warn_user(f"{self.json_path} {what}: there is nothing to learn from it")
        elif crowds == len(segments):
            warn_user(f"{self.json_path}: all {crowds} segments are crowds, which are never targets")

    def _say_of_stuff(self) -> None:
        """Stuff has one segment in a picture, as predictions have: of several, all but one are missed at best."""
        pictures = np.repeat(np.arange(len(self._ends)), np.diff(self._ends, prepend=0))
        is_stuff = np.array([not category.is_thing for category in self.categories], bool)
        chosen = is_stuff[self._class_ids] & ~self._is_crowd
        places, counts = np.unique(
            pictures[chosen] * len(self.categories) + self._class_ids[chosen], return_counts=True
        )
        several = places[counts > 1]
        if len(several) > max(1, _OF_STUFF * len(places)):
            names = {self.categories[place % len(self.categories)].name for place in several.tolist()}
            warn_user(
                f"{self.json_path}: stuff has several segments of one class in a picture ({len(several)} of "
                f"{len(places)} times: {few(names, 4)}), and is expected to have one, as predictions have. Are things "
                "among these classes (isthing), or is it exchanged? If not, give the pixels of a class one id"
            )

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
        segment_map = self._segment_map(path)
        chosen = slice(self._ends[index - 1] if index else 0, self._ends[index])
        ids = self._ids[chosen].tolist()
        if len(set(ids)) != len(ids):
            raise DataError(
                f"{self.json_path}: {path.name} lists a segment id twice: {ids}; give each its own"
            )
        class_ids, is_crowd = self._class_ids[chosen].tolist(), self._is_crowd[chosen].tolist()
        self._compare_sizes(index, segment_map.shape, path)
        areas = present_areas(segment_map)
        drawn = set(areas)
        if drawn - set(ids):
            listed = {self.categories[class_id].id for class_id in class_ids}
            compare_ids(drawn, set(ids), str(path), likely_cause(segment_map, ids, listed))
        is_stuff = np.array([not self.categories[class_id].is_thing for class_id in class_ids], bool)
        if not self._said_of_areas and other_areas((areas.get(i, 0) for i in ids), self._areas[chosen], is_stuff):
            self._said_of_areas = True
            warn_user(
                f"{path}: several segments have far more or fewer pixels than {self.json_path} says (area): is it the "
                "PNG of another picture (file_name), or are ids of segments exchanged? Look at this sample before you "
                "train; this is said once"
            )
        segments = [SegmentInfo(*entry) for entry in zip(ids, class_ids, is_crowd, strict=True)]
        unseen = [segment for segment in segments if segment.id not in drawn]
        if drawn and unseen:
            segments = [segment for segment in segments if segment.id in drawn]
            self._count_unseen(index, unseen, path)
        compare_ids(drawn, {segment.id for segment in segments}, str(path))
        return segment_map, tuple(segments)

    @staticmethod
    def _segment_map(path: Path) -> np.ndarray:
        picture = open_image(path)
        refuse_inexact(picture, path)
        if picture.mode not in ("RGB", "RGBA"):
            raise DataError(
                f"{path} has Pillow's mode {picture.mode!r}, but a panoptic PNG stores its ids in "
                "three colours (mode 'RGB'): is this the folder of the panoptic PNGs?"
            )
        return decode_ids(to_rgb(picture))

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
            warn_user(
                f"{path}: the segments {few(ids)} are listed in {self.json_path} but have no pixel. Such segments are "
                "left out; dataset.left_out counts the pictures read here that have some, this is said once"
            )
        if ids:
            self._unseen.add(index)
            self.left_out[UNSEEN] = len(self._unseen)
