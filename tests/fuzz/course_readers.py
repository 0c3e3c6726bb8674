"""Readers of what students hand in, as the fuzzer calls them: up to the definitions, which other processes run."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
from mutations import json_text
from reader import reader

_CELLS = (
    "import oneformer_lite as ofl\nfrom oneformer_lite import labs\nimport torch\n\nlabs.begin('01', seed=1)",
    "SCALE = 2.0\n\ndef helper(x):\n    return x * SCALE\n\ndef coverage(masks):\n    return helper(masks.sum())",
    "%matplotlib inline\nlabs.check('01.1', coverage)",
)
_ODD = (
    "(" * 100_000, "-" * 100_000 + "1", "[" * 3000 + "]" * 3000, "x" + ".a" * 50_000, "1" + "+1" * 50_000,
    "if 1:\n" + "".join(" " * n + "if 1:\n" for n in range(1, 120)), "lambda: " * 5000 + "0", "f(" * 90 + ")" * 90,
    "9" * 10_000, "x = " + "9" * 5000, "10**10**10", "1 << 10**9", "'a' * 10**10", "b'' * 2**40",
    "((0,) * 2**20,) * 2**20",
    "def f(" + ",".join(f"a{n}" for n in range(300)) + "): pass", "@" * 50, "\0", "\ud800", "\ufeff", "\x0c", "\t x",
    "def coverage(masks): return coverage", "coverage += 1", "coverage = labs.use('01.1', coverage)", "del coverage",
    "class coverage: pass", "import coverage", "from x import *", "async def coverage(): await x", "return 1", "yield",
    "global coverage", "nonlocal coverage", "coverage: int", "(coverage := 1)", "match x:\n case coverage: pass",
    "try:\n pass\nexcept* E as coverage:\n pass", "[coverage for coverage in x]", "%%bash\nls", "!ls", "?x", "'\\d'",
    "# -*- coding: utf-7 -*-", "# coding: nothing", "x = f'{" * 60, "f'{x!r:{y}}'", "0777", "1_000", "print 1", "=", "",
    "x" * 300_000, "\n" * 200_000, "from __future__ import braces", "from __future__ import annotations", "ä = 1",
    "ª = 1",
    "def f(x): return (yield)\n" * 500, "a = b = c = d = e\n" * 1000, "__builtins__ = 1", "def helper(helper): helper",
)  # fmt: skip


def submission() -> dict[str, bytes]:
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell("# Lab 01"), *map(v4.new_code_cell, _CELLS)]
    return {"anna/lab_01.ipynb": nbformat.writes(v4.new_notebook(cells=cells)).encode()}


def _answered(content: bytes, rng) -> bytes:
    """Mostly other code, in an otherwise valid notebook."""
    if rng.random() < 0.3:
        return json_text(content, rng)
    notebook = json.loads(content)
    cell = rng.choice([cell for cell in notebook["cells"] if cell["cell_type"] == "code"])
    lines = "".join(cell["source"]).split("\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        place, action = rng.randrange(len(lines)), rng.random()
        if action < 0.6:
            lines.insert(place, rng.choice(_ODD))
        elif action < 0.8:
            words = lines[place]
            cut = rng.randrange(len(words) + 1)
            lines[place] = words[:cut] + rng.choice(_ODD)[: rng.choice((1, 5, 500_000))] + words[cut:]
        else:
            lines[place] = rng.choice(lines)
    cell["source"] = "\n".join(lines)
    return json.dumps(notebook).encode()


@reader(submission, {"anna/lab_01.ipynb": _answered}, share=1.5)
def submissions(folder: Path) -> None:
    """As ``course grade`` reads them; what cannot be read is a problem in words, and the others are graded."""
    from oneformer_lite.course.answers import Answer, find_answers
    from oneformer_lite.course.folders import read_folder
    from oneformer_lite.labs.exercise import of_lab
    from oneformer_lite.labs.notebook_cells import read_cells

    kept = read_folder(folder)
    assert all(problem.words and str(problem.path) for problem in kept.problems)
    for found in kept.found:
        asked = [*(exercise.name for exercise in of_lab(found.lab)), "coverage", "helper"]
        for answer in find_answers(read_cells(found.path), asked).values():
            assert answer.code and isinstance(answer.text, str) if isinstance(answer, Answer) else answer
