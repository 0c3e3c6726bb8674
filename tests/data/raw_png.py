"""PNGs that Pillow reads and does not write: of few bits, or of 16 bits in several channels."""

from __future__ import annotations

import struct
import zlib

import numpy as np

GREY, COLOURS = 0, 2


def raw_png(bits: int, rows: list[bytes], width: int, kind: int = GREY) -> bytes:
    """``rows`` as PNG packs them."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def deep_colours(values: np.ndarray) -> bytes:
    """``values`` [H, W] with 16 bits in each of three channels."""
    rows = [np.repeat(row, 3).astype(">u2").tobytes() for row in values]
    return raw_png(16, rows, values.shape[1], COLOURS)
