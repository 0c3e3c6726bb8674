"""CLIP's byte-pair encoding: from words to the 49408 token ids of the published models.

Lesson 04. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (ACL 2016);
official ``oneformer/data/tokenizer.py``. The merge table is the one that ``open_clip_torch`` ships.
"""

from __future__ import annotations

import gzip
import html
import importlib.util
from functools import lru_cache
from pathlib import Path

import ftfy
import regex
import torch
from torch import Tensor

START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = 49152 - 256 - 2  # of the table's merges CLIP uses the first 48894
_WORDS = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE)


@lru_cache
def byte_letters() -> dict[int, str]:
    """A printable letter for each of the 256 bytes, so that every merge is a pair of strings.

    Lesson 04.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


@lru_cache
def vocabulary() -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """(token -> id, merge -> rank): 256 letters, the same at a word's end, the merges, start, end.

    Lesson 04.
    """
    folder = importlib.util.find_spec("open_clip").submodule_search_locations[0]  # found, not imported
    table = gzip.decompress((Path(folder) / "bpe_simple_vocab_16e6.txt.gz").read_bytes())
    lines = table.decode().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 1 + MERGES]]
    letters = list(byte_letters().values())
    tokens = [*letters, *(c + "</w>" for c in letters), *map("".join, merges), START, END]
    return {token: i for i, token in enumerate(tokens)}, {pair: i for i, pair in enumerate(merges)}


@lru_cache(maxsize=4096)
def split_word(word: str) -> tuple[str, ...]:
    """Merge a word's letters, best-ranked pair first, until no known pair is left.

    Lesson 04.
    """
    ranks = vocabulary()[1]
    parts = [*word[:-1], word[-1] + "</w>"]
    while len(parts) > 1:
        best = min(zip(parts, parts[1:]), key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        merged, i = [], 0
        while i < len(parts):
            pair = tuple(parts[i : i + 2])
            merged.append("".join(pair) if pair == best else parts[i])
            i += 2 if pair == best else 1
        parts = merged
    return tuple(parts)


def encode(text: str) -> list[int]:
    """Token ids of one text, without start and end; lower-cased, with its white space collapsed.

    Lesson 04.
    """
    ids, _ = vocabulary()
    clean = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    clean = regex.sub(r"\s+", " ", clean).strip().lower()
    letters = byte_letters()
    words = ("".join(letters[b] for b in word.encode()) for word in _WORDS.findall(clean))
    return [ids[part] for word in words for part in split_word(word)]


def decode(ids: list[int]) -> str:
    """The text of some token ids; start, end and padding (0) are left out."""
    names = {i: token for token, i in vocabulary()[0].items()}
    bytes_of = {letter: b for b, letter in byte_letters().items()}
    text = "".join(names[i] for i in ids if i and names[i] not in (START, END))
    return " ".join(
        bytes(bytes_of[c] for c in word).decode(errors="replace") for word in text.split("</w>") if word
    )


@lru_cache(maxsize=4096)
def _ids(text: str, length: int) -> tuple[int, ...]:
    start, end = vocabulary()[0][START], vocabulary()[0][END]
    ids = [start, *encode(text), end]
    if len(ids) > length:  # as the official code: cut, and close with the end token
        ids = [*ids[: length - 1], end]
    return tuple(ids + [0] * (length - len(ids)))


def tokenize(texts: list[str], length: int = 77) -> Tensor:
    """int64 [len(texts), length]: start, ids, end, then zeros.

    Lesson 04.
    """
    return torch.tensor([_ids(text, length) for text in texts], dtype=torch.int64).view(-1, length)
