"""What both exports need: cells without outputs, a notebook on disk, the sample data beside it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import make_folder, replacing
from .workbook import delivered

if TYPE_CHECKING:
    from nbformat import NotebookNode


def plain(cell: NotebookNode) -> NotebookNode:
    """A copy without outputs."""
    from nbformat import from_dict

    kept = from_dict(dict(cell))
    kept.metadata = from_dict(dict(cell.metadata))
    if kept.cell_type == "code":
        kept.outputs, kept.execution_count = [], None
    return kept


def write_notebook(target: Path, cells: list[NotebookNode]) -> None:
    import nbformat

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(notebook)
    make_folder(target.parent)
    with replacing(target) as draft:
        draft.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def copy_sample(folder: Path) -> None:
    """The sample data where a lab that reads it looks: two folders up."""
    sample = delivered().parent / "data" / "sample"
    if sample.is_dir():
        shutil.copytree(sample, folder.parents[1] / "data" / "sample", dirs_exist_ok=True)
