"""What makes a lab of a source: answers left out, or left in, and what the notebook must show, for :mod:`build`.

An exercise in ``source/labs/NN_name.py`` is a heading with a card line, an answer between two marks, and a check in a
cell of its own; what is asked is an ``Exercise`` of that id in ``oneformer_lite/labs/lab_NN.py``:

    # %% [markdown]
    # ## 07.1 · Similarity of queries and texts
    # ●●○○○ · 10 minutes · you may use: torch, no loops

    # %%
    def similarity(queries, texts):
        # SOLUTION
        flat = F.normalize(queries.flatten(1), dim=-1)
        return flat @ F.normalize(texts.flatten(1), dim=-1).T
        # END SOLUTION

    # %%
    labs.check("07.1", similarity)

    # %%
    similarity = labs.use("07.1", similarity)  # so that what follows works either way
"""

from __future__ import annotations

import re
from pathlib import Path

from build_outputs import RAISES, BuildError
from nbformat import NotebookNode

_BEGIN, _END = "# SOLUTION", "# END SOLUTION"
_HEADING = re.compile(r"^## (\d\d[a-z]?\.\d+) · \S", re.MULTILINE)
_CARD = re.compile(r"^[●○]{5} · \d+ minutes · you may use: \S", re.MULTILINE)
_CHECK = re.compile(r"^labs\.check\(\"(.+?)\"", re.MULTILINE)
_PASSED = re.compile(r"^\S+  (\d+)/\1 passed$")


def is_solution(target: Path) -> bool:
    """Is it the notebook with the answers?"""
    return target.parent.name == "solutions"


def without_answers(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells as a learner gets them: each answer is one line ``...  # about N lines``, as far indented."""
    for cell in cells:
        parts = _regions(cell.source)
        if any(isinstance(part, list) for part in parts):  # a learner's slip in it must not stop what follows
            cell.metadata.tags = [*cell.metadata.get("tags", []), RAISES]
        cell.source = "\n".join(part if isinstance(part, str) else _stub(part) for part in parts)
    return cells


def answer_cells(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells with their answers, without the marks around them."""
    for cell in cells:
        parts = ([part] if isinstance(part, str) else part for part in _regions(cell.source))
        cell.source = "\n".join(line for part in parts for line in part)
    return cells


def exercise_ids(cells: list[NotebookNode]) -> list[str]:
    """The exercises of a source, in order. Raises :class:`BuildError` for one without card, answer or check cell."""
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    ids = [id for text in texts for id in _HEADING.findall(text)]
    for text in texts:
        if _HEADING.search(text) and not _CARD.search(text):
            card = "●●○○○ · 10 minutes · you may use: ..."
            raise BuildError(f"exercise {_HEADING.search(text)[1]} has no card line such as '{card}'")
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    checked = [id for source in code for id in _CHECK.findall(source)]
    if not ids or checked != ids:
        raise BuildError(f"the headings '## NN.k · Title' name {ids}, the cells with labs.check {checked}")
    if sum(isinstance(part, list) for source in code for part in _regions(source)) < len(ids):
        raise BuildError(f"fewer regions '{_BEGIN}' than exercises: something would stand there answered")
    return ids


def verify_lab(notebook: NotebookNode, target: Path) -> None:
    """Raise :class:`BuildError` if a check of a lab does not say "not attempted", or one of its solutions "passed"."""
    if target.parent.name not in ("labs", "solutions"):
        return
    for cell in notebook.cells:
        ids = _CHECK.findall(cell.source) if cell.cell_type == "code" else []
        if not ids:
            continue
        shown = [o.data.get("text/plain", "") for o in cell.outputs if o.output_type == "execute_result"]
        text = shown[0] if len(ids) == 1 and shown else "nothing (one labs.check a cell, in its last line)"
        wanted = "passed" if is_solution(target) else "not attempted"
        if not (_PASSED.match(text) if is_solution(target) else text == f"{ids[0]}  not attempted"):
            raise BuildError(f"the check of {ids[0]} says {text!r} where it should say {wanted!r}")


def _regions(source: str) -> list[str | list[str]]:
    """The lines of a cell, those of each answer together as a list. Raises :class:`BuildError` for a mark too many."""
    parts: list[str | list[str]] = []
    answer: list[str] | None = None
    for line in source.split("\n"):
        mark = line.strip()
        if mark not in (_BEGIN, _END):
            (parts if answer is None else answer).append(line)
        elif (mark == _BEGIN) != (answer is None):
            raise BuildError(f"'{mark}' where none is open, or a second one before the first has ended, in\n{source}")
        elif mark == _BEGIN:
            answer = []
        elif not any(map(str.strip, answer)):
            raise BuildError(f"nothing between '{_BEGIN}' and '{_END}' in\n{source}")
        else:
            parts.append(answer)
            answer = None
    if answer is not None:
        raise BuildError(f"'{_BEGIN}' without '{_END}' in\n{source}")
    return parts


def _stub(answer: list[str]) -> str:
    code = [line for line in answer if line.strip() and not line.strip().startswith("#")]
    first = next(line for line in answer if line.strip())
    indent = first[: len(first) - len(first.lstrip())]
    return f"{indent}...  # about {len(code)} line{'s' if len(code) != 1 else ''}"
