"""Run-length codes against a reader of one code in plain steps, and against what pycocotools writes."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from oneformer_lite.data import run_lengths
from oneformer_lite.data.run_lengths import pixels


def written(mask: np.ndarray) -> bytes:
    return coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"]


def plainly(code: bytes) -> int:
    """``rleFrString``, line by line, and the sum."""
    runs, i = [], 0
    while i < len(code):
        number, length, more = 0, 0, True
        while more:
            if i == len(code) or not 48 <= code[i] < 112:
                return -1
            group = code[i] - 48
            number |= (group & 31) << 5 * length
            more = bool(group & 32)
            i, length = i + 1, length + 1
            if length > 7:
                return -1
            if not more and group & 16:
                number -= 1 << 5 * length
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
    return sum(runs) if runs and min(runs) >= 0 else -1


def test_codes_of_masks_describe_all_their_pixels(monkeypatch):
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 60, (200, 2))
    masks = [rng.random(size) < rng.random() for size in sizes] + [np.zeros((700, 900), bool), np.ones((3, 5), bool)]
    codes, expected = [written(mask) for mask in masks], [mask.size for mask in masks]
    assert [plainly(code) for code in codes] == expected
    assert pixels(codes).tolist() == expected
    monkeypatch.setattr(run_lengths, "_AT_ONCE", 100)  # in many parts, the same
    assert pixels(codes).tolist() == expected


def test_spoiled_codes_come_out_as_one_by_one():
    rng = np.random.default_rng(1)
    codes = []
    for _ in range(3000):
        code = bytearray(written(rng.random(rng.integers(1, 30, 2)) < 0.3))
        for _ in range(rng.integers(0, 4)):
            code[rng.integers(len(code))] = rng.integers(40, 120)
        codes.append(bytes(code[: rng.integers(0, len(code) + 1)]))
    expected = [plainly(code) for code in codes]
    assert pixels(codes).tolist() == expected
    assert 500 < expected.count(-1) < 2500 and pixels(codes[:1]).tolist() == expected[:1]


@pytest.mark.parametrize("code", [b"", b"P", b"0P", b" 0", b"hello", b"\xff", b"PPPPPPPPPPP1", b"N", b"1O"])
def test_what_is_no_code(code):
    assert pixels([code, written(np.ones((2, 3))), code]).tolist() == [-1, 6, -1]


def test_none():
    assert pixels([]).tolist() == []
