"""A study's definition into its folder and out of it: the baseline whole, of the other variants what differs."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from ..config import from_stored, stored
from ..errors import ConfigError, DataError
from ..files import write_json
from ..json_reader import read_json
from ..training.config import TrainConfig
from ..training.state import RECIPE
from .definition import Definition, define
from .variants import Variant

STUDY, RUNS = "study.json", "runs"
FORMAT = 1


def write_definition(folder: Path, definition: Definition) -> None:
    write_json(folder / STUDY, to_dict(definition), indent=1)


def to_dict(definition: Definition) -> dict:
    """Ready for JSON."""
    d, reference = definition, definition.reference
    config, recipe = stored(reference.config), _recipe(reference)
    return {
        "format": FORMAT, "title": d.title, "baseline": d.baseline, "seeds": list(d.seeds),
        "metrics": list(d.metrics), "threads": d.threads, "judged": d.judged,
        "config": config, "train_config": recipe,
        "variants": [_variant(v, reference, config, recipe) for v in d.variants],
        "data": d.data and list(d.data),
    }  # fmt: skip


def _variant(variant: Variant, baseline: Variant, config: dict, recipe: dict) -> dict:
    own = stored(variant.config)
    if type(variant.config) is type(baseline.config):
        model: dict = {"config": {name: value for name, value in own.items() if config[name] != value}}
    else:
        model = {"model": own}
    changed = {name: value for name, value in _recipe(variant).items() if recipe[name] != value}
    return {"name": variant.name, "note": variant.note, **model, "train_config": changed}


def _recipe(variant: Variant) -> dict:
    """Without what says where the study lies."""
    return asdict(replace(variant.train_config, out="study", seed=0))


def read_definition(folder: str | Path) -> Definition:
    """What the study in ``folder`` compares. Raises :class:`DataError` if there is none, or its file is damaged."""
    path = Path(folder) / STUDY
    missing = f"{folder} holds no study: ofl.study(variants, seeds, train_config) makes one"
    content = read_json(path, DataError, "put back a copy of the file, or begin another study", missing=missing)
    try:
        return _from_dict(content, str(folder))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        words = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
        raise DataError(f"{path} is not the definition of a study of this version ({words})") from error


def _from_dict(content: object, out: str) -> Definition:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise TypeError(f"expected an object whose 'format' is {FORMAT}")
    variants = [_read_variant(entry, content, out) for entry in content["variants"]]
    if not variants:
        raise ValueError("it has no variants")
    settings = {name: content[name] for name in ("seeds", "baseline", "metrics", "title", "threads", "judged")}
    data = content["data"]
    return replace(define(variants, **settings), data=None if data is None else (dict(data[0]), dict(data[1])))


def _read_variant(entry: dict, content: dict, out: str) -> Variant:
    config = from_stored(entry["model"] if "model" in entry else content["config"] | entry["config"])
    train_config = TrainConfig(**(content["train_config"] | {"out": out} | entry["train_config"]))
    if not isinstance(entry["name"], str) or not isinstance(entry["note"], str):
        raise TypeError("expected names and notes of variants as texts")
    return Variant(entry["name"], config, train_config, entry["note"])


def run_folder(folder: Path, variant: Variant, seed: int) -> Path:
    """Where a run of the study in ``folder`` lies."""
    return folder / RUNS / f"{variant.folder}-{seed}"


def check_folder(folder: Path) -> None:
    """Raises :class:`ConfigError` where a run, or the runs of a study that has lost its definition, lie already."""
    if (folder / RECIPE).exists():
        raise ConfigError(f"{folder} holds a single run: choose another folder for the study")
    if (folder / RUNS).is_dir() and any((folder / RUNS).iterdir()):
        raise ConfigError(f"{folder / RUNS} holds runs, but {folder} no {STUDY}: choose another folder for the study")
