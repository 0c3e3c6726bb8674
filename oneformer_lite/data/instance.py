"""COCO's instance format: one JSON with a polygon or a run-length code for each object.

Objects may overlap here, and there is no stuff, so such a data set trains and evaluates the
instance task only.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..checks import check_flag, only_known_names
from ..errors import DataError
from ..files import path_of
from ..notices import warn_user
from .boxes import compare_with_boxes
from .coco_json import (
    file_names,
    files_listed_twice,
    indices_of,
    parse_categories,
    read_annotations,
    refuse_other_format,
    sizes_of,
)
from .crowds import judge_crowds
from .folders import require_folder
from .image import read_annotated, read_image
from .json_fields import ANYTHING, ID, WHOLE, Entries
from .outline_frames import outside, reach_over
from .outline_reading import read_outlines
from .repeated import count_repeated
from .sample import MOST_BYTES, Sample, SegmentInfo

EMPTY = "objects whose outlines enclose no pixel"


@only_known_names
class InstanceDataset:
    """Images with instance annotations; ``dataset[i]`` is a :class:`Sample` with ``masks``.

    Segments are numbered 1..n in the order of the file. ``masks`` bool [n, H, W] may overlap;
    ``segment_map`` is a flat picture of them for display, later objects over earlier ones. Every
    image counts, also one without objects (a false alarm on it must cost something). Pictures are turned
    as their EXIF orientation says where the size in the JSON asks for it.

    ``skip_boxes`` leaves out objects that have a box but no outline, which is an error otherwise.
    ``crowds_as_objects`` takes crowds for single objects: CVAT marks all masks of its brush as crowds, which are
    never targets. ``left_out`` counts what of the file is not used, by reason; a warning says it as well. Objects whose
    outlines enclose no pixel are counted as they are read, each once, in the process that reads them. ``repeated``:
    how many objects have picture, class and box of another.

    Whatever contradicts the format raises a :class:`DataError` that names file and place, when the file is opened.
    """

    tasks = ("instance",)

    def __init__(
        self, image_dir: str | Path, instance_json: str | Path, *, skip_boxes: bool = False,
        crowds_as_objects: bool = False,
    ) -> None:  # fmt: skip
        check_flag("skip_boxes", skip_boxes)
        check_flag("crowds_as_objects", crowds_as_objects)
        self.json_path = path_of(instance_json, "the annotation file")
        self.image_dir = require_folder(image_dir, "the pictures")
        self._empty: set[int] = set()
        self._said_of_edges = False
        lists = self._index(skip_boxes, crowds_as_objects)
        # read again: strings of the parsed file would hold on to the memory blocks that they share with the rest of it
        self.image_ids, self._file_names = json.loads(lists)

    def _index(self, skip_boxes: bool, crowds_as_objects: bool) -> str:
        """Judge the file and keep what samples need as flat arrays; ids and names of the images as JSON.

        Flat, because reading Python objects in a data-loader process copies their memory, and COCO's training file
        holds 860 thousand outlines.
        """
        content = read_annotations(self.json_path)
        images, objects = content["images"], content["annotations"]
        refuse_other_format(objects, "segments_info", "category_id", "a panoptic file: PanopticDataset reads it")
        self.categories = parse_categories(content["categories"], all_things=True)
        image_ids = images.distinct("id", images.column("id", ID))
        names = file_names(images)
        if twice := files_listed_twice(images, names):
            raise DataError(
                f"{twice}, so each would have but a part of its objects (two files merged?): keep one entry, and give "
                "its id to the objects of both"
            )
        self._sizes = np.array(sizes_of(images), np.int32).reshape(-1, 2)
        owners = np.array(indices_of(objects, "image_id", objects.column("image_id", ID), image_ids, "image"), np.int64)
        category_ids = [category.id for category in self.categories]
        class_ids = indices_of(objects, "category_id", objects.column("category_id", WHOLE), category_ids, "category")
        self._class_ids = np.array(class_ids, np.int32)
        self._is_crowd = judge_crowds(objects, crowds_as_objects)
        self._outlines = read_outlines(objects.column("segmentation", ANYTHING, None), self.json_path, objects.place)
        kept = np.flatnonzero(self._usable(objects, owners, skip_boxes))
        self.repeated = count_repeated(self._outlines, owners, self._class_ids, kept, self.json_path)
        self._places = kept[np.argsort(owners[kept], kind="stable")]  # of the objects, image by image
        self._ends = np.concatenate([[0], np.cumsum(np.bincount(owners[kept], minlength=len(images)))])
        if not len(kept):
            what = "has no objects" if len(images) else "lists no pictures"
            warn_user(f"{self.json_path} {what}: there is nothing to learn from it")
        return json.dumps([image_ids, names])

    def _usable(self, objects: Entries, owners: np.ndarray, skip_boxes: bool) -> np.ndarray:
        """Bool [n]: which objects can be drawn; counts the others and says so."""
        pieces, drawn = self._outlines.pieces, self._outlines.drawn()
        boxes, usable = pieces == 0, drawn > 0
        if boxes.any() and not skip_boxes:
            raise DataError(
                f"{self.json_path}: {objects.place(int(np.argmax(boxes)))} has no outline: its segmentation is absent "
                f"or empty, as are those of {boxes.sum()} of {len(objects)} objects. Boxes alone do not make masks: "
                "export polygons or masks, or leave these objects out with skip_boxes=True"
            )
        sizes = self._sizes[owners].astype(np.int64)
        off = outside(self._outlines, sizes, self.json_path, objects.place)
        compare_with_boxes(self._outlines, sizes, objects.rows, self.json_path)
        counts = {
            "objects without an outline": boxes.sum(),
            "objects whose outlines have fewer than three points": (~boxes & ~usable).sum(),
            "further outlines of fewer than three points": (pieces - drawn)[usable].sum(),
            "objects outside their pictures": off.sum(),
        }
        self.left_out = {reason: int(count) for reason, count in counts.items() if count}
        usable &= ~off
        if self.left_out:
            words = f"{self.json_path}: left out: " + ", ".join(f"{n} {reason}" for reason, n in self.left_out.items())
            if not usable.any():
                raise DataError(f"{words}: nothing is left of {len(objects)} objects")
            warn_user(f"{words} (of {len(objects)})")
        return usable

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def picture_names(self) -> list[str]:
        """The pictures' names in the data set, in its order."""
        return list(self._file_names)

    def paths(self, index: int) -> tuple[Path]:
        """The file that a sample is read from, beside the JSON."""
        return (self.image_dir / self._file_names[index],)

    @property
    def class_counts(self) -> list[int]:
        """Objects of each class in all pictures, crowds left out."""
        classes = self._class_ids[self._places[~self._is_crowd[self._places]]]
        return np.bincount(classes, minlength=len(self.categories)).tolist()

    @property
    def segment_classes(self) -> np.ndarray:
        """The class of each object of the file, in its order."""
        return self._class_ids

    @property
    def thing_counts(self) -> np.ndarray:
        """Objects in each picture [n], crowds left out."""
        counted = np.concatenate([[0], np.cumsum(~self._is_crowd[self._places])])
        return np.diff(counted[self._ends])

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]  # negative indices count from the end; IndexError outside
        places = self._places[self._ends[index] : self._ends[index + 1]]
        image = self._image(index, places)
        self._say_of_edges(index, places, image.shape[:2])
        masks = self._masks(index, places, *image.shape[:2])
        drawn = masks.any((1, 2))
        if not drawn.all():
            self._count_empty(places[~drawn])
        places, masks = places[drawn], masks[drawn]
        segment_map = np.zeros(image.shape[:2], np.int32)
        for number, mask in enumerate(masks, start=1):
            segment_map[mask] = number
        class_ids, is_crowd = self._class_ids[places].tolist(), self._is_crowd[places].tolist()
        return Sample(
            image=image,
            segment_map=segment_map,
            segments=tuple(map(SegmentInfo, range(1, len(places) + 1), class_ids, is_crowd)),
            categories=self.categories,
            image_id=self.image_ids[index],
            file_name=self._file_names[index],
            tasks=self.tasks,
            masks=masks,
        )

    def _image(self, index: int, places: np.ndarray) -> np.ndarray:
        """The picture uint8 [H, W, 3] in the frame of its annotation, as far as the file tells its size."""
        path, size = self.image_dir / self._file_names[index], tuple(self._sizes[index].tolist())
        if not all(size):
            size = next(filter(None, map(self._outlines.size, places)), None)
        if size is None and not len(places):
            return read_image(path)
        return read_annotated(path, size, f"{self.json_path} (image {self.image_ids[index]})")

    def _masks(self, index: int, places: np.ndarray, height: int, width: int) -> np.ndarray:
        """Bool [n, H, W] of the objects at ``places``."""
        if len(places) * height * width > MOST_BYTES:
            raise DataError(
                f"{self.json_path}: image {self.image_ids[index]} has {len(places)} objects on {width} x {height} "
                "pixels, whose masks do not fit into memory: cut the picture into tiles"
            )
        masks = np.zeros((len(places), height, width), bool)
        for mask, place in zip(masks, places.tolist(), strict=True):
            try:
                mask[:] = self._outlines.mask(place, height, width)
            except ValueError as error:
                raise DataError(
                    f"{self.json_path}: annotations[{place}]: its picture has height {height} and width {width}, but "
                    f"{error}"
                ) from error
        return masks

    def _say_of_edges(self, index: int, places: np.ndarray, size: tuple[int, int]) -> None:
        """Of outlines beyond the edge, where only the picture tells its size: otherwise it was said when the file was
        opened."""
        if not self._said_of_edges and not self._sizes[index].all():
            self._said_of_edges = reach_over(self._outlines, places, size, self._file_names[index], self.json_path)

    def _count_empty(self, places: np.ndarray) -> None:
        """Count the objects at ``places``, each once; a warning says once that there are such."""
        if EMPTY not in self.left_out:
            warn_user(
                f"{self.json_path}: outlines that enclose no pixel are left out, such as that of "
                f"annotations[{places[0]}]; dataset.left_out counts those read here, this is said once"
            )
        self._empty.update(places.tolist())
        self.left_out[EMPTY] = len(self._empty)


def encode_mask(mask: np.ndarray) -> dict:
    """COCO's compressed run-length code of a mask bool [H, W], with ``counts`` as str for JSON."""
    from pycocotools import mask as coco_mask

    code = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(code["size"]), "counts": code["counts"].decode("ascii")}
