"""The student edition: one zip with lessons, labs, the sample data and the package; the same bytes each time."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError
from ..files import replacing
from .workbook import delivered

FOLDER = "oneformer_lite_course"
_LINK = re.compile(r" · \[Solutions\]\([^)]*\)|\[Solutions\]\([^)]*\)( · )?")
_DATE = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = {"__pycache__", ".ipynb_checkpoints"}
_README = """\
# OneFormer: lessons and labs

1. Python 3.11 or newer. In this folder: `python3 -m venv .venv`, `.venv/bin/pip install --editable .`, and
   `source .venv/bin/activate`. (PyTorch with CUDA needs 10 GB of disk while it is installed; without a GPU, first
   `.venv/bin/pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu`.)
2. `oneformer-lite course start mine` makes a copy of the notebooks to work on; `jupyter lab mine/notebooks` opens it.
   Begin with `00_three_tasks_one_model.ipynb`. Nothing needs the network from here on.
3. Labs are in `labs/`: fill in what is `...`, run the check below it. `oneformer-lite course progress mine` says what
   you have passed, `oneformer-lite course reset 03 mine` brings a lab back (yours is kept beside it).
4. Hand in your notebooks of `mine/notebooks/labs` as they are: their names may change, the names of your functions may
   not. What counts is your code on cases that you have not seen; stored outputs are not read.
"""


def write_handout(out: Path) -> list[str]:
    """Write the zip; the names of its files. Raises :class:`DataError` where there is no clone to make it from."""
    root = delivered().parent
    if not (root / "pyproject.toml").is_file():
        raise DataError(f"a handout is made from a clone of the repository; {root} has no pyproject.toml")
    content = dict(sorted(_content(root)))
    with replacing(out) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", _DATE)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, data)
    return list(content)


def _content(root: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file."""
    yield "README.md", _README.encode()
    for name in ("LICENSE", "pyproject.toml", "environment.yml"):
        if (root / name).is_file():
            yield name, (root / name).read_bytes()
    for path in _files(root):
        lab = path.parent.name == "labs" and path.suffix == ".ipynb"
        yield path.relative_to(root).as_posix(), _without_solutions(path) if lab else path.read_bytes()


def _files(root: Path) -> Iterator[Path]:
    for pattern in ("*.ipynb", "*.webp", "GLOSSARY.md", "labs/*.ipynb"):
        yield from (root / "notebooks").glob(pattern)
    for folder in (root / "data" / "sample", root / "oneformer_lite"):
        yield from (p for p in folder.rglob("*") if p.is_file() and not _LEFT_OUT & set(p.relative_to(root).parts))


def _without_solutions(path: Path) -> bytes:
    """A lab without its link to the solutions."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _LINK.sub("", "".join(cell["source"]))
    return (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
