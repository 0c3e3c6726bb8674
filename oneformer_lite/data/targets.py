"""One panoptic annotation, three sets of targets: what each task asks the model to find.

Everything derives from the panoptic annotation alone (paper section 3.1; official
``oneformer/data/dataset_mappers/oneformer_unified_dataset_mapper.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError
from .sample import Sample, check_task

PADDING_TEXT = {
    "semantic": "a semantic photo",
    "instance": "an instance photo",
    "panoptic": "a panoptic photo",
}


@dataclass
class Targets:
    """What one image is to be segmented into under one task.

    ``masks`` bool [G, H, W]; ``labels`` int64 [G] class ids; ``texts`` one sentence per mask, both
    in the order of the class ids. G may be 0.
    """

    masks: Tensor
    labels: Tensor
    texts: list[str]
    task: str = "panoptic"

    def __len__(self) -> int:
        return len(self.labels)


def targets_for(sample: Sample, task: str) -> Targets:
    """Targets of ``task`` from ``sample``: masks, labels and texts in class order.

    semantic: one merged mask per class present, things and stuff. instance: things, one mask each.
    panoptic: every segment. Crowd segments and segments without pixels (cropped away) are skipped.

    Raises :class:`ConfigError` if the annotation cannot supply the task (see ``sample.tasks``).
    """
    if check_task(task) not in sample.tasks:
        raise ConfigError(
            f"{sample.file_name or 'this sample'} cannot supply the {task} task: its annotation "
            f"supports {', '.join(sample.tasks)}. Sample only those tasks."
        )
    keep = [
        (segment.class_id, mask)
        for segment, mask in zip(sample.segments, sample.segment_masks())
        if not segment.is_crowd and mask.any()
        and (task != "instance" or sample.categories[segment.class_id].is_thing)
    ]
    if task == "semantic":
        merged: dict[int, np.ndarray] = {}
        for class_id, mask in keep:
            merged[class_id] = merged[class_id] | mask if class_id in merged else mask
        keep = list(merged.items())
    keep.sort(key=lambda pair: pair[0])  # stable: segments of a class stay in annotation order
    height, width = sample.size
    masks = np.stack([mask for _, mask in keep]) if keep else np.zeros((0, height, width), bool)
    return Targets(
        masks=torch.from_numpy(masks),
        labels=torch.tensor([class_id for class_id, _ in keep], dtype=torch.int64),
        texts=[f"a photo with a {sample.categories[class_id].name}" for class_id, _ in keep],
        task=task,
    )


def pad_texts(texts: Sequence[str], task: str, num_texts: int) -> list[str]:
    """The text list of an image: exactly ``num_texts`` sentences, padded with the task's own.

    Longer lists are cut (as in the official mapper): there is no query left to carry the text.
    """
    padding = [PADDING_TEXT[check_task(task)]] * max(0, num_texts - len(texts))
    return [*texts, *padding][:num_texts]
