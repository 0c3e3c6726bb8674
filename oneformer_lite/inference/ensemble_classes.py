"""The classes of an ensemble's models: the same by name, in the first one's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from ..config import BaseConfig
from ..data.sample import Category
from ..errors import ConfigError
from ..files import normal
from ..listing import few
from ..notices import warn_user
from .raw import RawPrediction


def order_of(wanted: Sequence[Category], had: Sequence[Category]) -> list[int]:
    """The places among ``had`` of the ``wanted`` classes, by name."""
    names, sought = ([normal(category.name) for category in categories] for categories in (had, wanted))
    if sorted(names) != sorted(sought) or len(set(names)) != len(names):
        if names == sought:
            return list(range(len(names)))
        missing = [name for name in sought if name not in names]
        more = [name for name in names if name not in sought]
        raise ConfigError(
            f"the models of an ensemble know the same classes: the first knows {few(missing) or 'no other'}, another "
            f"{few(more) or 'no other'} besides"
        )
    return [names.index(name) for name in sought]


def warn_of_other_kinds(configs: Sequence[BaseConfig]) -> None:
    """Of models that part segments; where class scores are averaged, the kinds of classes have no effect."""
    parting = [config for config in configs if tuple(config.answered_tasks) != ("semantic",)]
    kinds = [{normal(c.name): c.is_thing for c in config.categories} for config in parting]
    if other := [name for name in configs[0].class_names if len({of[normal(name)] for of in kinds}) > 1]:
        warn_user(
            f"{few(other, 5)}: things (each object apart) for one model of the ensemble, stuff (merged) for another, "
            "so their masks do not fit each other; the first model's kinds count"
        )


def answers_for(config: BaseConfig, order: list[int], answer: RawPrediction) -> Int[Tensor, "Q"] | None:
    """The class of the ensemble's that each query answers for alone, -1 of the others; None where none does."""
    if not config.fixed_queries:
        return None
    classes = torch.full((len(answer.class_logits),), -1, device=answer.device)
    for label, query in config.fixed_queries.items():
        classes[query] = order.index(label)
    return classes


def reordered(answer: RawPrediction, order: list[int]) -> RawPrediction:
    places = [*order, len(order)] if answer.no_object else order
    if places == list(range(len(places))):
        return answer
    return replace(answer, class_logits=answer.class_logits[:, places])
