"""Drawn cases of labs 07 to 09, 11 to 13 and 22: costs, losses, merged pictures, metrics, schedules, optimisers."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .draw import Draw, drawn

_SENTENCES = [f"a photo with a {name}" for name in ("bus", "car", "dog", "tree")]


@drawn
def queries_and_texts(d: Draw) -> tuple:
    slots, width = d.between(2, 4), d.between(2, 5)
    return d.normal(d.between(2, 4), slots, width), d.normal(d.between(3, 5), slots, width, scale=3)


@drawn
def table(d: Draw) -> tuple:
    count = d.between(3, 6)
    return (d.normal(count, count, scale=3),)


@drawn
def text_lists(d: Draw) -> tuple:
    """Many lists of one length, few of which are the same."""
    kinds = [sorted(d.some(_SENTENCES, 2)) for _ in range(3)] + [sorted(d.some(_SENTENCES, 3))]
    count = d.between(6, 9)
    return [list(kind) for kind in d.some(kinds, count)], d.some(["panoptic", "instance"], count)


@drawn
def class_costs(d: Draw) -> tuple:
    classes = d.between(2, 5)
    return d.normal(d.between(3, 6), classes + 1, scale=2), d.whole(classes, d.between(2, 5))


@drawn
def mask_costs(d: Draw) -> tuple:
    points = d.between(8, 20)
    labels = d.uniform(d.between(2, 4), points)
    return d.normal(d.between(3, 6), points, scale=3), torch.where(labels < 0.7, (labels < 0.3).float(), labels)


@drawn
def costs(d: Draw) -> tuple:
    """In each second one a cost that is not a number, which counts 100, is the cheapest of its segment."""
    segments = d.between(2, 4)
    table = d.uniform(d.between(segments, 6), segments) * 9 - 3
    table[:, 0] += 150 * (d.nth % 2)
    table[d.between(0, len(table) - 1), 0] = float("nan")
    return (table,)


@drawn
def named_queries(d: Draw) -> tuple:
    classes, queries = d.between(2, 5), d.between(4, 8)
    asked = torch.where(d.uniform(queries) < 0.5, classes, d.whole(classes, queries))
    asked[0] = 0
    return d.normal(queries, classes + 1, scale=2), asked, d.number(0.05, 0.9)


@drawn
def masks_on_points(d: Draw) -> tuple:
    shape = d.between(2, 5), d.between(5, 15)
    return d.normal(*shape, scale=3), (d.uniform(*shape) < 0.4).float()


@drawn
def points(d: Draw) -> tuple:
    maps, count = d.between(1, 3), d.between(4, 12)
    logits = d.normal(maps, d.between(5, 9), d.between(5, 9), scale=4)
    return logits, d.uniform(maps, 3 * count, 2), d.uniform(maps, count, 2), d.some([0.25, 0.5, 0.75], 1)[0]


@drawn
def found(d: Draw) -> tuple:
    queries, classes, masks = d.between(5, 9), d.between(2, 6), d.between(1, 4)
    return d.whole(classes, masks), torch.tensor(d.order(queries)[:masks]), queries, classes, d.number(0.05, 0.9)


def _logits(d: Draw, queries: int, classes: int) -> tuple[Tensor, Tensor]:
    coarse = d.normal(1, queries, 3, 4, scale=5) - 1
    masks = F.interpolate(coarse, size=(d.between(5, 9), d.between(6, 12)), mode="bilinear")[0]
    return d.normal(queries, classes + 1, scale=3), masks


@drawn
def logits(d: Draw) -> tuple:
    return _logits(d, d.between(3, 7), d.between(2, 4))


def _things(d: Draw, classes: int) -> list[bool]:
    return [True, False, *d.some([True, False], classes - 2)]


@drawn
def logits_and_things(d: Draw) -> tuple:
    classes = d.between(3, 4)
    return *_logits(d, d.between(6, 12), classes), _things(d, classes)


@drawn
def merging(d: Draw) -> tuple:
    classes = d.between(3, 4)
    return *_logits(d, d.between(8, 14), classes), _things(d, classes), d.number(0.4, 0.6), d.number(0.4, 0.8)


@drawn
def id_maps(d: Draw) -> tuple:
    shape, guesses, truths = (d.between(4, 7), d.between(4, 9)), d.between(2, 6), d.between(2, 6)
    return d.whole(guesses, *shape).numpy(), d.whole(truths, *shape).numpy(), guesses, truths


@drawn
def segments(d: Draw) -> tuple:
    """IoU of a map with itself, in which some pixels were drawn again and some ids renamed."""
    truths = d.between(4, 7)
    truth = d.whole(truths, 60).numpy()
    guess = np.where(d.uniform(60).numpy() < 0.2, d.whole(truths, 60).numpy(), truth)
    both = np.bincount(guess * truths + truth, minlength=truths**2).reshape(truths, truths)
    either = both.sum(1, keepdims=True) + both.sum(0) - both
    classes = d.some(range(3), truths)
    return both / np.maximum(either, 1), [classes[0], *d.some(range(4), 1), *classes[2:]], classes


@drawn
def label_maps(d: Draw) -> tuple:
    classes = d.between(3, 6)

    def pair() -> tuple[np.ndarray, np.ndarray]:
        shape = d.between(2, 6), d.between(3, 8)
        return d.whole(classes, *shape).numpy(), d.whole(classes + 1, *shape).numpy() - 1

    return [pair() for _ in range(d.between(2, 4))], classes


@drawn
def ranking(d: Draw) -> tuple:
    count = d.between(8, 30)
    hits = (d.uniform(count) < 0.6).numpy().astype(int)
    return np.array(d.order(count)) / count, hits, int(hits.sum()) + d.between(1, 6)


@drawn
def networks(d: Draw) -> tuple:
    width = d.between(2, 4)
    kinds = [lambda: nn.Linear(width, width), lambda: nn.LayerNorm(width), lambda: nn.Embedding(3, width),
             lambda: nn.Conv2d(width, width, 1), lambda: nn.BatchNorm2d(width)]  # fmt: skip
    names = ["backbone", "backbone_norm", "head", "neck", "queries", "out"]
    model = nn.ModuleDict({name: kinds[k]() for name, k in zip(names, [3, 4, *d.some(range(5), 4)], strict=True)})
    model["head"].requires_grad_(bool(d.between(0, 1)))
    return model, d.number(1e-4, 1e-2), d.number(0.01, 0.1), d.number(0.05, 0.5)


@drawn
def schedule(d: Draw) -> tuple:
    return d.between(5, 15), d.between(2, 6), d.number(0.05, 0.5)


@drawn
def states(d: Draw) -> tuple:
    def state(step: int) -> dict[str, Tensor]:
        return {"bias": d.normal(3), "steps": torch.tensor(step)}

    return state(0), [state(n) for n in range(1, d.between(3, 15))], d.number(0.2, 0.99)


@drawn
def losses(d: Draw) -> tuple:
    count = d.between(2, 9)
    parts = {name: d.uniform(count) for name in ("class", "mask", "dice")}
    return parts, d.uniform(), {name: d.number(0.5, 5) for name in (*parts, "contrastive")}


@drawn
def gradients(d: Draw) -> tuple:
    shapes = [tuple(d.between(1, 4) for _ in range(d.between(1, 3))) for _ in range(d.between(2, 4))]
    return [d.normal(*shape, scale=d.number(0.1, 3)) for shape in shapes], d.number(0.5, 4)


@drawn
def moments(d: Draw) -> tuple:
    shape = d.between(1, 4), d.between(2, 5)
    value, gradient, mean = (d.normal(*shape) for _ in range(3))
    return value, gradient, mean, d.uniform(*shape) + 0.1, d.between(1, 50), d.number(1e-3, 0.1), d.number(0.01, 0.5)


@drawn
def curve(d: Draw) -> tuple:
    return d.uniform(d.between(4, 12)).tolist(), d.number(0.3, 0.95)
