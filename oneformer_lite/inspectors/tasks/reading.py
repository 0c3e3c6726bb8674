"""What the task token changes: one picture, encoded once, read with the three tokens and with blends of two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ...data.sample import TASKS, Sample
from ...data.targets import pad_texts, targets_for
from ...evaluating import evaluating
from ...inference import (
    MIN_SCORE,
    Prediction,
    RawPrediction,
    Size,
    panoptic_inference,
    raw_predictions,
    read_prediction,
)
from ...model import MaskModel, Trace
from ...model.parts.task import task_ids
from ...model.parts.tokenizer import END, START, decode, vocabulary
from ..segments import ReadSegment
from ..traced import encode_picture

SHARES = tuple(round(0.1 * i, 1) for i in range(11))  # of the other task's token, in a blend
CHANGES = ("changes class", "goes silent", "wakes", "keeps its class", "silent")
LONGEST = 512  # pixels of the longer side at which results are read: what a screen shows of three pictures
_MASK_SIDE = 96
_AT_ONCE = 2**22  # mask logits of blends that are read in one batch


@dataclass(frozen=True)
class TaskReading:
    """What one token makes of the picture. ``token`` [C]; ``object_queries`` and ``embeddings`` [Q, C], before and
    after the decoder; ``classes`` int [Q] (K = no object) with their probability ``scores`` [Q]; ``masks`` uint8
    [Q, h, w], 0 to 255, at most 96 pixels long."""

    token: np.ndarray
    object_queries: np.ndarray
    embeddings: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    masks: np.ndarray
    raw: RawPrediction


@dataclass(frozen=True)
class Step:
    """The panoptic merge of one blend. ``segment_map`` int32 [H, W], 0 = void; a segment keeps its id as long as it
    comes from the same query (stuff: has the same class). ``classes`` and ``scores`` [Q] as in TaskReading."""

    classes: np.ndarray
    scores: np.ndarray
    segment_map: np.ndarray
    segments: tuple[ReadSegment, ...]
    things: int
    stuff: int


class TaskReader:
    """A picture, encoded once. ``image`` uint8 [H, W, 3]: the picture at the size at which results are read;
    ``readings``: task -> :class:`TaskReading`."""

    @torch.inference_mode()
    def __init__(self, model: MaskModel, image: np.ndarray) -> None:
        self.model, self.categories = model, model.config.categories
        self.size, self.image = image.shape[:2], fit_image(image)
        self._encoded = encode_picture(model, image)
        with evaluating(model):
            self.readings = {task: self._read(model.task_token([task])) for task in TASKS}

    def result(self, task: str) -> Prediction:
        """What the model answers under ``task``, merged as that task merges."""
        raw = self.readings[task].raw
        return read_prediction(raw, task, self.image, self.model.config, self.categories, MIN_SCORE.get(task, 0.0))

    @torch.inference_mode()
    def blends(self, task: str, other: str) -> tuple[Step, ...]:
        """One step for each of SHARES, from ``task`` to ``other``: the tokens' straight line, read by the panoptic
        merge alone, which shows things and stuff whatever the task."""
        a, b = (self.readings[name] for name in (task, other))
        if task == other:
            return (self._step(a.raw),) * len(SHARES)
        tokens = torch.from_numpy(np.stack([blend(a.token, b.token, share) for share in SHARES[1:-1]]))
        few = max(1, _AT_ONCE // a.raw.mask_logits.numel())
        with evaluating(self.model):
            found = [self._predict(part) for part in tokens.to(self.model.device, self.model.dtype).split(few)]
        return tuple(self._step(raw) for raw in (a.raw, *(raw for part in found for raw in part), b.raw))

    def _predict(self, tokens: Float[Tensor, "B C"], trace: Trace | None = None) -> list[RawPrediction]:
        """The prediction under each token."""
        predictions = self.model.read(self._encoded.features.expand(len(tokens)), tokens, trace=trace)
        sizes = [self._encoded.input_size] * len(tokens), [self.image.shape[:2]] * len(tokens)
        return raw_predictions(predictions[-1], *sizes, self._encoded.padded)

    def _read(self, token: Float[Tensor, "B C"]) -> TaskReading:
        trace = Trace()
        (raw,) = self._predict(token, trace)
        last = trace[f"decoder.layer{trace.count('decoder.layer{}.queries') - 1}.queries"]
        vectors = (tensor[0].float().cpu().numpy() for tensor in (token, trace["query.object_queries"], last))
        size, stride = self._encoded.input_size, self.model.config.mask_stride
        return TaskReading(*vectors, *surest(raw), small_masks(raw.mask_logits, size, stride), raw)

    def _step(self, raw: RawPrediction) -> Step:
        config, things = self.model.config, tuple(c.is_thing for c in self.categories)
        classes, scores = surest(raw)
        rule = config.object_mask_threshold, config.overlap_threshold, config.merge_within_masks
        segment_map, found = panoptic_inference(raw, things, *rule)
        segment_map = segment_map.cpu().numpy()
        areas = np.bincount(segment_map.ravel(), minlength=len(found) + 1)
        table, segments = np.zeros(len(found) + 1, dtype=np.int32), []
        for number, class_id, score in found:
            known = class_id + 1
            if things[class_id]:  # the merge gives no query, but class and score are its own
                query = np.where(classes == class_id, abs(scores - score), np.inf).argmin()
                known += (int(query) + 1) * len(things)
            table[number] = known
            name = self.categories[class_id].name
            segments.append(ReadSegment(known, class_id, name, int(areas[number]), score))
        count = sum(things[s.class_id] for s in segments)
        return Step(classes, scores, table[segment_map], tuple(segments), count, len(segments) - count)


def surest(raw: RawPrediction) -> tuple[np.ndarray, np.ndarray]:
    """Each query's class, int [Q] (K = no object), and its probability [Q]."""
    scores, classes = raw.surest
    return classes.cpu().numpy(), scores.cpu().numpy()


def blend(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """``(1 - share) a + share b``, exact at both ends."""
    return (1 - share) * a + share * b


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of vectors [..., C], pair by pair; 0 where one has no length."""
    length = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return (a * b).sum(-1) / np.where(length > 0, length, 1)


def fates(before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray]) -> list[str]:
    """What becomes of each query, one of CHANGES. ``before`` and ``after``: class int [Q], and whether the query
    speaks, bool [Q]: whether it is sure enough of a class for the panoptic merge."""
    told = []
    for a, speaks, b, still_speaks in zip(*before, *after, strict=True):
        if speaks and still_speaks:
            told.append("keeps its class" if a == b else "changes class")
        else:
            told.append("goes silent" if speaks else "wakes" if still_speaks else "silent")
    return told


def speaks(classes: np.ndarray, scores: np.ndarray, num_classes: int, threshold: float) -> np.ndarray:
    """Bool [...]: a class of its own, with a probability above ``threshold``."""
    return (classes < num_classes) & (scores > threshold)


def most_changed(cosines: np.ndarray, heard: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """``count`` queries (or all, if fewer), lowest cosine first: those ever ``heard`` (bool [Q]); where these are too
    few, the others with the highest ``scores`` [Q]."""
    by_change = np.argsort(cosines, kind="stable")
    loud = [q for q in by_change if heard[q]][:count]
    rest = [q for q in np.argsort(-scores, kind="stable") if not heard[q]][: count - len(loud)]
    return np.array(sorted([*loud, *rest], key=lambda q: cosines[q]), dtype=int)


def token_ids(length: int) -> tuple[list[str], np.ndarray]:
    """What is written at each used place of the task sentences, and the ids int [3, n], in the order of TASKS;
    places that are zero in all three are left out."""
    ids = np.stack([task_ids(task, length).numpy() for task in TASKS])
    return [_words(column) for column in ids.T if column.any()], ids[:, ids.any(axis=0)]


def _words(ids: np.ndarray) -> str:
    start, end = (vocabulary()[0][token] for token in (START, END))
    names = ["start" if i == start else "end" if i == end else decode([i]) or "·" for i in ids.tolist()]
    return names[0] if len(set(names)) == 1 else " / ".join(names)


def text_list(sample: Sample, task: str, num_texts: int) -> list[tuple[int, str]]:
    """The texts that training would give the picture under ``task``, equal ones counted, padding last."""
    texts = pad_texts(targets_for(sample, task).texts, task, num_texts)
    return [(count, text) for text, count in Counter(texts).items()]


def fit_size(size: Size) -> Size:
    """``size``, reduced where its longer side is above LONGEST."""
    factor = min(1.0, LONGEST / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def fit_image(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] at :func:`fit_size`."""
    size = fit_size(image.shape[:2])
    if size == image.shape[:2]:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX))


def fit_ids(ids: np.ndarray) -> np.ndarray:
    """A map of ids [H, W] at :func:`fit_size`."""
    rows, columns = (np.arange(n) * side // n for n, side in zip(fit_size(ids.shape), ids.shape))
    return ids[rows][:, columns]


def small_masks(logits: Float[Tensor, "Q h w"], unpadded: Sequence[int], stride: int = 4) -> np.ndarray:
    """Mask probabilities uint8 [Q, h', w'], without the padding; ``unpadded`` in pixels of the model's input, of which
    a cell is ``stride`` wide."""
    height, width = (-(-side // stride) for side in unpadded)
    masks = logits[:, :height, :width].float().sigmoid()
    factor = min(1.0, _MASK_SIDE / max(height, width))
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return (F.interpolate(masks[None], size=size, mode="area")[0] * 255).round().byte().cpu().numpy()
