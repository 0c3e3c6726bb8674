"""Exercises 04.1 and 04.2: byte-pair encoding, one step of it and a whole word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from ...model.parts.tokenizer import split_word, vocabulary
from ..draws import parts
from ..exercise import Case, Exercise, Mistake, Rules

Pair = tuple[str, str]

# -- 04.1: pieces of a word, {pair: rank} -> the pair to join, or None


def _best_pair(parts: tuple[str, ...], rank: dict[Pair, int]) -> Pair | None:
    """One step of the package's ``split_word``."""
    known = [pair for pair in pairwise(parts) if pair in rank]
    return min(known, key=rank.get, default=None)


def _cases_best_pair() -> list[Case]:
    rank = {("t", "h"): 1, ("a", "n"): 2, ("n", "o"): 3, ("p", "a"): 4, ("th", "a"): 7, ("an", "d</w>"): 5}
    return [
        Case("several are known", ("p", "a", "n", "o"), rank),
        Case("the best stands last", ("n", "o", "p", "a", "n"), rank),
        Case("a pair occurs twice", ("p", "a", "t", "h", "p", "a"), rank),
        Case("longer pieces", ("th", "a", "n", "o", "p", "a"), rank),
        Case("none is known", ("x", "y", "z</w>"), rank),
        Case("a single piece", ("a</w>",), rank),
    ]


def _first_known(parts: tuple[str, ...], rank: dict[Pair, int]) -> Pair | None:
    return next((pair for pair in pairwise(parts) if pair in rank), None)


def _worst(parts: tuple[str, ...], rank: dict[Pair, int]) -> Pair | None:
    return max((pair for pair in pairwise(parts) if pair in rank), key=rank.get, default=None)


def _most_frequent(parts: tuple[str, ...], rank: dict[Pair, int]) -> Pair | None:
    counts = Counter(pair for pair in pairwise(parts) if pair in rank)
    return counts.most_common(1)[0][0] if counts and counts.most_common(1)[0][1] > 1 else _best_pair(parts, rank)


def _unknown_too(parts: tuple[str, ...], rank: dict[Pair, int]) -> Pair | None:
    return min(pairwise(parts), key=lambda pair: rank.get(pair, len(rank) + 10), default=None)


# -- 04.2: a word in byte letters -> its pieces


def _split(word: str) -> list[str]:
    return list(split_word(word))


def _cases_split() -> list[Case]:
    words = {
        "two pieces": "panoptic", "one piece": "instance", "several": "unsegmentable", "a single letter": "a",
        "an emoji": "ðŁĲ¶", "a made-up word": "toytowning",
    }  # fmt: skip
    return [Case(name, word) for name, word in words.items()]


def _join(parts: list[str], pair: Pair) -> list[str]:
    joined: list[str] = []
    for part in parts:
        if joined and (joined[-1], part) == pair:
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def _replayed(word: str, end: str = "</w>", choose: Callable = _best_pair, rounds: int = 99) -> list[str]:
    rank, parts = vocabulary()[1], [*word[:-1], word[-1] + end]
    for _ in range(rounds):
        pair = choose(tuple(parts), rank)
        if pair is None:
            break
        parts = _join(parts, pair)
    return parts


def _longest_first(word: str) -> list[str]:
    """From the left, always the longest piece that the vocabulary has."""
    ids, rest, parts = vocabulary()[0], word, []
    while rest:
        ends = [rest + "</w>", *(rest[:n] for n in range(len(rest) - 1, 0, -1))]
        part = next(p for p in ends if p in ids)
        parts.append(part)
        rest = rest[len(part.removesuffix("</w>")) :]
    return parts


BYTE_PAIRS = (
    Exercise(
        id="04.1",
        name="best_pair",
        reference=_best_pair,
        cases=_cases_best_pair,
        drawn=parts.pieces,
        mistakes=(
            Mistake("that is the first known pair from the left: take the one of lowest rank", _first_known),
            Mistake("the lowest rank is the best: it was learned first", _worst),
            Mistake("counting pairs is how the table was learned; here only the rank decides", _most_frequent),
            Mistake("where no pair is in the table there is nothing to join: return None", _unknown_too),
        ),
    ),
    Exercise(
        id="04.2",
        name="split_word",
        reference=_split,
        cases=_cases_split,
        drawn=parts.word,
        rules=Rules(given=("vocabulary",)),
        mistakes=(
            Mistake("the last letter carries the end of the word: word[-1] + '</w>'", lambda w: _replayed(w, end="")),
            Mistake("join again and again, until no known pair is left", lambda w: _replayed(w, rounds=1)),
            Mistake("not from left to right: the pair of the best rank first",
                    lambda w: _replayed(w, choose=_first_known)),
            Mistake("the longest piece from the left is another algorithm (WordPiece): replay the merges by rank",
                    _longest_first),
        ),
    ),
)  # fmt: skip
