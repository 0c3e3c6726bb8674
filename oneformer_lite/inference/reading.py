"""The model's raw answer to pictures: prepared, padded, asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..config import BaseConfig
from ..data.batch import normalise, pad_to, padded_size
from ..data.tones import toned
from ..evaluating import evaluating
from .raw import RawPrediction, Size, raw_predictions
from .windows import WindowedPrediction, predict_windows

if TYPE_CHECKING:
    from ..model import MaskModel


def prepare(
    image: np.ndarray, config: BaseConfig, size: Size | None = None, part: bool = False
) -> Float[Tensor, "3 H W"]:
    """A picture at inference size (or ``size``), normalised; resized as in training, anti-aliased, equalised or
    stretched where that was. The ``part`` of a picture comes with the tones of the whole of it."""
    image = image if part else toned(image, config)
    size = size or config.inference_size(*image.shape[:2])
    if size != image.shape[:2]:
        image = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
    return normalise(image)


def input_size(config: BaseConfig, shape: Size, window: int | None = None, scale: float = 1.0) -> Size:
    """Height and width at which the model looks at a picture, or part of one, of ``shape``: ``scale`` times its own; in
    a large picture that is seen through windows of ``window`` pixels a side, as if such a window were the picture."""
    if window is None:
        sides = config.inference_size(*shape)
    else:
        factor = config.inference_size(window, window)[0] / window
        sides = round(factor * shape[0]), round(factor * shape[1])
    return max(1, round(scale * sides[0])), max(1, round(scale * sides[1]))


def raw_answers(
    model: MaskModel, pictures: Sequence[np.ndarray], task: str, window: int | None = None, scale: float = 1.0
) -> Sequence[RawPrediction | WindowedPrediction]:
    """What the model says of pictures, uint8 [H, W, 3], that have one size once they are resized (:func:`input_size`)
    and padded: of each as if it were alone."""
    if task == "semantic" and model.config.windowed:
        return [predict_windows(model, picture, part=window is not None) for picture in pictures]
    return one_pass(model, pictures, task, window, scale)


@torch.inference_mode()
def one_pass(
    model: MaskModel, pictures: Sequence[np.ndarray], task: str, window: int | None = None, scale: float = 1.0
) -> list[RawPrediction]:
    """:func:`raw_answers` of a model that looks at each picture as a whole."""
    config = model.config
    images = [prepare(p, config, input_size(config, p.shape[:2], window, scale), window is not None) for p in pictures]
    batch = torch.cat([_padded(model, image[None]) for image in images])
    with evaluating(model):
        output = model(batch.to(next(model.parameters()).device), task)
    sizes = [tuple(image.shape[-2:]) for image in images]
    wanted, padded = [p.shape[:2] for p in pictures], tuple(batch.shape[-2:])
    return raw_predictions(output, sizes, wanted, padded, config.sharpened_by)


def _padded(model: MaskModel, image: Tensor) -> Tensor:
    """As the model takes it; a stand-in for a model, which has a configuration and an answer alone, gets zeros."""
    if hasattr(model, "padded"):
        return model.padded(image)
    return pad_to(image, padded_size([tuple(image.shape[-2:])], model.config.padding_multiple))
