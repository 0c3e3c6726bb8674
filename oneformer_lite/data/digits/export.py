"""Scattered digits on disk, in the layout of COCO's instance files."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ...checks import only_known_names
from ...errors import ConfigError, DataError
from ...files import make_folder, path_of
from ...json_reader import read_json
from ..instance_writing import write_instances
from ..sample import Sample
from .dataset import Digits

VERSION = 1  # raise it when the pictures change, so that older folders are written again


@only_known_names
def write_digits(
    folder: str | Path, dataset: Digits, *, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write a split as COCO would and return the path of its JSON.

    Pictures go to ``folder/<split>/`` as PNG, which changes no pixel; run-length codes of the whole masks to
    ``folder/annotations/instances_<split>.json``, which comes last: a stopped run can simply be repeated. If it is
    there already with the same scenes, nothing is done. ``ofl.data.open(folder, split)`` reads them back.
    ``progress(done, total)`` is called as scenes are finished.
    """
    if not isinstance(dataset, Digits):
        raise ConfigError(f"expected digits, such as ofl.data.Digits('train'), got {reprlib.repr(dataset)}")
    folder = path_of(folder, "the folder to write to")
    json_path = folder / "annotations" / f"instances_{dataset.split}.json"
    parameters = {"version": VERSION, "length": len(dataset), **dataset.parameters}
    if not _is_written(json_path, parameters):
        make_folder(json_path.parent)
        json_path.unlink(missing_ok=True)  # what it says is no longer true while we write
        samples = _told(dataset, progress)
        write_instances(folder / dataset.split, json_path, samples, {"digits": parameters})
    elif progress:
        progress(len(dataset), len(dataset))
    return json_path


def _told(dataset: Digits, progress: Callable[[int, int], None] | None) -> Iterator[Sample]:
    for index in range(len(dataset)):
        yield dataset[index]
        if progress:
            progress(index + 1, len(dataset))


def _is_written(json_path: Path, parameters: dict) -> bool:
    """Whether a complete data set with these parameters is there."""
    try:
        content = read_json(json_path, max_bytes=None, strict=False)
        return content["info"]["digits"] == parameters
    except (DataError, KeyError, TypeError):
        return False
