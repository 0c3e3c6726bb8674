"""Grades as pages that need no network: the class at a glance, and a page for each student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..labs.exercise import find
from ..lessons.cells import code_html, code_style
from ..lessons.frames import policy
from ..lessons.notebooks import find_lessons
from ..render.pages import fill, read
from .grade import Grades
from .judge import PASSED, Mark
from .results import STATES, Group, groups, handed_in, page_name, passed_of


@dataclass(frozen=True)
class Cell:
    """One square of the heat map."""

    state: str
    sign: str
    words: str
    address: str


def index_page(grades: Grades) -> str:
    """The heat map of students by exercises, what most get wrong, and what could not be graded."""
    from markupsafe import Markup

    counts = {one: (passed_of(grades, one), handed_in(grades, one)) for one in grades.students}
    rows = [(one, page_name(one), *counts[one], _row(grades, one)) for one in grades.students]
    shares = {id: _share(grades, id) for id in grades.exercises}
    ways = [(id, groups(grades.marks, id)) for id in grades.exercises]
    return fill(
        "course/class.html",
        policy=policy(""),
        style=Markup(read("course/course.css") + code_style()),
        rows=rows,
        labs=_by_lab(grades.exercises),
        shares=shares,
        hardest=sorted(((id, found) for id, found in ways if found), key=lambda pair: -_count(pair[1])),
        names={id: find(id).name for id in grades.exercises},
        code=_code,
        page_name=page_name,
        grades=grades,
        missing_walls=[name for name, there in grades.walls.items() if not there],
    )


def student_page(grades: Grades, student: str) -> str:
    """Every exercise of one student: verdict, hint, and the answer that was judged."""
    from markupsafe import Markup

    marks = grades.of(student)
    labs = [(lab, [one for one in marks if one.id.startswith(lab + ".")]) for lab in _by_lab([one.id for one in marks])]
    absent = [lab for lab in _by_lab(grades.exercises) if lab not in dict(labs)]
    return fill(
        "course/student.html",
        policy=policy(""),
        style=Markup(read("course/course.css") + code_style()),
        student=student,
        passed=passed_of(grades, student),
        handed_in=len(marks),
        absent=absent,
        problems=[problem for problem in grades.problems if problem.student == student],
        labs=labs,
        titles=lab_titles(),
        signs=STATES,
        code=_code,
        PASSED=PASSED,
    )


def lab_titles() -> dict[str, str]:
    """The title of each lab's lesson by number, where the lessons are at hand."""
    from ..errors import DataError

    try:
        titles = {lesson.name.partition("_")[0]: lesson.title for lesson in find_lessons()}
        return {number: title.partition(" · ")[2] or title for number, title in titles.items()}
    except DataError:
        return {}


def _row(grades: Grades, student: str) -> list[Cell]:
    marks = {one.id: one for one in grades.of(student)}
    return [_cell(student, id, marks.get(id)) for id in grades.exercises]


def _cell(student: str, id: str, found: Mark | None) -> Cell:
    if found is None:
        return Cell("absent", "", f"{student}, {id}: not handed in", "")
    address = f"students/{page_name(student)}#{id}"
    tried = f"; tried {' and '.join(found.tried)}" if found.tried else ""
    state = found.state.replace(" ", "-") + (" tried" if tried else "")
    return Cell(state, STATES[found.state], f"{student}, {found.verdict}{tried}", address)


def _share(grades: Grades, id: str) -> tuple[int, int]:
    """How many have passed, of how many who handed it in."""
    states = [one.state for one in grades.marks if one.id == id]
    return sum(state == PASSED for state in states), len(states)


def _by_lab(ids: Sequence[str]) -> dict[str, list[str]]:
    labs: dict[str, list[str]] = {}
    for id in ids:
        labs.setdefault(id.partition(".")[0], []).append(id)
    return labs


def _count(found: Sequence[Group]) -> int:
    return sum(len(group.students) for group in found)


def _code(one: Mark) -> str:
    """An answer in colours."""
    from markupsafe import Markup

    return Markup(code_html(one.text))
