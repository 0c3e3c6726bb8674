"""Losses that fall, and mean nothing: what no loss can be, and what is low because nothing is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..config import BaseConfig
from ..dataset_checks.findings import Finding
from ..training.config import TrainConfig
from ..training.finetune import chosen_start

BELOW_ZERO = "below zero, where no loss between probabilities and targets of 0 and 1 can be"
BELOW_CURE = "look at the targets: masks of 0 and 255 are pictures of masks, so compare them (mask > 127)"
CLASS = "class loss over the run"
QUIET = 0.02  # share of its start below which a class loss has nothing left to say
FOUND = 10.0  # percent of a score at which something is named


def asked_for_names(finding: Finding, history: Sequence[dict]) -> Finding:
    """The ``finding`` itself; or, of a class loss that has come down to nothing in a run that names nothing, that no
    names are asked for. Cross-entropy compares with what is asked, and "no object" is learned within a few steps.
    Lesson 20."""
    values = [r["class"] for r in history if r["kind"] == "train" and isinstance(r.get("class"), (int, float))]
    scores = _last_scores(history)
    if finding.check != CLASS or finding.verdict != "fine" or not values or not scores:
        return finding
    tenth = values[-max(1, len(values) // 10) :]
    if sum(tenth) / len(tenth) > QUIET * values[0] or max(scores.values()) > FOUND:
        return finding
    said = ", ".join(f"{name} {value:.1f}" for name, value in scores.items())
    return replace(
        finding, verdict="fault", evidence=f"{finding.evidence}, and still nothing is named ({said})",
        cure="look at the labels that reach F.cross_entropy: where all say \"no object\", that is all that is learned",
    )  # fmt: skip


def _last_scores(history: Sequence[dict]) -> dict[str, float]:
    """Percent, of the last evaluation."""
    last = next((r for r in reversed(history) if r["kind"] in ("eval", "final")), {})
    return {name: last[name] for name in ("PQ", "AP", "mIoU") if isinstance(last.get(name), (int, float))}


def check_backbone(config: BaseConfig, train_config: TrainConfig) -> Finding | None:
    """A backbone that never learns has learned before; None if so."""
    frozen = not train_config.backbone_lr_multiplier
    if not frozen or config.pretrained or chosen_start(config, train_config).start_from:
        return None
    return Finding(
        "backbone", "fault", "its weights are random (pretrained=False) and never learn (backbone_lr_multiplier=0)",
        "pretrained=True, a trained start (start_from), or a backbone_lr_multiplier above 0",
    )  # fmt: skip
