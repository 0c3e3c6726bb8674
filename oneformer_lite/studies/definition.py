"""What a study compares: variants, seeds, metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral
from pathlib import Path

from ..checks import check_number
from ..config.checks import shown
from ..errors import ConfigError
from .measures import SHOWN, check_given, check_metrics, nearest
from .variants import LONGEST_NAME, Variant, check_names

MOST_SEEDS = 1000
# what of a recipe decides neither what is learned nor what is written down of it
_FREE = {
    "out", "data", "workers", "save_minutes", "save_steps", "log_tensorboard", "look_first", "keep_best",
    "unreadable_share", "data_may_change", "checkpoint_activations", "seed",
}  # fmt: skip


@dataclass(frozen=True)
class Definition:
    """``threads``: of the processor, for each run. ``judged``: so many validation pictures, None: all."""

    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    baseline: str
    metrics: tuple[str, ...] = SHOWN
    title: str = "Study"
    threads: int = 1
    judged: int | None = None
    data: tuple[dict, dict] | None = None  # fingerprints of the training and validation pictures

    @property
    def reference(self) -> Variant:
        """The baseline."""
        return self.named(self.baseline)

    @property
    def runs(self) -> list[tuple[Variant, int]]:
        """All of them, seed by seed: a study that is stopped has compared all variants as far as it came."""
        return [(variant, seed) for seed in self.seeds for variant in self.variants]

    def named(self, name: str) -> Variant:
        """Raises :class:`ConfigError` with the nearest name where there is none."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise ConfigError(f"there is no variant {shown(name)}{nearest(name, [v.name for v in self.variants])}")


def define(
    variants: Sequence[Variant],
    seeds: int | Sequence[int],
    baseline: str | None = None,
    metrics: str | Sequence[str] = SHOWN,
    title: str = "Study",
    threads: int = 1,
    judged: int | None = None,
) -> Definition:
    """What was asked for, checked; the baseline is the first variant unless named. Raises :class:`ConfigError`."""
    if not isinstance(title, str) or not title.strip() or len(title) > 2 * LONGEST_NAME or not title.isprintable():
        raise ConfigError(f"title must be a line of 1 to {2 * LONGEST_NAME} characters, got {shown(title)}")
    check_number("threads", threads, 1, 1024, whole=True)
    if judged is not None:
        check_number("judged", judged, 1, whole=True)
    check_names(names := [v.name for v in variants])
    if baseline is not None and baseline not in names:
        raise ConfigError(f"the baseline {shown(baseline)} is none of the variants{nearest(baseline, names)}")
    chosen, metrics = baseline or names[0], check_metrics(metrics)
    found = Definition(tuple(variants), check_seeds(seeds), chosen, metrics, title, threads, judged)
    check_given(found.reference, found.variants, metrics)
    return found


def check_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """A number of seeds are 0, 1, 2 ...; or these."""
    if isinstance(seeds, Integral) and not isinstance(seeds, bool):
        check_number("seeds", seeds, 1, MOST_SEEDS, whole=True)
        return tuple(range(int(seeds)))
    if not isinstance(seeds, (list, tuple, range)) or not 0 < len(seeds) <= MOST_SEEDS:
        raise ConfigError(f"seeds must be a number of seeds, or a list of some, got {shown(seeds)}")
    for place, seed in enumerate(seeds):
        check_number("a seed", seed, 0, 2**63 - 1, whole=True)
        if seed in list(seeds)[:place]:
            raise ConfigError(f"the seed {seed} comes twice: the same run again has the same numbers")
    return tuple(int(seed) for seed in seeds)


def check_same(before: Definition, now: Definition, folder: Path) -> None:
    """``now`` is the study that was begun in ``folder``, perhaps with more variants or seeds. Raises
    :class:`ConfigError` with what differs."""
    if found := [*_changes(before, now), *_lacking(before, now)]:
        raise ConfigError(
            f"{folder} holds another study: {'; '.join(found[:5])}{'; ...' * (len(found) > 5)}. Choose another folder, "
            "or ask for what was begun there (variants and seeds may be added)"
        )


def _changes(before: Definition, now: Definition) -> Iterator[str]:
    for name in ("baseline", "threads", "judged"):
        if getattr(before, name) != getattr(now, name):
            yield f"{name} was {getattr(before, name)!r}, is {getattr(now, name)!r}"
    known = {v.name: v for v in before.variants}
    for variant in now.variants:
        if variant.name in known:
            yield from _variant_changes(known[variant.name], variant)


def _variant_changes(before: Variant, now: Variant) -> Iterator[str]:
    if type(before.config) is not type(now.config):
        yield f"variant {now.name!r} was a {before.config.model_type} model, is a {now.config.model_type} model"
        return
    pairs = ((before.config, now.config), (before.train_config, now.train_config))
    for was, is_ in ((asdict(a), asdict(b)) for a, b in pairs):
        for name in is_.keys() - _FREE:
            if was[name] != is_[name]:
                yield f"variant {now.name!r}: {name} was {shown(was[name])}, is {shown(is_[name])}"


def _lacking(before: Definition, now: Definition) -> Iterator[str]:
    names = [v.name for v in now.variants]
    yield from (f"variant {v.name!r} is missing" for v in before.variants if v.name not in names)
    yield from (f"seed {seed} is missing" for seed in before.seeds if seed not in now.seeds)
