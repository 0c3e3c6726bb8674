"""A study that somebody wrote, in TOML or JSON: data alone, nothing in it is executed.

    title = "What the contrastive loss is worth"
    preset = "toytown"                  # of oneformer_lite.config; its data set's recipe is the baseline's
    seeds = 3
    toytown_scenes = 6000               # painted into train.data first, unless they are there

    [config]                            # what all change of the preset
    [train]                             # and of the recipe
    out = "runs/contrastive"
    data = "runs/demo/data"
    steps = 2000

    [variants."as published"]           # the first is the baseline, unless baseline names another
    [variants."no contrastive loss"]
    contrastive_weight = 0.0
    note = "..."
    [variants."Mask2Former"]
    preset = "mask2former_toytown"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from ..checks import check_number
from ..config import BaseConfig
from ..config.checks import shown
from ..errors import ConfigError
from ..files import path_of
from ..json_reader import SMALL, read_json
from ..training.config import TrainConfig
from ..training.recipes import RECIPES, recipe_for
from .measures import nearest
from .variants import preset, split

_CURE = "correct the file"
_TABLES = ("config", "train", "variants")
_OPTIONS = ("title", "baseline", "metrics", "threads", "judged")
_NONE = "none"  # TOML has no null


@dataclass(frozen=True)
class StudyFile:
    """What :func:`oneformer_lite.study` is called with, and how many scenes of Toytown are painted before."""

    variants: Mapping[str, dict]
    seeds: int | list[int]
    train_config: TrainConfig
    config: BaseConfig
    options: dict = field(default_factory=dict)  # baseline, metrics, title, threads, judged
    toytown_scenes: int = 0

    def of_steps(self, steps: int) -> StudyFile:
        """With so many steps for every variant, to try them."""
        free = {n: {k: v for k, v in c.items() if k not in ("steps", "minutes")} for n, c in self.variants.items()}
        return replace(self, variants=free, train_config=replace(self.train_config, steps=steps, minutes=None))


def read_file(path: str | Path) -> StudyFile:
    """Raises :class:`ConfigError` with the file, the place in it, and what was expected."""
    path = path_of(path, "the file of a study")
    content = _read_toml(path) if path.suffix.lower() == ".toml" else read_json(path, ConfigError, _CURE)
    try:
        return _study_of(content)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _read_toml(path: Path) -> dict:
    try:
        if path.stat().st_size > SMALL:
            raise ConfigError(f"{path} has more than {SMALL} bytes: no study is so large")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror or error}): check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}): save it again as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {_twice(str(error)) or error}; {_CURE}") from error


def _twice(words: str) -> str:
    """What TOML's parser says of a table that was declared before, in our words."""
    if not words.startswith("Cannot declare ('variants', "):
        return ""
    name, _, place = words.removeprefix("Cannot declare ('variants', ").partition(") twice")
    return f"the variant {name} comes twice{place}"


def _study_of(content: object) -> StudyFile:
    if not isinstance(content, dict):
        raise ConfigError(f"expected a study's settings by name, got {shown(content)}")
    known = (*_TABLES, "preset", "seeds", "toytown_scenes", *_OPTIONS)
    for name in content:
        if name not in known:
            raise ConfigError(f"a study has no {shown(name)}{nearest(name, known)}")
    for name in _TABLES:
        if not isinstance(content.get(name, {}), dict):
            raise ConfigError(f"{name} must be a table, got {shown(content[name])}")
    if not content.get("variants"):
        raise ConfigError('it has no variants: expected tables such as [variants."no contrastive loss"]')
    config = preset(content.get("preset", "toytown"))
    config = replace(config, **_config_changes(content.get("config", {}), config))
    scenes = content.get("toytown_scenes", 0)
    check_number("toytown_scenes", scenes, 0, 10_000_000, whole=True)
    options = {name: content[name] for name in _OPTIONS if name in content}
    variants = {name: _variant(name, changes) for name, changes in content["variants"].items()}
    recipe = _recipe(content.get("train", {}), config)
    return StudyFile(variants, content.get("seeds", 3), recipe, config, options, scenes)


def _config_changes(changes: dict, config: BaseConfig) -> dict:
    try:
        own, recipe = split(_plain(changes), config)
    except ConfigError as error:
        raise ConfigError(f"[config]: {error}") from error
    if recipe:
        raise ConfigError(f"[config]: {', '.join(recipe)} is of the recipe: write it under [train]")
    return own


def _recipe(changes: dict, config: BaseConfig) -> TrainConfig:
    """The recipe of the configuration's data set, with the file's own."""
    known = [f.name for f in fields(TrainConfig)]
    for name in changes:
        if name == "seed":
            raise ConfigError("[train]: seed is not the recipe's: seeds, beside title, are the same for all variants")
        if name not in known:
            raise ConfigError(f"[train]: TrainConfig has no field {shown(name)}{nearest(name, known)}")
    if config.data_set not in RECIPES:
        raise ConfigError(f"preset: there is no recipe for its data set {config.data_set!r}")
    try:
        return recipe_for(config, **({"out": "runs/study"} | _plain(changes)))
    except ConfigError as error:
        raise ConfigError(f"[train]: {error}") from error


def _variant(name: str, changes: object) -> dict:
    if not isinstance(changes, dict):
        raise ConfigError(f"variant {name!r}: expected a table of its changes, got {shown(changes)}")
    return {field: value if field == "note" else _plain({field: value})[field] for field, value in changes.items()}


def _plain(changes: dict) -> dict:
    """Lists as tuples, and the text "none" as None where a field may be that."""
    free = {f.name for kind in (TrainConfig, BaseConfig) for f in fields(kind) if "None" in str(f.type)}
    return {n: None if v == _NONE and n in free else tuple(v) if isinstance(v, list) else v for n, v in changes.items()}
