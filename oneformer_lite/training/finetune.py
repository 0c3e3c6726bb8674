"""Where a run starts: from a trained model, from a backbone that has learned ImageNet, or from random weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..config import BaseConfig, toytown
from ..data.sample import TASKS
from ..errors import ConfigError
from ..files import normal
from ..notices import warn_user
from ..weights import from_pretrained
from ..weights.names import State
from .config import AUTO, TrainConfig

if TYPE_CHECKING:
    from ..model import MaskModel

SHIPPED = "toytown"  # the trained model that comes with the package
# what of a configuration decides which weights there are, but for classes and queries
_SHAPES = (
    "backbone", "backbone_options", "hidden_dim", "num_heads", "pixel_decoder", "encoder_layers", "encoder_ffn",
    "sampling_points", "query_layers", "query_ffn", "query_values", "decoder_layers", "decoder_ffn", "text_context",
    "text_width", "text_layers", "text_heads", "text_length", "text_causal",
)  # fmt: skip


def chosen_start(config: BaseConfig, c: TrainConfig) -> TrainConfig:
    """The recipe with its ``start_from`` decided: "auto" is the model that comes with the package where classes of
    one's own are trained in its sizes, and none otherwise, nor for random weights throughout (``pretrained=False``)."""
    if c.start_from != AUTO:
        return c
    shipped = toytown()
    fits = type(config) is type(shipped) and all(getattr(config, n) == getattr(shipped, n) for n in _SHAPES)
    own = config.class_names != shipped.class_names
    return replace(c, start_from=SHIPPED if fits and own and config.pretrained else None)


def set_initial_weights(model: MaskModel, c: TrainConfig) -> None:
    """Give a new model what its recipe says (:func:`chosen_start`), with a warning that names what is new all the
    same. Raises :class:`ConfigError` where nothing would come of random ones."""
    if c.start_from:
        if new := start_from(model, c.start_from):
            warn_user(f"the run starts from {c.start_from}; new, with random weights: {'; '.join(new)}")
    elif model.start_needed:
        raise ConfigError(f"{model.start_needed}; TrainConfig(start_from=...) names the model that has the rest")
    elif model.config.pretrained:
        model.backbone.load_imagenet_weights()


@torch.no_grad()
def start_from(model: MaskModel, source: str) -> list[str]:
    """Give ``model`` the weights of ``source``, whatever :func:`oneformer_lite.from_pretrained` reads. Lesson 15.

    Classes are found again by their names, queries by their number. Returns in words what stays new, with random
    weights: the rows of the class head for classes that ``source`` does not know, further queries, and parts for
    learning alone that it does not hold, such as the text mapper. Queries that there is no room for are left out with
    a warning. Raises :class:`ConfigError` if the models differ in anything else.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*: the model predicts, but training it")  # the result says so
        trained = from_pretrained(source)
    own = {name: value.cpu() for name, value in model.state_dict().items()}
    state, new = trained.state_dict(), []
    for part in trained.training_only.keys() - model.training_only.keys():  # this training does without
        state = {name: value for name, value in state.items() if not name.startswith(f"{part}.")}
    fresh = [part for part in model.training_only if not any(name.startswith(f"{part}.") for name in state)]
    for part in fresh:
        loss = model.training_only[part]
        count = sum(p.numel() for p in getattr(model, part).parameters())
        new.append(f"the {part.replace('_', ' ')} ({count / 1e6:.1f} million parameters, for the {loss} loss)")
        state |= {name: value for name, value in own.items() if name.startswith(f"{part}.")}
    rows = model.config.rows_of_classes
    known = [name for name in own if name.split(".")[0] not in fresh]
    heads = {name: part for name in known if (part := f".{name}".split(".")[-2]) in rows}
    tables = [name for name in own if name.split(".")[0] in ("queries", "query_positions", "query_boxes")]
    _check(own, state, [*heads, *tables], source)
    told = model.task_token(TASKS[:1]) is not None
    new += _keep_queries(own, state, tables, told, source)
    new += _keep_classes(own, state, heads, trained.config, model.config)
    model.load_state_dict(state)
    model.backbone.has_imagenet_weights = True  # none need be fetched
    return new


def _keep_queries(own: State, state: State, tables: list[str], told: bool, source: str) -> list[str]:
    """The first ones, and of a model that is ``told`` its task the last, which is the task token's own."""
    if not tables:
        return []
    before, after = len(state[tables[0]]), len(own[tables[0]])
    kept = min(before, after) - told
    rows = [*zip(range(kept), range(kept)), *[(after - 1, before - 1)] * told]
    state |= {name: _with_rows(own[name], state[name], rows) for name in tables}
    if after < before:
        warn_user(f"{before - after} of the {before} queries of {source} are left out: num_queries is {after}")
    return [f"{after - before} of {after} queries"] if after > before else []


def _keep_classes(
    own: State, state: State, heads: Mapping[str, str], trained: BaseConfig, config: BaseConfig
) -> list[str]:
    """Those of the same name, and "no object", which is the last, where that is a class. ``heads``: by the names of
    their weights, whose rows they are of ``config.rows_of_classes``."""
    found: set[str] = set()
    for weight, part in heads.items():
        before, after = (_names_of_rows(c, part) for c in (trained, config))
        rows = [(i, before.index(name)) for i, name in enumerate(after) if name in before]
        no_object = [(len(after), len(before))] * (len(own[weight]) > len(after))
        state[weight] = _with_rows(own[weight], state[weight], [*rows, *no_object])
        found |= set(before)
    if not (unknown := [name for name in config.class_names if normal(name) not in found]):
        return []
    listed = ", ".join(unknown[:5]) + " ..." * (len(unknown) > 5)
    return [f"{len(unknown)} of {config.num_classes} classes ({listed})"]


def _names_of_rows(config: BaseConfig, part: str) -> list[str]:
    """In one form of Unicode, in which they are found again."""
    return [normal(config.class_names[i]) for i in config.rows_of_classes[part]]


def _with_rows(own: Tensor, trained: Tensor, rows: Sequence[tuple[int, int]]) -> Tensor:
    """``own`` with rows from ``trained``: pairs of the place here and the place there."""
    to, of = torch.tensor(rows, dtype=torch.int64).view(-1, 2).T
    return own.index_copy(0, to, trained[of])


def _check(own: State, state: State, by_row: list[str], source: str) -> None:
    """All weights must be in both, of the same shapes but for the numbers of classes and of queries."""
    differing = sorted(own.keys() ^ state.keys())
    for name in own.keys() & state.keys():
        start = name in by_row  # whose rows are classes, or queries
        if own[name].shape[start:] != state[name].shape[start:]:
            differing.append(name)
    if differing:
        raise ConfigError(
            f"{source} is no start for this configuration: {len(differing)} weights are missing or of other shapes, "
            f"such as {min(differing)}. config.for_classes(from_pretrained({source!r}).config, dataset.categories) is "
            "a configuration that fits"
        )
