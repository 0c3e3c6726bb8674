"""Named variants: a model's configuration and a training's recipe, each with a few changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha1

from .. import config as configurations
from ..checks import meant
from ..config import BaseConfig, for_classes
from ..config.checks import ALSO_CALLED as CONFIG_CALLED
from ..config.checks import shown
from ..errors import ConfigError
from ..notices import warn_user
from ..training.config import TrainConfig
from ..training.fields import ALSO_CALLED as RECIPE_CALLED
from ..training.finetune import chosen_start

Changes = Mapping[str, object]
# what a variant may be: changes by the names of fields, another member's configuration, or that with changes
Given = Changes | BaseConfig | tuple[BaseConfig, Changes]

MOST_VARIANTS, LONGEST_NAME, LONGEST_NOTE = 1000, 80, 2000
# the study's own, or what all variants must share so that their numbers can be compared
_SHARED = ("data", "val_split", "evaluations", "eval_images", "log_steps")
_OWN = {"out": "each run has a folder of its own in the study's", "seed": "the study's seeds are the same for all"}
# of another member's published recipe, what depends on a budget
_BUDGET = ("steps", "minutes")
_SKIPPED = (*_OWN, "look_first", "workers", "save_minutes", "save_steps", "log_tensorboard")


@dataclass(frozen=True)
class Variant:
    """One of those that a study compares."""

    name: str
    config: BaseConfig
    train_config: TrainConfig
    note: str = ""

    @property
    def folder(self) -> str:
        """Its name for files: two variants never share one."""
        return folder_of(self.name)

    @property
    def budget(self) -> str:
        c = self.train_config
        return f"{c.steps} steps" if c.steps else f"{c.minutes:g} minutes"

    def run_config(self, out: str, seed: int) -> TrainConfig:
        """The recipe of one of its runs."""
        return replace(self.train_config, out=out, seed=seed)


def resolve(
    given: Mapping[str, Given] | Iterable, config: BaseConfig, train_config: TrainConfig
) -> tuple[Variant, ...]:
    """The variants, each with everything that it does not change from ``config`` and ``train_config``.

    Raises :class:`ConfigError` for names that come twice, fields that do not exist, values that do not go together,
    and variants that do not differ.
    """
    pairs = list(given.items()) if isinstance(given, Mapping) else _pairs(given)
    check_names([name for name, _ in pairs])
    variants = tuple(_variant(name, changes, config, train_config) for name, changes in pairs)
    _check_different(variants)
    _warn_of_starts(variants)
    return variants


def _pairs(given: object) -> list[tuple[str, Given]]:
    if isinstance(given, (list, tuple)) and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in given):
        return [(name, changes) for name, changes in given]
    raise ConfigError(f"expected variants as a dict {{name: changes}}, or a list of such pairs, got {shown(given)}")


def check_names(names: Sequence[object]) -> None:
    """Raises :class:`ConfigError` for what is no name of a variant, and for two that are one, or would share a
    folder."""
    if not 0 < len(names) <= MOST_VARIANTS:
        raise ConfigError(f"expected 1 to {MOST_VARIANTS} variants by name, got {len(names)}")
    taken: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise ConfigError(f"a variant's name must be a line of 1 to {LONGEST_NAME} characters, got {shown(name)}")
        if (folder := folder_of(name)) in taken:
            other = "comes twice" if taken[folder] == name else f"would have the folder of {taken[folder]!r}"
            raise ConfigError(f"the variant {name!r} {other}: give one of them another name")
        taken[folder] = name


def folder_of(name: str) -> str:
    """A variant's name for files."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return plain if plain == name else f"{plain}-{sha1(name.encode()).hexdigest()[:6]}"


def _variant(name: str, given: Given, config: BaseConfig, train_config: TrainConfig) -> Variant:
    try:
        config, train_config, changes = _start(given, config, train_config)
        note = changes.pop("note", "")
        if not isinstance(note, str) or len(note) > LONGEST_NOTE:
            raise ConfigError(f"its note must be a text of at most {LONGEST_NOTE} characters, got {shown(note)}")
        own, recipe = split(changes, config)
        return Variant(name, replace(config, **own), _changed(train_config, recipe), note)
    except ConfigError as error:
        raise ConfigError(f"variant {name!r}: {error}") from error


def _start(
    given: Given, config: BaseConfig, train_config: TrainConfig
) -> tuple[BaseConfig, TrainConfig, dict[str, object]]:
    """What is changed, and the changes: of another member its own configuration, with the classes of the baseline, and
    its own settings in the recipe."""
    if isinstance(given, BaseConfig):
        given = (given, {})
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], BaseConfig):
        other, given = given
    elif isinstance(given, Mapping) and "preset" in given:
        other = preset(given["preset"])
    else:
        other = None
    if not isinstance(given, Mapping):
        raise ConfigError(f"expected its changes as {{field: value}}, got {shown(given)}")
    changes = {name: value for name, value in given.items() if name != "preset"}
    if other is None:
        return config, train_config, changes
    if other.class_names != config.class_names:
        other = for_classes(other, config.categories)
    own: dict = {name: value for name, value in other.recipe.items() if name not in _BUDGET}
    return other, replace(train_config, **own), changes


def preset(name: object) -> BaseConfig:
    """The named configuration. Raises :class:`ConfigError` with the nearest name where there is none."""
    if not isinstance(name, str) or name not in configurations.PRESETS:
        near = meant(str(name)[:60], configurations.PRESETS, {}, {}).replace("; it has", "; there are")
        raise ConfigError(f"there is no preset {shown(name)}{near}")
    return getattr(configurations, name)()


def split(changes: Changes, config: BaseConfig) -> tuple[dict, dict]:
    """The changes of the configuration, and those of the recipe. Raises :class:`ConfigError` for a name that is a field
    of neither, with the one that was probably meant, and for what a variant may not change."""
    own, recipe = ({field.name for field in fields(kind)} for kind in (type(config), TrainConfig))
    for name in changes:
        if name in _OWN:
            raise ConfigError(f"{name} is not a variant's: {_OWN[name]}")
        if name in _SHARED:
            raise ConfigError(f"{name} must be the same for all variants: set it in the recipe of the study")
        if name not in own | recipe:
            words = meant(str(name)[:60], sorted(own | recipe), CONFIG_CALLED | RECIPE_CALLED, {})
            raise ConfigError(f"neither {type(config).__name__} nor TrainConfig has a field {shown(name)}{words}")
    return {n: v for n, v in changes.items() if n in own}, {n: v for n, v in changes.items() if n in recipe}


def _changed(train_config: TrainConfig, changes: dict) -> TrainConfig:
    """A budget takes the place of the other."""
    other = dict.fromkeys({"steps", "minutes"} - changes.keys()) if changes.keys() & {"steps", "minutes"} else {}
    return replace(train_config, **(other | changes))


def _check_different(variants: Sequence[Variant]) -> None:
    for place, variant in enumerate(variants):
        for other in variants[:place]:
            if _same(variant, other):
                raise ConfigError(
                    f"the variants {other.name!r} and {variant.name!r} are the same in everything: a run would be made "
                    "twice, and end with the same numbers"
                )


def _same(one: Variant, other: Variant) -> bool:
    """Whether they have no :func:`differences`: asked of all pairs, so it takes microseconds."""
    if type(one.config) is not type(other.config) or one.config != other.config:
        return False
    recipe = [field.name for field in fields(TrainConfig) if field.name not in _SKIPPED]
    return all(getattr(one.train_config, name) == getattr(other.train_config, name) for name in recipe)


def _warn_of_starts(variants: Sequence[Variant]) -> None:
    starts = {v.name: chosen_start(v.config, v.train_config).start_from for v in variants}
    first = next(iter(starts.values()))
    if others := [name for name, start in starts.items() if start != first]:
        warn_user(
            f"the variants do not start alike: {variants[0].name!r} from {first or 'no trained model'}, "
            f"{', '.join(map(repr, others))} from {starts[others[0]] or 'no trained model'}. Set start_from in the "
            "recipe if that is not what is compared"
        )


def differences(variant: Variant, baseline: Variant) -> dict[str, tuple[object, object]]:
    """Field -> its value in the baseline and in the variant, of all that differ; of another member only what of the
    recipe differs, and "model"."""
    found: dict[str, tuple[object, object]] = {}
    pairs = [(asdict(baseline.train_config), asdict(variant.train_config))]
    if type(variant.config) is type(baseline.config):
        pairs.insert(0, (asdict(baseline.config), asdict(variant.config)))
    else:
        found["model"] = (baseline.config.model_type, variant.config.model_type)
    for before, after in pairs:
        found |= {n: (before[n], after[n]) for n in after if n not in _SKIPPED and before[n] != after[n]}
    return found


def difference_words(variant: Variant, baseline: Variant) -> str:
    """The same in words, "contrastive_weight 0.5 → 0"."""
    told = [f"{name} {_said(a)} → {_said(b)}" for name, (a, b) in differences(variant, baseline).items()]
    return ", ".join(text for text in told if not text.startswith(("steps None", "minutes None")) or len(told) == 1)


def _said(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(_said(v) for v in value[:4]) + ", ..." * (len(value) > 4) + ")"
    return str(value)
