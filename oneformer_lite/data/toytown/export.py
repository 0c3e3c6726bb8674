"""Toytown on disk, in COCO's panoptic layout, written by several processes at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ...checks import only_known_names
from ...errors import ConfigError, DataError
from ...files import path_of
from ...json_reader import read_json
from ..panoptic_writing import save_panoptic_json, save_sample
from ..parallel import spread
from .dataset import Toytown, is_int

VERSION = 1  # raise it when the pictures change, so that older folders are written again


@only_known_names
def write_toytown(
    folder: str | Path,
    split: str,
    size: int | tuple[int, int] = 128,
    length: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    crowded: bool = False,
) -> Path:
    """Write a split as COCO would and return the path of its JSON.

    Pictures go to ``folder/<split>/``, ids to ``folder/annotations/panoptic_<split>/``, segments
    to ``folder/annotations/panoptic_<split>.json``. The JSON comes last and at once, so a stopped
    run can simply be repeated; if it is already there with the same parameters, nothing is done.
    ``workers`` processes paint (default: one per core); ``progress(done, total)`` is called as
    scenes are finished. A script without the usual ``if __name__ == "__main__":`` (each worker imports the main
    module) is painted for by its own process alone.
    """
    dataset = Toytown(split, size, length, seed, crowded=crowded)
    workers = os.cpu_count() or 1 if workers is None else workers
    if not is_int(workers) or workers < 1:
        raise ConfigError(f"workers must be a positive integer or None, not {workers!r}")
    folder = path_of(folder, "the folder to write to")
    json_path = folder / "annotations" / f"panoptic_{split}.json"
    parameters = describe(dataset)
    if is_written(json_path, parameters):
        if progress:
            progress(len(dataset), len(dataset))
        return json_path
    pictures, maps = folder / split, json_path.with_suffix("")
    try:
        json_path.unlink(missing_ok=True)  # what it says is no longer true while we write
        for path in (pictures, maps):
            path.mkdir(parents=True, exist_ok=True)
            remove_leftovers(path, dataset)
    except OSError as error:
        raise DataError(
            f"cannot prepare {folder} ({error.strerror}): choose a writable folder"
        ) from error
    entries = paint_all(dataset, pictures, maps, workers, progress)
    images, annotations = zip(*entries, strict=True)
    save_panoptic_json(json_path, images, annotations, dataset.categories, {"toytown": parameters})
    return json_path


def describe(dataset: Toytown) -> dict:
    """What decides the files' content; kept in the JSON under info.toytown."""
    town = {"crowded": True} if dataset.crowded else {}
    return town | {
        "version": VERSION,
        "split": dataset.split,
        "size": list(dataset.size),
        "length": len(dataset),
        "seed": int(dataset.seed),
    }


def is_written(json_path: Path, parameters: dict) -> bool:
    """Whether a complete data set with these parameters is there."""
    try:
        content = read_json(json_path, max_bytes=None, strict=False)
        return content["info"]["toytown"] == parameters
    except (DataError, KeyError, TypeError):
        return False


def remove_leftovers(folder: Path, dataset: Toytown) -> None:
    """Delete numbered files of an earlier, longer split."""
    for path in folder.iterdir():
        if path.stem.isdecimal() and len(path.stem) == 12 and int(path.stem) > len(dataset):
            path.unlink()


def paint_all(dataset: Toytown, pictures: Path, maps: Path, workers: int,
              progress: Callable[[int, int], None] | None) -> list[tuple[dict, dict]]:  # fmt: skip
    """Write all scenes; returns their entries for ``images`` and ``annotations``, in order."""
    jobs = [(dataset, index, pictures, maps) for index in range(len(dataset))]
    entries: list[tuple[dict, dict]] = []
    for entry in spread(write_one, jobs, workers):
        entries.append(entry)
        if progress:
            progress(len(entries), len(jobs))
    return entries


def write_one(job: tuple[Toytown, int, Path, Path]) -> tuple[dict, dict]:
    """Paint and save one scene (runs in a worker process)."""
    dataset, index, pictures, maps = job
    sample = dataset[index]
    stem = f"{sample.image_id:012d}"
    return save_sample(sample, pictures / f"{stem}.jpg", maps / f"{stem}.png")
