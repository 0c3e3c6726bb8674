"""From queries to segments: the three post-processings of the official code, and ``predict``.

Lesson 11. Official ``oneformer_model.py`` (``semantic_inference``, ``panoptic_inference``,
``instance_inference``). Masks are enlarged to the input size, the padding is cut off, the rest is
resized to the wanted size: all on logits, before any sigmoid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from .config import ModelConfig
from .data.batch import normalise
from .data.equalize import equalized
from .data.image import read_image, write_image
from .data.sample import Category, check_task
from .errors import ConfigError
from .merging import compete, count_pixels, settle, surest_classes
from .mode import evaluating

if TYPE_CHECKING:
    from .model import OneFormer

Size = tuple[int, int]


@dataclass(frozen=True)
class Segment:
    """One found segment; ``id`` is its number in the segment map, ``area`` its pixels.

    ``score``, 0 to 1, is for panoptic segments the class probability (of the surest query, where stuff was merged),
    for instances that times the mean mask probability inside the mask, as in the official code. For semantic
    segments, to which that gives none, it is the class's share of all class scores, averaged over its pixels.
    """

    id: int
    class_id: int
    class_name: str
    score: float
    is_thing: bool
    area: int


@dataclass
class Prediction:
    """What the model says of one picture under one task. Lesson 15.

    panoptic: ``segment_map`` int32 [H, W], 0 = void. semantic: ``label_map`` int64 [H, W].
    instance: ``masks`` bool [n, H, W] with ``scores`` and ``class_ids`` [n]. ``segments`` lists what
    was found in every case. Fields of other tasks are ``None``.
    """

    task: str
    image: np.ndarray = field(repr=False)
    segments: list[Segment]
    categories: tuple[Category, ...] = field(repr=False)
    segment_map: np.ndarray | None = field(default=None, repr=False)
    label_map: np.ndarray | None = field(default=None, repr=False)
    masks: np.ndarray | None = field(default=None, repr=False)

    @property
    def scores(self) -> np.ndarray:
        return np.array([s.score for s in self.segments], dtype=np.float64)

    @property
    def class_ids(self) -> np.ndarray:
        return np.array([s.class_id for s in self.segments], dtype=np.int64)

    def render(self) -> np.ndarray:
        """uint8 [H', W', 3]: the picture with its segments in colour."""
        from .render import render_prediction

        return render_prediction(self.image, self, self.categories)

    def show(self) -> Image.Image:
        """The rendered picture as a PIL image, which a notebook displays."""
        return Image.fromarray(self.render())

    def save(self, path: str | Path) -> Path:
        """Write the rendered picture, small ones enlarged; the file name's ending chooses the format.

        Raises :class:`DataError` where that is not possible.
        """
        write_image(path, self.render())
        return Path(path)

    def _repr_png_(self) -> bytes:
        from .render import png_bytes

        return png_bytes(self.render())


@dataclass
class RawPrediction:
    """The logits of one image at its final size: ``class_logits`` [Q, K+1], ``mask_logits`` [Q, h, w]
    at a quarter of the padded input, and the sizes between which masks are resized. Lesson 11."""

    class_logits: Tensor
    mask_logits: Tensor
    padded: Size
    unpadded: Size
    output: Size

    def masks(self, queries: Tensor | slice = slice(None)) -> Float[Tensor, "Q H W"]:
        """Full-size mask logits of some queries: enlarge, cut the padding, resize."""
        logits = _resize(self.mask_logits[queries].float(), self.padded)
        logits = logits[:, : self.unpadded[0], : self.unpadded[1]]
        return _resize(logits, self.output)


def _resize(maps: Float[Tensor, "N H W"], size: Size) -> Float[Tensor, "N H2 W2"]:
    if maps.shape[-2:] == size or not len(maps):
        return maps if len(maps) else maps.new_zeros(0, *size)
    return F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]


def semantic_inference(raw: RawPrediction) -> Float[Tensor, "K H W"]:
    """Class scores of every pixel: class probability times mask probability, summed over queries. Lesson 11."""
    classes = raw.class_logits.float().softmax(-1)[:, :-1]
    return torch.einsum("qk,qhw->khw", classes, raw.masks().sigmoid())


def panoptic_inference(
    raw: RawPrediction, is_thing: tuple[bool, ...], object_threshold: float, overlap_threshold: float
) -> tuple[Tensor, list[tuple[int, int, float]]]:
    """Segment map int32 [H, W] and (id, class id, score) of each segment.

    Queries surer than ``object_threshold`` compete for each pixel with score times mask probability. A query that
    keeps less than ``overlap_threshold`` of its own mask is dropped; stuff of one class becomes one segment
    (``merging.py`` has the rule). Lesson 11.
    """
    scores, labels = surest_classes(raw.class_logits)
    keep = (labels != raw.class_logits.shape[-1] - 1) & (scores > object_threshold)
    if not keep.any():
        return torch.zeros(raw.output, dtype=torch.int32, device=scores.device), []
    scores, labels, masks = scores[keep], labels[keep], raw.masks(keep).sigmoid()
    winner, visible, areas = compete(scores, masks)
    fates, segments = settle(labels.tolist(), scores.tolist(), areas, is_thing, overlap_threshold)
    ids = torch.tensor([fate.segment for fate in fates], dtype=torch.int32, device=winner.device)
    return ids[winner] * visible, segments


def instance_inference(
    raw: RawPrediction, is_thing: tuple[bool, ...], min_score: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks bool [n, H, W], class ids [n], scores [n]: the best Q (query, class) pairs that are things.

    The score is the class probability times the mean probability inside the mask. ``min_score`` drops
    the long tail that only the AP curve needs. Lesson 11.
    """
    probability = raw.class_logits.float().softmax(-1)[:, :-1]
    queries, classes = probability.shape
    scores, pairs = probability.flatten().topk(queries, sorted=False)
    query, label = pairs // classes, pairs % classes
    keep = torch.tensor(is_thing, device=label.device)[label] & (scores >= min_score)
    scores, query, label = scores[keep], query[keep], label[keep]
    used, row = query.unique(return_inverse=True)  # a query may win with several classes
    logits = raw.masks(used)
    masks = logits > 0
    scores = scores * mean_inside(logits, masks)[row]
    keep = (scores > min_score) if min_score > 0 else torch.ones_like(scores, dtype=torch.bool)
    return masks[row[keep]], label[keep], scores[keep]


def mean_inside(logits: Float[Tensor, "N H W"], masks: Bool[Tensor, "N H W"]) -> Float[Tensor, "N"]:
    """The mean probability of each mask over the pixels that it holds; 0 without any."""
    return (logits.sigmoid() * masks).flatten(1).sum(1) / (count_pixels(masks) + 1e-6)


def prepare(image: np.ndarray, config: ModelConfig) -> Float[Tensor, "3 H W"]:
    """A picture at inference size, normalised; resized as in training, anti-aliased, equalised where that was."""
    if config.equalize:
        image = equalized(image)
    size = config.inference_size(*image.shape[:2])
    if size != image.shape[:2]:
        image = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
    return normalise(image)


def read_prediction(
    raw: RawPrediction,
    task: str,
    image: np.ndarray,
    config: ModelConfig,
    categories: tuple[Category, ...],
    min_score: float = 0.0,
) -> Prediction:
    """Post-process one image for ``task``. Which class is a thing is the categories' business."""
    things = tuple(c.is_thing for c in categories)

    def segment(id_: int, class_id: int, score: float, area: int) -> Segment:
        category = categories[class_id]
        return Segment(id_, class_id, category.name, float(score), category.is_thing, int(area))

    if task == "panoptic":
        segment_map, found = panoptic_inference(
            raw, things, config.object_mask_threshold, config.overlap_threshold
        )
        areas = torch.bincount(segment_map.flatten(), minlength=len(found) + 1).tolist()
        segments = [segment(id_, class_id, score, areas[id_]) for id_, class_id, score in found]
        return Prediction(task, image, segments, categories, segment_map=segment_map.cpu().numpy())
    if task == "instance":
        masks, labels, scores = instance_inference(raw, things, min_score)
        order = scores.argsort(descending=True)
        masks = masks[order].cpu().numpy()
        rows = zip(labels[order].tolist(), scores[order].tolist(), masks.sum((1, 2)))
        segments = [segment(i, *row) for i, row in enumerate(rows, start=1)]
        return Prediction(task, image, segments, categories, masks=masks)
    scores = semantic_inference(raw)
    best, labels = scores.max(0)
    share = best / scores.sum(0).clamp_min(torch.finfo(scores.dtype).tiny)  # scores themselves may exceed 1
    present = labels.unique().tolist()
    regions = [labels == class_id for class_id in present]
    segments = [
        segment(i, class_id, share[region].mean(), region.sum())
        for i, (class_id, region) in enumerate(zip(present, regions), start=1)
    ]
    return Prediction(task, image, segments, categories, label_map=labels.cpu().numpy())


def raw_predictions(output, sizes: list[Size], output_sizes: list[Size]) -> list[RawPrediction]:
    """Split a batch's output into images: ``sizes`` before padding, ``output_sizes`` as wanted."""
    h, w = output.mask_logits.shape[-2:]
    return [
        RawPrediction(output.class_logits[b], output.mask_logits[b], (4 * h, 4 * w), size, wanted)
        for b, (size, wanted) in enumerate(zip(sizes, output_sizes, strict=True))
    ]


@torch.inference_mode()
def predict(
    model: OneFormer, image: Image.Image | str | Path | np.ndarray, task: str, min_score: float = 0.5
) -> Prediction:
    """Segment one picture for one task, at the picture's own size.

    ``image``: a path, a PIL image, or uint8 [H, W, 3]. ``min_score`` only concerns the instance task:
    instances below it are left out.
    """
    pixels, raw = predict_raw(model, image, task)
    return read_prediction(raw, task, pixels, model.config, model.config.categories, min_score)


@torch.inference_mode()
def predict_raw(
    model: OneFormer, image: Image.Image | str | Path | np.ndarray, task: str
) -> tuple[np.ndarray, RawPrediction]:
    """The picture, uint8 [H, W, 3], and its logits, which :func:`predict` post-processes."""
    check_task(task)
    check_model(model)
    pixels = as_pixels(image)
    tensor = prepare(pixels, model.config).to(next(model.parameters()).device)
    with evaluating(model):
        output = model(tensor[None], task)
    return pixels, raw_predictions(output, [tuple(tensor.shape[-2:])], [pixels.shape[:2]])[0]


def check_model(model: OneFormer) -> None:
    """Raises :class:`ConfigError` where a name, a folder or something else was given instead of the model."""
    if isinstance(model, (str, Path)):
        raise ConfigError(
            f'expected a model, got the name {str(model)!r}: ofl.from_pretrained("{model}") loads it'
        )
    if not isinstance(model, torch.nn.Module):
        raise ConfigError(f"expected a model first, got a {type(model).__name__}")


def as_pixels(image: Image.Image | str | Path | np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] of whatever :func:`predict` takes. Raises :class:`ValueError` for anything else."""
    if isinstance(image, (str, Path)):
        return read_image(image)
    pixels = np.asarray(image.convert("RGB") if isinstance(image, Image.Image) else image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3 or not pixels.size:
        raise ValueError(
            f"expected one picture, as a path, a PIL image or a uint8 array [H, W, 3] of raw pixels; got "
            f"{type(image).__name__} of {pixels.dtype} {list(pixels.shape)}"
        )
    return pixels
