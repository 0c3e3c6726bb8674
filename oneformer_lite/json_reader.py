"""Reading JSON from anywhere: one way for annotations, configurations and the files of a run.

What comes out is plain Python data, nothing else; whether the values make sense is for the caller to judge
(``data/json_fields.py``). Whatever is wrong with the text raises one error that names the file and what to do.
"""

from __future__ import annotations

import gc
import json
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path

from .errors import DataError, OneFormerLiteError
from .files import on_disk, path_of
from .json_faults import too_many_digits, what_else, why_no_json, why_no_text

SMALL = 64 * 2**20  # bytes; configurations and records are far below, annotations have no limit


def read_json(
    path: str | Path,
    error: type[OneFormerLiteError] = DataError,
    cure: str = "write or download it again",
    *,
    missing: str = "check the path",
    max_bytes: int | None = SMALL,
    strict: bool = True,
) -> object:
    """The content of a JSON file in UTF-8, UTF-16 or UTF-32, with or without a byte-order mark.

    ``error`` is what is raised; ``cure`` and ``missing`` say in it what to do with a bad and an absent file.
    Keys that come twice in one object are refused, of which Python's parser would keep the last. ``strict`` refuses
    NaN and infinities too, which JSON does not know; it takes time, so large files whose numbers are judged one by one
    go without.
    """
    path = on_disk(path_of(path, "a JSON file"))
    return parse_json(_content(path, error, cure, missing, max_bytes), str(path), error, cure, strict=strict)


def _content(path: Path, error: type[OneFormerLiteError], cure: str, missing: str, max_bytes: int | None) -> bytes:
    problem = ""
    try:
        if not path.is_file():  # nor a device or a pipe, whose end may never come
            problem = f"{path} {'is no file' if path.exists() else 'does not exist'}: {missing}"
        elif max_bytes is not None and (size := path.stat().st_size) > max_bytes:
            problem = f"{path} has {size} bytes, more than the {max_bytes} that such a file may have: {cure}"
        else:
            return path.read_bytes()
    except (OSError, ValueError) as reason:  # ValueError: no name that the file system knows, with a NUL for one
        problem = f"{str(path)!r} cannot be read ({getattr(reason, 'strerror', None) or reason}): {missing}"
    raise error(problem)


def parse_json(
    content: bytes | str,
    where: str,
    error: type[OneFormerLiteError] = DataError,
    cure: str = "write or download it again",
    *,
    strict: bool = True,
) -> object:
    """:func:`read_json` of what is in memory already; ``where`` names it in the errors."""
    hooks = {"parse_constant": _no_number, "parse_float": _finite} if strict else {}
    start = content[:1024]
    if other := what_else(start.encode("utf-8", "replace") if isinstance(start, str) else start, cure):
        raise error(f"{where} is not valid JSON: {other}")
    try:
        text = content if isinstance(content, str) else _decoded(content)
        del content  # half the memory while a large file is parsed
        with _uncollected():
            return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_once, **hooks)
    except UnicodeDecodeError as reason:
        raise error(f"{where} is not valid JSON: {why_no_text(reason)}") from reason
    except JSONDecodeError as reason:
        raise error(f"{where} is not valid JSON: {why_no_json(reason)}; {cure}") from reason
    except RecursionError:
        raise error(f"{where} is nested too deep to be read: no file of this kind is; {cure}") from None
    except ValueError as reason:  # our own refusals, and whole numbers of thousands of digits
        raise error(f"{where} is not valid JSON: {too_many_digits(text) or reason}; {cure}") from reason


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, which would look at millions of new objects again and again: a third of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _decoded(content: bytes) -> str:
    return content.decode(json.detect_encoding(content))


def _no_number(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits[:40])


def _once(pairs: list[tuple[str, object]]) -> dict:
    content = dict(pairs)
    if len(content) != len(pairs):
        (key, _), = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {key[:60]!r} comes twice in one object: join the two or remove one")
    return content
