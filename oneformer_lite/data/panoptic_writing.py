"""Writing data sets in COCO's panoptic format, which ``panoptic.py`` reads."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..checks import only_known_names
from ..errors import ConfigError, DataError
from ..files import all_to_disk, make_folder, path_of, write_json
from .boxes import mask_extent
from .image import write_image
from .sample import Category, Sample, check_sample
from .segment_ids import check_ids, encode_ids


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
    left, top, right, bottom = map(int, mask_extent(mask))
    return {
        "id": int(segment_id),
        "category_id": category_id,
        "area": int(np.count_nonzero(mask)),
        "bbox": [left, top, right - left, bottom - top],
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


@only_known_names
def write_panoptic(
    image_dir: str | Path,
    panoptic_json: str | Path,
    panoptic_dir: str | Path,
    samples: Iterable[Sample],
    info: dict | None = None,
) -> None:
    """Write samples as a data set that :class:`~.panoptic.PanopticDataset` reads, in COCO's layout.

    The JSON comes last and appears only when complete, so a stopped run leaves no data set that
    looks whole. Files are named after ``sample.file_name``, else after the image id.
    """
    json_path = path_of(panoptic_json, "the annotation file to write")
    check_info(info)
    for folder in (image_dir, panoptic_dir):
        make_folder(folder)
    images, annotations = [], []
    for stem, sample in named(samples, lambda s: Path(s.file_name).stem or f"{s.image_id:012d}", panoptic_json):
        image_entry, annotation_entry = save_sample(
            sample, Path(image_dir) / f"{stem}.jpg", Path(panoptic_dir) / f"{stem}.png"
        )
        images.append(image_entry)
        annotations.append(annotation_entry)
    save_panoptic_json(json_path, images, annotations, sample.categories, info)


def check_info(info: object) -> None:
    """Raises :class:`ConfigError` unless ``info`` is None or what a JSON file's ``info`` can be."""
    try:
        if info is None or isinstance(info, dict) and json.dumps(info):
            return
    except (TypeError, ValueError) as error:
        raise ConfigError(f"info cannot be written as JSON ({error}): expected a dict of texts and numbers") from error
    raise ConfigError(f"info must be a dict of texts and numbers, or None, got {reprlib.repr(info)}")


def named(
    samples: Iterable[Sample], name_of: Callable[[Sample], str], json_path: str | Path
) -> Iterator[tuple[str, Sample]]:
    """Samples of one data set with the names of their files.

    Raises :class:`DataError` if a name or an image id comes twice, if categories differ, or if there is no sample.
    """
    names, ids, categories = set(), set(), None
    if not isinstance(samples, Iterable):
        raise ConfigError(f"expected samples to write, such as a list of Sample, got {reprlib.repr(samples)}")
    for sample in samples:
        check_sample(sample)
        name = name_of(sample)
        categories = categories or sample.categories
        if name in names or sample.image_id in ids or sample.categories != categories:
            raise DataError(
                f"image {sample.image_id} ({name}) comes twice or has other categories than the first: give each "
                "sample its own image_id and file_name, and all the same classes"
            )
        names.add(name)
        ids.add(sample.image_id)
        yield name, sample
    if categories is None:
        raise DataError(f"no samples to write to {json_path}: pass at least one")
