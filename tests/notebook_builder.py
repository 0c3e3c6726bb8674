"""The builder of the notebooks, which is no package, and the committed notebooks, for the tests of both."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))
build, cells, labs, outputs = map(importlib.import_module, ("build", "build_cells", "build_labs", "build_outputs"))

PAIRS = [(source, target) for source in build.find_sources() for target in cells.targets_of(source)]
LESSONS = [target for _, target in PAIRS if target.parent == NOTEBOOKS]
LABS = [target for _, target in PAIRS if target.parent != NOTEBOOKS]


def name(target: Path) -> str:
    """How a test names a notebook: its path below ``notebooks/``."""
    return target.relative_to(NOTEBOOKS).with_suffix("").as_posix()


def committed(target: Path):
    """The notebook as it lies there."""
    return nbformat.read(target, as_version=4)


def code_cells(notebook, generated: bool = False) -> list:
    """Its code cells, without the setup cell by default."""
    found = [c for c in notebook.cells if c.cell_type == "code"]
    return found if generated else [c for c in found if "setup" not in outputs.tags(c)]


def words(notebook) -> str:
    """All that it says in markdown."""
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
