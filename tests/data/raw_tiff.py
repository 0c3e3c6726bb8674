"""TIFFs that Pillow reads and does not write: big-endian and compressed, with a sign, channels one after the other."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_SHORT, _LONG, _DEFLATE = 3, 4, 8
_SAMPLES = {"u": 1, "i": 2, "f": 3}  # SampleFormat by numpy's kind


def raw_tiff(values: np.ndarray, order: str = "<", *, deflate: bool = False) -> bytes:
    """``values`` [H, W], or [C, H, W] with each channel in a strip of its own; any type of numpy's."""
    channels = values.reshape(-1, *values.shape[-2:]).astype(values.dtype.newbyteorder(order))
    strips = [zlib.compress(c.tobytes()) if deflate else c.tobytes() for c in channels]
    count, (height, width) = len(strips), values.shape[-2:]
    starts = np.cumsum([8, *map(len, strips)])[:-1].tolist()
    tags = {
        256: [width], 257: [height], 258: [values.itemsize * 8] * count, 259: [_DEFLATE if deflate else 1],
        262: [2 if count > 1 else 1], 273: starts, 277: [count], 278: [height], 279: list(map(len, strips)),
        284: [2 if count > 1 else 1], 339: [_SAMPLES[values.dtype.kind]] * count,
    }  # fmt: skip
    body = b"".join(strips)
    entries, far = b"", b""
    far_at = 8 + len(body) + 2 + 12 * len(tags) + 4
    for tag, numbers in tags.items():
        kind = _LONG if tag in (273, 279) else _SHORT
        packed = struct.pack(f"{order}{len(numbers)}{'I' if kind == _LONG else 'H'}", *numbers)
        if len(packed) > 4:
            packed, far = struct.pack(f"{order}I", far_at + len(far)), far + packed
        entries += struct.pack(f"{order}HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(body))
    return head + body + struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0) + far
