"""Changes to valid inputs: of a JSON tree (kinds swapped, deleted, nested, huge, NaN) and of bytes (flipped, cut).

Everything is drawn from a ``random.Random``, so a seed says what happened.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random

Change = Callable[[bytes, Random], bytes]

DEEP = 100_000  # levels of nesting, beyond what a recursive parser takes
VALUES: tuple = (
    None, True, False, 0, 1, -1, 2, 255, 256, 65_536, 2**31 - 1, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**9, 10**18,
    10**40, 0.0, -0.0, 0.5, -1.5, 1e-320, 1e9, 1e20, 1e308, float("nan"), float("inf"), float("-inf"),
    "", " ", "0", "1", "-1", "1.5", "false", "true", "null", "NaN", "#ff8800", "a", "A" * 3000, "\0", "a\0b", "\ud800",
    "ä", "日本", "🚲", "../up", "../../../../etc/passwd", "/etc/passwd", "/dev/zero", "C:\\x\\y.png", "a/b", ".", "..",
    "file:///etc/passwd", "hf_hub:x/y", "local-dir:/", "<script>alert(1)</script>", "{{7*7}}", "${x}", "%s%n", "\n",
    [], {}, [[]], [{}], [None], [0], [1, 2, 3], [1, 2, 3, 4], [0.1] * 6, [float("nan")] * 6, [[1, 1, 5, 1, 5, 5]],
    ["a", "b"], [[["a"]]], {"": ""}, {"id": 1}, {"size": [1, 1], "counts": "0"}, {"a": {"b": {"c": []}}}, [0] * 10_000,
)  # fmt: skip


def tree(content, rng: Random):
    """A copy of a JSON value with one to three changes."""
    content = copy.deepcopy(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = _changed(content, rng)
    return content


def _changed(content, rng: Random):
    holder, key = _place(content, rng)
    if holder is None:
        return _other(content, content, rng) if rng.random() < 0.5 else content
    action = rng.random()
    if action < 0.60:
        holder[key] = _other(holder[key], content, rng)
    elif action < 0.80:
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    else:
        holder[rng.choice(("extra", "id", "__class__", key.upper(), key + " "))] = holder[key]
    return content


def _places(content) -> list[tuple]:
    """(holder, key) of everything within a JSON value."""
    found, open_ = [], [content]
    while open_:
        holder = open_.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            found.append((holder, key))
            open_.append(holder[key])
    return found


def _place(content, rng: Random) -> tuple:
    """One of them; half of the time close to the root, as a list of many numbers holds most of the places."""
    if rng.random() < 0.5:
        return rng.choice(_places(content) or [(None, None)])
    holder, key = None, None
    here = content
    while isinstance(here, (dict, list)) and here and (holder is None or rng.random() < 0.7):
        holder, key = here, rng.choice(list(here)) if isinstance(here, dict) else rng.randrange(len(here))
        here = holder[key]
    return holder, key


def _other(value, root, rng: Random):
    """What stands in a value's place: the same in another kind, something of elsewhere, or something odd."""
    action = rng.random()
    if action < 0.45:
        return copy.deepcopy(rng.choice(VALUES))
    if action < 0.55:
        holder, key = rng.choice(_places(root) or [([value], 0)])
        return copy.deepcopy(holder[key])
    if action < 0.65:
        return rng.choice(([value], {"a": value}, [value, value], [[value]]))
    if isinstance(value, bool):
        return rng.choice((str(value).lower(), int(value), str(int(value)), 2, -1))
    if isinstance(value, (int, float)):
        return rng.choice((value + 1, -value, value * 1000, value * 1e6, value + 0.5, str(value), float(value)))
    if isinstance(value, str):
        return rng.choice((value[::-1], value[: len(value) // 2], value + "x", value * 50, value.upper(), [value], 1))
    if isinstance(value, list):
        return rng.choice((value[::-1], value[:1], value * 3, {str(i): v for i, v in enumerate(value)}, len(value)))
    if isinstance(value, dict):
        return rng.choice((list(value.values()), list(value), [value], {v: k for k, v in enumerate(value)}))
    return 0


def json_text(content: bytes, rng: Random) -> bytes:
    """A JSON file: mostly another tree, else other bytes."""
    if rng.random() < 0.8:
        return dumped(tree(json.loads(content), rng))
    return rng.choice((raw, raw, odd_text))(content, rng)


def json_lines(content: bytes, rng: Random) -> bytes:
    """A file with one JSON value a line: some of them changed, or left out, or twice there."""
    lines = content.splitlines()
    for _ in range(rng.choice((1, 1, 2, 5))):
        place, action = rng.randrange(len(lines)), rng.random()
        if action < 0.75:
            lines[place] = _other_line(lines[place], rng)
        elif action < 0.85:
            lines.insert(rng.randrange(len(lines)), lines[place])
        elif len(lines) > 1:
            del lines[place]
    whole = b"\n".join(lines) + rng.choice((b"\n", b"\n", b"", b"\n\n", b"\r\n"))
    return whole if rng.random() < 0.9 else raw(whole, rng)


def _other_line(line: bytes, rng: Random) -> bytes:
    try:
        return json_text(line, rng)
    except (ValueError, RecursionError):  # changed before
        return raw(line, rng)


def dumped(content) -> bytes:
    """JSON as Python writes it, NaN and infinity as well; lone surrogates stay escapes."""
    return json.dumps(content).encode()


def odd_text(content: bytes, rng: Random) -> bytes:
    """Text that is JSON to some and not to others."""
    words = content.decode("utf-8", errors="replace")
    return rng.choice((
        lambda: b"\xef\xbb\xbf" + content,
        lambda: words.encode("utf-16"),
        lambda: words.encode("utf-32"),
        lambda: words.replace("a", "ä").encode("latin-1", errors="replace"),
        lambda: b"[" * DEEP + b"]" * DEEP,
        lambda: b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        lambda: content[: rng.randrange(len(content) + 1)] + b"[" * DEEP,
        lambda: b"1" * 5000,
        lambda: content.replace(b"1", b"1" * 5000, 1),
        lambda: b'{"a": 1, "a": 2}',
        lambda: rng.choice((b"null", b"[]", b"{}", b'""', b"0", b"true", b"NaN", b"", b" ", b"\0", b"\n", b"nul")),
        lambda: content + content,
        lambda: content.replace(b'"', b"'"),
    ))()  # fmt: skip


def raw(content: bytes, rng: Random) -> bytes:
    """Bytes flipped, cut, left out, put in, repeated, or all others."""
    data = bytearray(content)
    size = len(data)
    start = rng.randrange(size + 1)
    end = min(size, start + rng.choice((1, 2, 4, 16, 64, 1024)))
    action = rng.random()
    if action < 0.45:
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            if size:
                data[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif action < 0.65:
        del data[start:]
    elif action < 0.75:
        del data[start:end]
    elif action < 0.83:
        data[start:start] = rng.randbytes(rng.choice((1, 4, 64)))
    elif action < 0.90:
        data[start:end] = rng.choice((b"\0", b"\xff")) * (end - start)
    elif action < 0.95:
        data[start:start] = data[start:end]
    else:
        return rng.choice((b"", b"\0", rng.randbytes(100), b"<!DOCTYPE html>", b"PK\x03\x04", b"\x89PNG\r\n"))
    return bytes(data)
