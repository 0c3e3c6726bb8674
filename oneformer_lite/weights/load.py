"""From a configuration and named tensors to a model: everything must fit, and what does not is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ..config import BaseConfig
from ..errors import CheckpointError
from ..notices import warn_user
from .names import State

if TYPE_CHECKING:
    from ..model import MaskModel

TEXT_MAPPER = "text_mapper."


def build(config: BaseConfig, state: State, source: str) -> MaskModel:
    """The model of ``config`` with the weights ``state``, in evaluation mode. ``source`` is for messages.

    Sizes are compared before there is memory for them: what a file claims costs nothing unless its weights say the
    same. No random numbers are drawn.
    """
    with torch.device("meta"):
        plan = _construct(config, source)  # shapes alone
    _fitting(plan, state, source)
    with ZerosForRandom():
        model = _construct(config, source)
    model.config = config
    model.load_state_dict(_fitting(model, state, source))
    if broken := first_bad_weight(model.state_dict()):
        warn_user(f"{source} holds weights that are not finite, first {broken}: what this model says means nothing")
    model.backbone.has_imagenet_weights = config.pretrained
    return model.eval()


def first_bad_weight(state: State) -> str:
    """The name of the first tensor with a NaN or an infinity in it; empty if there is none."""
    return next((name for name, value in state.items() if not torch.isfinite(value).all()), "")


def check_kind(config: BaseConfig, kind: type[BaseConfig], named: str, source: str | Path) -> None:
    """The configuration that somebody gave for a file must be of the kind of model in it (``named``, "a DETR")."""
    if config.model_type != kind.model_type:
        raise CheckpointError(f"{source} holds {named}, but config is that of a {config.model_type}")


def check_sizes(config: BaseConfig, found: Mapping[str, object], source: str | Path) -> BaseConfig:
    """``config``, whose fields must be those that were ``found`` in the shapes of a file's weights."""
    wrong = [
        f"{field} is {value} in the file, {getattr(config, field)} in config"
        for field, value in found.items()
        if value != getattr(config, field)
    ]
    if wrong:
        raise CheckpointError(f"{source} does not fit the given config: {'; '.join(wrong)}")
    return config


def warn_of_variants(source: str | Path, call: str, others: str) -> None:
    """That a file was taken for one preset of several whose weights have the same shapes."""
    warn_user(
        f"{source} is taken for config.{call}, of which there are variants with the same weights' "
        f"shapes: {others}. If it is another one, say so: from_pretrained(path, config=...)."
    )


class ZerosForRandom(TorchDispatchMode):
    """Within the block, in this thread, random numbers are zeros.

    For weights that are overwritten at once: faster, and the global random state stays where it is.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **(kwargs or {}))
        if func._schema.is_mutable:  # normal_ and the like
            return args[0].zero_()
        with torch.random.fork_rng(devices=[]):  # randn and the like
            return func(*args, **(kwargs or {})).zero_()


def _construct(config: BaseConfig, source: str) -> MaskModel:
    from ..model import build

    try:
        # the file holds the backbone's weights: no ImageNet weights needed first
        return build(dataclasses.replace(config, pretrained=False))
    except Exception as error:  # sizes that contradict each other fail in many places
        reason = str(error).split("\n")[0]
        raise CheckpointError(f"no model of the sizes that {source} states can be built: {reason}") from error


def load_state(model: MaskModel, state: State, source: str) -> None:
    """Load ``state`` strictly; what is missing, unknown or of another shape is named.

    A file that lacks a part for learning alone, as OneFormer's text mapper, is a model for inference: the part becomes
    None.
    """
    model.load_state_dict(_fitting(model, state, source))


def _fitting(model: MaskModel, state: State, source: str) -> State:
    """``state`` if it is all of the model's weights and nothing else; else :class:`CheckpointError`."""
    for part in model.training_only:
        if not any(name.startswith(f"{part}.") for name in state):
            setattr(model, part, None)
    own = model.state_dict()
    state = settle_counters(state, own)
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    shared = sorted(own.keys() & state.keys())
    misshapen = [
        f"{name} is {list(state[name].shape)} in the file, {list(own[name].shape)} in the model"
        for name in shared
        if own[name].shape != state[name].shape
    ]
    other_numbers = [
        f"{name} is {_numbers(state[name])} in the file, {_numbers(own[name])} in the model"
        for name in shared
        if own[name].is_floating_point() != state[name].is_floating_point()
    ]
    problems = [
        f"{title}: {', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"
        for title, names in (
            ("missing", missing), ("unknown", unknown), ("misshapen", misshapen), ("other numbers", other_numbers),
        )
        if names
    ]  # fmt: skip
    if problems:
        raise CheckpointError(
            f"{source} does not fit the model ({'; '.join(problems)}): it was made with another configuration"
        )
    return state


def _numbers(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def whole_text_mapper(state: State) -> State:
    """``state`` without a text mapper of which only the temperature is there.

    That is what the published transformers files hold: they keep it in the criterion, which every file has.
    """
    lone = [name for name in state if name.startswith(TEXT_MAPPER)] == [f"{TEXT_MAPPER}logit_scale"]
    return {name: value for name, value in state.items() if not (lone and name.startswith(TEXT_MAPPER))}


def settle_counters(state: State, own: State) -> State:
    """BatchNorm's count of the batches it saw is neither computed with nor kept by a frozen BatchNorm:
    what the file has too many goes, what it lacks starts at zero."""

    def counter(name: str) -> bool:
        return name.endswith(".num_batches_tracked")

    fresh = {name: torch.zeros_like(own[name]) for name in own.keys() - state.keys() if counter(name)}
    return fresh | {name: value for name, value in state.items() if name in own or not counter(name)}
