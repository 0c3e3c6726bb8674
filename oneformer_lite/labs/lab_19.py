"""Lab 19: what a budget affords, what three seeds tell, and a mistake that was planted in a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from ..studies.summary import FACTOR, FEWEST, spread
from .draws import studied
from .exercise import Case, Exercise, Mistake

# -- 19.1: hours, seconds a step, steps, seconds of judging, variants -> seeds, or 0


def _seeds(hours: float, step: float, steps: int, judging: float, variants: int) -> int:
    return _afforded(hours, step, steps, judging, variants)


def _afforded(
    hours: float, step: float, steps: int, judging: float, variants: int, *, judged: bool = True, baseline: int = 1,
    least: int = FEWEST, up: bool = False, once: bool = False, by_seed: bool = False,
) -> int:  # fmt: skip
    """With switches for what goes wrong; ``baseline``: it is one of those that are trained; ``once`` and ``by_seed``:
    the seconds of judging count once for all, or for all variants of a seed."""
    run = step * steps + judging * (judged and not once and not by_seed)
    seconds = 3600 * hours - judging * once
    count = int(seconds / (run * (variants + baseline) + judging * by_seed) + (0.999 if up else 0))
    return count if count >= least else 0


def _cases_seeds() -> list[Case]:
    return [
        Case("a night", 8.0, 0.5, 1000, 60.0, 4),
        Case("just three", 1.0, 0.25, 400, 20.0, 9),
        Case("not enough for three", 0.5, 0.25, 400, 20.0, 9),
        Case("judging takes longer than training", 2.0, 0.1, 200, 100.0, 5),
    ]


# -- 19.2: scores of baseline and variant by seed -> difference, whether it is seen


def _read(baseline: Mapping[int, float], variant: Mapping[int, float]) -> tuple[float, bool]:
    return _difference(baseline, variant)


def _difference(
    baseline: Mapping[int, float], variant: Mapping[int, float], *, paired: bool = True, both: bool = True,
    factor: float = FACTOR, least: int = FEWEST, sign: int = 1,
) -> tuple[float, bool]:  # fmt: skip
    """With switches for what goes wrong."""
    common = [seed for seed in variant if seed in baseline]
    ours, theirs = ([of[seed] for seed in common] for of in (variant, baseline))
    value = mean(ours) - mean(theirs) if paired else mean(variant.values()) - mean(baseline.values())
    noise = max(spread(ours), spread(theirs)) if both else spread(theirs)
    return sign * value, len(common) >= least and abs(value) > factor * noise


def _cases_read() -> list[Case]:
    base = {0: 30.0, 1: 31.0, 2: 30.5}
    return [
        Case("far below", base, {0: 25.0, 1: 25.5, 2: 25.2}),
        Case("the variant's own range is large", base, {0: 28.0, 1: 24.0, 2: 26.5}),
        Case("more than the range, less than twice", base, {0: 31.5, 1: 32.5, 2: 32.0}),
        Case("two seeds in common", base, {0: 20.0, 1: 20.0}),
        Case("a seed that the other has not", {**base, 7: 60.0}, {0: 33.5, 1: 33.7, 2: 33.9, 5: 1.0}),
    ]


# -- 19.3: runs as (variant, seed, steps, batch size, judged), the first variant is the baseline -> a name, or ""

Run = tuple[str, int, int, int, int]


def _odd(runs: Sequence[Run]) -> str:
    return _unlike(runs)


def _unlike(
    runs: Sequence[Run], *, seeds: bool = True, judged: bool = True, pictures: bool = True, steps: bool = False,
    ordered: bool = False,
) -> str:  # fmt: skip
    """With switches for what goes wrong."""
    kinds = {name: _kind(runs, name, seeds, judged, pictures, steps, ordered) for name, *_ in runs}
    first = next(iter(kinds.values()))
    return next((name for name, kind in kinds.items() if kind != first), "")


def _kind(
    runs: Sequence[Run], name: str, seeds: bool, judged: bool, pictures: bool, steps: bool, ordered: bool
) -> tuple:
    """What all variants must share."""
    own = [run for run in runs if run[0] == name]
    given = [seed for _, seed, *_ in own]
    return (
        seeds and (given if ordered else sorted(given)), judged and {run[4] for run in own},
        pictures and {run[2] * run[3] for run in own}, steps and {run[2] for run in own},
    )  # fmt: skip


def _cases_odd() -> list[Case]:
    as_it_is = [("as it is", seed, 360, 4, 100) for seed in range(3)]
    other = [("no text", seed, 360, 4, 100) for seed in range(3)]
    large = [("batch 8", seed, 180, 8, 100) for seed in range(3)]
    return [
        Case("all alike, one in another order", [*as_it_is, *(other[n] for n in (2, 0, 1))]),
        Case("half the steps of twice as many", [*as_it_is, *large, *other]),
        Case("twice as many pictures", [*as_it_is, *other, *[("batch 8", s, 360, 8, 100) for s in range(3)]]),
        Case("other seeds", [*as_it_is, *large, *[("no text", s, 360, 4, 100) for s in (0, 1, 3)]]),
        Case("judged on others", [*as_it_is, *[("no text", s, 360, 4, 50) for s in range(3)]]),
    ]


EXERCISES = (
    Exercise(
        id="19.1",
        name="seeds",
        reference=_seeds,
        cases=_cases_seeds,
        drawn=studied.budgets,
        mistakes=(
            Mistake("each run is judged, too: add those seconds to the training's",
                    lambda *given: _afforded(*given, judged=False)),
            Mistake("each run is judged: yours counts those seconds once for the whole night",
                    lambda *given: _afforded(*given, once=True)),
            Mistake("each run is judged: yours counts those seconds once for each seed",
                    lambda *given: _afforded(*given, by_seed=True)),
            Mistake("the baseline is trained as well, with every seed", lambda *given: _afforded(*given, baseline=0)),
            Mistake("fewer than three seeds tell nothing of the noise: then it is 0",
                    lambda *given: _afforded(*given, least=0)),
            Mistake("a seed that is not finished for all variants is none: round down",
                    lambda *given: _afforded(*given, up=True)),
        ),
    ),
    Exercise(
        id="19.2",
        name="read",
        reference=_read,
        cases=_cases_read,
        drawn=studied.scores,
        mistakes=(
            Mistake("compare the seeds that both have, and leave out the others",
                    lambda b, v: _difference(b, v, paired=False)),
            Mistake("the noise is the larger of both ranges: the variant has one, too",
                    lambda b, v: _difference(b, v, both=False)),
            Mistake("it is seen if it exceeds twice the range, not the range",
                    lambda b, v: _difference(b, v, factor=1.0)),
            Mistake("with fewer than three seeds in common nothing is seen",
                    lambda b, v: _difference(b, v, least=0)),
            Mistake("variant minus baseline: a variant that is worse has a difference below zero",
                    lambda b, v: _difference(b, v, sign=-1)),
        ),
    ),
    Exercise(
        id="19.3",
        name="odd",
        reference=_odd,
        cases=_cases_odd,
        drawn=studied.runs,
        mistakes=(
            Mistake("look at the seeds as well: with others there is no pair to compare",
                    lambda runs: _unlike(runs, seeds=False)),
            Mistake("the same seeds in another order are the same seeds: sort them, or compare sets",
                    lambda runs: _unlike(runs, ordered=True)),
            Mistake("look at what is judged as well: a score of other pictures is another score",
                    lambda runs: _unlike(runs, judged=False)),
            Mistake("look at the budget as well: steps times pictures a step",
                    lambda runs: _unlike(runs, pictures=False)),
            Mistake("half the steps of twice as many pictures are the same budget",
                    lambda runs: _unlike(runs, pictures=False, steps=True)),
        ),
    ),
)  # fmt: skip
