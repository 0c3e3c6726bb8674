"""A proof says in one line that two things are equal, opens to how, and raises where they are not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from nbformat.v4 import new_output

from oneformer_lite.lessons import proved
from oneformer_lite.lessons.cells import output_html
from oneformer_lite.lessons.markdown import markdown_html

A = torch.arange(6.0).view(2, 3)


@pytest.mark.parametrize(
    ("ours", "theirs", "how", "opened"),
    [
        (A, A.clone(), {}, "6 numbers [2, 3], equal to the last digit."),
        (A, A + 5e-5, {"atol": 1e-4}, "6 numbers [2, 3], none differs by more than 0.0001 and 1e-05 of its size."),
        (
            A.numpy(),
            np.arange(6.0).reshape(2, 3) * 1.0001,
            {"rtol": 1e-3},
            "none differs by more than 0.001 of its size",
        ),
        (0.3, 0.1 + 0.2, {"atol": 1e-9}, "1 numbers []"),
        ([A, A[0]], (A + 1e-9, A[0]), {"atol": 1e-8}, "6 numbers [2, 3], none differs by more than 1e-08 and 1e-05"),
        ([A, A], [A, A], {}, "</summary>ours &lt; theirs: 6 numbers [2, 3], equal to the last digit.</details>"),
        (["a", 1], ["a", 1], {}, "compared as they are, equal."),
        (torch.tensor([True]), torch.tensor([True]), {}, "equal to the last digit"),
        (torch.tensor([float("inf")]), torch.tensor([float("inf")]), {}, "equal to the last digit"),
    ],
    ids=["tensors", "nearly", "arrays", "numbers", "lists of tensors", "alike", "lists", "bools", "infinity"],
)
def test_what_is_equal_is_one_line_that_opens(ours, theirs, how, opened, tmp_path):
    proof = proved("ours < theirs", ours, theirs, **how)
    assert repr(proof) == "ours < theirs: True"
    html = proof._repr_html_()
    assert html.startswith("<details><summary>✓ ours &lt; theirs</summary>") and opened in html
    page = output_html(new_output("execute_result", {"text/html": html, "text/plain": repr(proof)}), tmp_path, ())
    assert "<summary>✓ ours &lt; theirs</summary>" in page


@pytest.mark.parametrize(
    ("ours", "theirs", "how", "told"),
    [
        (A, A + 1e-3, {"atol": 1e-4}, r"6 of 6 numbers differ; at \[\d, \d\] ours is"),
        (A, A.where(A != 4, 9.0), {}, r"1 of 6 numbers differ; at \[1, 1\] ours is 4, theirs 9"),
        (A, A[0], {"atol": 1.0}, r"the shape \[2, 3\], theirs \[3\]"),
        (A, A.where(A != 2, float("nan")), {"atol": 1.0}, r"at \[0, 2\] ours is 2, theirs nan"),
        ([A, A], [A, A + 1], {}, r"equal, number 1: not so. 6 of 6 numbers differ"),
        ([A, A], [A], {}, r"Ours are 2, theirs 1"),
        ([1], [2], {}, r"Ours is \[1\], theirs is \[2\]"),
        (torch.tensor([True, False]), torch.tensor([True, True]), {}, "1 of 2 numbers differ"),
        (float("nan"), float("nan"), {"atol": 1.0}, "ours is nan, theirs nan"),
    ],
    ids=["all", "one", "shapes", "NaN", "second of a list", "lengths", "lists", "bools", "two NaN"],
)
def test_what_is_not_equal_raises_with_the_place(ours, theirs, how, told):
    with pytest.raises(AssertionError, match=told):
        proved("equal", ours, theirs, **how)


def test_a_sum_of_proofs_is_one_line_that_opens_to_each(tmp_path):
    proof = proved("masks", A, A) + proved("classes", [1], [1]) + proved("scores", 0.5, 0.5)
    assert repr(proof) == "masks: True\nclasses: True\nscores: True"
    assert proof._repr_html_().startswith("<details><summary>✓ masks ✓ classes ✓ scores</summary>masks: 6 numbers")
    with pytest.raises(AssertionError, match="classes: not so"):
        proved("masks", A, A) + proved("classes", [1], [2])


def test_a_page_names_the_glossary_and_links_to_no_file_that_it_has_not(tmp_path):
    page = markdown_html("See [glossary](GLOSSARY.md) and [that](https://example.org/README.md).", tmp_path, ())
    assert "glossary: <code>notebooks/GLOSSARY.md</code>" in page and 'href="GLOSSARY.md"' not in page
    assert 'href="https://example.org/README.md"' in page
