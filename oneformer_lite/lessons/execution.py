"""Run a lesson in a kernel in which inspectors show themselves as pages."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, OneFormerLiteError
from ..render.as_iframe import SWITCH

if TYPE_CHECKING:
    from nbformat import NotebookNode

_CELL_SECONDS = 900
_PACKAGE = Path(__file__).resolve().parents[2]


class LessonFailed(OneFormerLiteError):
    """A cell of a lesson raised."""


def read_notebook(path: Path) -> NotebookNode:
    """The notebook in a file, checked against the format. Raises :class:`DataError` for anything else."""
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises a different kind at every level that does not fit
        reason = (str(error).strip() or type(error).__name__).split("\n")[0][:200]
        raise DataError(f"{path} is no notebook ({reason}): build it again with notebooks/build.py") from error
    return notebook


def executed(path: Path, on_cell: Callable[[], None] = lambda: None) -> NotebookNode:
    """The notebook after all its cells have run in its own folder; the file stays as it is. ``on_cell`` is called after
    each code cell. Raises :class:`LessonFailed`, which names the cell and what it raised."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellControlSignal, CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = read_notebook(path)
    client = NotebookClient(
        notebook,
        timeout=_CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_executed=lambda **_: on_cell(),
    )
    searched = os.pathsep.join(part for part in (str(_PACKAGE), os.environ.get("PYTHONPATH")) if part)
    environment = {**os.environ, SWITCH: "page", "PYTHONPATH": searched}
    environment.pop("MPLBACKEND", None)  # the kernel chooses its inline backend
    try:
        client.execute(env=environment, stderr=subprocess.DEVNULL)  # the kernel's own chatter; cells have their own
    except CellExecutionError as error:
        raise LessonFailed(_sentence(path, notebook, f"{error.ename}: {error.evalue}")) from error
    except (CellControlSignal, CellTimeoutError, DeadKernelError) as error:
        raise LessonFailed(_sentence(path, notebook, str(error).split("\n")[0])) from error
    return notebook


def _sentence(path: Path, notebook: NotebookNode, reason: str) -> str:
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    failed = next((cell for cell in code if any(o.output_type == "error" for o in cell.outputs)), None)
    place = f"cell {code.index(failed) + 1} of {len(code)} code cells" if failed else "a cell"
    reason = re.sub(r"\s+", " ", reason).strip()
    return f"{path.name} stopped in {place} ({reason[:200]}): open it in JupyterLab to see where"
