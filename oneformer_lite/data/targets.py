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
from .sample import Sample, check_sample, check_task
from .sample_fields import check_fields

PADDING_TEXT = {
    "semantic": "a semantic photo",
    "instance": "an instance photo",
    "panoptic": "a panoptic photo",
}
TEXT = "a photo with a {CLS}"


@dataclass
class Targets:
    """What one image is to be segmented into under one task.

    ``masks`` bool [G, H, W]; ``labels`` int64 [G] class ids; ``texts`` one sentence per mask, both
    in the order of the class ids. G may be 0. ``size``: height and width of the picture where masks are padded beyond
    it, which boxes are shares of. ``known`` bool [H, W]: the pixels that count where masks are learned on all pixels;
    None: every one.
    """

    masks: Tensor
    labels: Tensor
    texts: list[str]
    task: str = "panoptic"
    size: tuple[int, int] | None = None
    known: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)


def targets_for(sample: Sample, task: str) -> Targets:
    """Targets of ``task`` from ``sample``: masks, labels and texts in class order. Lesson 01.

    semantic: one merged mask per class present, things and stuff. instance: things, one mask each.
    panoptic: every segment. Crowd segments and segments without pixels (cropped away) are skipped.

    Raises :class:`ConfigError` if the annotation cannot supply the task (see ``sample.tasks``), :class:`DataError` for
    a sample whose fields are of another kind.
    """
    check_sample(sample)
    check_fields(sample)
    if check_task(task) not in sample.tasks:
        raise ConfigError(
            f"{sample.file_name or 'this sample'} cannot supply the {task} task: its annotation "
            f"supports {', '.join(sample.tasks)}. Sample only those tasks."
        )
    wanted = [
        place
        for place, segment in enumerate(sample.segments)
        if not segment.is_crowd and (task != "instance" or sample.categories[segment.class_id].is_thing)
    ]
    wanted.sort(key=lambda place: sample.segments[place].class_id)  # stable: in a class the annotation's order
    masks = sample.segment_masks(wanted)
    visible = masks.any((1, 2))
    masks = masks if visible.all() else masks[visible]
    class_ids = [sample.segments[place].class_id for place, keep in zip(wanted, visible) if keep]
    if task == "semantic":
        masks, class_ids = _merged(masks, class_ids)
    return Targets(
        masks=torch.from_numpy(np.ascontiguousarray(masks)),  # tensors do not run backwards
        labels=torch.tensor(class_ids, dtype=torch.int64),
        texts=[TEXT.format(CLS=sample.categories[class_id].name) for class_id in class_ids],
        task=task,
        size=sample.size,
    )


def _merged(masks: np.ndarray, class_ids: list[int]) -> tuple[np.ndarray, list[int]]:
    """One mask bool [H, W] for each class, from masks bool [n, H, W] in the order of their classes."""
    classes = sorted(set(class_ids))
    merged = np.zeros((len(classes), *masks.shape[1:]), bool)
    for mask, class_id in zip(masks, class_ids):
        merged[classes.index(class_id)] |= mask
    return merged, classes


def retold(texts: Sequence[str], task: str, template: str) -> list[str]:
    """Texts as :func:`targets_for` makes them, in the words of ``template``: {CLS} is the class, {TYPE} the task. Other
    texts stay as they are."""
    start = TEXT.format(CLS="")
    named = (text.removeprefix(start) if text.startswith(start) else None for text in texts)
    return [text if name is None else template.format(CLS=name, TYPE=task) for text, name in zip(texts, named)]


def pad_texts(texts: Sequence[str], task: str, num_texts: int) -> list[str]:
    """The text list of an image: exactly ``num_texts`` sentences, padded with the task's own. Lesson 01.

    Longer lists are cut (as in the official mapper): there is no query left to carry the text.
    """
    padding = [PADDING_TEXT[check_task(task)]] * max(0, num_texts - len(texts))
    return [*texts, *padding][:num_texts]
