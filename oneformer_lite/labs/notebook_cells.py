"""The code cells of a notebook on disk, which may be anybody's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import open_own

_LARGEST = 20_000_000  # bytes of a notebook


def read_cells(path: Path) -> list[str]:
    """The sources of its code cells. Raises :class:`DataError`, in words that can follow the file's name."""
    try:
        with open_own(path) as file:
            content = file.read(_LARGEST + 1)
            size = path.stat().st_size
    except (OSError, RuntimeError) as error:  # the latter of pathlib, for links in a circle
        raise DataError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if size > _LARGEST:
        most = f"at most {_LARGEST / 1e6:.0f} are read"
        raise DataError(f"{size / 1e6:.0f} MB, {most}: clear its outputs and save it again")
    if not content.strip():
        raise DataError("the file is empty")
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start}): open it in Jupyter and save it again") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"no notebook: not JSON ({str(error)[:80]}); was it cut short, or renamed?") from error
    return _code(notebook)


def _code(notebook: Any) -> list[str]:
    cells = notebook.get("cells") if isinstance(notebook, Mapping) else None
    if not isinstance(cells, list):
        old = isinstance(notebook, Mapping) and "worksheets" in notebook
        why = "a notebook of an old format: open it in Jupyter and save it again" if old else "JSON, but no notebook"
        raise DataError(f"{why} (no list of cells)")
    sources = [_source(cell) for cell in cells if isinstance(cell, Mapping) and cell.get("cell_type") == "code"]
    if not any(source.strip() for source in sources):
        raise DataError("not one code cell with anything in it")
    return sources


def _source(cell: Mapping) -> str:
    source = cell.get("source", "")
    parts = source if isinstance(source, list) else [source]
    return "".join(part for part in parts if isinstance(part, str))
