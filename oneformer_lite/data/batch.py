"""From samples to what the model eats: normalised, padded image batches with their targets.

Images of the whole package are normalised with the ImageNet mean and standard deviation, as in the
official code; a backbone trained with other statistics converts on its own (``model/networks/backbone.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .sample import Sample
from .targets import Targets, targets_for

# ImageNet statistics of RGB values in 0..255 (official configs: MODEL.PIXEL_MEAN, PIXEL_STD)
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)
DIVISOR = 32  # the coarsest feature map has stride 32


@dataclass
class Batch:
    """``images`` float [B, 3, H, W] normalised, zero-padded bottom and right to multiples of 32;
    ``tasks``, ``targets`` and ``texts`` (one list of sentences per image, not yet padded) have B
    entries. Target masks are padded like the images."""

    images: Tensor
    tasks: list[str]
    targets: list[Targets]
    texts: list[list[str]]
    sizes: list[tuple[int, int]]  # height and width of each image before padding
    image_ids: list[int]

    def to(self, device: torch.device | str) -> Batch:
        """The batch with all its tensors on ``device``; copies to a GPU are asynchronous."""
        to_gpu = torch.device(device).type == "cuda"  # the way back must be: what arrives is read at once
        return self._with_tensors(lambda tensor: tensor.to(device, non_blocking=to_gpu))

    def pin_memory(self) -> Batch:
        """The batch in memory that a GPU reads by itself: a ``DataLoader`` with ``pin_memory=True`` calls this."""
        return self._with_tensors(Tensor.pin_memory)

    def _with_tensors(self, change: Callable[[Tensor], Tensor]) -> Batch:
        targets = [replace(t, masks=change(t.masks), labels=change(t.labels)) for t in self.targets]
        return replace(self, images=change(self.images), targets=targets)


def normalise(image: np.ndarray) -> Tensor:
    """uint8 [H, W, 3] RGB -> float32 [3, H, W] with zero mean and unit variance over ImageNet. Lesson 01."""
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
        came = list(image.shape) if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
        raise ValueError(f"expected a picture as uint8 [H, W, 3], got {came}: ofl.data.read_image reads one")
    return normalised_batch([image], image.shape[:2])[0]


def normalised_batch(images: Sequence[np.ndarray], size: tuple[int, int]) -> Tensor:
    """float32 [B, 3, H, W]: uint8 [h, w, 3] pictures normalised, zero-padded bottom and right to ``size``.

    In place: at 1024 x 1024, normalising, padding and stacking one after the other took half of a data worker's time.
    """
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (PIXEL_MEAN, PIXEL_STD))
    # from numpy, which asks the kernel for huge pages: torch's own allocation takes four times as long
    batch = torch.from_numpy(np.empty((len(images), 3, *size), np.float32)).zero_()
    for place, image in zip(batch, images):
        region = place[:, : image.shape[0], : image.shape[1]]
        region.copy_(torch.from_numpy(image.copy()).permute(2, 0, 1)).sub_(mean).div_(std)
    return batch


def padded_size(sizes: Sequence[tuple[int, int]], multiple: int = DIVISOR) -> tuple[int, int]:
    """The smallest height and width, divisible by 32 (or by ``multiple``), that hold every one of ``sizes``.
    Lesson 01."""
    height, width = (max(side) for side in zip(*sizes))
    return -(-height // multiple) * multiple, -(-width // multiple) * multiple


def pad_to(tensor: Tensor, size: tuple[int, int]) -> Tensor:
    """Zeros at the bottom and the right of [..., H, W] until it is ``size``; the tensor itself if it is already."""
    if tensor.shape[-2:] == size:
        return tensor
    return F.pad(tensor, (0, size[1] - tensor.shape[-1], 0, size[0] - tensor.shape[-2]))


def collate(pairs: Sequence[tuple[Sample, str]]) -> Batch:
    """A batch from (sample, task) pairs of any image sizes. Lesson 01."""
    if not isinstance(pairs, Iterable):
        raise ValueError(f"collate takes a list of (sample, task) pairs, got a {type(pairs).__name__}")
    pairs = list(pairs)
    if not pairs:
        raise ValueError("collate needs at least one (sample, task) pair, got an empty list")
    for pair in pairs:
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[0], Sample)):
            raise ValueError(
                f"collate takes (sample, task) pairs, got a {type(pair).__name__}: write "
                'collate([(sample, "panoptic"), ...])'
            )
    sizes = [sample.size for sample, _ in pairs]
    size = padded_size(sizes)
    targets = [targets_for(sample, task) for sample, task in pairs]
    for target in targets:
        target.masks = pad_to(target.masks, size)
    return Batch(
        images=normalised_batch([sample.image for sample, _ in pairs], size),
        tasks=[task for _, task in pairs],
        targets=targets,
        texts=[target.texts for target in targets],
        sizes=sizes,
        image_ids=[sample.image_id for sample, _ in pairs],
    )
