"""What follows from the numbers of a study, and what does not.

A difference counts as seen if its mean over the seeds is more than twice the range: the distance from the lowest to the
highest value that seeds alone make, of the variant or of the baseline, whichever is larger. If scores scatter normally
and a change does nothing, three seeds call it seen once in 190 times, four once in 3000; with three, one that is six
times the standard deviation between seeds is seen four times in five, one of four less than every other time. So what
is seen is rarely chance, and what is not seen may well be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from .definition import Definition
from .measures import metrics_of
from .results import Result

FEWEST = 3  # seeds from which a range says something
FACTOR = 2.0
# verdicts
BASELINE, BETTER, WORSE, HINT, UNSEEN, FEW, NOTHING = "baseline", "better", "worse", "hint", "unseen", "few", "nothing"


@dataclass(frozen=True)
class Row:
    """One variant by one metric. ``values`` and ``reference``: percent by seed, of the variant and of the baseline.
    ``why``: why there are none. Lesson 19."""

    variant: str
    metric: str
    values: Mapping[int, float]
    reference: Mapping[int, float] = field(repr=False)
    is_baseline: bool = False
    why: str = ""

    @property
    def mean(self) -> float | None:
        return mean(self.values.values()) if self.values else None

    @property
    def range(self) -> float | None:
        """From the lowest to the highest value."""
        return spread(self.values.values()) if self.values else None

    @property
    def differences(self) -> dict[int, float]:
        """To the baseline with the same seed, that is the same pictures in the same order."""
        return {seed: value - self.reference[seed] for seed, value in self.values.items() if seed in self.reference}

    @property
    def difference(self) -> float | None:
        """Their mean."""
        return mean(found.values()) if (found := self.differences) else None

    @property
    def noise(self) -> float:
        """The larger of both ranges, over the seeds that both have."""
        common = self.differences
        pair = ([self.values[s] for s in common], [self.reference[s] for s in common])
        return max(map(spread, pair)) if common else 0.0

    @property
    def seen(self) -> bool:
        """Whether the difference exceeds twice the range."""
        return self.verdict in (BETTER, WORSE)

    @property
    def verdict(self) -> str:
        if self.is_baseline or not self.values:
            return BASELINE if self.is_baseline else NOTHING
        differences = list(self.differences.values())
        if len(differences) < FEWEST:
            return FEW
        if abs(mean(differences)) > FACTOR * self.noise:
            return BETTER if mean(differences) > 0 else WORSE
        return HINT if min(differences) > 0 or max(differences) < 0 else UNSEEN

    @property
    def words(self) -> str:
        """The verdict in a sentence."""
        return _WORDS[self.verdict](self)


def spread(values: Iterable[float]) -> float:
    values = list(values)
    return max(values) - min(values) if values else 0.0


def rows_of(definition: Definition, results: Sequence[Result], metric: str) -> list[Row]:
    """All variants by one metric."""
    values = {v.name: {r.seed: r.scores[metric] for r in results if r.variant == v.name and metric in r.scores}
              for v in definition.variants}  # fmt: skip
    reference = values[definition.baseline]
    return [
        Row(v.name, metric, values[v.name], reference, v.name == definition.baseline,
            "" if values[v.name] else _why(definition, results, v.name, metric))
        for v in definition.variants
    ]  # fmt: skip


def _why(definition: Definition, results: Sequence[Result], name: str, metric: str) -> str:
    if metric not in metrics_of(definition.named(name)):
        return f"not measured: it does not learn what {metric} is of"
    own = [r for r in results if r.variant == name]
    failed = [r for r in own if r.failed]
    if failed:
        return f"failed with seed {', '.join(str(r.seed) for r in failed)}: {failed[0].failed}"
    return "nothing to measure in these pictures" if own else "no result yet"


def _few(row: Row) -> str:
    common = len(row.differences)
    if not common:
        return "no seed with a result of both yet"
    seeds = "one seed says" if common == 1 else f"{common} seeds say"
    return f"{seeds} nothing of the noise: take {FEWEST} or more"


def _counted(row: Row) -> str:
    side = "above" if (row.difference or 0.0) > 0 else "below"
    noise = f"more than twice the {row.noise:.2f} between seeds"
    return f"{row.verdict}: {abs(row.difference or 0.0):.2f} {side} the baseline, {noise}"


def _hint(row: Row) -> str:
    side = "higher" if (row.difference or 0.0) > 0 else "lower"
    return (
        f"{side} with every seed, but by less than twice the {row.noise:.2f} between seeds: a hint, and no result. "
        "More seeds or a longer training would tell"
    )


def _unseen(row: Row) -> str:
    if not row.noise:
        return "no difference at all: all numbers are equal"
    return (
        f"not seen: seeds alone make {row.noise:.2f}. That is no proof that there is no difference: one below "
        f"{FACTOR * row.noise:.1f} would not have been called seen here"
    )


_WORDS = {
    BASELINE: lambda row: "what the others are compared with", NOTHING: lambda row: row.why, FEW: _few,
    BETTER: _counted, WORSE: _counted, HINT: _hint, UNSEEN: _unseen,
}  # fmt: skip


def signed(value: float | None, digits: int = 2) -> str:
    """With its sign, a real minus; "±0" for what rounds to nothing."""
    if value is None:
        return "–"
    text = f"{abs(value):.{digits}f}"
    return f"±{text}" if float(text) == 0 else f"{'+' if value > 0 else '−'}{text}"
