"""A picture in, its segments out: ``predict``, and what stands around the model for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from PIL import Image

from ..checks import check_share, only_known_names
from ..data.grey import stretched
from ..data.image import loaded, read_image, to_rgb
from ..data.orientation import upright
from ..data.sample import check_task
from ..errors import ConfigError
from .ensemble import Ensemble, answers_of
from .large import grid_for, in_windows
from .naming import read_prediction
from .prediction import Prediction
from .raw import RawPrediction
from .reading import one_pass

if TYPE_CHECKING:
    from ..model import MaskModel

Picture = Image.Image | str | Path | np.ndarray
MIN_SCORE = {"instance": 0.5}  # of what is shown; AP needs the long tail as well


@overload
def predict(
    model: MaskModel | Ensemble,
    image: Picture,
    task: str,
    min_score: float | None = None,
    *,
    windows: bool | int = False,
) -> Prediction: ...
@overload
def predict(
    model: MaskModel | Ensemble,
    image: Sequence[Picture],
    task: str,
    min_score: float | None = None,
    *,
    windows: bool | int = False,
) -> list[Prediction]: ...
@only_known_names
@torch.inference_mode()
def predict(model, image, task, min_score=None, *, windows=False):
    """Segment one picture for one task, at the picture's own size; or a list of pictures, one after the other.

    ``image``: a path or a PIL image, which is turned as its EXIF orientation says; uint8 [H, W, 3]; or grey [H, W],
    stretched if it has more than eight bits (:func:`~oneformer_lite.data.grey.stretched`). Instances whose score is
    below ``min_score``, 0..1 (0.5 unless given), are left out; panoptic segments too, if it is given and above the
    configuration's ``object_mask_threshold``. In the semantic task, where every pixel gets a class, it has no effect.

    ``windows`` is for pictures much larger than those that the model was trained on, which it would shrink: it then
    looks at parts of them, of so many pixels a side (from 32 on), or (True) of as many as it looks at otherwise, one to
    one, which overlap by a quarter, and what it says of them is joined (:mod:`~.large`). With
    ``config.objects_across``, True means a side that fits the picture's objects, which a few looks at its middle
    measure. A picture that one window holds is looked at as without. ``model`` may be an :class:`Ensemble` of several
    models or views.

    Raises :class:`DataError` for files that are no pictures, :class:`ConfigError` for other arguments that are wrong,
    and for a task that the model has no answer for (``model.config.answered_tasks``).
    """
    check_task(task)
    least = MIN_SCORE.get(task, 0.0) if min_score is None else min_score
    check_share("min_score", least)
    check_model(model)
    model.config.check_answers(task)
    if isinstance(image, (list, tuple)):
        return [predict(model, one, task, min_score, windows=windows) for one in image]
    pixels = as_pixels(image)
    if grid := grid_for(model, pixels, windows):
        return in_windows(model, pixels, task, grid, model.config.categories, least, bar=True)
    (raw,) = answers_of(model, [pixels], task)
    return read_prediction(raw, task, pixels, model.config, model.config.categories, least)


@torch.inference_mode()
def predict_raw(model: MaskModel | Ensemble, image: Picture, task: str) -> tuple[np.ndarray, RawPrediction]:
    """The picture, uint8 [H, W, 3], and its logits, which :func:`predict` post-processes."""
    check_task(task)
    check_model(model)
    pixels = as_pixels(image)
    if isinstance(model, Ensemble):
        return pixels, model.answer(pixels, task, masks=True)
    return pixels, one_pass(model, [pixels], task)[0]


def check_model(model: MaskModel) -> None:
    """Raises :class:`ConfigError` where a name, a folder or something else was given instead of the model."""
    if isinstance(model, (str, Path)):
        raise ConfigError(f'expected a model, got the name {str(model)!r}: ofl.from_pretrained("{model}") loads it')
    if not isinstance(model, torch.nn.Module):
        raise ConfigError(f"expected a model first, got a {type(model).__name__}")


def as_pixels(image: Picture) -> np.ndarray:
    """uint8 [H, W, 3] of whatever :func:`predict` takes. Raises :class:`ConfigError` for anything else."""
    if isinstance(image, (str, Path)):
        return read_image(image)
    if isinstance(image, Image.Image):
        return to_rgb(upright(loaded(image, "the picture")))
    pixels = np.asarray(image)
    if pixels.ndim == 2 and pixels.size and pixels.dtype.kind in "uif":
        grey = pixels if pixels.dtype == np.uint8 else stretched(pixels)
        return np.repeat(grey[..., None], 3, axis=2)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3 or not pixels.size:
        raise ConfigError(
            "expected one picture, as a path, a PIL image, a grey array [H, W] or a uint8 array [H, W, 3] of raw "
            f"pixels; got {type(image).__name__} of {pixels.dtype} {list(pixels.shape)}{_cure(image, pixels)}"
        )
    return pixels


def _cure(image: object, pixels: np.ndarray) -> str:
    """What makes a picture of an array that is none yet; empty where that is not clear."""
    if pixels.ndim == 0:
        return _cure_of_no_array(image)
    if pixels.dtype.kind not in "buif" or not pixels.size:
        return ""
    if pixels.ndim == 4:
        return ": that is a batch, so give its pictures one by one, list(images)"
    steps = [*_channel_steps(pixels.shape), *_value_steps(pixels)]
    return f": {'; '.join(steps)}" if steps else ""


def _cure_of_no_array(image: object) -> str:
    if isinstance(image, Number):
        return ": numbers in nested lists are made an array by np.array(image, np.uint8)"
    if isinstance(image, (bytes, bytearray)):
        return ": Image.open(io.BytesIO(content)) opens the content of a file, os.fsdecode(path) makes text of a path"
    if hasattr(image, "read"):
        return ": Image.open(file) opens it"
    return ": several pictures are given as a list, list(images)" if isinstance(image, Iterable) else ""


def _channel_steps(shape: tuple[int, ...]) -> list[str]:
    if len(shape) != 3:
        return []
    steps = []
    if shape[-1] > 4 and shape[0] <= 4:
        steps.append("put the channels last, np.moveaxis(image, 0, -1)")
        shape = (*shape[1:], shape[0])
    if shape[-1] != 3:
        grey, others = "image[..., 0] is grey", "image[..., [0, 1, 2]] takes three, if these are red, green and blue"
        steps.append({1: grey, 2: grey, 4: "image[..., :3] leaves out the transparency"}.get(shape[-1], others))
    return steps


def _value_steps(pixels: np.ndarray) -> list[str]:
    if pixels.dtype == np.uint8:
        return []
    if pixels.dtype == bool:
        return ["image * np.uint8(255) makes bytes of true and false"]
    if not np.isfinite(pixels).all():
        return ["it holds NaN or infinite values: replace these first, np.nan_to_num(image)"]
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind == "f" and 0 <= low and high <= 1:
        return ["(image * 255).round().astype(np.uint8) makes bytes of 0 to 1"]
    if 0 <= low and high <= 255:
        return ["image.round().astype(np.uint8) makes bytes of 0 to 255"]
    return ["scale the values to 0 to 255, without normalisation, and make them np.uint8"]
