"""Drawn cases of lab 19: budgets, scores by seed, and runs of which a variant's may be unlike the others'."""

from __future__ import annotations

from .draw import Draw, drawn


@drawn
def budgets(d: Draw) -> tuple:
    return d.number(0.5, 9.0), d.number(0.1, 0.6), 100 * d.between(2, 9), d.number(10.0, 90.0), d.between(2, 9)


@drawn
def scores(d: Draw) -> tuple:
    """The variant lacks a seed of the baseline, and has one of its own."""
    base = {seed: 30 + d.number(-0.5, 0.5) for seed in range(4)}
    shift = d.number(-6.0, 6.0)
    return base, {seed: base.get(seed, 40.0) + shift + d.number(-0.4, 0.4) for seed in (0, 2, 3, 9)}


@drawn
def runs(d: Draw) -> tuple:
    """One variant of three has other seeds, other pictures, another budget, or nothing odd."""
    odd, seeds = d.between(0, 3), [0, 1, 2]
    judged, steps = [50, 100][odd != 1], [240, 360][odd != 2]
    rows = [("as it is", s, 360, 4, 100) for s in seeds] + [("batch 2", s, 720, 2, 100) for s in seeds]
    own = [0, 1, 4] if odd == 0 else seeds
    return ([*rows, *[("no masks", s, steps, 4, judged) for s in own]],)
