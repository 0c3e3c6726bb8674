"""transformers' OneFormer and ours with the same weights, ready for inference or for training.

transformers is configured at its best: for inference ``is_training`` is off, which would otherwise drop activations of
the pixel decoder at random even after ``eval()``, and run the text mapper.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass

import torch
from reference import FULL_SIZE
from torch import Tensor
from transformers import OneFormerConfig, OneFormerForUniversalSegmentation

import oneformer_lite as ofl
from oneformer_lite.data.batch import Batch
from oneformer_lite.data.targets import pad_texts
from oneformer_lite.model.parts.task import task_ids
from oneformer_lite.model.parts.tokenizer import tokenize
from oneformer_lite.weights import save_huggingface
from oneformer_lite.weights.huggingface import from_huggingface_state

BACKBONES = {"coco_r50": FULL_SIZE["coco_r50"], "coco_swin_t": FULL_SIZE["ade20k_swin_t"]}
SIDES = ("ours", "theirs")


@dataclass(frozen=True)
class Models:
    """Both models with one set of weights."""

    ours: ofl.OneFormer
    theirs: OneFormerForUniversalSegmentation


def published(preset: str, training: bool = False) -> Models:
    """A published preset with random weights."""
    torch.manual_seed(0)
    expected = getattr(ofl.config, preset)()
    config = OneFormerConfig(
        backbone_config=BACKBONES[preset](), is_training=training, num_labels=expected.num_classes,
        num_queries=expected.num_queries,
    )  # fmt: skip
    theirs = OneFormerForUniversalSegmentation(config).train(training)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without training there is no text mapper to read
        ours = from_huggingface_state(theirs.state_dict(), config.to_dict(), {}, "the model in memory")
    return Models(ours.train(training), theirs)


def shipped() -> Models:
    """The Toytown checkpoint that comes with the package, for inference."""
    ours = ofl.from_pretrained("toytown")
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # of the text mapper, which transformers cannot have at this width
        save_huggingface(ours, folder)
        theirs = OneFormerForUniversalSegmentation.from_pretrained(folder)
    return Models(ours, theirs.eval())


def task_inputs(tasks: list[str]) -> Tensor:
    """What transformers takes for the task: float32 [B, 77], as its own processor gives it."""
    return torch.stack([task_ids(task) for task in tasks]).float()


def text_inputs(batch: Batch, num_texts: int, length: int = 77) -> Tensor:
    """What transformers takes for the texts: ids [B, T, 77], padding sentences included."""
    padded = [pad_texts(texts, task, num_texts) for texts, task in zip(batch.texts, batch.tasks)]
    return torch.stack([tokenize(texts, length) for texts in padded])


def their_labels(batch: Batch) -> dict[str, list[Tensor]]:
    """The targets of a batch as transformers takes them."""
    return {
        "mask_labels": [target.masks.float() for target in batch.targets],
        "class_labels": [target.labels for target in batch.targets],
    }
