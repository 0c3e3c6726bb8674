"""One picture through a model with its trace, and where a place in the picture lies in a feature map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image as PILImage

from ..data.batch import DIVISOR, padded_size
from ..data.sample import Sample
from ..evaluating import evaluating
from ..inference import as_pixels, check_model, prepare
from ..model.output import Features, Predictions, Trace

if TYPE_CHECKING:
    from ..model import MaskModel

Size = tuple[int, int]


@dataclass(frozen=True)
class TracedPicture:
    """``image`` uint8 [H, W, 3] as given; ``input_size`` the height and width at which the model saw it, before
    padding to a ``multiple``; ``trace`` what it recorded, for a batch of this one picture."""

    image: np.ndarray
    input_size: Size
    trace: Trace
    multiple: int = DIVISOR

    @property
    def padded(self) -> Size:
        """Height and width of what the feature maps cover."""
        return padded_size([self.input_size], self.multiple)

    def cell(self, point: Size, stride: int) -> Size:
        """Row and column, in a map of this stride, of the position over a pixel (row, column) of the picture."""
        return tuple(
            int((place + 0.5) * seen / size / stride)
            for place, seen, size in zip(point, self.input_size, self.image.shape[:2])
        )

    def array(self, name: str) -> np.ndarray:
        """What was recorded under ``name``, for this picture, as float32 without the batch's axis."""
        return self.trace[name][0].float().cpu().numpy()


@dataclass(frozen=True)
class EncodedPicture:
    """What :meth:`MaskModel.encode` makes of a picture, whatever the task, and the size at which the model saw it,
    before padding and after."""

    features: Features
    input_size: Size
    padded: Size


@torch.inference_mode()
def encode_picture(model: MaskModel, image: np.ndarray) -> EncodedPicture:
    """The half of the model that knows no task, once for all of them. ``image`` uint8 [H, W, 3]."""
    images = prepare(image, model.config).to(model.device)[None]
    with evaluating(model):
        padded = model.padded(images)
        return EncodedPicture(model.encode(padded), tuple(images.shape[-2:]), tuple(padded.shape[-2:]))


@torch.inference_mode()
def trace_picture(
    model: MaskModel, image: Sample | PILImage.Image | str | Path | np.ndarray, task: str = "panoptic"
) -> TracedPicture:
    """Run ``model`` once, in evaluation mode, on a :class:`Sample` or anything that :func:`ofl.predict` takes."""
    check_model(model)
    pixels = as_pixels(image.image if isinstance(image, Sample) else image)
    with evaluating(model):
        tensor = prepare(pixels, model.config).to(next(model.parameters()).device)
        output = model(tensor[None], task, trace=True)
    return TracedPicture(pixels, tuple(tensor.shape[-2:]), output.trace, model.config.padding_multiple)


def whole(prediction: Predictions, queries: slice = slice(None)) -> Predictions:
    """With its masks multiplied out, in float32, in main memory; of all queries or of some."""
    boxes = None if prediction.boxes is None else prediction.boxes[:, queries].float().cpu()
    logits, masks = (
        values[:, queries].float().cpu() for values in (prediction.class_logits, prediction.mask_logits)
    )
    return Predictions(logits, masks, no_object=prediction.no_object, boxes=boxes)
