"""Are there enough pictures to learn from, and to judge by?"""

from __future__ import annotations

from ..data.dataset import SegmentationDataset
from .findings import Finding

HANDFUL = 20  # pictures: fewer are learned by heart
FEW = 10  # segments of a class
NAMED = 5  # classes that are named
CURE = "annotate more (ten segments of a class are the least, some hundred a good start)"
START = ", and start from a trained model, which needs fewest (start_from)"


def check_amount(dataset: SegmentationDataset, started: bool = False) -> Finding | None:
    """None where there is enough, as far as it is known of all pictures (``class_counts``). ``started``: they are of a
    run that went on from a trained model."""
    counts = getattr(dataset, "class_counts", None) or []
    rare = [(category.name, n) for category, n in zip(dataset.categories, counts) if 0 < n < FEW]
    parts = [handful(len(dataset), started)] if handful(len(dataset)) else []
    if rare:
        named = ", ".join(f"{name} {n}" for name, n in rare[:NAMED]) + " ..." * (len(rare) > NAMED)
        parts.append(f"fewer than {FEW} segments of {len(rare)} of {len(counts)} classes ({named})")
    cure = CURE if started else CURE + START
    return Finding("amount of data", "too little", "; ".join(parts), cure) if parts else None


def handful(pictures: int, started: bool = False) -> str:
    """What becomes of a model that learns from so few pictures; empty if they are more than a handful."""
    if not 0 < pictures < HANDFUL:
        return ""
    what = "a single picture" if pictures == 1 else f"{pictures} pictures"
    needs = "a model needs more of them, or a trained start"
    if started:
        needs = "even a model with a trained start needs more of them"
    return f"{what} can be learned by heart; to do well on others {needs}"
