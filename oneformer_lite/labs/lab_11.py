"""Lab 11: semantic scores, ranked instances, the panoptic merge."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..inference import RawPrediction, instance_inference, panoptic_inference, semantic_inference
from .draws import results
from .exercise import Case, Exercise, Mistake, Rules


def _raw(class_logits: Tensor, mask_logits: Tensor) -> RawPrediction:
    """Masks that have the picture's size already."""
    size = tuple(mask_logits.shape[-2:])
    return RawPrediction(class_logits, mask_logits, size, size, size)


def _random(seed: int, queries: int, classes: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Class logits [Q, K+1] and smooth mask logits [Q, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 5 * torch.randn(1, queries, 3, 4, generator=generator) - 1
    masks = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")[0]
    return 2 * torch.randn(queries, classes + 1, generator=generator), masks


# -- 11.1: [Q, K+1], [Q, H, W] -> [K, H, W]


def _semantic(class_logits: Tensor, mask_logits: Tensor) -> Tensor:
    return semantic_inference(_raw(class_logits, mask_logits))


def _cases_semantic() -> list[Case]:
    return [
        Case("one query, sure of class 0", torch.tensor([[9.0, 0.0, 0.0]]), torch.tensor([[[9.0, -9.0]]])),
        Case("one query that says no object", torch.tensor([[0.0, 0.0, 9.0]]), torch.full((1, 2, 2), 9.0)),
        Case("six queries, three classes", *_random(1, 6, 3, 5, 8)),
        Case("large logits", *(100 * logits for logits in _random(2, 4, 2, 6, 3))),
        Case("no query", torch.zeros(0, 4), torch.zeros(0, 2, 3)),
    ]


def _summed(classes: Tensor, masks: Tensor) -> Tensor:
    return torch.einsum("qk,qhw->khw", classes, masks)


def _semantic_with_no_object(class_logits: Tensor, mask_logits: Tensor) -> Tensor:
    return _summed(class_logits.softmax(-1), mask_logits.sigmoid())


def _semantic_dropped_before(class_logits: Tensor, mask_logits: Tensor) -> Tensor:
    return _summed(class_logits[:, :-1].softmax(-1), mask_logits.sigmoid())


def _semantic_class_sigmoid(class_logits: Tensor, mask_logits: Tensor) -> Tensor:
    return _summed(class_logits.sigmoid()[:, :-1], mask_logits.sigmoid())


def _semantic_mask_logits(class_logits: Tensor, mask_logits: Tensor) -> Tensor:
    return _summed(class_logits.softmax(-1)[:, :-1], mask_logits)


def _semantic_binary_masks(class_logits: Tensor, mask_logits: Tensor) -> Tensor:
    return _summed(class_logits.softmax(-1)[:, :-1], (mask_logits > 0).float())


# -- 11.2: [Q, K+1], [Q, H, W], is_thing -> masks bool [n, H, W], class ids [n], scores [n], best first

Instances = tuple[Tensor, Tensor, Tensor]


def _sorted(masks: Tensor, labels: Tensor, scores: Tensor) -> Instances:
    order = scores.argsort(descending=True)
    return masks[order], labels[order], scores[order]


def _instances(class_logits: Tensor, mask_logits: Tensor, is_thing: Sequence[bool]) -> Instances:
    return _sorted(*instance_inference(_raw(class_logits, mask_logits), tuple(is_thing)))


def _cases_instances() -> list[Case]:
    torn = torch.tensor([[2.0, 1.9, -9.0, -5.0], [-9.0, -9.0, 3.0, 0.0], [1.0, -9.0, -9.0, 2.0]])
    unsure = torch.tensor([[[8.0, 8.0, -1.0, -8.0]], [[-8.0, -8.0, 8.0, 8.0]], [[0.3, 0.2, 0.4, -8.0]]])
    one_empty = unsure[:2] - torch.tensor([[[0.0]], [[20.0]]])
    return [
        Case("a query torn between two classes", torn, unsure, [True, True, False]),
        Case("ten queries, four classes", *_random(3, 10, 4, 7, 9), [True, True, True, False]),
        Case("things are the last classes", *_random(4, 8, 3, 4, 12), [False, True, True]),
        Case("a mask without a pixel", torch.tensor([[3.0, 0.0], [2.0, 1.0]]), one_empty, [True]),
        Case("stuff alone", *_random(5, 5, 2, 3, 3), [False, False]),
    ]


def _ranked(
    class_logits: Tensor, mask_logits: Tensor, is_thing: Sequence[bool], *, things_last: bool = True, edge: float = 0.0,
    certain: bool = True,
) -> Instances:  # fmt: skip
    """The answer written once more, with switches for what goes wrong."""
    classes, thing = class_logits.softmax(-1)[:, :-1], torch.tensor(is_thing)
    allowed = torch.ones_like(thing) if things_last else thing
    count = min(len(classes), int(allowed.sum()) * len(classes))
    scores, place = (classes * allowed).flatten().topk(count)
    query, label = place // classes.shape[1], place % classes.shape[1]
    kept = thing[label]
    query, label, scores = query[kept], label[kept], scores[kept]
    masks = mask_logits[query] > edge
    inside = (mask_logits[query].sigmoid() * masks).sum((1, 2)) / (masks.sum((1, 2)) + 1e-6)
    return _sorted(masks, label, scores * inside if certain else scores)


def _instances_argmax(class_logits: Tensor, mask_logits: Tensor, is_thing: Sequence[bool]) -> Instances:
    scores, label = class_logits.softmax(-1)[:, :-1].max(-1)
    kept = torch.tensor(is_thing)[label]
    masks = mask_logits[kept] > 0
    inside = (mask_logits[kept].sigmoid() * masks).sum((1, 2)) / (masks.sum((1, 2)) + 1e-6)
    return _sorted(masks, label[kept], scores[kept] * inside)


def _instances_with_stuff(class_logits: Tensor, mask_logits: Tensor, is_thing: Sequence[bool]) -> Instances:
    return _ranked(class_logits, mask_logits, [True] * len(is_thing))


# -- 11.3: [Q, K+1], [Q, H, W], is_thing, two thresholds -> segment ids int [H, W], classes of the segments

Merged = tuple[Tensor, list[int]]


def _merge(class_logits: Tensor, mask_logits: Tensor, is_thing: Sequence[bool], score: float, overlap: float) -> Merged:
    ids, segments = panoptic_inference(_raw(class_logits, mask_logits), tuple(is_thing), score, overlap)
    return ids, [class_id for _, class_id, _ in segments]


def _cases_merge() -> list[Case]:
    classes, masks = _random(8, 12, 3, 12, 16)
    sure = 6 * torch.eye(4)[[0, 0, 2, 2]]  # two things, two pieces of stuff
    apart = torch.full((4, 4, 10), -6.0)
    apart[0, :, :2] = apart[1, :, 2:5] = apart[2, :2, 5:] = apart[3, 2:, 5:] = 6.0
    hidden = apart.clone()
    hidden[1, :, :5] = 2.0  # half under the first one
    faint = apart - 5 * (apart > 0) * (torch.arange(10) % 5 > 2)  # part of each mask is just above one half
    faint[:, 3] = torch.tensor([-0.5, -1.0, -6.0, -2.0])[:, None]  # a row that is in nobody's mask
    faint[3, 2, 9] = 0.0  # exactly one half
    ghost = torch.full((1, 4, 10), -7.0)
    ghost[0, 3, 6:] = -0.2  # wins a part of that row, and has no mask at all
    between = torch.cat([faint[[2, 0, 1, 3]], ghost])
    mixed = 6 * torch.eye(4)[[2, 0, 0, 2, 1]]  # stuff, two things, stuff again
    edges = apart.clone()
    edges[1, :, 1:5], edges[0, :, 5:] = 9.0, -1.0  # half of the first is lost, but it wins most of what nobody claims
    edges[2:] = -6.0
    weak = torch.tensor([[3.0, 0.0, 0.0, 2.5], [4.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.5, 1.0], [0.0, 0.0, 4.0, 0.0]])
    things = [True, True, False]
    return [
        Case("one thing half hidden", sure, hidden, things, 0.5, 0.8),
        Case("a row in nobody's mask", mixed, between, things, 0.5, 0.8),
        Case("much won outside its mask", sure, edges, things, 0.5, 0.8),
        Case("unsure queries", weak, hidden, things, 0.5, 0.6),
        Case("twelve queries", 3 * classes, masks, things, 0.6, 0.7),
        Case("nobody is sure", 0 * classes, masks, things, 0.5, 0.8),
    ]


def _merged(
    class_logits: Tensor, mask_logits: Tensor, is_thing: Sequence[bool], score: float, overlap: float, *,
    weigh: bool = True, void: bool = True, share: str = "won", joined: str = "stuff",
) -> Merged:  # fmt: skip
    """The answer written once more, with switches for what goes wrong."""
    scores, labels = class_logits.softmax(-1).max(-1)
    keep = (labels < class_logits.shape[1] - 1) & (scores > score)
    ids, found = torch.zeros(mask_logits.shape[1:], dtype=torch.int32), []
    if not keep.any():
        return ids, found
    scores, labels, masks = scores[keep], labels[keep], mask_logits[keep].sigmoid()
    winner = (scores[:, None, None] * masks if weigh else masks).argmax(0)
    for n, label in enumerate(labels.tolist()):
        own, won = masks[n] >= 0.5, winner == n
        visible = own & won
        part = {"won": won, "visible": visible}[share]
        if not visible.any() or part.sum() / own.sum() < overlap:
            continue
        alone = {"stuff": is_thing[label], "all": False, "none": True}[joined]
        if alone or label not in found:
            found.append(label)
        number = len(found) if alone else found.index(label) + 1
        ids[visible if void else won] = number
    return ids, found


EXERCISES = (
    Exercise(
        id="11.1",
        name="semantic_scores",
        reference=_semantic,
        cases=_cases_semantic,
        drawn=results.logits,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("no object is no class: leave its column, the last one, out of the sum", _semantic_with_no_object),
            Mistake("softmax over all K + 1 columns first, then drop the last: else a query that says no object votes "
                    "as loud as any other", _semantic_dropped_before),
            Mistake("classes exclude each other: a softmax over the row, not a sigmoid of each",
                    _semantic_class_sigmoid),
            Mistake("mask logits must become probabilities (sigmoid) before they are summed", _semantic_mask_logits),
            Mistake("the masks stay soft: sum probabilities, without a threshold", _semantic_binary_masks),
            Mistake("the softmax runs over the classes of a query (last axis), not over the queries",
                    lambda c, m: _summed(c.softmax(0)[:, :-1], m.sigmoid())),
        ),
    ),
    Exercise(
        id="11.2",
        name="ranked_instances",
        reference=_instances,
        cases=_cases_instances,
        drawn=results.logits_and_things,
        mistakes=(
            Mistake("the Q best pairs of query and class, not one class for each query: flatten, then topk",
                    _instances_argmax),
            Mistake("stuff is no instance: keep the pairs whose class is a thing", _instances_with_stuff),
            Mistake("first the Q best of all pairs, then throw out stuff; yours fills its places with further things",
                    lambda *args: _ranked(*args, things_last=False)),
            Mistake("a mask ends at probability 0.5: that is logit 0, not logit 0.5",
                    lambda *args: _ranked(*args, edge=0.5)),
            Mistake("the score is the class probability times the mean mask probability inside the mask",
                    lambda *args: _ranked(*args, certain=False)),
        ),
    ),
    Exercise(
        id="11.3",
        name="merge",
        reference=_merge,
        cases=_cases_merge,
        drawn=results.merging,
        mistakes=(
            Mistake("only queries surer than the object mask threshold compete",
                    lambda c, m, t, score, overlap: _merged(c, m, t, 0.0, overlap)),
            Mistake("a query that keeps too small a share of its own mask is dropped",
                    lambda c, m, t, score, overlap: _merged(c, m, t, score, 0.0)),
            Mistake("a pixel outside the winner's own mask (probability below 0.5) stays void",
                    lambda *args: _merged(*args, void=False)),
            Mistake("the share is pixels won, inside its mask or not, divided by pixels of its mask",
                    lambda *args: _merged(*args, share="visible")),
            Mistake("a pixel goes to the largest score times mask probability, not to the largest probability alone",
                    lambda *args: _merged(*args, weigh=False)),
            Mistake("stuff of one class is one segment: two queries of it share an id",
                    lambda *args: _merged(*args, joined="none")),
            Mistake("things stay apart: only stuff of one class shares an id",
                    lambda *args: _merged(*args, joined="all")),
        ),
    ),
)  # fmt: skip
