"""Lab 05: the causal mask, the feature at the end mark, each distinct text once."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..model.parts.layers import Attention
from ..model.parts.tokenizer import tokenize
from .draws import parts
from .exercise import Case, Exercise, Mistake, Rules

Lists = list[list[str]]
Encode = Callable[[list[str]], Tensor]


def _random(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# -- 05.1: q, k [T, L, C], v [T, L, d] -> [T, L, d]


def _causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The weights of the package's attention with one head and nothing to project; values may be of any width."""
    length, width = q.shape[-2:]
    attention = Attention(width, num_heads=1)
    for linear in attention.children():
        nn.init.eye_(linear.weight), nn.init.zeros_(linear.bias)
    allowed = torch.ones(length, length, dtype=torch.bool).tril()[None]
    return attention.requires_grad_(False)(q, k, q, allowed, need_weights=True)[1][:, 0] @ v


def _cases_attention() -> list[Case]:
    return [
        Case("a text of one token", *_random(1, 3, 1, 1, 4)),
        Case("a text of five tokens", *_random(2, 3, 1, 5, 8)),
        Case("three texts", *_random(3, 3, 3, 7, 16)),
        Case("more tokens than channels", *_random(4, 3, 2, 20, 4)),
        Case("large scores", *_random(5, 3, 1, 6, 8, scale=20)),
        Case("values of another width", *_random(6, 2, 1, 6, 8), _random(7, 1, 6, 3)),
    ]


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.mT / math.sqrt(q.shape[-1])


def _later(q: Tensor, diagonal: int = 1) -> Tensor:
    return torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(diagonal)


def _without_mask(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _scores(q, k).softmax(-1) @ v


def _looks_ahead(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _scores(q, k).masked_fill(_later(q).mT, -math.inf).softmax(-1) @ v


def _not_itself(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _scores(q, k).masked_fill(_later(q, 0), -math.inf).softmax(-1) @ v


def _unscaled(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.mT).masked_fill(_later(q), -math.inf).softmax(-1) @ v


def _zero_scores(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _scores(q, k).masked_fill(_later(q), 0).softmax(-1) @ v


def _masked_weights(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _scores(q, k).softmax(-1).masked_fill(_later(q), 0) @ v


def _overflowing(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = _scores(q, k).exp().masked_fill(_later(q), 0)
    return weights / weights.sum(-1, keepdim=True) @ v


# -- 05.2: token features [T, L, C], ids int64 [T, L] -> [T, C]


def _end_features(x: Tensor, ids: Tensor) -> Tensor:
    return x[torch.arange(len(ids)), ids.argmax(dim=1)]


def _cases_end() -> list[Case]:
    texts = ["a photo with a car", "sky", "a photo with a traffic light"]
    full = tokenize(["wall " * 90])  # cut at 77 tokens, the end mark being the last
    zero_inside = torch.tensor([[49406, 0, 320, 49407, 0, 0]])  # "!" in the middle of a word has id 0
    return [
        Case("one text", _random(1, 1, 77, 4), tokenize(texts[:1])),
        Case("texts of three lengths", _random(2, 3, 77, 4), tokenize(texts)),
        Case("a text without words", _random(3, 1, 77, 4), tokenize([""])),
        Case("a text that fills all places", _random(4, 1, 77, 4), full),
        Case("a token whose id is 0", _random(5, 1, 6, 4), zero_inside),
    ]


def _of_all_tokens(x: Tensor, ids: Tensor) -> Tensor:
    real = (ids > 0).to(x.dtype)[..., None]
    return (x * real).sum(1) / real.sum(1)


# -- 05.3: B lists of T texts, encode -> [B, T, C]


def _encode_once(lists: Lists, encode: Encode) -> Tensor:
    distinct = sorted({text for texts in lists for text in texts})
    row = {text: number for number, text in enumerate(distinct)}
    return encode(distinct)[torch.tensor([[row[text] for text in texts] for texts in lists])]


def counting_encode(texts: list[str]) -> Tensor:
    """A stand-in for the text encoder, [U, 4]; its last channel says how many texts came in this call."""
    rows = [[len(text), sum(map(ord, text)) / 100, ord(text[0]) / 10, len(texts)] for text in texts]
    return torch.tensor(rows, dtype=torch.float32)


def _cases_once() -> list[Case]:
    def texts(words: str, padding: str, length: int = 6) -> list[str]:
        return [*words.split(), *[padding] * (length - len(words.split()))]

    lists = {
        "one picture": [texts("car tree tree", "panoptic")],
        "two pictures that share padding": [texts("tree car", "panoptic"), texts("sky car", "panoptic")],
        "two tasks": [texts("road car", "semantic"), texts("car car", "instance")],
        "nothing comes twice": [texts("e d c b a", "f"), texts("k j i h g", "l")],
        "nothing but padding": [texts("", "instance", 3)] * 3,
    }
    return [Case(name, lists_, counting_encode) for name, lists_ in lists.items()]


def _every_text(lists: Lists, encode: Encode) -> Tensor:
    return encode([text for texts in lists for text in texts]).unflatten(0, (len(lists), -1))


def _per_picture(lists: Lists, encode: Encode) -> Tensor:
    return torch.cat([_encode_once([texts], encode) for texts in lists])


def _one_by_one(lists: Lists, encode: Encode) -> Tensor:
    return torch.stack([torch.cat([encode([text]) for text in texts]) for texts in lists])


def _not_gathered(lists: Lists, encode: Encode) -> Tensor:
    return encode(sorted({text for texts in lists for text in texts}))


def _wrong_rows(lists: Lists, encode: Encode) -> Tensor:
    in_order = list(dict.fromkeys(text for texts in lists for text in texts))
    return encode(sorted(in_order))[torch.tensor([[in_order.index(text) for text in texts] for texts in lists])]


EXERCISES = (
    Exercise(
        id="05.1",
        name="causal_attention",
        reference=_causal_attention,
        cases=_cases_attention,
        drawn=parts.causal,
        gradients=True,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("every token also sees what comes after it: set those scores to -inf before the softmax",
                    _without_mask),
            Mistake("yours looks ahead instead of back: row i may see columns 0 to i", _looks_ahead),
            Mistake("a token sees itself as well; the first one has nothing else", _not_itself),
            Mistake("divide the scores by the square root of C", _unscaled),
            Mistake("a score of 0 still gets weight, for exp(0) is 1: use -inf", _zero_scores),
            Mistake("weights set to 0 after the softmax do not sum to 1: mask the scores before it", _masked_weights),
            Mistake("exp of a large score overflows: softmax subtracts the largest first", _overflowing),
        ),
    ),
    Exercise(
        id="05.2",
        name="end_features",
        reference=_end_features,
        cases=_cases_end,
        drawn=parts.tokens,
        gradients=True,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("the last place holds padding: read where the end mark stands", lambda x, ids: x[:, -1]),
            Mistake("the start mark has seen no word: read at the end mark", lambda x, ids: x[:, 0]),
            Mistake("no mean of all tokens: the end mark alone has seen the whole text", _of_all_tokens),
            Mistake("a word may have a token with id 0: find the end mark by its id, do not count what is not 0",
                    lambda x, ids: x[torch.arange(len(ids)), (ids > 0).sum(1) - 1]),
            Mistake("that reads every place for every text: pair row t with place t, x[torch.arange(T), places]",
                    lambda x, ids: x[:, ids.argmax(1)]),
            Mistake("that is the place behind the end mark: argmax itself, nothing added",
                    lambda x, ids: x[torch.arange(len(ids)), (ids.argmax(1) + 1).clamp(max=ids.shape[1] - 1)]),
            Mistake("each text has a row of its own: yours reads all of them from the first",
                    lambda x, ids: x[0, ids.argmax(1)]),
        ),
    ),
    Exercise(
        id="05.3",
        name="encode_once",
        reference=_encode_once,
        cases=_cases_once,
        drawn=parts.encoded_lists(counting_encode),
        mistakes=(
            Mistake("right, but every repetition is encoded again: give 'encode' each distinct text once", _every_text),
            Mistake("pictures share texts: seek the distinct ones in the whole batch, not in each picture",
                    _per_picture),
            Mistake("right, but in many small calls: give 'encode' all distinct texts at once", _one_by_one),
            Mistake("the rows must go back to where their texts stand: gather them to [B, T, C]", _not_gathered),
            Mistake("rows and texts do not fit: number the texts in the very order in which you encode them",
                    _wrong_rows),
        ),
    ),
)  # fmt: skip
