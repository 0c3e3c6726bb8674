"""Cityscapes from its official archives to COCO's panoptic layout: 19 classes, 8 of them things.

The maps and entries are those of the official ``cityscapesscripts/preparation/createPanopticImgs.py``, but
for the pictures' names, which are wrong there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ...checks import only_known_names
from ...errors import DataError
from ...files import path_of
from ..classes import class_list
from ..image import open_image, write_image
from ..panoptic_writing import save_panoptic_json, segment_entry
from ..parallel import spread
from ..segment_ids import encode_ids, present_ids
from .archive import flat, is_complete, require_space, staged, unpack_folder, visible

PICTURES, LABELS = "leftImg8bit_trainvaltest.zip", "gtFine_trainvaltest.zip"
COUNTS = {"train": 2975, "val": 500}  # the test split's labels are not public


@only_known_names
def prepare_cityscapes(
    root: str | Path = "data/cityscapes",
    archives: str | Path | None = None,
    workers: int | None = None,
    counts: dict[str, int] = COUNTS,
) -> None:
    """Unpack the two archives in the folder ``archives`` (default: ``root``) and convert the splits train and val.

    The archives stay. What is there already is not done again. ``workers`` processes convert (default: one for
    each core). Raises :class:`DataError` that says where to get the archives, if they are missing.
    """
    root = path_of(root, "the folder of the data set")
    archives = path_of(archives or root, "the folder of the archives")
    for split, count in counts.items():
        if not is_complete(root / split, count):
            # the pictures of all cities in one folder: their names begin with the city
            pictures = flat("_leftImg8bit.png", f"leftImg8bit/{split}/")
            unpack_folder(_find(archives, PICTURES), root / split, pictures, count)
        pngs = root / "annotations" / f"panoptic_{split}"
        if is_complete(pngs, count) and pngs.with_suffix(".json").exists():
            continue
        labels = root / "annotations" / f"instanceIds_{split}"
        if not is_complete(labels, count):
            maps = flat("_gtFine_instanceIds.png", f"gtFine/{split}/")
            unpack_folder(_find(archives, LABELS), labels, maps, count)
        _convert(labels, pngs, split, workers or os.cpu_count() or 1)
        shutil.rmtree(labels)


def _find(archives: Path, name: str) -> Path:
    path = archives / name
    if not path.exists():
        raise DataError(
            f"{path} is missing. Cityscapes asks for a registration: make an account at "
            "https://www.cityscapes-dataset.com/register, download leftImg8bit_trainvaltest.zip (11 GB) and "
            "gtFine_trainvaltest.zip (241 MB) from https://www.cityscapes-dataset.com/downloads, put both into "
            f"{archives}, and run the same command again"
        )
    return path


def _convert(labels: Path, pngs: Path, split: str, workers: int) -> None:
    """All instance maps of a folder to panoptic PNGs; the JSON comes last."""
    paths = visible(labels)
    require_space(pngs.parent, sum(path.stat().st_size for path in paths), "to convert the maps")
    with staged(pngs) as draft:
        jobs = [(path, draft) for path in paths]
        entries = list(
            tqdm(spread(convert_one, jobs, workers), f"converting {split}", len(jobs), unit="map", dynamic_ncols=True)
        )
    images, annotations = zip(*entries, strict=True)
    save_panoptic_json(pngs.with_suffix(".json"), images, annotations, class_list("cityscapes"))


def convert_one(job: tuple[Path, Path]) -> tuple[dict, dict]:
    """Write one panoptic PNG; its entries for ``images`` and ``annotations`` (runs in a worker process)."""
    path, folder = job
    image_id = path.name.removesuffix("_gtFine_instanceIds.png")
    instance_ids = np.asarray(open_image(path)).astype(np.int32)
    if instance_ids.ndim != 2:
        raise DataError(f"{path} has the shape {instance_ids.shape}, expected a grey map of ids: get the archive again")
    segment_map, segments = panoptic(instance_ids)
    png_name = f"{image_id}_gtFine_panoptic.png"
    write_image(folder / png_name, encode_ids(segment_map))
    height, width = segment_map.shape
    return (
        {"id": image_id, "file_name": f"{image_id}_leftImg8bit.png", "height": height, "width": width},
        {"image_id": image_id, "file_name": png_name, "segments_info": segments},
    )


def panoptic(instance_ids: np.ndarray) -> tuple[np.ndarray, list[dict]]:
    """Instance ids int32 [H, W] -> segment map int32 [H, W] and its ``segments_info``.

    Below 1000 a value is a label: of stuff, or of a group of things that were not told apart (a crowd). From
    1000 on it is 1000 label + number of the instance. Labels that the evaluation ignores become void. The
    values are the segment ids.
    """
    classes = {category.id: category for category in class_list("cityscapes")}
    segment_map, segments = np.zeros_like(instance_ids), []
    for value in present_ids(instance_ids).tolist():
        category = classes.get(value if value < 1000 else value // 1000)
        if category is None:
            continue
        mask = instance_ids == value
        segment_map[mask] = value
        segments.append(segment_entry(mask, value, category.id, is_crowd=value < 1000 and category.is_thing))
    return segment_map, segments
