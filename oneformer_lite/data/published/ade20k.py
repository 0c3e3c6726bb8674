"""ADE20K (scene parsing challenge) from its official archives to COCO's layouts: 150 classes, 100 of them things.

What comes out is what Mask2Former's ``datasets/prepare_ade20k_{pan,ins,sem}_seg.py`` make: panoptic maps (up
to the numbers of the segments, which are random there), instance masks and label maps.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ...checks import only_known_names
from ...errors import DataError
from ...files import path_of, write_json
from ..classes import class_list
from ..image import open_image, write_image
from ..instance import encode_mask
from ..panoptic_writing import save_panoptic_json, segment_entry
from ..parallel import spread
from ..segment_ids import encode_ids
from .archive import flat, is_complete, staged, unpack_folder, visible
from .download import CONNECTIONS
from .jobs import Archive, Job, Store

SCENES = Archive("http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip", 967_382_037)
INSTANCES = Archive(
    "http://sceneparsing.csail.mit.edu/data/ChallengeData2017/annotations_instance.tar",
    90_398_720,
    "5eb0db23c64779bc646ca535a3d495db0a75700b9467f8a79eecaf728b266acd",
)
COUNTS = {"train": 20_210, "val": 2_000}
OFFICIAL_NAMES = {"train": "training", "val": "validation"}


@only_known_names
def download_ade20k(
    root: str | Path = "data/ade20k",
    archives: str | Path | None = None,
    mirror: str | None = None,
    connections: int = CONNECTIONS,
    workers: int | None = None,
    counts: dict[str, int] = COUNTS,
    published: tuple[Archive, Archive] = (SCENES, INSTANCES),
) -> None:
    """Fetch the two archives (or use those in the folder ``archives``), unpack and convert the splits train and val.

    Pictures come to ``root/<split>``; under ``root/annotations``: ``panoptic_<split>`` (PNGs and .json),
    ``semantic_<split>`` (label maps: class id, 255 = void) and ``instances_<split>.json``. What is there
    already is not done again. ``workers`` processes convert (default: one for each core).
    """
    root = path_of(root, "the folder of the data set")
    wanted = [split for split in counts if not _is_ready(root, split, counts[split])]
    if not wanted:
        return
    scenes, instances = (archive.at(mirror) for archive in published)
    store = Store(root, path_of(archives, "the folder of the archives") if archives else None, connections)
    jobs = [Job(archive, 2 * (archive.size or 0), tuple(wanted)) for archive in (instances, scenes)]
    store.announce(jobs)
    for split in wanted:
        official, count, notes = OFFICIAL_NAMES[split], counts[split], root / "annotations"
        _unpack(store, scenes, root / split, f"/images/{official}/", ".jpg", count)
        _unpack(store, scenes, notes / f"raw_semantic_{split}", f"/annotations/{official}/", ".png", count)
        _unpack(store, instances, notes / f"raw_instances_{split}", f"/{official}/", ".png", count)
        _convert(root, split, workers or os.cpu_count() or 1)
        for kind in ("semantic", "instances"):
            shutil.rmtree(notes / f"raw_{kind}_{split}")
    for archive in (scenes, instances):
        store.finish(archive)


def _is_ready(root: Path, split: str, count: int) -> bool:
    notes = root / "annotations"
    folders = (root / split, notes / f"panoptic_{split}", notes / f"semantic_{split}")
    files = (notes / f"panoptic_{split}.json", notes / f"instances_{split}.json")
    return all([is_complete(folder, count) for folder in folders]) and all(path.exists() for path in files)


def _unpack(store: Store, archive: Archive, folder: Path, under: str, suffix: str, count: int) -> None:
    if not is_complete(folder, count):
        unpack_folder(store.get(archive), folder, flat(suffix, under), count)


def _convert(root: Path, split: str, workers: int) -> None:
    """Panoptic PNGs and label maps of a split; the JSON files come last."""
    notes = root / "annotations"
    paths = visible(root / split)
    with staged(notes / f"panoptic_{split}") as pngs, staged(notes / f"semantic_{split}") as labels:
        jobs = [(path, notes, split, pngs, labels) for path in paths]
        done = spread(convert_one, jobs, workers)
        entries = list(tqdm(done, f"converting {split}", len(jobs), unit="picture", dynamic_ncols=True))
    images, annotations, instances = zip(*entries, strict=True)
    things = [category for category in class_list("ade20k") if category.is_thing]
    objects = [entry for row in instances for entry in row]
    write_json(
        notes / f"instances_{split}.json",
        {
            "images": images,
            "annotations": [{"id": number, **entry} for number, entry in enumerate(objects, start=1)],
            "categories": [{"id": category.id, "name": category.name} for category in things],
        },
    )
    save_panoptic_json(notes / f"panoptic_{split}.json", images, annotations, class_list("ade20k"))


def convert_one(job: tuple[Path, Path, str, Path, Path]) -> tuple[dict, dict, list[dict]]:
    """Write the maps of one picture; its entries for both JSON files (runs in a worker process)."""
    path, notes, split, pngs, labels = job
    name = f"{path.stem}.png"
    semantic = np.asarray(open_image(notes / f"raw_semantic_{split}" / name))
    instance = np.asarray(open_image(notes / f"raw_instances_{split}" / name))
    picture = open_image(path)
    height, width = picture.height, picture.width
    fits = semantic.dtype == instance.dtype == np.uint8 and instance.shape == (height, width, 3)
    if semantic.shape != (height, width) or not fits:
        raise DataError(
            f"{path}: the picture is {picture.size}, its maps {semantic.shape} {semantic.dtype} and {instance.shape} "
            f"{instance.dtype}: expected a label map (grey) and an instance map (colour) of its size, of 8 bits; get "
            "the archives again"
        )
    segment_map, segments, objects = panoptic(semantic, instance, str(path))
    write_image(pngs / name, encode_ids(segment_map))
    write_image(labels / name, semantic - np.uint8(1))  # 0 (void) becomes 255
    return (
        {"id": path.stem, "file_name": path.name, "height": height, "width": width},
        {"image_id": path.stem, "file_name": name, "segments_info": segments},
        [{"image_id": path.stem, **entry} for entry in objects],
    )


def panoptic(
    semantic: np.ndarray, instance: np.ndarray, where: str = ""
) -> tuple[np.ndarray, list[dict], list[dict]]:
    """A label map and an instance map as segment map int32 [H, W], ``segments_info``, and instance annotations.

    ``semantic`` uint8 [H, W] holds class id + 1, 0 = void. ``instance`` uint8 [H, W, 3] holds in red the place
    of the class among the 100 things, from 1 on, and in green the number of the instance, 0 = none.

    Stuff is painted first, then things over it: the two annotations overlap. As in the official files, the area
    and box of stuff are those before it was painted over, and stuff that is wholly covered stays listed. Things
    that only the label map knows are void.
    """
    categories = class_list("ade20k")
    things = [category.id for category in categories if category.is_thing]
    segment_map, segments, objects = np.zeros(semantic.shape, np.int32), [], []
    if semantic.max(initial=0) > len(categories):
        raise DataError(f"{where}: the label map has the value {semantic.max()}, expected 0..{len(categories)}")
    for label in np.unique(semantic).tolist():
        if label and not categories[label - 1].is_thing:
            mask = semantic == label
            segments.append(segment_entry(mask, len(segments) + 1, label - 1))
            segment_map[mask] = len(segments)
    for number in np.unique(instance[..., 1]).tolist():
        if not number:
            continue
        mask = instance[..., 1] == number
        kinds = np.unique(instance[..., 0][mask]).tolist()
        if len(kinds) != 1 or not 1 <= kinds[0] <= len(things):
            raise DataError(f"{where}: instance {number} has the classes {kinds}, expected one of 1..{len(things)}")
        entry = segment_entry(mask, len(segments) + 1, things[kinds[0] - 1])
        segments.append(entry)
        segment_map[mask] = len(segments)
        shared = {key: entry[key] for key in ("category_id", "area", "bbox", "iscrowd")}
        objects.append(shared | {"segmentation": encode_mask(mask)})
    return segment_map, segments, objects
