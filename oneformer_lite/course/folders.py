"""The notebooks of a folder: whose each is, which lab it answers, and, of what cannot be read, why."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import open_own
from ..labs.exercise import all_labs

LARGEST = 20_000_000  # bytes of a notebook
_MOST_FILES = 20_000
_BEGIN = re.compile(r"""labs\.(?:begin|tally)\(\s*["'](\d\d)["']""")
_CHECK = re.compile(r"""labs\.(?:check|use)\(\s*["'](\d\d)\.\d""")
_NAME = re.compile(r"(?:^|[^0-9])(\d\d)(?=[_ .-]|$)")
_LAB_NAME = re.compile(r"[_ -]*(?:lab[_ -]*)?\d\d[_ -].*|[_ -]*\(\d+\)$", re.IGNORECASE)
_SKIPPED = {".ipynb_checkpoints", "__pycache__", "__MACOSX"}


@dataclass(frozen=True)
class Found:
    """A notebook that answers a lab; ``print`` is the same for files of the same bytes."""

    student: str
    lab: str
    path: Path
    print: str


@dataclass(frozen=True)
class Problem:
    """What could not be judged, or is odd, in a sentence."""

    path: Path
    words: str


@dataclass
class Folder:
    """What lies in a folder of submissions."""

    found: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def students(self) -> list[str]:
        """In order; those too whose notebooks all have a problem."""
        return sorted({one.student for one in self.found})


def read_folder(folder: Path) -> Folder:
    """The notebooks in ``folder`` (students by file name) and below (students by the name of their folder).

    Raises :class:`DataError` if there is no such folder, or not one notebook in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the one in which the students' notebooks, or their folders, lie")
    kept = Folder()
    paths = list(_paths(folder, kept.problems))
    if not paths:
        raise DataError(f"no notebook in {folder}: expected STUDENT/07_name.ipynb or STUDENT_07_name.ipynb")
    for path in paths:
        try:
            cells, digest = read_cells(path)
            kept.found.append(Found(student_of(path, folder), lab_of(cells, path), path, digest))
        except DataError as error:
            kept.problems.append(Problem(path, str(error)))
    kept.found = list(_newest(kept.found, kept.problems))
    _tell_copies(kept)
    return kept


def read_cells(path: Path) -> tuple[list[str], str]:
    """The sources of a notebook's code cells, and a fingerprint of its bytes. Raises :class:`DataError`."""
    try:
        with open_own(path) as file:
            content = file.read(LARGEST + 1)
            size = path.stat().st_size
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})") from error
    if size > LARGEST:
        raise DataError(f"{size / 1e6:.0f} MB, at most {LARGEST / 1e6:.0f} are read: clear its outputs and save it again")
    if not content.strip():
        raise DataError("the file is empty")
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start}): open it in Jupyter and save it again") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"no notebook: not JSON ({str(error)[:80]}); was it cut short, or renamed?") from error
    return _code(notebook), hashlib.sha256(content).hexdigest()


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


def lab_of(cells: Sequence[str], path: Path) -> str:
    """The number of the lab, from what the cells call, else from the file's name. Raises :class:`DataError`."""
    text = "\n".join(cells)
    for numbers in (_BEGIN.findall(text), _CHECK.findall(text), _NAME.findall(path.stem)):
        if known := [number for number in numbers if number in all_labs()]:
            return max(set(known), key=known.count)
    raise DataError('belongs to no lab: it has no cell labs.begin("07", ...) and its name does not say one')


def student_of(path: Path, folder: Path) -> str:
    """The first folder below ``folder``, else the file's name without that of the lab."""
    parts = path.relative_to(folder).parts
    name = parts[0] if len(parts) > 1 else _LAB_NAME.sub("", path.stem) or path.stem
    return name.strip(" _-") or name


def _paths(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    others = 0
    for number, path in enumerate(sorted(folder.rglob("*"))):
        if number >= _MOST_FILES:
            problems.append(Problem(folder, f"more than {_MOST_FILES} files: the rest was not looked at"))
            break
        if _SKIPPED.intersection(path.relative_to(folder).parts) or path.is_dir():
            continue
        if path.suffix.lower() == ".ipynb":
            yield path
        else:
            others += not path.name.startswith(".")
    if others:
        problems.append(Problem(folder, f"{others} files that are no notebooks (.ipynb) were not looked at"))


def _newest(found: Sequence[Found], problems: list[Problem]) -> Iterator[Found]:
    """One notebook for each student and lab: the last that was changed."""
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        groups.setdefault((one.student, one.lab), []).append(one)
    for (student, lab), same in groups.items():
        *older, newest = sorted(same, key=lambda one: (one.path.stat().st_mtime, one.path.name))
        for one in older:
            words = f"{student} has handed in lab {lab} more than once: {newest.path.name}, the newest, counts"
            problems.append(Problem(one.path, words))
        yield newest


def _tell_copies(kept: Folder) -> None:
    """The same file under two names, and names that differ in capitals alone."""
    by_print: dict[str, list[Found]] = {}
    for one in kept.found:
        by_print.setdefault(one.print, []).append(one)
    for same in by_print.values():
        if len(names := sorted({one.student for one in same})) > 1:
            kept.problems.append(Problem(same[0].path, f"the very same file for lab {same[0].lab} from {' and '.join(names)}"))
    by_name: dict[str, set[str]] = {}
    for student in kept.students:
        by_name.setdefault(" ".join(re.split(r"[\W_]+", student.casefold())), set()).add(student)
    for names_ in by_name.values():
        if len(names_) > 1:
            kept.problems.append(Problem(Path(sorted(names_)[0]), f"one student? {' and '.join(sorted(names_))}"))
