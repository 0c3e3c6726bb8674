"""What the contrastive loss sees of a batch: images against text lists, and slot by slot inside one pair.

The loss itself is in ``losses/contrastive.py``; here it is taken apart, in float64.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ...data.batch import pad_to, padded_size
from ...data.sample import Sample
from ...data.targets import PADDING_TEXT, pad_texts, targets_for
from ...errors import ConfigError
from ...evaluating import evaluating
from ...inference import check_model, prepare
from ...losses.contrastive import MAX_SCALE
from ...model import MaskModel

NEARLY = 0.75  # share of sentences from which the text lists of two images count as nearly equal
KINDS = ("sentence", "padding", "context")


@dataclass(frozen=True)
class Encoded:
    """One image under one task, as the loss meets it: ``queries`` and ``texts`` float64 [Q, C].

    Slots 0 to ``num_texts`` - 1 hold sentences: those of the segments (``sentences``), then padding. The rest is
    learned context, the same for every image.
    """

    image: int
    task: str
    sentences: tuple[str, ...]
    num_texts: int
    queries: np.ndarray
    texts: np.ndarray

    @property
    def kinds(self) -> np.ndarray:
        """int [Q]: what each slot holds, an index into KINDS."""
        slots = np.arange(len(self.texts))
        return (slots >= len(self.sentences)).astype(int) + (slots >= self.num_texts)

    def text(self, slot: int) -> str:
        """What stands in a slot, in words."""
        if slot < len(self.sentences):
            return self.sentences[slot]
        return PADDING_TEXT[self.task] if slot < self.num_texts else "learned context"


@torch.inference_mode()
def encode(model: MaskModel, samples: Sequence[Sample]) -> dict[tuple[int, str], Encoded]:
    """Each image under each task that its annotation supplies, by (place in ``samples``, task).

    Pictures are resized as for prediction and padded to one size, as in a batch. Raises :class:`ConfigError` if the
    model has no text mapper.
    """
    check_model(model)
    if model.text_mapper is None:
        raise ConfigError(
            "this model has no text mapper, so there are no text queries to compare with: files in Hugging Face's "
            "format leave it out, the official ones have it; model.add_text_mapper() adds an untrained one"
        )
    pictures = [prepare(sample.image, model.config) for sample in samples]
    size = padded_size([tuple(picture.shape[-2:]) for picture in pictures], model.config.padding_multiple)
    device = next(model.parameters()).device
    num_texts = model.config.num_texts
    found = {}
    with evaluating(model):
        for place, (sample, picture) in enumerate(zip(samples, pictures)):
            texts = [targets_for(sample, task).texts for task in sample.tasks]
            features = model.encode(model.padded(pad_to(picture, size).to(device)[None]))  # the same for every task
            queries = model.object_queries(features.expand(len(texts)), model.task_token(sample.tasks))
            pair = queries, model.text_mapper(texts, sample.tasks)  # the loss needs no decoder
            queries, mapped = (tensor.double().cpu().numpy() for tensor in pair)
            for row, task in enumerate(sample.tasks):
                sentences = tuple(pad_texts(texts[row], task, num_texts)[: len(texts[row])])
                found[place, task] = Encoded(place, task, sentences, num_texts, queries[row], mapped[row])
    return found


@dataclass(frozen=True)
class Contrast:
    """The loss of a batch, taken apart. ``similarity`` float [B, B] is the cosine times ``scale``; ``by_row`` its
    softmax over the texts, ``by_column`` over the images; ``row_losses`` and ``column_losses`` [B] belong to the
    diagonal."""

    scale: float  # 1 / temperature, or where that is clamped
    similarity: np.ndarray
    by_row: np.ndarray
    by_column: np.ndarray
    row_losses: np.ndarray
    column_losses: np.ndarray

    @property
    def loss(self) -> float:
        """What :func:`...losses.contrastive.contrastive_loss` gives."""
        return float(self.row_losses.mean() + self.column_losses.mean())


def contrast(cosines: np.ndarray, temperature: float) -> Contrast:
    """The loss of a cosine matrix float [B, B], rows images, columns texts. Under 0.01 the temperature has no effect:
    the scale, its inverse, is clamped at 100."""
    scale = min(1 / temperature, MAX_SCALE)
    similarity = cosines * scale
    by_row, by_column = (similarity - _log_sum_exp(similarity, axis) for axis in (1, 0))
    return Contrast(scale, similarity, np.exp(by_row), np.exp(by_column), -by_row.diagonal(), -by_column.diagonal())


def slot_shares(batch: Sequence[Encoded]) -> np.ndarray:
    """float [B, B, Q]: what each slot adds to the cosine of image (first) and text list (second); they sum to it.

    Whole lists are normalised, not slots: a slot counts as much as its vectors are long.
    """
    queries, texts = (np.stack([_whole(getattr(e, name)) for e in batch]) for name in ("queries", "texts"))
    return np.einsum("bqc,dqc->bdq", queries, texts, optimize=True)


def most_expensive(batch: Sequence[Encoded], temperature: float) -> tuple[int, int, int]:
    """Where to look first: the image that costs most, the texts it takes for its own, the slot that weighs most."""
    shares = slot_shares(batch)
    now = contrast(shares.sum(-1), temperature)
    row = int(now.row_losses.argmax())
    others = np.where(np.arange(len(batch)) == row, -np.inf, now.similarity[row])
    column = int(others.argmax()) if len(batch) > 1 else row
    return row, column, int(np.abs(shares[row, column]).argmax())


def slot_cosines(image: Encoded, texts: Encoded) -> np.ndarray:
    """float [Q, Q]: cosine of each object query (row) and each text query (column). The loss sees the diagonal only."""
    return _rows(image.queries) @ _rows(texts.texts).T


def shared_sentences(a: Encoded, b: Encoded) -> float:
    """Sentences that both lists have, of the longer one's, 0 to 1; 0 between tasks, whose padding differs."""
    if a.task != b.task:
        return 0.0
    longer = max(len(a.sentences), len(b.sentences))
    common = (Counter(a.sentences) & Counter(b.sentences)).total()
    return common / longer if longer else 1.0


def false_negatives(batch: Sequence[Encoded], threshold: float = NEARLY) -> np.ndarray:
    """bool [B, B]: pairs that the loss pushes apart although their text lists are equal, or share ``threshold``."""
    shares = np.array([[shared_sentences(a, b) for b in batch] for a in batch])
    return (shares >= threshold) & ~np.eye(len(batch), dtype=bool)


def lowest_loss(batch: Sequence[Encoded]) -> float:
    """Below this the loss cannot fall at any temperature: of n images with the same text list no softmax can give the
    right one more than 1/n on average, which costs log n in its row and its column.

    Lesson 07.
    """
    groups = Counter((e.task, e.sentences) for e in batch)
    return 2 * sum(n * math.log(n) for n in groups.values()) / len(batch)


def slot_runs(a: Encoded, b: Encoded) -> list[tuple[int, int]]:
    """Slots (first, last) as a table lists them: one by one while a list still has sentences, then the padding, then
    the context."""
    written = max(len(a.sentences), len(b.sentences))
    ends = [(slot, slot) for slot in range(written)]
    ends += [(written, a.num_texts - 1), (a.num_texts, len(a.texts) - 1)]
    return [(first, last) for first, last in ends if last >= first]


def distinct_cosines(entries: Sequence[Encoded]) -> tuple[int, list[list[int]], np.ndarray]:
    """How many different texts there are (n), where each slot of each entry finds its own among them, and the cosines
    float [E, Q, n] of all queries with them: few texts fill many slots, and a page stays small."""
    first: dict[object, np.ndarray] = {}
    index = []
    for entry in entries:
        keys = [entry.text(s) if s < entry.num_texts else s for s in range(len(entry.texts))]
        for slot, key in enumerate(keys):
            first.setdefault(key, entry.texts[slot])
        index.append([list(first).index(key) for key in keys])
    texts = _rows(np.stack(list(first.values())))
    return len(first), index, np.stack([_rows(entry.queries) @ texts.T for entry in entries])


def _log_sum_exp(x: np.ndarray, axis: int) -> np.ndarray:
    highest = x.max(axis=axis, keepdims=True)
    return highest + np.log(np.exp(x - highest).sum(axis=axis, keepdims=True))


def _whole(x: np.ndarray) -> np.ndarray:
    return x / max(np.linalg.norm(x), 1e-12)


def _rows(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
