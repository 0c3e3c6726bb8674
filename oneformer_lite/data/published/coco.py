"""COCO 2017 from its official addresses: pictures and panoptic annotations, and val2017 as a small data set.

Sizes and SHA-256 checksums are those of the files at images.cocodataset.org.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ...checks import only_known_names
from ...errors import ConfigError, DataError
from ...files import make_folder, path_of, replacing, write_json
from ..coco_json import read_content
from ..json_fields import ID, Entries
from .archive import flat, is_complete, open_archive, staged, unpack, unpack_folder
from .download import CONNECTIONS
from .jobs import Archive, Job, Store

# Plain http: the server's certificate is for another name. The checksums decide.
OFFICIAL = "http://images.cocodataset.org"
ANNOTATION_BYTES = 11_000  # roughly what the PNG and the share of the JSON of one picture take on a disk


@dataclass(frozen=True)
class Release:
    """What there is to fetch: for each split its archive and the number of its pictures."""

    pictures: dict[str, tuple[Archive, int]]
    annotations: Archive


VAL_ZIP = Archive(
    f"{OFFICIAL}/zips/val2017.zip", 815_585_330, "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05"
)
TRAIN_ZIP = Archive(
    f"{OFFICIAL}/zips/train2017.zip", 19_336_861_798, "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929"
)
PANOPTIC_ZIP = Archive(
    f"{OFFICIAL}/annotations/panoptic_annotations_trainval2017.zip",
    860_725_834,
    "c05f76d2129b6b561eb70efe16e7006df62f73fb92889132d373b9d90e31a370",
)
COCO_2017 = Release({"val2017": (VAL_ZIP, 5_000), "train2017": (TRAIN_ZIP, 118_287)}, PANOPTIC_ZIP)


@only_known_names
def download_coco(
    root: str | Path = "data/coco",
    only: str | None = None,
    archives: str | Path | None = None,
    mirror: str | None = None,
    connections: int = CONNECTIONS,
    release: Release = COCO_2017,
) -> None:
    """Fetch, verify and unpack COCO 2017 into ``root``; what is there already stays.

    ``only="val"`` (or ``"train"``) leaves the other split out; ``"val"`` also makes the two parts of
    :func:`split_val`. Archives that lie in the folder ``archives`` are used and kept, others are fetched and
    deleted once they are unpacked. ``mirror`` is another address under which the archives lie by name.

    What it needs in disk and time is printed beforehand; after an interruption the same call goes on.
    """
    root = path_of(root, "the folder of the data set")
    if only not in (None, "train", "val"):
        raise ConfigError(f"only must be 'train', 'val' or None for both, got {only!r}")
    counts = {split: n for split, (_, n) in release.pictures.items() if only is None or split.startswith(only)}
    store = Store(root, path_of(archives, "the folder of the archives") if archives else None, connections)
    jobs = _missing_annotations(root, release.annotations.at(mirror), counts)
    for split, count in counts.items():
        if not is_complete(root / split, count):
            archive = release.pictures[split][0].at(mirror)
            jobs.append(Job(archive, archive.size or 0, (split,)))  # JPEGs hardly shrink in a zip
    if jobs:
        store.announce(jobs)
    for job in jobs:
        path = store.get(job.archive)
        if job.archive.name == release.annotations.name:
            _unpack_annotations(path, root, {split: counts[split] for split in job.splits})
        else:
            (split,) = job.splits
            unpack_folder(path, root / split, flat(".jpg"), counts[split])
        store.finish(job.archive)
    if only == "val":
        split_val(root, *counts)


def _missing_annotations(root: Path, archive: Archive, counts: dict[str, int]) -> list[Job]:
    def there(split: str) -> bool:
        pngs = _png_folder(root, split)
        return is_complete(pngs, counts[split]) and pngs.with_suffix(".json").exists()

    wanted = tuple(split for split in counts if not there(split))
    return [Job(archive, ANNOTATION_BYTES * sum(map(counts.get, wanted)), wanted)] if wanted else []


def _png_folder(root: Path, split: str) -> Path:
    return root / "annotations" / f"panoptic_{split}"


def _unpack_annotations(path: Path, root: Path, counts: dict[str, int]) -> None:
    """The PNGs lie in an archive within the archive. The JSON comes last: where it is, all is."""
    make_folder(root / "annotations")
    with open_archive(path) as members:
        by_name = {member.name.rpartition("/")[2]: member for member in members}
        for split, count in counts.items():
            pngs = _png_folder(root, split)
            zip_name, json_name = f"{pngs.name}.zip", f"{pngs.name}.json"
            if not {zip_name, json_name} <= by_name.keys():
                raise DataError(f"{path} lacks {zip_name} or {json_name}: is it COCO's panoptic archive of 2017?")
            if not pngs.exists():
                with by_name[zip_name].open() as inner:
                    unpack_folder(inner, pngs, flat(".png"), count, zip_name)
            with replacing(pngs.with_suffix(".json")) as draft:
                unpack([by_name[json_name]], draft.parent, lambda _, name=draft.name: name, json_name)


# -- val2017 as a small data set of its own


def split_val(root: str | Path, split: str = "val2017") -> None:
    """Two parts of a split: ``<split>-test`` is every tenth picture by id, ``<split>-train`` is the rest.

    Of val2017's 5000 pictures, 500 and 4500. Each part is an annotation file of its own; its two folders are
    links to those of the whole, so that no picture is copied, and it opens and trains like any other split.
    """
    root = Path(root)
    whole = _png_folder(root, split)
    parts = {f"{split}-train": False, f"{split}-test": True}
    if all(_png_folder(root, part).with_suffix(".json").exists() for part in parts):
        return
    path = whole.with_suffix(".json")
    content = read_content(path)
    ids = Entries.of(path, content, "images").column("id", ID)
    owners = Entries.of(path, content, "annotations").column("image_id", ID)
    test = set(sorted(ids, key=lambda id: (isinstance(id, str), id))[9::10])
    for part, in_test in parts.items():
        _link(root / split, root / part)
        _link(whole, _png_folder(root, part))
        chosen = {
            "images": [image for id, image in zip(ids, content["images"]) if (id in test) == in_test],
            "annotations": [entry for id, entry in zip(owners, content["annotations"]) if (id in test) == in_test],
        }
        write_json(_png_folder(root, part).with_suffix(".json"), content | chosen)


def _link(folder: Path, link: Path) -> None:
    """Make ``link`` another name of ``folder``, or of each of its files where folders cannot be linked (Windows)."""
    if link.exists():
        return
    try:
        os.symlink(folder.name, link, target_is_directory=True)
    except OSError:
        with staged(link) as draft:
            shutil.copytree(folder, draft, copy_function=os.link, dirs_exist_ok=True)
