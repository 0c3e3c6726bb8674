"""Lab 10: masks as dot products, the attention region and its rescue, a masked look, levels in turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model.parts.layers import Attention
from ..model.parts.masked_decoder import MaskedDecoder, attention_region
from .draws import parts
from .exercise import Case, Exercise, Mistake, Rules

# -- 10.1: [B, Q, C], [B, C, h, w] -> [B, Q, h, w]


def _masks(embeddings: Tensor, features: Tensor) -> Tensor:
    """The package's predictions, of which the classes are left out."""
    without_classes = SimpleNamespace(class_head=lambda normed: normed)
    return MaskedDecoder.predict(without_classes, embeddings, embeddings, features).mask_logits


def _cases_masks() -> list[Case]:
    generator = torch.Generator().manual_seed(1)
    embeddings, features = (torch.randn(shape, generator=generator) for shape in ((2, 5, 6), (2, 6, 4, 7)))
    return [
        Case("by hand", torch.tensor([[[1.0, -2.0]]]), torch.tensor([[[[3.0, 0.0]], [[1.0, 5.0]]]])),
        Case("two images, not square", embeddings, features),
        Case("square", embeddings, features[..., :4]),
        Case("one query", embeddings[:, :1], features),
        Case("large values", 1000 * embeddings, features),
    ]


def _dot(embeddings: Tensor, features: Tensor) -> Tensor:
    return torch.einsum("bqc,bchw->bqhw", embeddings, features)


# -- 10.2: [B, Q, h, w], size -> bool [B, Q, S]


def _region(mask_logits: Tensor, size: tuple[int, int]) -> Tensor:
    """The package's, after the resizing that it leaves to the features."""
    return attention_region(_resized(mask_logits, size))


def _resized(mask_logits: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(mask_logits, size=size, mode="bilinear", align_corners=False).flatten(2)


def _cases_region() -> list[Case]:
    generator = torch.Generator().manual_seed(2)
    logits = 3 * torch.randn(2, 4, 8, 12, generator=generator)
    empty = logits.clone()
    empty[:, 1:3] = -2.0
    by_hand = torch.tensor([[[[-1.0, 0.0, 2.0, 0.3]], [[-1.0, -2.0, -0.1, -5.0]]]])
    return [
        Case("by hand", by_hand, (1, 4)),
        Case("to a quarter", logits, (2, 3)),
        Case("two empty masks", empty, (4, 6)),
        Case("nothing but zeros", torch.zeros(1, 2, 4, 4), (2, 2)),
        Case("sizes that do not divide", logits, (3, 5)),
    ]


def _rescued(region: Tensor) -> Tensor:
    return region | ~region.any(-1, keepdim=True)


def _rescue_all(mask_logits: Tensor, size: tuple[int, int]) -> Tensor:
    region = _resized(mask_logits, size) >= 0
    return torch.ones_like(region) if (~region.any(-1)).any() else region


# -- 10.3: [Q, d], [S, d], [S, d], bool [Q, S] -> [Q, d]


def _look(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    """The package's attention with one head and no projections."""
    attention = Attention(q.shape[1], 1)
    attention.q_proj = attention.k_proj = attention.v_proj = attention.out_proj = nn.Identity()
    return attention(q[None], k[None], v[None], allowed[None], need_weights=True)[0][0]


def _cases_look() -> list[Case]:
    generator = torch.Generator().manual_seed(3)
    q, k, v = (torch.randn(shape, generator=generator) for shape in ((3, 8), (10, 8), (10, 8)))
    allowed = torch.rand(3, 10, generator=generator) < 0.4
    allowed[:, 4], everything = True, torch.ones(3, 10, dtype=torch.bool)
    single = torch.zeros(3, 10, dtype=torch.bool)
    single[torch.arange(3), torch.tensor([9, 0, 5])] = True
    return [
        Case("some cells", q, k, v, allowed),
        Case("everywhere", q, k, v, everything),
        Case("one cell each", q, k, v, single),
        Case("large scores", 60 * q, 60 * k, v, allowed),
        Case("one query", q[:1], k, v, allowed[:1]),
    ]


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.T / math.sqrt(q.shape[1])


def _unscaled(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    return (q @ k.T).masked_fill(~allowed, float("-inf")).softmax(-1) @ v


def _filled_with_zero(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    return _scores(q, k).masked_fill(~allowed, 0.0).softmax(-1) @ v


def _masked_afterwards(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    return (_scores(q, k).softmax(-1) * allowed) @ v


def _over_queries(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    return _scores(q, k).masked_fill(~allowed, float("-inf")).softmax(0).nan_to_num() @ v


def _forbidden(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    return _scores(q, k).masked_fill(allowed, float("-inf")).softmax(-1) @ v


# -- 10.4: x, layers (x, map) -> x, maps coarsest first -> x before the first layer and after each

Layer = Callable[[Tensor, Tensor], Tensor]


def _decode(x: Tensor, layers: Sequence[Layer], maps: Sequence[Tensor]) -> list[Tensor]:
    return _by_turns(x, layers, maps, lambda i: i % len(maps))


def _by_turns(x: Tensor, layers: Sequence[Layer], maps: Sequence[Tensor], level: Callable[[int], int]) -> list[Tensor]:
    found = [x]
    for i, layer in enumerate(layers):
        found.append(layer(found[-1], maps[level(i)]))
    return found


def _cases_decode() -> list[Case]:
    def layer(factor: float) -> Layer:
        return lambda x, features: factor * x + features.sum()

    maps, x = [torch.tensor([1.0]), torch.tensor([10.0, 20.0]), torch.tensor([100.0, 200.0, 400.0])], torch.ones(2)
    return [
        Case("six layers, three levels", x, [layer(2.0 + i) for i in range(6)], maps),
        Case("nine layers", x, [layer(0.5)] * 9, maps),
        Case("four layers: the second round is cut", x, [layer(3.0)] * 4, maps),
        Case("two levels", x, [layer(2.0)] * 3, maps[:2]),
        Case("no layer", x, [], maps),
    ]


def _in_blocks(x: Tensor, layers: Sequence[Layer], maps: Sequence[Tensor]) -> list[Tensor]:
    return _by_turns(x, layers, maps, lambda i: i * len(maps) // len(layers))


def _fine_first(x: Tensor, layers: Sequence[Layer], maps: Sequence[Tensor]) -> list[Tensor]:
    return _by_turns(x, layers, maps, lambda i: -1 - i % len(maps))


def _all_from_the_start(x: Tensor, layers: Sequence[Layer], maps: Sequence[Tensor]) -> list[Tensor]:
    return [x, *(layer(x, maps[i % len(maps)]) for i, layer in enumerate(layers))]


EXERCISES = (
    Exercise(
        id="10.1",
        name="masks",
        reference=_masks,
        cases=_cases_masks,
        drawn=parts.embeddings,
        gradients=True,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("rows and columns are swapped: the result is [B, Q, h, w]", lambda e, f: _dot(e, f).mT),
            Mistake("logits are asked for: losses and thresholds do the sigmoid themselves",
                    lambda e, f: _dot(e, f).sigmoid()),
            Mistake("no division by sqrt(C): that belongs to attention, not to masks",
                    lambda e, f: _dot(e, f) / math.sqrt(e.shape[-1])),
            Mistake("this is a cosine: the length of embedding and feature says how sure the model is",
                    lambda e, f: _dot(F.normalize(e, dim=-1), F.normalize(f, dim=1))),
            Mistake("each image has its own features: yours uses those of the first for all",
                    lambda e, f: _dot(e, f[:1].expand(len(e), -1, -1, -1))),
        ),
    ),
    Exercise(
        id="10.2",
        name="region",
        reference=_region,
        cases=_cases_region,
        drawn=parts.masks_and_size,
        mistakes=(
            Mistake("the rescue is missing: a query without any cell may look everywhere",
                    lambda m, size: _resized(m, size) >= 0),
            Mistake("a probability of exactly one half is inside: use >=",
                    lambda m, size: _rescued(_resized(m, size) > 0)),
            Mistake("True means may look here; yours says where not (the official code's way)",
                    lambda m, size: ~_region(m, size)),
            Mistake("one half is a probability; as a logit it is 0",
                    lambda m, size: _rescued(_resized(m, size) >= 0.5)),
            Mistake("rescue the empty queries alone: the others keep their region", _rescue_all),
            Mistake("resize bilinearly: the default of interpolate takes the nearest cell",
                    lambda m, size: attention_region(F.interpolate(m, size=size).flatten(2))),
        ),
    ),
    Exercise(
        id="10.3",
        name="look",
        reference=_look,
        cases=_cases_look,
        drawn=parts.masked,
        gradients=True,
        rules=Rules(never=("loops", "scaled_dot_product_attention")),
        mistakes=(
            Mistake("divide the scores by sqrt(d): without it they grow with the number of channels", _unscaled),
            Mistake("a score of 0 is not nothing, exp(0) = 1: forbidden cells get minus infinity", _filled_with_zero),
            Mistake("masked after the softmax, the weights no longer sum to 1: mask the scores", _masked_afterwards),
            Mistake("the softmax runs over the cells (the last axis), so that each query's weights sum to 1",
                    _over_queries),
            Mistake("allowed is True where a query may look: fill where it is not", _forbidden),
            Mistake("the mask is not used: every query looks everywhere",
                    lambda q, k, v, allowed: _scores(q, k).softmax(-1) @ v),
        ),
    ),
    Exercise(
        id="10.4",
        name="decode",
        reference=_decode,
        cases=_cases_decode,
        drawn=parts.turns,
        mistakes=(
            Mistake("the levels come in turn, 0 1 2 0 1 2, not in blocks, 0 0 1 1 2 2", _in_blocks),
            Mistake("coarse comes first: start with maps[0]", _fine_first),
            Mistake("the state before the first layer is wanted too: it is the first prediction",
                    lambda x, layers, maps: _decode(x, layers, maps)[1:]),
            Mistake("each layer goes on from what the one before made of x", _all_from_the_start),
            Mistake("all layers read the first map", lambda x, layers, maps: _by_turns(x, layers, maps, lambda i: 0)),
        ),
    ),
)  # fmt: skip
