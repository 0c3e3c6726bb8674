"""Lab 06: sine positions, copies of the token, queries that look at the picture."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..model.parts.layers import Attention, sine_positions
from .draws import parts
from .exercise import Case, Exercise, Mistake, Rules

Look = Callable[[Tensor, Tensor], Tensor]


def _random(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# -- 06.1: h, w, C -> [C, h, w]


def _sine(h: int, w: int, C: int) -> Tensor:
    return sine_positions(h, w, C).clone()  # the package keeps its own


def _cases_sine() -> list[Case]:
    return [
        Case("a square map", 4, 4, 8),
        Case("higher than wide", 6, 3, 8),
        Case("wider than high", 2, 9, 12),
        Case("one place", 1, 1, 4),
        Case("Toytown's size", 32, 32, 96),
    ]


def _waves(
    h: int, w: int, C: int, start: int = 1, pairs: bool = True, turn: bool = True, halves: bool = True
) -> tuple[Tensor, Tensor]:
    """Angles of rows [h, w, C/2] and of columns."""
    half = torch.arange(C // 2)
    exponent = (2 * (half // 2) if pairs else half) / (C // 2 if halves else C)
    angles = []
    for length in (h, w):
        place = torch.arange(start, length + start) * (2 * math.pi / length if turn else 1)
        angles.append(place[:, None] / 10000**exponent)
    return angles[0][:, None].expand(-1, w, -1), angles[1][None].expand(h, -1, -1)


def _interleaved(*angles: Tensor) -> Tensor:
    even = torch.arange(angles[0].shape[-1]) % 2 == 0
    return torch.cat([torch.where(even, angle.sin(), angle.cos()) for angle in angles], dim=-1).permute(2, 0, 1)


def _in_blocks(h: int, w: int, C: int) -> Tensor:
    angles = _waves(h, w, C)
    parts = [part for angle in angles for part in (angle[..., 0::2].sin(), angle[..., 1::2].cos())]
    return torch.cat(parts, dim=-1).permute(2, 0, 1)


# -- 06.2: token [B, C], positions [Q, C], look -> [B, Q, C]


def _task_queries(token: Tensor, positions: Tensor, look: Look) -> Tensor:
    names = positions[:-1]
    copies = token[:, None].expand(-1, len(names), -1)
    return torch.cat([look(copies, names), token[:, None]], dim=1)


def some_look(x: Tensor, names: Tensor) -> Tensor:
    """A stand-in for the query transformer: [B, n, C], [n, C] -> [B, n, C]."""
    return 0.5 * x + names.tanh()


def _cases_queries() -> list[Case]:
    return [
        Case("one picture", _random(1, 1, 4), _random(2, 5, 4), some_look),
        Case("two tasks", _random(3, 2, 4), _random(4, 6, 4), some_look),
        Case("a single query", _random(5, 2, 4), _random(6, 1, 4), some_look),
        Case("Toytown's size", _random(7, 2, 96), _random(8, 32, 96), some_look),
    ]


def _copies(token: Tensor, number: int) -> Tensor:
    return token[:, None].repeat(1, number, 1)


def _token_first(token: Tensor, positions: Tensor, look: Look) -> Tensor:
    return torch.cat([token[:, None], look(_copies(token, len(positions) - 1), positions[:-1])], dim=1)


def _first_name_for_token(token: Tensor, positions: Tensor, look: Look) -> Tensor:
    return torch.cat([look(_copies(token, len(positions) - 1), positions[1:]), token[:, None]], dim=1)


def _one_too_many(token: Tensor, positions: Tensor, look: Look) -> Tensor:
    return torch.cat([look(_copies(token, len(positions)), positions), token[:, None]], dim=1)


def _no_token(token: Tensor, positions: Tensor, look: Look) -> Tensor:
    return look(_copies(token, len(positions)), positions)


def _named_copies(token: Tensor, positions: Tensor, look: Look) -> Tensor:
    names = positions[:-1]
    return torch.cat([look(_copies(token, len(names)) + names, names), token[:, None]], dim=1)


def _never_looked(token: Tensor, positions: Tensor, look: Look) -> Tensor:
    return _copies(token, len(positions))


# -- 06.3: queries [B, N, C], names [N, C], features [B, C, h, w], places [C, h, w] -> [B, N, C], weights [B, N, h, w]


def _look_at_picture(queries: Tensor, names: Tensor, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """The package's attention with one head and nothing to project, fed as the query transformer feeds it."""
    attention = Attention(queries.shape[-1], num_heads=1)
    for linear in attention.children():
        nn.init.eye_(linear.weight), nn.init.zeros_(linear.bias)
    values = places.flatten(1).T[None]  # [1, S, C]
    keys = features.flatten(2).mT + values
    update, weights = attention.requires_grad_(False)(queries + names, keys, values, need_weights=True)
    return update, weights[:, 0].unflatten(-1, places.shape[-2:])


def _cases_look() -> list[Case]:
    def case(name: str, batch: int, number: int, width: int, h: int, w: int, scale: float = 1.0) -> Case:
        queries, names = _random(1, batch, number, width), _random(2, number, width)
        features = _random(3, batch, width, h, w, scale=scale)
        return Case(name, queries, names, features, _sine(h, w, width))

    return [
        case("one picture", 1, 3, 8, 4, 4),
        case("two pictures, wider than high", 2, 5, 8, 3, 6),
        case("a single place", 1, 2, 4, 1, 1),
        case("a single query", 2, 1, 12, 5, 2),
        case("large features", 1, 4, 8, 4, 3, scale=20),
    ]


def _mix(
    queries: Tensor, keys: Tensor, values: Tensor, size: torch.Size, dim: int = -1, scaled: bool = True
) -> tuple[Tensor, Tensor]:
    weights = (queries @ keys.mT / (math.sqrt(queries.shape[-1]) if scaled else 1)).softmax(dim)
    return weights @ values, weights.unflatten(-1, size)


def _flat(x: Tensor) -> Tensor:
    return x.flatten(-2).mT


def _like(queries: Tensor, names: Tensor, features: Tensor, places: Tensor, **options) -> tuple[Tensor, Tensor]:
    keys = _flat(features) + _flat(places)
    return _mix(queries + names, keys, _flat(places), places.shape[-2:], **options)


def _values_with_features(queries: Tensor, names: Tensor, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    keys = _flat(features) + _flat(places)
    return _mix(queries + names, keys, keys, places.shape[-2:])


def _values_of_features(queries: Tensor, names: Tensor, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    return _mix(queries + names, _flat(features) + _flat(places), _flat(features), places.shape[-2:])


def _nameless(queries: Tensor, names: Tensor, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    return _like(queries, torch.zeros_like(names), features, places)


def _keys_without_places(queries: Tensor, names: Tensor, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    return _mix(queries + names, _flat(features), _flat(places), places.shape[-2:])


def _reshaped(queries: Tensor, names: Tensor, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    values = places.reshape(-1, len(places))
    return _mix(queries + names, features.reshape(len(features), *values.shape) + values, values, places.shape[-2:])


def _over_queries(queries: Tensor, names: Tensor, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    return _like(queries, names, features, places, dim=-2)


def _unscaled(queries: Tensor, names: Tensor, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    return _like(queries, names, features, places, scaled=False)


EXERCISES = (
    Exercise(
        id="06.1",
        name="sine_positions",
        reference=_sine,
        cases=_cases_sine,
        drawn=parts.map_size,
        mistakes=(
            Mistake("the first half of the channels tells the row y, the second the column x",
                    lambda h, w, C: _interleaved(*_waves(h, w, C)[::-1])),
            Mistake("places count from 1 to h, not from 0", lambda h, w, C: _interleaved(*_waves(h, w, C, start=0))),
            Mistake("normalise: the last place stands at 2 pi, whatever the size of the map",
                    lambda h, w, C: _interleaved(*_waves(h, w, C, turn=False))),
            Mistake("a sine and its cosine share one wave length: the exponent has i // 2",
                    lambda h, w, C: _interleaved(*_waves(h, w, C, pairs=False))),
            Mistake("each half of the channels counts its own C/2 channels: the exponent is divided by C/2, not by C",
                    lambda h, w, C: _interleaved(*_waves(h, w, C, halves=False))),
            Mistake("even channels are the sine, odd ones the cosine: yours has them swapped",
                    lambda h, w, C: _interleaved(*(math.pi / 2 - angle for angle in _waves(h, w, C)))),
            Mistake("sine and cosine alternate: channel 0 sine, 1 cosine, 2 sine ...", _in_blocks),
            Mistake("channels come first: [C, h, w]", lambda h, w, C: _sine(h, w, C).permute(1, 2, 0)),
        ),
    ),
    Exercise(
        id="06.2",
        name="task_queries",
        reference=_task_queries,
        cases=_cases_queries,
        drawn=parts.token_and_positions(some_look),
        gradients=True,
        mistakes=(
            Mistake("the token is the last query, not the first", _token_first),
            Mistake("the last row of the positions is the token's: the copies take the first Q - 1",
                    _first_name_for_token),
            Mistake("Q + 1 queries: repeat the token Q - 1 times, for it joins them itself", _one_too_many),
            Mistake("the last query is the token itself, untouched: only Q - 1 copies go through 'look'", _no_token),
            Mistake("'look' adds the names where they belong: give it plain copies", _named_copies),
            Mistake("these are still copies: 'look' makes queries of them", _never_looked),
        ),
    ),
    Exercise(
        id="06.3",
        name="look_at_picture",
        reference=_look_at_picture,
        cases=_cases_look,
        drawn=parts.queries_and_picture,
        gradients=True,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("that is what the paper describes; in the released models the values are the places alone",
                    _values_with_features),
            Mistake("the values are the places, not the features", _values_of_features),
            Mistake("without their names all queries look at the same places: add them to the queries", _nameless),
            Mistake("keys are features plus places", _keys_without_places),
            Mistake("reshape mixes channels with places: flatten [C, h, w] to [C, S], then transpose", _reshaped),
            Mistake("each query's weights sum to 1 over the places: softmax over the last axis", _over_queries),
            Mistake("divide the scores by the square root of C", _unscaled),
        ),
    ),
)  # fmt: skip
