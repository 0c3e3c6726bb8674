"""Changes to files of weights whose own structure stays whole: safetensors and PyTorch's files."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from random import Random

import numpy as np
import torch
from mutations import DEEP, VALUES, dumped, json_text, raw, tree
from pickles import pickle_file

_DEEP_PICKLES = (b"(" * DEEP + b".", b"]" * DEEP + b"a" * (DEEP - 1) + b".")


def safetensors_file(content: bytes, rng: Random) -> bytes:
    """Another header (names, kinds, shapes, places), right in length, or other bytes."""
    if rng.random() < 0.25:
        return raw(content, rng)
    (length,) = struct.unpack("<Q", content[:8])
    header, rest = content[8 : 8 + length], content[8 + length :]
    new = json_text(header, rng)
    told = len(new) if rng.random() < 0.95 else rng.choice((0, 2**32, 2**63, length))
    return struct.pack("<Q", told) + new + rest


def torch_file(content: bytes, rng: Random) -> bytes:
    """A PyTorch file with an odd entry, or whose pickle is damaged within a whole zip, or other bytes."""
    action = rng.random()
    if action < 0.2:
        return raw(content, rng)
    if action < 0.5:
        return _other_pickle(content, rng)
    state = torch.load(io.BytesIO(content), weights_only=True)
    state = _other_entry(state, rng)
    out = io.BytesIO()
    torch.save(state, out, _use_new_zipfile_serialization=rng.random() < 0.8)
    return raw(out.getvalue(), rng) if rng.random() < 0.1 else out.getvalue()


def _other_pickle(content: bytes, rng: Random) -> bytes:
    """The bytes or the steps of data.pkl changed, and the zip written again around them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("data.pkl") or rng.random() < 0.05:
                action = rng.random()
                change = pickle_file if action > 0.6 and info.filename.endswith("data.pkl") else raw
                data = change(data, rng) if action > 0.1 else b"\x80\x02" + rng.choice(_DEEP_PICKLES)
            if rng.random() < 0.98:
                new.writestr(info.filename, data)
    return out.getvalue()


def _other_entry(state, rng: Random):
    """One value somewhere in nested dictionaries, in another kind or shape."""
    if rng.random() < 0.03:
        return rng.choice((*VALUES[:40], [state], (state,), {1: state}, torch.zeros(3)))
    holder = state = dict(state)
    while holder:
        key = rng.choice(list(holder))
        if not isinstance(holder[key], dict) or not holder[key] or rng.random() < 0.1:
            break
        holder[key] = dict(holder[key])
        holder = holder[key]
    else:
        return state
    action = rng.random()
    if action < 0.15:
        del holder[key]
    elif action < 0.25:
        holder[rng.choice((1, None, "", "x.y.z", key if isinstance(key, int) else key + ".0", (1, 2)))] = holder[key]
    elif isinstance(holder[key], torch.Tensor):
        holder[key] = _other_tensor(holder[key], rng)
    elif action < 0.6:
        holder[key] = rng.choice(VALUES)
    else:
        holder[key] = tree([holder[key]], rng) if isinstance(holder[key], (list, dict, int, float, str, bool)) else None
    return state


def _other_tensor(value: torch.Tensor, rng: Random):
    return rng.choice((
        lambda: torch.zeros(1).expand(10**10),
        lambda: torch.zeros(1).expand(100_000, 100_000),
        lambda: torch.zeros(0),
        lambda: torch.tensor(1.0),
        lambda: value.reshape(-1),
        lambda: value[None],
        lambda: value.double(),
        lambda: value.half(),
        lambda: value.bool(),
        lambda: torch.full_like(value, float("nan")) if value.is_floating_point() else value * 0 - 1,
        lambda: value.to(torch.complex64),
        lambda: value.to_sparse() if value.dim() else value,
        lambda: value.to("meta"),
        lambda: torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8),
        lambda: value.T if value.dim() == 2 else value,
        lambda: torch.cat([value, value]) if value.dim() else value,
        lambda: value.tolist() if value.numel() < 1000 else [],
        lambda: "text",
        lambda: None,
        lambda: {"a": value},
        lambda: dumped({"a": 1}),
    ))()  # fmt: skip


def arrays_file(content: bytes, rng: Random) -> bytes:
    """A pickle of numpy arrays with an odd one, in any protocol, or whose steps are others."""
    if rng.random() < 0.6:
        return pickle_file(content, rng)
    found = pickle.loads(content)  # made by the fuzzer itself
    arrays = found["model"]
    name = rng.choice(list(arrays))
    arrays[name] = _other_array(arrays[name], rng)
    if rng.random() < 0.2:
        found[rng.choice(("other", "model", 1))] = rng.choice((*VALUES, arrays, [arrays], arrays[name]))
    return pickle.dumps(found, protocol=rng.choice((0, 1, 2, 3, 4, 5)))


def _other_array(value: np.ndarray, rng: Random):
    return rng.choice((
        lambda: np.broadcast_to(np.float32(0), (1000, 1000)),
        lambda: value.reshape(-1),
        lambda: value[None],
        lambda: value.astype(rng.choice(("f8", "f2", ">f4", "i4", "u2", "?", "c8", "S3", "U3", "O", "M8[s]"))),
        lambda: np.zeros(3, [("x", "f4"), ("y", "i2")]),
        lambda: np.asfortranarray(value),
        lambda: np.full_like(value, np.nan) if value.dtype.kind == "f" else value,
        lambda: np.zeros((0, 2**40), "f4"),
        lambda: np.zeros((1,) * 30, "f4"),
        lambda: np.float32(1),
        lambda: np.ma.masked_array(value),
        lambda: value.T,
        lambda: rng.choice(VALUES),
        lambda: {name: value for name in "ab"},
        lambda: bytearray(b"abc"),
        lambda: {1, 2},
        lambda: np.random.default_rng(0),
    ))()  # fmt: skip
