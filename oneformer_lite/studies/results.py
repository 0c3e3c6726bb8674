"""What came out of a study's runs: one JSON object a line in ``results.jsonl``, in the order of the study.

Scores, thinned curves and times are all that is kept, a kilobyte or two a run: they can be read without the runs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import DataError
from ..files import open_own, replacing
from ..json_reader import parse_json
from ..render.curves import series
from .definition import Definition
from .measures import KNOWN

RESULTS = "results.jsonl"
LARGEST = 64 * 2**20  # bytes of the file
POINTS = 24  # of the loss's curve, at most
TIMES = ("seconds", "judging_seconds")  # all else is the same whenever and wherever a study is made


@dataclass(frozen=True)
class Result:
    """A finished run. ``scores``: percent by metric, on the validation pictures. ``curves``: pairs of step and value,
    of the quick evaluations' metrics and the total "loss". ``failed``: why there are no scores. ``trouble``: what is
    odd about what was learned."""

    variant: str
    seed: int
    steps: int = 0
    parameters: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)
    skipped: int = 0
    trouble: str = ""
    failed: str = ""
    seconds: float = 0.0  # of training
    judging_seconds: float = 0.0

    def line(self, times: bool = True) -> str:
        content = asdict(self)
        return json.dumps({n: v for n, v in content.items() if times or n not in TIMES}) + "\n"


def write_results(folder: Path, definition: Definition, results: Iterable[Result]) -> None:
    """All of them, in the order of the study, at once."""
    with replacing(folder / RESULTS) as draft:
        draft.write_text("".join(r.line() for r in in_order(definition, results)), encoding="utf-8")


def in_order(definition: Definition, results: Iterable[Result]) -> list[Result]:
    """Those that belong to the study."""
    by_run = {(r.variant, r.seed): r for r in results}
    keys = [(variant.name, seed) for variant, seed in definition.runs]
    return [by_run[key] for key in keys if key in by_run]


def read_results(folder: str | Path, definition: Definition) -> list[Result]:
    """The results that are there. Raises :class:`DataError` with the place of a line that is none."""
    path = Path(folder) / RESULTS
    try:
        with open_own(path) as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}): check its permissions") from error
    if len(content) > LARGEST:
        raise DataError(f"{path} has more than {LARGEST} bytes: no study's results are so large")
    lines = [(number, line) for number, line in enumerate(content.split(b"\n"), start=1) if line.strip()]
    return in_order(definition, [_parsed(line, f"{path}, line {number}", definition) for number, line in lines])


def _parsed(line: bytes, where: str, definition: Definition) -> Result:
    content = parse_json(line, where, cure="take the line out: the study makes that run again")
    try:
        result = Result(**dict(content))
        _check(result, definition)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{where} is not the result of a run ({error}): take the line out, and the study makes the run "
                        "again") from error  # fmt: skip
    return result


def _check(result: Result, definition: Definition) -> None:
    """Raises ValueError or TypeError."""
    if result.variant not in [v.name for v in definition.variants] or result.seed not in definition.seeds:
        raise ValueError(f"the study has no run of {str(result.variant)[:80]!r} with seed {result.seed!r:.40}")
    numbers = [result.steps, result.parameters, result.skipped, result.seconds, result.judging_seconds]
    if not all(map(_is_number, [*numbers, *result.scores.values()])) or not result.scores.keys() <= set(KNOWN):
        raise ValueError("expected numbers, and scores by the names of metrics")
    if not all(isinstance(text, str) for text in (result.trouble, result.failed)):
        raise ValueError("expected trouble and failed to be texts")
    for points in result.curves.values():
        if not all(isinstance(p, list) and len(p) == 2 and all(map(_is_number, p)) for p in points):
            raise ValueError("expected curves as lists of [step, value]")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def curves_of(history: Sequence[dict], metrics: Iterable[str]) -> dict[str, list[tuple[int, float]]]:
    """What is kept of a run's log: the quick evaluations' ``metrics``, and the total loss as means of equal parts."""
    evaluated = [r for r in history if r["kind"] == "eval"]
    found = {name: _pairs(*series(evaluated, name)) for name in metrics}
    steps, losses = series([r for r in history if r["kind"] == "train"], "total")
    parts = min(POINTS, len(steps))
    edges = [len(steps) * part // parts for part in range(parts + 1)] if parts else []
    means = [(steps[b - 1], losses[a:b].mean()) for a, b in zip(edges, edges[1:])]
    return {name: points for name, points in {**found, "loss": _pairs(*zip(*means)) if means else []}.items() if points}


def _pairs(steps: Iterable[float], values: Iterable[float]) -> list[tuple[int, float]]:
    return [(int(step), float(f"{value:.5g}")) for step, value in zip(steps, values)]
