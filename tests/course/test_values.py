"""Values travel as numbers and words; whatever else arrives is refused."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch

from oneformer_lite.course.values import decoded, encoded
from oneformer_lite.errors import DataError
from oneformer_lite.labs.calls import Raised
from oneformer_lite.labs.compare import difference

VALUES = [
    None, True, 3, -2.5, float("nan"), float("inf"), 10**30, "text", "\ud800", [], (), {}, [1, (2, [3])],
    {"a": 1, 2: [3], (1, 2): "x"}, {1, "b"}, torch.randn(2, 0, 3), torch.tensor(3), torch.tensor([True]),
    torch.randn(3).to(torch.float16), torch.randn(3).to(torch.bfloat16), torch.tensor([1 + 2j]),
    torch.eye(3).to_sparse(), torch.randn(3, 4).T, np.arange(6, dtype=np.uint8).reshape(2, 3),
    np.float32(2), np.array(["a", "b"]),
    {"a": torch.ones(2), "b": [np.zeros(3)]}, Raised("ValueError", "why", 3),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_a_value_is_the_same_after_its_way(value):
    again = decoded(encoded(value))
    assert again == value if isinstance(value, Raised) else difference(value, again, 0.0) is None
    assert torch.is_tensor(again) == torch.is_tensor(value)


@pytest.mark.parametrize(
    "thing", [lambda: 1, (i for i in "x"), object(), torch.nn.Linear(2, 2), int, np.array([object()])]
)
def test_what_does_not_travel_is_described(thing):
    again = decoded(encoded([thing]))[0]
    assert type(again).__name__ in (type(thing).__name__, "list") and difference(thing, again) is not None


def test_a_list_that_holds_itself_ends():
    endless: list = []
    endless.append(endless)
    assert decoded(encoded(endless))


def framed(tree: object, rest: bytes = b"") -> bytes:
    text = json.dumps(tree).encode()
    return len(text).to_bytes(8, "big") + text + rest


@pytest.mark.parametrize(
    "message",
    [
        b"", b"x", b"\xff" * 100, pickle.dumps([1]), framed([1]), framed({"list": 3}), framed({"kind": []}),
        framed({"list": [], "tuple": []}), framed({"tensor": ["float32", [10**12]]}), framed({"array": ["object", []]}),
        framed({"array": ["float32", [-1]]}, b"1234"), framed({"array": ["float32", ["2"]]}, bytes(8)),
        framed({"array": ["float32", [1] * 100]}, bytes(4)), framed({"dict": [[{"list": []}, 1]]}),
        framed({"raised": ["x"]}), framed({"thing": 3}), framed({"big": "x"}), framed({"big": "9" * 10_000}),
        (1 << 60).to_bytes(8, "big") + b"{}", framed({"array": ["float32", [True]]}, bytes(4)),
        len(b'{"list":[' * 9000).to_bytes(8, "big") + b'{"list":[' * 9000,
    ],
    ids=range(21),
)  # fmt: skip
def test_anything_else_is_refused(message):
    with pytest.raises(DataError, match="not the values of an answer"):
        decoded(message)
