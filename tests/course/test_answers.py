"""What is taken from a notebook, and what is not."""

from __future__ import annotations

import marshal

import pytest
from handed_in import BEGIN, COSINES, LOSS

from oneformer_lite.course.answers import find_answers

NAMES = ["similarity", "contrastive_loss", "gradient"]


def taken(*cells: str, name: str = "contrastive_loss") -> list[str]:
    """The first line of each definition that is taken."""
    return [part.text.split("\n")[0] for part in find_answers(cells, NAMES)[name].parts]


def test_only_the_answer_and_what_it_needs_are_taken():
    cells = [
        "import torch, os\nimport torch.nn.functional as F\nos.system('rm -rf /')",
        "SCALE = 1.0\nUNUSED = print('hello')\nfor i in range(10**9): pass",
        "def helper(x):\n    return SCALE * x",
        "def contrastive_loss(table, UNUSED=3):\n    os = 1\n    return helper(F.relu(table))",
        "print(contrastive_loss(3))",
    ]
    assert taken(*cells) == [
        "import torch.nn.functional as F",
        "SCALE = 1.0",
        "def helper(x):",
        "def contrastive_loss(table, UNUSED=3):",
    ]


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["def contrastive_loss(t):\n    return 1", "def contrastive_loss(t):\n    return 2"], "    return 2"),
        (["def contrastive_loss(t):\n    return 1", "def contrastive_loss(t):\n    ..."], "    return 1"),
        ([LOSS, 'contrastive_loss = labs.use("07.2", contrastive_loss)'], "    labels = torch.arange(len(table))"),
        (["%matplotlib inline\n!ls\ndef contrastive_loss(t):\n    return 3"], "    return 3"),
        (["if True:\n    def contrastive_loss(t):\n        return 4"], "    def contrastive_loss(t):"),
        (["@staticmethod\ndef contrastive_loss(t):\n    return 5"], "def contrastive_loss(t):"),
        (["contrastive_loss = (\n  lambda t: 6)"], "  lambda t: 6)"),
    ],
)
def test_the_last_definition_that_is_no_stub_counts(cells, first):
    assert find_answers(cells, NAMES)["contrastive_loss"].own.text.split("\n")[1] == first


def test_a_line_that_binds_several_names_is_no_answer():
    found = find_answers([COSINES, 'similarity, moved = labs.use("07.1", similarity), 3'], NAMES)["similarity"]
    assert found.own.cell == 1


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("x = 1", "missing: no cell defines contrastive_loss"),
        ("def loss(t): return t", "missing: you defined loss; asked is contrastive_loss: rename it"),
        ("def contrast_loss(t): return t\ndef other(t): return 1", "missing: you defined contrast_loss; asked is "),
        ("def one(t): return 1\ndef other(t): return one(t)", "missing: you defined other; asked is contrastive_loss"),
        ("def one(t): return 1\ndef other(t): return 2", "missing: no cell defines contrastive_loss"),
        ("def contrastive_loss(t):\n  return (1", "unreadable: cell 1 cannot be read: SyntaxError"),
        ("def contrastive_losses(t):\nreturn 1", "missing: no cell defines contrastive_loss"),
        ("def contrastive_loss(t):\nreturn 1", "IndentationError: expected an indented block"),
        ("contrastive_loss = labs.use('07.2', ...)", "labs.use, which gives our reference"),
        (
            "def contrastive_loss_of(t): return t\ncontrastive_loss = labs.use('07.2', contrastive_loss)",
            "missing: you defined contrastive_loss_of; asked is contrastive_loss",
        ),
        ("%%bash\ndef contrastive_loss(t): 1", "missing"),
        ("def contrastive_loss(t): 1\n" + "#" * 300_000, "a cell of 300027 characters"),
        ("contrastive_loss = " + "(" * 500 + ")" * 500, "cannot be read"),
        ("contrastive_loss = " + "-" * 200_000 + "1", "cannot be read"),
        ("contrastive_loss = 1\0", "cannot be read"),
        ("contrastive_loss = lambda t: await t", "cannot be read"),
    ],
)
def test_what_is_no_answer_is_told(cell, words):
    found = find_answers([cell], NAMES)["contrastive_loss"]
    assert isinstance(found, str) and words in found


def test_a_stub_above_a_cell_that_cannot_be_read_hides_nothing():
    stub, broken = "def contrastive_loss(t):\n    ...", "def contrastive_loss(t):\n    return (t"
    found = find_answers([stub, broken], NAMES)["contrastive_loss"]
    assert "unreadable: cell 2 cannot be read: SyntaxError" in found
    written = find_answers(["def contrastive_loss(t):\n    return t", broken], NAMES)["contrastive_loss"]
    assert written.own.cell == 1


def test_a_cell_that_only_mentions_a_name_says_nothing_of_it():
    found = find_answers(["print(contrastive_loss(1)"], NAMES)["contrastive_loss"]
    assert found == "missing: no cell defines contrastive_loss"


def test_answers_that_stand_on_others_say_so():
    cells = [COSINES, "def helper(t):\n    return similarity(t, t)", "def gradient(t):\n    return helper(t)"]
    found = find_answers(cells, NAMES)
    assert found["gradient"].stands_on == {"similarity"} and found["similarity"].stands_on == frozenset()
    whole = found["gradient"].standing_on([found["similarity"]])
    assert [part.cell for part in whole.parts] == [1, 2, 3]
    assert [marshal.loads(code).co_filename for code in whole.code] == ["<cell 1>", "<cell 2>", "<cell 3>"]


def test_looking_runs_nothing():
    cells = ["contrastive_loss = print('run')", "@print\ndef similarity(a=print('run')):\n    return 1", BEGIN]
    assert not isinstance(find_answers(cells, NAMES)["contrastive_loss"], str)
    assert not isinstance(find_answers(cells, NAMES)["similarity"], str)
