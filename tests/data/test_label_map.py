"""Label maps of kinds that few programs write, read as what is in the file."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from oneformer_lite.data.label_map import read_label_map


def small_tiff(path: Path, bits: int, photometric: int, width: int, rows: list[bytes]) -> Path:
    """A grey TIFF of less than eight bits, which Pillow does not write."""
    data = b"".join(rows)
    fields = [(256, width), (257, len(rows)), (258, bits), (259, 1), (262, photometric), (273, None), (277, 1),
              (278, len(rows)), (279, len(data))]  # fmt: skip
    place = 8 + 2 + 12 * len(fields) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, place if v is None else v) for tag, v in fields)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4) + data)
    return path


@pytest.mark.parametrize(
    ("bits", "photometric", "row", "values"),
    [
        (4, 1, b"\x01\x23", [0, 1, 2, 3]), (2, 1, b"\x1b", [0, 1, 2, 3]), (4, 1, b"\xf0\x12", [15, 0, 1, 2]),
        (4, 0, b"\x01\x23", [15, 14, 13, 12]), (2, 0, b"\x1b", [3, 2, 1, 0]),
    ],
)  # fmt: skip
def test_tiffs_of_two_and_four_bits(tmp_path: Path, bits, photometric, row, values) -> None:
    path = small_tiff(tmp_path / "map.tif", bits, photometric, 4, [row, row])
    assert read_label_map(path, range(200), None).tolist() == [values, values]
