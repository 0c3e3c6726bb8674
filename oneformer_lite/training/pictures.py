"""Pictures of a run's progress: the same few held-out images at every evaluation, as each task sees them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..data.dataset import SegmentationDataset
from ..data.sample import Sample
from ..data.unreadable import read
from ..errors import DataError
from ..files import replacing
from ..inference import predict
from ..model import MaskModel

PICTURES = "pictures"
IMAGES, SIDE = 3, 320  # how many images, and the longer side in pixels
MOST = 40  # files of a run; then every second one goes, as a long run's first days need not be dense


def write_pictures(model: MaskModel, dataset: SegmentationDataset, folder: Path, step: int) -> Path:
    """Write ``{folder}/pictures/step_0001600.webp``, whole or not at all: annotation and predictions of the first
    images of ``dataset``. Raises :class:`DataError` where it cannot be written."""
    from ..render import prediction_sheet, render_prediction, render_truth

    tasks = model.config.answers(dataset.tasks)
    rows = []
    for index in range(min(IMAGES, len(dataset))):
        sample = read(dataset, index)
        step_over, scale = math.ceil(max(sample.size) / SIDE), max(1, SIDE // max(sample.size))
        row = [render_truth(reduced(sample, step_over), tasks[0], scale)]
        for task in tasks:
            prediction = reduced(predict(model, sample.image, task), step_over)
            row.append(render_prediction(prediction.image, prediction, prediction.categories, scale))
        rows.append(row)
    path = folder / PICTURES / f"step_{step:07d}.webp"
    with replacing(path) as draft:
        draft.write_bytes(prediction_sheet(rows, ["annotation", *tasks]))
    _thin(folder)
    return path


def try_pictures(samples: Sequence[Sample], tasks: Sequence[str], folder: Path) -> None:
    """Paint annotations as :func:`write_pictures` will, without writing them; raises :class:`DataError` if it fails."""
    from ..render import prediction_sheet, render_truth

    _check_writable(folder)
    try:
        shown = [reduced(sample, math.ceil(max(sample.size) / SIDE)) for sample in samples[:IMAGES]]
        prediction_sheet([[render_truth(sample, task, 1) for task in tasks] for sample in shown], tasks)
    except Exception as error:
        ids = ", ".join(str(sample.image_id) for sample in samples[:IMAGES])
        raise DataError(
            f"validation pictures {ids} cannot be painted ({type(error).__name__}: {error}): look at their image, "
            "segments and categories"
        ) from error


def _check_writable(folder: Path) -> None:
    """Raises :class:`DataError` where ``folder`` exists and takes no pictures; nothing is made, a plan looks too."""
    pictures = folder / PICTURES
    place = pictures if os.path.lexists(pictures) else folder
    if folder.is_dir() and not (place.is_dir() and os.access(place, os.W_OK)):
        why = "it is no folder" if not place.is_dir() else "permission denied"
        raise DataError(f"the folder {pictures} cannot be written ({why}): remove it, or choose another out folder")


def find_pictures(folder: str | Path) -> dict[int, Path]:
    """Step -> file, in the order of the steps; links out of the folder, which may be a stranger's, are none."""
    inside = (Path(folder) / PICTURES).resolve()
    if inside.parent != Path(folder).resolve():
        return {}
    paths = [p for p in sorted(inside.glob("step_*.webp")) if p.is_file() and p.resolve().parent == inside]
    return {int(match[1]): path for path in paths if (match := re.fullmatch(r"step_(\d{1,15})", path.stem, re.ASCII))}


def cut_pictures(folder: Path, step: int) -> None:
    """Remove those of steps after ``step``, which a resumed run will do again."""
    for shown, path in find_pictures(folder).items():
        if shown > step:
            path.unlink(missing_ok=True)


def _thin(folder: Path) -> None:
    paths = list(find_pictures(folder).values())
    if len(paths) > MOST:
        for path in paths[1:-1:2]:
            path.unlink(missing_ok=True)


def reduced(item, step_over: int):
    """A sample or prediction at every ``step_over``-th pixel, so that names are written at the size shown."""
    maps = {name: getattr(item, name, None) for name in ("segment_map", "label_map", "masks")}
    maps = {name: map_[..., ::step_over, ::step_over] for name, map_ in maps.items() if map_ is not None}
    return replace(item, image=np.asarray(Image.fromarray(item.image).reduce(step_over)), **maps)
