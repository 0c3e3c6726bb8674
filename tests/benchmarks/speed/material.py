"""What the models are given: pictures, targets and texts, of COCO where a folder of it is named, else of Toytown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import oneformer_lite as ofl
from oneformer_lite.data.augment import AUGMENTATIONS
from oneformer_lite.data.batch import Batch, collate
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.sample import Sample
from oneformer_lite.data.targets import Targets
from oneformer_lite.model.output import MaskProduct, OneFormerOutput, Predictions
from oneformer_lite.training.loader import TaskSamples

TASKS = ("panoptic", "instance", "semantic")


@dataclass(frozen=True)
class Material:
    """``coco``: a folder in COCO's layout, or ``None``."""

    coco: Path | None = None

    @property
    def name(self) -> str:
        return "COCO" if self.coco else "Toytown"

    def dataset(self, side: int):
        return open_split(self.coco, "train2017") if self.coco else ofl.data.Toytown("train", side, 100)

    def pairs(self, images: int, side: int) -> list[tuple[Sample, str]]:
        """Training samples, augmented as published for COCO to ``side`` x ``side``, with the three tasks in turn."""
        samples = TaskSamples(self.dataset(side), AUGMENTATIONS["coco"](side), seed=0)
        found = []
        for index in range(len(samples.dataset)):
            sample, _ = samples[0, index]
            if any(sample.categories[s.class_id].is_thing and not s.is_crowd for s in sample.segments):
                found.append((sample, TASKS[len(found) % len(TASKS)]))  # transformers fails on pictures without things
            if len(found) == images:
                return found
        raise ValueError(f"{self.name} has only {len(found)} pictures with things, {images} are needed")

    def batch(self, images: int, side: int) -> Batch:
        return collate(self.pairs(images, side))


def picture(images: int, height: int, width: int) -> Tensor:
    """Normalised pixels [B, 3, H, W], random."""
    return torch.randn(images, 3, height, width, generator=torch.Generator().manual_seed(0))


def round_masks(count: int, side: int) -> Tensor:
    """bool [G, side, side]: discs of many sizes, each its own."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    centres, radii = rng.random((count, 2)), rng.uniform(0.05, 0.3, count)
    discs = [(x - cx) ** 2 + (y - cy) ** 2 < r * r for (cx, cy), r in zip(centres, radii)]
    return torch.from_numpy(np.stack(discs))


def round_targets(images: int, masks: int, classes: int, side: int) -> list[Targets]:
    """``masks`` discs an image, of classes 0, 1, ..."""
    labels = torch.arange(masks) % classes
    return [Targets(round_masks(masks, side), labels, ["a photo with a disc"] * masks) for _ in range(images)]


def output_of(predictions: int, images: int, queries: int, classes: int, side: int, dim: int = 256) -> OneFormerOutput:
    """What a model hands to the criterion, random, with gradients: masks as products of embeddings and features."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).requires_grad_()

    features = random(images, dim, side // 4, side // 4)
    found = [
        Predictions(random(images, queries, classes + 1), MaskProduct(random(images, queries, dim), features))
        for _ in range(predictions)
    ]
    last = found.pop()
    return OneFormerOutput(
        last.class_logits, last.masks, found,
        object_queries=random(images, queries, dim), text_queries=random(images, queries, dim),
        logit_scale=torch.tensor(2.6593, requires_grad=True),
    )  # fmt: skip
