"""A checksum at the end of a checkpoint: PyTorch writes a zip archive, and the comment of the archive holds it.

So it is one file, which no kill can part from its checksum, and every reader of zip archives passes over the comment.
The checksums that the archive has of each of its entries are not looked at by PyTorch, and do not cover its lists.
"""

from __future__ import annotations

import hashlib
import os
import struct
from io import BufferedReader
from pathlib import Path

_END = b"PK\x05\x06"  # of the record of 22 bytes that ends an archive, and itself ends with the comment's length
_END_LENGTH = 22
_NO_COMMENT = struct.pack("<H", 0)
_MARK = b"sha256 "
_LENGTH = len(_NO_COMMENT) + len(_MARK) + 2 * hashlib.sha256().digest_size
_CHUNK = 2**20


def seal(path: Path) -> None:
    """Append the checksum of an archive that has no comment yet."""
    with path.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256")
        file.seek(-len(_NO_COMMENT), os.SEEK_END)
        file.write(_comment(digest.hexdigest()))


def is_whole(file: BufferedReader) -> bool | None:
    """Whether a file is byte for byte what was sealed; None if it is an archive without a checksum. The file is left
    at its start."""
    size = file.seek(0, os.SEEK_END)
    try:
        return None if _is_unsealed(file, size) else size > _LENGTH and _is_as_sealed(file, size)
    finally:
        file.seek(0)


def _is_unsealed(file: BufferedReader, size: int) -> bool:
    file.seek(max(0, size - _END_LENGTH))
    end = file.read()
    return end.startswith(_END) and end.endswith(_NO_COMMENT) and len(end) == _END_LENGTH


def _is_as_sealed(file: BufferedReader, size: int) -> bool:
    file.seek(0)
    digest, left = hashlib.sha256(), size - _LENGTH
    while left and (chunk := file.read(min(left, _CHUNK))):
        digest.update(chunk)
        left -= len(chunk)
    digest.update(_NO_COMMENT)  # which stood where the comment now is
    return file.read() == _comment(digest.hexdigest())


def _comment(digest: str) -> bytes:
    """Length and text of the comment."""
    text = _MARK + digest.encode()
    return struct.pack("<H", len(text)) + text
