"""Pickles of arrays: what is read equals numpy; everything else is refused before it can do anything."""

from __future__ import annotations

import pickle
import struct
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from oneformer_lite.errors import CheckpointError
from oneformer_lite.weights.arrays import read_arrays
from oneformer_lite.weights.files import read_tensors


def refusal(path: Path, content: bytes) -> str:
    path = path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="no complete pickle of named numpy arrays") as error:
        read_arrays(path)
    return str(error.value)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_arrays_of_every_kind_and_shape(tmp_path, protocol):
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.normal(size=(2, 3, 4)).astype(np.float32), "half": rng.normal(size=5).astype(np.float16),
        "columns": np.asfortranarray(rng.normal(size=(3, 5))), "counter": np.array(7), "none": np.zeros((0, 4)),
        "long": rng.normal(size=70_000).astype(np.float32), "bytes": np.arange(9, dtype=np.uint8),
        "yes": np.array([True, False]), "short": np.arange(4, dtype=np.int16),
    }  # fmt: skip
    arrays["again"] = arrays["a"]
    path = tmp_path / "model.pkl"
    for content in (arrays, {"model": arrays, "__author__": "somebody"}):
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        found = read_arrays(path)
        assert found.keys() == arrays.keys()
        assert all(np.array_equal(found[name].numpy(), value) for name, value in arrays.items())
        assert all(found[name].numpy().dtype == value.dtype for name, value in arrays.items())
    assert read_tensors(path)["half"].dtype == torch.float32


class Runs:
    """What an attacker writes: calls this when it is read."""

    def __init__(self, call, *given) -> None:
        self.call, self.given = call, given

    def __reduce__(self):
        return self.call, self.given


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("call", [exec, print, warnings.warn, np.load, np.frombuffer, torch.load, Path, OrderedDict])
def test_nothing_else_is_called(tmp_path, call, protocol, capsys):
    attack = Runs(call, "raise SystemExit")
    for content in (attack, {"model": {"a": attack}}, {"model": {"a": np.zeros(3)}, "other": [attack]}):
        refusal(tmp_path, pickle.dumps(content, protocol=protocol))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "content, words",
    [
        ({"a": np.array([{}, {}])}, "'O8'"),
        ({"a": np.zeros(3, dtype=">f4")}, "byte order"),
        ({"a": np.zeros(3, dtype="c8")}, "'c8'"),
        ({"a": np.zeros(2, dtype=[("x", "f4")])}, "kind of number"),
        ({"a": np.array(["words"])}, "'U5'"),
        ({"a": 3.0}, "is a float, not an array"),
        ({"model": {"a": [np.zeros(3)]}}, "is a list, not an array"),
        ([np.zeros(3)], "no table of named weights"),
        ({3: np.zeros(3)}, "no table of named weights"),
        ({}, "no table of named weights"),
        (np.zeros(3), "no table of named weights"),
    ],
)
def test_other_data_is_refused(tmp_path, content, words):
    assert words in refusal(tmp_path, pickle.dumps(content, protocol=4))


DOUBLED = b")" + b"q\x00h\x00\x86" * 60  # ((((), ()), ((), ())), ...: 2**60 of them
DEEP = b")" + b"\x85" * 300_000  # ((((...),),),): a stack breaks where each is looked into


def encoded(text: bytes, times: int) -> bytes:
    """The steps that make a list of one text as bytes, again and again."""
    known = b"c_codecs\nencode\nq\x00X" + struct.pack("<I", len(text)) + text + b"q\x01"
    return b"\x80\x02](" + known + b"h\x00h\x01\x85R" * times + b"e."


def array_steps(shape: bytes, content: bytes) -> bytes:
    """The steps that make {"a": array} by hand, in protocol 2 with names as text."""
    known = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n"
    make = known + b"K\x00\x85C\x01bt\x52"
    state = b"(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    kind = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f4\x89\x88t\x52" + state
    data = b"B" + struct.pack("<I", len(content)) + content
    return b"\x80\x03}X\x01\x00\x00\x00a" + make + b"(K\x01" + shape + kind + b"\x89" + data + b"tb" + b"s."


def test_arrays_that_lie_about_their_size(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(array_steps(b"K\x02\x85", bytes(8)))
    assert read_arrays(path)["a"].equal(torch.zeros(2))
    large, negative = b"J\xff\xff\xff\x7f\x85", b"J\xff\xff\xff\xff\x85"
    axes = b"(" + b"K\x01" * 100 + b"t"
    for shape in (b"K\x03\x85", large, negative, b"\x88\x85", b"K\x02", b"N", b"](K\x02e", axes):
        assert "an array of shape" in refusal(tmp_path, array_steps(shape, bytes(8)))
    assert "tuples in tuples" in refusal(tmp_path, array_steps(DOUBLED, bytes(8)))


@pytest.mark.parametrize(
    "content, words",
    [
        (b"\x80\x02}r" + struct.pack("<I", 2**32 - 1) + b".", "LONG_BINPUT"),  # 64 GB of places to remember
        (b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"}.", "FRAME"),
        (b"\x80\x04B" + struct.pack("<I", 2**31) + b".", "expected"),
        (b"\x80\x02" + b"]0" * 600 + b"}.", "POP"),
        (b"\x80\x02cnumpy\ndtype\n}b.", "given a state"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "a call of ndarray"),
        (b"\x80\x02" + b"N" * 1_000_100 + b".", "more than 1000000 steps"),
        (b"\x80\x02}" + DEEP + b"Ns.", "tuples in tuples"),
        (b"\x80\x02}(NN" + DEEP + b"Nu.", "tuples in tuples"),
        (b"\x80\x02}" + DOUBLED + b"q\x01Nsh\x01Ns.", "tuples in tuples"),
        (b"\x80\x02](" + DEEP + b"q\x01e}h\x01Ns.", "tuples in tuples"),
        (b"\x80\x02cnumpy\ndtype\n(" + DOUBLED + b"\x89\x88tR.", ""),
        (encoded(b"a" * 10_000, 3), "more bytes than the file holds"),
        (b"\x80\x02s.", ""), (b"\x80\x02u.", ""), (b"\x80\x02h\x00.", ""), (b"\x80\x02q\x00.", ""),
        (b"", ""), (b"<!DOCTYPE html>", ""), (b"version https://git-lfs.github.com/spec/v1\n", ""),
    ],
    ids=lambda value: f"{len(value)} bytes" if len(value) > 60 else None,
)  # fmt: skip
def test_programs_that_are_no_arrays(tmp_path, content, words):
    assert words in refusal(tmp_path, content)


def test_files_cut_anywhere(tmp_path):
    whole = pickle.dumps({"model": {"a": np.arange(6.0), "b": np.zeros((2, 2), np.float32)}}, protocol=4)
    for end in range(0, len(whole), 7):
        refusal(tmp_path, whole[:end])


def test_one_array_under_many_names_is_not_multiplied(tmp_path):
    array = np.zeros(10_000, np.float32)
    assert "claim more than" in refusal(tmp_path, pickle.dumps({str(i): array for i in range(100)}, protocol=4))
