"""Fine-tuning: a run that starts from a trained model instead of random weights."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch

from ..errors import ConfigError
from ..weights import from_pretrained
from ..weights.names import State

if TYPE_CHECKING:
    from ..model import OneFormer

_CLASS_HEAD = ("decoder.class_head.weight", "decoder.class_head.bias")
_TEXT_MAPPER = "text_mapper."


@torch.no_grad()
def start_from(model: OneFormer, source: str) -> list[str]:
    """Give ``model`` the weights of ``source``, whatever :func:`oneformer_lite.from_pretrained` reads. Lesson 15.

    Classes are found again by their names. Returns in words what stays new, with random weights: the rows of the class
    head for classes that ``source`` does not know, and the text mapper where it holds none. Raises
    :class:`ConfigError` if the models differ in anything else.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*holds no text mapper")  # the result says so
        trained = from_pretrained(source)
    own = {name: value.cpu() for name, value in model.state_dict().items()}
    state, new = trained.state_dict(), []
    if trained.text_mapper is None:
        count = sum(p.numel() for p in model.text_mapper.parameters())
        new.append(f"the text mapper ({count / 1e6:.1f} million parameters, for the contrastive loss)")
        state |= {name: value for name, value in own.items() if name.startswith(_TEXT_MAPPER)}
    _check(own, state, source)
    before, after = trained.config.class_names, model.config.class_names
    rows = [(i, before.index(name)) for i, name in enumerate(after) if name in before]
    to, of = zip(*rows, (len(after), len(before)))  # the last is "no object"
    state |= {name: own[name].index_copy(0, torch.tensor(to), state[name][list(of)]) for name in _CLASS_HEAD}
    if unknown := [name for name in after if name not in before]:
        listed = ", ".join(unknown[:5]) + " ..." * (len(unknown) > 5)
        new.append(f"{len(unknown)} of {len(after)} classes ({listed})")
    model.load_state_dict(state)
    model.backbone.has_imagenet_weights = True  # none need be fetched
    return new


def _check(own: State, state: State, source: str) -> None:
    """All weights must be in both, of the same shapes but for the number of classes."""
    differing = sorted(own.keys() ^ state.keys())
    for name in own.keys() & state.keys():
        start = name in _CLASS_HEAD  # rows are classes
        if own[name].shape[start:] != state[name].shape[start:]:
            differing.append(name)
    if differing:
        raise ConfigError(
            f"{source} is no start for this configuration: {len(differing)} weights are missing or of other shapes, "
            f"such as {min(differing)}. config.for_classes(from_pretrained({source!r}).config, dataset.categories) is "
            "a configuration that fits"
        )
