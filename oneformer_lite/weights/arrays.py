"""detectron2's weight files (``.pkl``): pickles of numpy arrays, read without running anything that is in them.

A pickle is a program for a small machine, and may call what it names. Here the machine is given a list of all that it
may do, and of names it knows those of numpy's arrays alone, in whose place it gets classes of this file: nothing of
numpy, or of anything else, is called with what the file says. Arrays become tensors afterwards, from plain bytes whose
number must be what their shape says.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from pathlib import Path
from reprlib import repr as shortened  # of a tuple that holds one tuple twice, which holds another twice, a few times

import torch
from torch import Tensor

from ..errors import CheckpointError
from .names import State
from .pickle_tuples import Tuples

_MOST_STEPS = 1_000_000  # a published model takes some twenty thousand
_MOST_AXES = 64  # of an array, as in numpy
_STEPS = {
    "PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE",
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
    "BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
}  # fmt: skip

# numpy's kinds of numbers, as arrays in files are marked
_KINDS = {
    "f2": torch.float16, "f4": torch.float32, "f8": torch.float64, "u1": torch.uint8, "b1": torch.bool,
    "i1": torch.int8, "i2": torch.int16, "i4": torch.int32, "i8": torch.int64,
}  # fmt: skip


class _Kind:
    """In place of ``numpy.dtype``: ``dtype("f4", ...)``, then a state whose second entry is the order of bytes."""

    def __init__(self, code: object) -> None:
        self.code, self.order = code, "|"

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]

    @property
    def dtype(self) -> torch.dtype:
        if not isinstance(self.code, str) or self.code not in _KINDS or self.order not in ("<", "|"):
            kind, order = shortened(self.code), shortened(self.order)
            raise ValueError(f"an array of {kind} in byte order {order}, which is no kind of number")
        return _KINDS[self.code]


class _Array:
    """In place of ``numpy.ndarray``: a state of version, shape, kind, whether columns come first, and bytes."""

    def __setstate__(self, state: tuple) -> None:
        _, self.shape, self.kind, self.by_columns, self.content = state

    def tensor(self) -> Tensor:
        if not isinstance(self.kind, _Kind):
            raise ValueError("an array of no kind")
        dtype = self.kind.dtype
        if not isinstance(self.content, bytes):
            raise ValueError(f"an array whose numbers are a {type(self.content).__name__}")
        if not _is_shape(self.shape):
            raise ValueError(f"an array of shape {shortened(self.shape)}")
        if math.prod(self.shape) * dtype.itemsize != len(self.content):
            raise ValueError(f"an array of shape {self.shape} in {len(self.content)} bytes")
        if not self.content:
            return torch.empty(self.shape, dtype=dtype)
        flat = torch.frombuffer(bytearray(self.content), dtype=dtype)
        if self.by_columns:
            return flat.reshape(self.shape[::-1]).permute(*range(len(self.shape))[::-1]).contiguous()
        return flat.reshape(self.shape)


def _is_shape(shape: object) -> bool:
    if not isinstance(shape, tuple) or len(shape) > _MOST_AXES:
        return False
    return all(type(side) is int and side >= 0 for side in shape)


class _Call:
    """The only kind of thing that the machine can call; it has no attributes that a file could set."""

    __slots__ = ("machine", "name")

    def __init__(self, machine: _Unpickler, name: str) -> None:
        self.machine, self.name = machine, name

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a function that is given a state")

    def __call__(self, *given: object) -> _Array | _Kind | bytes:
        if self.name == "dtype":
            return _Kind(given[0])
        if self.name == "bytes" and not given:
            return b""
        if self.name == "encode" and isinstance(given[0], str):
            self.machine.take_room(len(given[0]))
            return given[0].encode("latin-1")  # how bytes are written in the older protocols
        if self.name == "_reconstruct":
            return _Array()
        raise pickle.UnpicklingError(f"a call of {self.name}")


_KNOWN = {
    ("numpy", "ndarray"), ("numpy", "dtype"), ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"), ("_codecs", "encode"), ("__builtin__", "bytes"),
}  # fmt: skip


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._room = len(content)

    def take_room(self, count: int) -> None:
        """All that is encoded is in the file as text: of one text many times there is no end."""
        self._room -= count
        if self._room < 0:
            raise pickle.UnpicklingError("more bytes than the file holds as text")

    def find_class(self, module: str, name: str) -> _Call:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}"[:100])
        return _Call(self, name)


def read_arrays(path: Path) -> State:
    """The weights of a detectron2 pickle, which lie under the key "model" in the zoo's files.

    Raises :class:`CheckpointError` for damaged files, and for those with anything but arrays, numbers and texts.
    """
    try:
        content = path.read_bytes()
        _check_steps(content)
        found = _Unpickler(content).load()
        if isinstance(found, dict) and isinstance(found.get("model"), dict):
            found = found["model"]
        if not isinstance(found, dict) or not found or not all(isinstance(name, str) for name in found):
            raise ValueError("no table of named weights")
        return _tensors(found, len(content))
    except PermissionError as error:
        raise CheckpointError(f"{path} may not be read: check its permissions") from error
    except Exception as error:  # a damaged file raises another kind at every byte
        reason = str(error).split("\n")[0][:200]
        raise CheckpointError(
            f"{path} is no complete pickle of named numpy arrays, and nothing else in a pickle is read, because it "
            f"could run as code ({reason}): download it again from where it was published"
        ) from error


def _tensors(found: dict, size: int) -> State:
    """Arrays as tensors; of one array under many names no more than the file has bytes for, twice over."""
    state, claimed = {}, 0
    for name, array in found.items():
        if not isinstance(array, _Array):
            raise ValueError(f"{name[:100]} is a {type(array).__name__}, not an array")
        claimed += len(getattr(array, "content", b""))
        if claimed > 2 * size:
            raise ValueError(f"its weights claim more than its {size} bytes")
        state[name] = array.tensor()
    return state


def _check_steps(content: bytes) -> None:
    """Every step of the machine before it starts: only what arrays need, and no number that makes it take memory."""
    tuples = Tuples()
    for count, (step, given, _) in enumerate(pickletools.genops(io.BytesIO(content))):
        if step.name not in _STEPS:
            raise ValueError(f"the step {step.name}, which arrays do not need")
        if count > _MOST_STEPS:
            raise ValueError(f"more than {_MOST_STEPS} steps")
        if step.name in ("FRAME", "LONG_BINPUT") and (given or 0) > max(len(content), 256):
            raise ValueError(f"{step.name} {given} in {len(content)} bytes")
        tuples.follow(step, given)
