"""The notebooks of a folder: whose each is, which lab it answers, and, of what cannot be read, why."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataError
from ..labs.exercise import all_labs, of_lab
from ..labs.notebook_cells import read_cells
from ..lessons.notebooks import find_lessons

_MOST_FILES = 20_000
_BEGIN = re.compile(r"""labs\.(?:begin|tally)\(\s*["'](\d\d[a-z]?)["']""")
_CHECK = re.compile(r"""labs\.(?:check|use)\(\s*["'](\d\d[a-z]?)\.\d""")
_NAME = re.compile(r"(?:^|[^0-9])(\d\d[a-z]?)(?=[_ .-]|$)")
_LAB_NAME = re.compile(r"[_ -]*(?:lab[_ -]*)?\d\d[a-z]?[_ -].*|[_ -]*\(\d+\)$", re.IGNORECASE)
_SKIPPED = {".ipynb_checkpoints", "__pycache__", "__MACOSX", "solutions"}
_ASIDE = re.compile(r"\.old-\d+\.ipynb$")


@dataclass(frozen=True)
class Found:
    """A notebook that answers a lab; ``print`` is the same for those of the same code.

    ``certain``: the lab is known from what it calls, not from its name alone.
    """

    student: str
    lab: str
    path: Path
    print: str
    certain: bool = True


@dataclass(frozen=True)
class Problem:
    """What could not be judged, or is odd, in a sentence; ``student`` and ``lab`` of a notebook that cannot be read."""

    path: Path
    words: str
    student: str = ""
    lab: str = ""


@dataclass
class Folder:
    """What lies in a folder of submissions."""

    found: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def students(self) -> list[str]:
        """In order; those too whose notebooks all have a problem."""
        return sorted({one.student for one in self.found} | {one.student for one in self.problems if one.student})


def read_folder(folder: Path, student: str | None = None) -> Folder:
    """The notebooks in ``folder`` (students by file name) and below (students by the name of their folder), or all of
    one ``student``. Solutions and what a reset has put aside are left out.

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
            cells = read_cells(path)
            lab, certain = lab_of(cells, path)
            kept.found.append(Found(student or student_of(path, folder), lab, path, fingerprint(cells), certain))
        except DataError as error:
            whose = student or student_of(path, folder) if _is_handed_in(path, folder) else ""
            kept.problems.append(Problem(path, str(error), whose, lab_by_name(path)))
    kept.found = list(_newest(kept.found, kept.problems))
    _tell_copies(kept)
    return kept


def fingerprint(cells: Sequence[str]) -> str:
    """The same for the same code."""
    return hashlib.sha256("\0".join(cells).encode("utf-8", "surrogatepass")).hexdigest()


def lab_of(cells: Sequence[str], path: Path) -> tuple[str, bool]:
    """The number of the lab: for certain from what the cells call, else from the file's name, if they define a name
    that the lab asks for. Raises :class:`DataError`."""
    text = "\n".join(cells)
    for numbers in (_BEGIN.findall(text), _CHECK.findall(text)):
        if known := [number for number in numbers if number in all_labs()]:
            return max(sorted(set(known)), key=known.count), True
    if number := lab_by_name(path):
        names = "|".join(exercise.name for exercise in of_lab(number))
        if re.search(rf"^(?:def )?(?:{names})\b *[(=]", text, re.MULTILINE):
            return number, False
    raise DataError('belongs to no lab: no cell labs.begin("07", ...), and no answer of the lab that it is named after')


def lab_by_name(path: Path) -> str:
    """The number of the lab that a file is named after; "" if there is none."""
    return next((number for number in _NAME.findall(path.stem) if number in all_labs()), "")


def _is_handed_in(path: Path, folder: Path) -> bool:
    """Does a notebook that cannot be read lie where somebody's does, or have the name of one?"""
    return path.parent != folder or bool(lab_by_name(path))


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
        if _ASIDE.search(path.name):
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
        *older, newest = sorted(same, key=lambda one: (one.certain, one.path.stat().st_mtime, one.path.name))
        for one in older:
            if one.certain:  # else it is the lesson of that number
                words = f"{student} has handed in lab {lab} more than once: {newest.path.name}, the newest, counts"
                problems.append(Problem(one.path, words))
        yield newest


def _tell_copies(kept: Folder) -> None:
    """The same code under two names, our own solutions, and names that differ in capitals alone."""
    blank, solved = _delivered_prints("labs"), _delivered_prints("labs/solutions")
    by_print: dict[str, list[Found]] = {}
    for one in kept.found:
        by_print.setdefault(one.print, []).append(one)
    for digest, same in by_print.items():
        names = sorted({one.student for one in same})
        if digest in solved:
            words = "has handed in our solutions, unchanged"
            kept.problems += [Problem(one.path, f"{one.student} {words}") for one in same]
        elif len(names) > 1 and digest not in blank:
            words = f"the very same code for lab {same[0].lab} from {' and '.join(names)}"
            kept.problems.append(Problem(same[0].path, words))
    by_name: dict[str, set[str]] = {}
    for student in kept.students:
        by_name.setdefault(" ".join(re.split(r"[\W_]+", student.casefold())), set()).add(student)
    for names_ in by_name.values():
        if len(names_) > 1:
            kept.problems.append(Problem(Path(sorted(names_)[0]), f"one student? {' and '.join(sorted(names_))}"))


def _delivered_prints(folder: str) -> set[str]:
    """The fingerprints of the notebooks that come with the clone; none without it."""
    try:
        notebooks = find_lessons()[0].path.parent
        return {fingerprint(read_cells(path)) for path in (notebooks / folder).glob("*.ipynb")}
    except DataError:
        return set()
