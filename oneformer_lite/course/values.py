"""Values as bytes: what an answer gave travels as numbers and words, so that reading it can run nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from ..labs.calls import Raised
from ..labs.compare import describe, listed

LARGEST = 64 << 20  # bytes of one message
_DEEPEST = 40  # lists within lists
_LENGTH = 8  # bytes that say how long the JSON is
_KINDS = {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
          "float64", "complex64", "complex128"}  # fmt: skip


class Thing:
    """Stands for a value that does not travel: an object, a function, a generator. Equal to nothing but itself."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __repr__(self) -> str:
        return self.words


def encoded(value: Any) -> bytes:
    """A value, or what it looks like where it is of no kind that travels."""
    blobs: list[bytes] = []
    tree = json.dumps(_tree(value, blobs, 0)).encode("ascii")
    return b"".join([len(tree).to_bytes(_LENGTH, "big"), tree, *blobs])


def decoded(message: bytes) -> Any:
    """The value again. Raises :class:`DataError` for anything that :func:`encoded` does not write."""
    try:
        end = _LENGTH + int.from_bytes(message[:_LENGTH], "big")
        blobs = memoryview(message)[end:]
        return _value(json.loads(message[_LENGTH:end].decode("ascii")), blobs, 0)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError, MemoryError) as error:
        raise DataError(
            f"not the values of an answer ({type(error).__name__}): did it write to the channel?"
        ) from error


def _tree(value: Any, blobs: list[bytes], depth: int) -> Any:
    """JSON: what JSON knows by itself, else {kind: content}; the bytes of arrays are collected in ``blobs``."""
    if value is None or isinstance(value, bool | str):
        return value if type(value) in (type(None), bool, str) else {"str": str.__str__(value)}
    if type(value) in (int, float):
        return value if abs(value) < 1 << 63 or not math.isfinite(value) else {"big": str(value)[:400]}
    if depth > _DEEPEST:
        return {"thing": ["list", "lists within lists without end"]}
    if isinstance(value, Tensor | np.ndarray | np.generic):
        return _array(value, blobs, depth)
    if isinstance(value, Raised):
        return {"raised": [value.kind, value.message, value.line]}
    if isinstance(value, Mapping):
        return {"dict": [[_tree(key, blobs, depth + 1), _tree(part, blobs, depth + 1)] for key, part in value.items()]}
    if isinstance(value, Set):
        return {"set": [_tree(part, blobs, depth + 1) for part in value]}
    parts = listed(value)
    if isinstance(parts, list | tuple):
        kind = "tuple" if isinstance(parts, tuple) else "list"
        return {kind: [_tree(part, blobs, depth + 1) for part in parts]}
    return {"thing": [type(value).__name__, describe(value)]}


def _array(value: Any, blobs: list[bytes], depth: int) -> dict:
    tensor = isinstance(value, Tensor)
    if tensor:
        value = value.detach().cpu().resolve_conj().resolve_neg().to_dense()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if value.dtype.name not in _KINDS:
        return _tree(value.tolist(), blobs, depth + 1) if value.ndim else {"thing": ["array", describe(value)]}
    array = np.ascontiguousarray(value)
    if sum(map(len, blobs)) + array.nbytes > LARGEST:
        return {"thing": ["array", f"an array of {array.nbytes >> 20} MiB, too large to be an answer"]}
    blobs.append(array.tobytes())
    return {"tensor" if tensor else "array": [array.dtype.name, list(value.shape)]}


def _value(tree: Any, blobs: memoryview, depth: int) -> Any:
    return _reader(blobs)(tree, depth)


def _reader(blobs: memoryview):
    place = 0

    def array(name: str, shape: list[int]) -> np.ndarray:
        nonlocal place
        if name not in _KINDS or not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 32:
            raise ValueError("an array of another kind")
        count = math.prod(shape) * np.dtype(name).itemsize
        if place + count > len(blobs):
            raise ValueError("an array that is longer than its bytes")
        place += count
        return np.frombuffer(bytes(blobs[place - count : place]), name).reshape(shape).copy()

    def read(tree: Any, depth: int) -> Any:
        if not isinstance(tree, dict):
            if isinstance(tree, list) or depth > 2 * _DEEPEST:
                raise ValueError("a list without its kind")
            return tree
        ((kind, content),) = tree.items()
        if kind in ("tensor", "array"):
            found = array(*content)
            return torch.from_numpy(found) if kind == "tensor" else found
        if kind in ("list", "tuple"):
            parts = [read(part, depth + 1) for part in content]
            return tuple(parts) if kind == "tuple" else parts
        if kind == "dict":
            return {read(key, depth + 1): read(part, depth + 1) for key, part in content}
        if kind == "set":
            return {read(part, depth + 1) for part in content}
        return _scalar(kind, content)

    return read


def _scalar(kind: str, content: Any) -> Any:
    if kind == "str":
        return str(content)
    if kind == "big":
        return int(content) if str(content).lstrip("-").isdigit() else float(content)
    if kind == "raised":
        name, message, line = content
        return Raised(str(name)[:80], str(message)[:400], line if type(line) is int else None)
    if kind == "thing":
        name, words = content
        return type(str(name)[:80].replace("\0", ""), (Thing,), {})(str(words)[:400])
    raise ValueError(f"a value of kind {kind!r}")
