"""Lab 04: byte-pair encoding step by step, the 77 places, the task token."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.parts.layers import MLP
from ..model.parts.tokenizer import encode, tokenize
from .draws import parts
from .exercise import Case, Exercise, Mistake, Rules
from .longer.byte_pairs import BYTE_PAIRS

Layers = list[tuple[Tensor, Tensor]]  # weight and bias of each
_FIRST, _LAST = 49406, 49407  # the ids of the start and the end piece

# -- 04.3: text, length -> ids


def _places(text: str, length: int) -> list[int]:
    return tokenize([text], length)[0].tolist()


def _cases_places() -> list[Case]:
    return [
        Case("a task", "the task is panoptic", 77),
        Case("no word", "", 8),
        Case("just fits", "a photo with a car", 7),
        Case("too long", "a photo with a very long train", 6),
        Case("far too long", "very " * 100, 77),
    ]


def _written(text: str, length: int, start: bool = True, closed: bool = True, fill: int = 0) -> list[int]:
    ids = [_FIRST] * start + [*encode(text), _LAST]
    if len(ids) > length:
        ids = [*ids[: length - 1], _LAST] if closed else ids[:length]
    return ids + [fill] * (length - len(ids))


def _uncut(text: str, length: int) -> list[int]:
    ids = [_FIRST, *encode(text), _LAST]
    return ids + [0] * (length - len(ids))


def _end_at_the_end(text: str, length: int) -> list[int]:
    ids = [_FIRST, *encode(text)][: length - 1]
    return [*ids, *[0] * (length - 1 - len(ids)), _LAST]


# -- 04.4: ids [B, length], layers, scale [C], shift [C] -> tokens [B, C]


def _token(ids: Tensor, layers: Layers, scale: Tensor, shift: Tensor) -> Tensor:
    """The package's MLP with these weights, and PyTorch's LayerNorm."""
    return F.layer_norm(_raw(ids.float(), layers), scale.shape, scale, shift)


def _raw(x: Tensor, layers: Layers) -> Tensor:
    (weight, bias), (second, other) = layers
    mlp = MLP(weight.shape[1], len(weight), len(second), num_layers=2)
    names = ("layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias")
    return torch.func.functional_call(mlp, dict(zip(names, (weight, bias, second, other))), (x,))


def _cases_token() -> list[Case]:
    draw = torch.Generator().manual_seed(6)

    def case(name: str, texts: list[str], channels: int, length: int = 77) -> Case:
        sizes = [(channels, length), (channels, channels)]
        layers = [(torch.randn(n, m, generator=draw) / m**0.5, torch.randn(n, generator=draw)) for n, m in sizes]
        scale, shift = torch.rand(channels, generator=draw) + 0.5, torch.randn(channels, generator=draw)
        return Case(name, tokenize(texts, length), layers, scale, shift)

    return [
        case("the three tasks", [f"the task is {task}" for task in ("panoptic", "instance", "semantic")], 16),
        case("one sentence", ["the task is panoptic"], 8),
        case("short length", ["panoptic", "a", ""], 12, length=5),
        case("a full sentence", ["very " * 80, "the task is instance"], 8),
    ]


def _without_relu(ids: Tensor, layers: Layers, scale: Tensor, shift: Tensor) -> Tensor:
    (first, a), (second, b) = layers
    return F.layer_norm(F.linear(F.linear(ids.float(), first, a), second, b), scale.shape, scale, shift)


def _relu_at_the_end(ids: Tensor, layers: Layers, scale: Tensor, shift: Tensor) -> Tensor:
    return F.layer_norm(F.relu(_raw(ids.float(), layers)), scale.shape, scale, shift)


def _unbiased(ids: Tensor, layers: Layers, scale: Tensor, shift: Tensor) -> Tensor:
    raw = _raw(ids.float(), layers)
    return (raw - raw.mean(-1, keepdim=True)) / raw.std(-1, keepdim=True) * scale + shift


def _over_the_batch(ids: Tensor, layers: Layers, scale: Tensor, shift: Tensor) -> Tensor:
    raw = _raw(ids.float(), layers)
    return (raw - raw.mean(0)) / (raw.var(0, correction=0) + 1e-5).sqrt() * scale + shift


EXERCISES = (
    *BYTE_PAIRS,
    Exercise(
        id="04.3",
        name="places",
        reference=_places,
        cases=_cases_places,
        drawn=parts.text,
        rules=Rules(given=("encode",)),
        mistakes=(
            Mistake("the start piece comes first", lambda t, n: _written(t, n, start=False)),
            Mistake("what is cut must still be closed: the last id is the end piece",
                    lambda t, n: _written(t, n, closed=False)),
            Mistake("the empty places are 0, not the end piece", lambda t, n: _written(t, n, fill=_LAST)),
            Mistake("the network takes no more than 'length' ids: cut what is too long", _uncut),
            Mistake("the end piece follows the last word; the zeros come after it", _end_at_the_end),
        ),
    ),
    Exercise(
        id="04.4",
        name="task_token",
        reference=_token,
        cases=_cases_token,
        drawn=parts.sentences,
        gradients=True,
        rules=Rules(never=("layer_norm",)),
        tolerance=1e-3,
        mistakes=(
            Mistake("the LayerNorm is missing: a token of some thousands drowns everything after it",
                    lambda ids, layers, scale, shift: _raw(ids.float(), layers)),
            Mistake("between the two layers stands a ReLU: without it they are one linear layer", _without_relu),
            Mistake("no ReLU after the last layer: a token may be negative", _relu_at_the_end),
            Mistake("after the division come the learned scale and shift of each channel",
                    lambda ids, layers, scale, shift: F.layer_norm(_raw(ids.float(), layers), scale.shape)),
            Mistake("LayerNorm divides by the root of the mean square (correction=0), torch.std by n - 1", _unbiased),
            Mistake("LayerNorm looks at one token's channels (dim=-1), not at a channel over the batch",
                    _over_the_batch),
        ),
    ),
)  # fmt: skip
