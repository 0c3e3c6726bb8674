"""Which queries claim a pixel, who wins it, and by which rule: the post-processing of each task, for one pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ...config import BaseConfig, DetrConfig
from ...inference import RawPrediction, mean_inside
from ...inference.detr import SMALL, rounds
from ...inference.knet import with_probabilities
from ...inference.merging import compete
from .reading import QueryReading

MIN_SCORE = 0.5  # what ``ofl.predict`` leaves of instances
_SIDE = 1024  # pixels of the longer side at which whole masks are compared, in larger pictures


@dataclass(frozen=True)
class Standing:
    """How a query fares everywhere: ``score`` is what its ``class_id`` brings to every pixel of its mask.

    ``barred`` says why it takes no part, ``dropped`` why what it wins becomes void; both are empty otherwise.
    """

    class_id: int
    score: float
    barred: str = ""
    dropped: str = ""


@dataclass(frozen=True)
class Claim:
    """What one query says of one pixel; ``value`` is what the claims are compared by, unless by their ``logit``."""

    query: int
    class_id: int
    score: float
    logit: float
    probability: float
    value: float
    why: str


def rule_of(config: BaseConfig) -> str:
    """How the panoptic task gives a pixel away: to the greatest mask "logit", as DETR does; to the largest product of
    score and probability, and then "within" the winner's own mask alone, or "anywhere"."""
    if config.POSTPROCESSING == "detr":
        return "logit"
    return "within" if config.merge_within_masks else "anywhere"


def standings(reading: QueryReading, layer: int, config: BaseConfig) -> list[Standing]:
    """Of all queries, if the decoder ended after ``layer``, by the rule of the reading's task."""
    things = [category.is_thing for category in config.categories]
    probabilities = reading.probabilities[layer]
    scores, labels = probabilities[:, :-1].max(-1)
    plain = [Standing(k, s) for k, s in zip(labels.tolist(), scores.tolist())]
    if reading.task == "semantic":
        return plain
    by_logit = rule_of(config) == "logit"
    if reading.task == "instance":
        own_score = config.POSTPROCESSING in ("detr", "knet")
        return _own_instances(plain, things) if own_score else _instances(reading, layer, things)
    threshold = config.object_mask_threshold
    if config.POSTPROCESSING == "knet":
        return _all_compete(plain, reading, layer, things, config)
    empty = (probabilities[:, -1] > scores).tolist()
    for q, standing in enumerate(plain):
        if empty[q]:
            barred = f"takes no part: “no object” is likelier ({probabilities[q, -1]:.2f})"
            plain[q] = replace(standing, barred=barred)
        elif standing.score <= threshold:
            plain[q] = replace(standing, barred=f"takes no part: its score is not above {threshold:g}")
    if by_logit:
        return _after_rounds(plain, reading, layer, tuple(things), config)
    kept = [q for q, standing in enumerate(plain) if not standing.barred]
    for q, share in zip(kept, _kept_shares(reading, layer, kept, config.merge_within_masks)):
        if share < config.overlap_threshold:
            dropped = f"keeps {share:.0%} of its mask, {config.overlap_threshold:.0%} are needed"
            plain[q] = replace(plain[q], dropped=dropped)
    return plain


def _kept_shares(reading: QueryReading, layer: int, kept: list[int], within_masks: bool) -> list[float]:
    """How much of its own mask's area each query wins; 0 where it wins none of its mask."""
    if not kept:
        return []
    longest = max(reading.size)
    factor = min(1.0, _SIDE / longest)
    size = tuple(max(1, round(side * factor)) for side in reading.size)
    raw, queries = _raw(reading, layer, size), torch.tensor(kept)
    masks = with_probabilities(raw).masks(queries) if reading.shares else raw.masks(queries).sigmoid()
    scores = reading.probabilities[layer, kept, :-1].amax(-1)
    _, _, areas = compete(scores, masks)
    return [area.won / area.own if (area.visible if within_masks else area.own) else 0.0 for area in areas]


def _all_compete(
    plain: list[Standing], reading: QueryReading, layer: int, things: list[bool], config: BaseConfig
) -> list[Standing]:
    """K-Net's: nobody is barred; what unsure things win becomes void, and what those win that keep too little."""
    for q, share in enumerate(_kept_shares(reading, layer, list(range(len(plain))), within_masks=False)):
        if things[plain[q].class_id] and plain[q].score < config.object_mask_threshold:
            plain[q] = replace(plain[q], dropped=f"its score is below {config.object_mask_threshold:g}")
        elif share < config.overlap_threshold:
            dropped = f"keeps {share:.0%} of its mask, {config.overlap_threshold:.0%} are needed"
            plain[q] = replace(plain[q], dropped=dropped)
    return plain


def _after_rounds(
    plain: list[Standing], reading: QueryReading, layer: int, things: tuple[bool, ...], config: DetrConfig
) -> list[Standing]:
    """Those whose segments turn out too small take no part either, in the end."""
    raw = _raw(reading, layer, reading.size)
    for r in rounds(raw, things, config.object_mask_threshold, config.keep_joined_stuff):
        for place in r.small.nonzero().flatten().tolist():
            q, first = int(r.kept[place]), int(r.first[place])
            why = f"its segment has at most {SMALL} pixels"
            if first != place:
                why = f"joined to query {int(r.kept[first])}, it has no pixels of its own"
            plain[q] = replace(plain[q], barred=f"drops out: {why}")
    return plain


def _own_instances(plain: list[Standing], things: list[bool]) -> list[Standing]:
    """DETR's and K-Net's: of each query its likeliest class, where that is a thing, by that probability alone."""
    barred = [
        f"left out: its score is below {MIN_SCORE:g}" if s.score < MIN_SCORE else
        "left out: its likeliest class is no thing" if not things[s.class_id] else "" for s in plain
    ]  # fmt: skip
    return [replace(standing, barred=why) for standing, why in zip(plain, barred)]


def _instances(reading: QueryReading, layer: int, things: list[bool]) -> list[Standing]:
    """A query's best thing class; its score is the class probability times the mean probability in its mask, here
    read at a quarter of the input, where ``instance_inference`` reads it at the picture's size."""
    probabilities = reading.probabilities[layer, :, :-1]
    if not any(things):
        labels, scores = probabilities.argmax(-1), probabilities.amax(-1)
        return [Standing(k, s, "no class of this model is a thing") for k, s in zip(labels.tolist(), scores.tolist())]
    scores, labels = probabilities.masked_fill(~torch.tensor(things), -1.0).max(-1)
    height, width = (-(-side // reading.stride) for side in reading.unpadded)
    logits = reading.mask_logits[layer, :, :height, :width]
    return [
        Standing(k, s, "" if s >= MIN_SCORE else f"left out: its score is below {MIN_SCORE:g}")
        for k, s in zip(labels.tolist(), (scores * mean_inside(logits, logits > 0)).tolist())
    ]


def _raw(reading: QueryReading, layer: int, size: tuple[int, int]) -> RawPrediction:
    classes, masks = reading.probabilities[layer].log(), reading.mask_logits[layer]  # logits but for a constant
    return RawPrediction(classes, masks, reading.padded, reading.unpadded, size)


def claims_at(
    task: str,
    standings: Sequence[Standing],
    probabilities: np.ndarray,
    logits: np.ndarray,
    names: Sequence[str],
    rule: str = "within",
    most: int = 6,
) -> tuple[str, list[Claim]]:
    """Who wins a pixel, in one sentence, and the strongest claims. ``probabilities`` [Q, K+1], ``logits`` [Q] there;
    ``rule``: that of :func:`rule_of`.

    ``inspectors/queries/page.js`` does the same in the exported page.
    """
    claims = []
    for q, standing in enumerate(standings):
        chance = float(1 / (1 + np.exp(-np.float64(logits[q]))))
        part = float(logits[q] > 0) if task == "instance" else chance
        value = standing.score * part
        claims.append(Claim(q, standing.class_id, standing.score, float(logits[q]), chance, value, standing.barred))
    by_logit = rule == "logit" and task == "panoptic"
    claims.sort(key=lambda claim: -(claim.logit if by_logit else claim.value))
    if task == "semantic":
        return _semantic(claims[:most], probabilities, logits, names)
    shown = [claim for claim in claims if by_logit or claim.value >= 0.005]
    if task == "instance":
        found = [claim for claim in shown if not claim.why]
        outcome = {0: "No instance here.", 1: "One instance here."}.get(len(found), f"{len(found)} instances here.")
        told = [claim if claim.why else replace(claim, why="an instance of its own: none competes") for claim in shown]
        return outcome, told[:most]
    winner = next((claim for claim in claims if not claim.why), None)
    if winner is None:
        return "Void: no query is sure enough to take part.", shown[:most]
    what, most_of = ("mask logit", "greatest") if by_logit else ("score × probability", "largest")
    outcome, why = _verdict(winner, standings[winner.query], names, f"wins: {most_of} {what}", rule)
    lost = f"loses to query {winner.query}: smaller {what}"
    others = [claim if claim.why else replace(claim, why=lost) for claim in shown if claim.query != winner.query]
    return outcome, [replace(winner, why=why), *others][:most]


def _verdict(winner: Claim, standing: Standing, names: Sequence[str], why: str, rule: str) -> tuple[str, str]:
    """The panoptic rule for the query that all others lose to: outcome, and why."""
    if rule == "within" and winner.probability < 0.5:
        return f"Void: query {winner.query} has the largest product, but not this pixel.", "its own mask is below 0.5"
    if standing.dropped:
        return f"Void: query {winner.query} has the largest product, but is dropped.", standing.dropped
    return f"Query {winner.query} wins: {names[winner.class_id]}.", why


def _semantic(
    claims: list[Claim], probabilities: np.ndarray, logits: np.ndarray, names: Sequence[str]
) -> tuple[str, list[Claim]]:
    totals = probabilities[:, :-1].T @ (1 / (1 + np.exp(-logits.astype(np.float64))))
    best = int(totals.argmax())
    told = []
    for claim in claims:
        share = claim.value / max(totals[best], 1e-12)
        other = f"speaks for {names[claim.class_id]}: {totals[claim.class_id]:.2f} in all"
        why = f"gives {share:.0%} of the score of {names[best]}" if claim.class_id == best else other
        told.append(replace(claim, why=why))
    return f"{names[best].capitalize()} wins with {totals[best]:.2f}, summed over all queries.", told
