"""What the findings are about, as pictures: samples beside their annotation and prediction, and the course of a run.

They are painted when somebody looks (:meth:`Diagnosis.to_html`, a notebook), not for a table of words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ..data.image import image_from_bytes
from ..data.sample import Sample
from ..dataset_checks.findings import Finding
from ..errors import ConfigError, OneFormerLiteError
from ..files import open_own
from ..inference import predict
from ..model import MaskModel
from ..training.pictures import find_pictures, reduced

SHOWN, SIDE = 4, 288  # samples of a sheet, and the longer side of each in pixels


def with_samples(check: Callable[[Sequence[Sample]], Finding], samples: Sequence[Sample], always=False) -> Finding:
    """What ``check`` finds in the samples, with a picture of those concerned unless all is well; or ``always``."""
    finding = check(samples)
    if finding.picture is not None or (finding.verdict == "fine" and not always):
        return finding
    return replace(finding, picture=partial(_of_concerned, check, samples, finding.verdict))


def with_predictions(finding: Finding, model: MaskModel, samples: Sequence[Sample]) -> Finding:
    """The finding with what the model sees in some of the samples, unless it can answer nothing yet."""
    try:
        model.config.check_answers(model.config.learned_tasks[0])
    except ConfigError:
        return finding
    return replace(finding, picture=partial(_predictions, model, samples[:SHOWN]))


def with_curves(finding: Finding, history: Sequence[dict]) -> Finding:
    """The finding with the losses over the steps."""
    return replace(finding, picture=partial(_curves, history))


def with_newest(finding: Finding, folder: Path) -> Finding:
    """The finding with the newest picture in a run's folder, if one can be read."""
    try:
        with open_own(list(find_pictures(folder).values())[-1]) as file:
            picture = image_from_bytes(file.read(), file.name)
            return replace(finding, picture=np.asarray(picture.convert("RGB")))
    except (IndexError, OSError, OneFormerLiteError):
        return finding


def _of_concerned(check: Callable[[Sequence[Sample]], Finding], samples: Sequence[Sample], verdict: str) -> np.ndarray:
    """The samples for which ``check`` alone comes to the verdict; where it takes several of them, the first."""
    chosen = [sample for sample in samples if check([sample]).verdict == verdict][:SHOWN] or samples[:SHOWN]
    pairs = [[_picture(sample), _annotation(sample)] for sample in chosen]
    return _sheet(["picture", "annotation"], pairs, chosen)


def _predictions(model: MaskModel, samples: Sequence[Sample]) -> np.ndarray:
    from ..render import render_prediction

    pairs = []
    for sample in samples:
        task, step, scale = model.config.answers(sample.tasks)[0], *_scales(sample)
        found = reduced(predict(model, sample.image, task), step)
        pairs.append([_annotation(sample), render_prediction(found.image, found, found.categories, scale)])
    return _sheet(["annotation", "prediction"], pairs, samples)


def _sheet(titles: list[str], pairs: list[list[np.ndarray | None]], samples: Sequence[Sample]) -> np.ndarray:
    """Two pictures of each sample beside each other, and two samples in a row."""
    from ..render import contact_sheet

    rows = [[picture for pair in pairs[i : i + 2] for picture in pair] for i in range(0, len(pairs), 2)]
    ids = [", ".join(str(sample.image_id) for sample in samples[i : i + 2]) for i in range(0, len(pairs), 2)]
    return contact_sheet(rows, titles * min(2, len(pairs)), ids)


def _curves(history: Sequence[dict]) -> np.ndarray:
    from ..render import loss_curves

    drawn = image_from_bytes(loss_curves(history), "the curves").convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB"))


def _scales(sample: Sample) -> tuple[int, int]:
    """Every how many pixels, and how much enlarged, a sample is shown."""
    longer = max(sample.image.shape[:2])
    return math.ceil(longer / SIDE), max(1, SIDE // longer)


def _picture(sample: Sample) -> np.ndarray:
    """The picture; of one that is no uint8 [H, W, 3], its first channel as far as it can be shown."""
    from ..render import enlarge

    image, (step, scale) = sample.image, _scales(sample)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        grey = np.nan_to_num(image if image.ndim == 2 else image.reshape(*image.shape[:2], -1)[..., 0])
        image = (grey * (255 if grey.max() <= 1 else 1)).clip(0, 255).astype(np.uint8)
        image = np.repeat(image[..., None], 3, axis=2)
    return enlarge(np.asarray(Image.fromarray(image).reduce(step)), scale)


def _annotation(sample: Sample) -> np.ndarray | None:
    """Segments in their classes' colours; None where they cannot be painted, which is a finding of its own."""
    from ..render import render_truth

    step, scale = _scales(sample)
    try:
        return render_truth(reduced(sample, step), sample.tasks[0], scale)
    except (OneFormerLiteError, IndexError, ValueError, TypeError):
        return None
