"""Does the recipe's augmentation leave something to learn?"""

from __future__ import annotations

import numpy as np

from ..config import BaseConfig
from ..data.augment import augmentation
from ..data.dataset import SegmentationDataset
from ..data.targets import targets_for
from ..dataset_checks.findings import Finding
from ..errors import OneFormerLiteError
from .config import TrainConfig
from .loader import EndlessSampler, TaskSamples
from .readable import Readable

DRAWN = 32  # augmented samples looked at


def check_crops(
    dataset: SegmentationDataset, train_config: TrainConfig, config: BaseConfig, drawn: int = DRAWN
) -> Finding:
    """Targets of the first ``drawn`` pictures that a run of this recipe sees, as it sees them."""
    image_size = config.image_size
    augment = augmentation(train_config.augmentation, image_size, config.equalize, config.stretch)
    samples = TaskSamples(dataset, augment, train_config.seed, train_config.task_probabilities)
    readable = Readable(samples, len(dataset), workers=0)
    addresses = list(zip(EndlessSampler(len(dataset), train_config.seed), range(drawn)))
    counts = []
    for address, _ in addresses:
        item, _ = readable[address]
        if isinstance(item, OneFormerLiteError):
            return Finding("augmented targets", "fault", str(item), "repair or remove the file")
        counts.append(len(targets_for(*item)))
    empty = sum(count == 0 for count in counts)
    evidence = f"{np.mean(counts):.1f} masks a picture after {train_config.augmentation!r} at {image_size}"
    if empty == len(counts):
        return Finding(
            "augmented targets", "fault", f"no ground truth is left after cropping, in all {empty} drawn pictures",
            "cross-entropy then falls to 0 with nothing learned: a larger image_size, or another augmentation",
        )  # fmt: skip
    if empty > len(counts) / 2:
        return Finding("augmented targets", "warning", f"{evidence}; {empty} of {len(counts)} are empty")
    return Finding("augmented targets", "fine", evidence)
