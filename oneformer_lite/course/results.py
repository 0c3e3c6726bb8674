"""What a course's grades say: as a table, as data, and which answers go wrong alike."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from .grade import Grades
from .judge import MISSING, NOT_COUNTED, PASSED, UNATTEMPTED, UNREADABLE, WRONG, Mark

STATES = {PASSED: "✓", WRONG: "✗", NOT_COUNTED: "!", UNATTEMPTED: "·", MISSING: " ", UNREADABLE: "?"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Group:
    """Answers to one exercise that go wrong in the same way: the way in words, an example, whose they are."""

    id: str
    words: str
    state: str
    students: tuple[str, ...]
    example: Mark


def as_csv(grades: Grades) -> str:
    """A row for each student: how many passed, of how many that were handed in, of how many that were asked, what
    answers tried and were kept from, what could not be read and why, and the state of each exercise."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["student", "passed", "handed in", "asked", "tried", UNREADABLE, *grades.exercises])
    for student in grades.students:
        states = {one.id: one.state for one in grades.of(student)}
        cells = [states.get(id, "not handed in") for id in grades.exercises]
        counts = passed_of(grades, student), handed_in(grades, student), len(grades.exercises)
        table.writerow([_no_formula(student), *counts, tried(grades, student), unread(grades, student), *cells])
    return text.getvalue()


def as_dict(grades: Grades) -> dict:
    """All that is known, for other programs."""
    return {
        "seed": grades.seed,
        "seconds": round(grades.seconds, 1),
        "walls": grades.walls,
        "exercises": grades.exercises,
        "students": [
            {
                "student": student,
                "passed": passed_of(grades, student),
                "handed in": handed_in(grades, student),
                "marks": [asdict(m) for m in grades.of(student)],
            }
            for student in grades.students
        ],
        "problems": [{"file": str(problem.path), "words": problem.words} for problem in grades.problems],
    }


def passed_of(grades: Grades, student: str) -> int:
    """How many exercises a student has passed."""
    return sum(one.state == PASSED for one in grades.of(student))


def handed_in(grades: Grades, student: str) -> int:
    """How many exercises are in a student's notebooks, answered or not; what cannot be read counts."""
    return len(grades.of(student))


def tried(grades: Grades, student: str) -> str:
    """What a student's answers were kept from doing, by exercise; nothing, of most."""
    return "; ".join(f"{one.id}: {' and '.join(one.tried)}" for one in grades.of(student) if one.tried)


def unread(grades: Grades, student: str) -> str:
    """Why answers of a student could not be read, with the exercises that each reason concerns; nothing, of most."""
    reasons: dict[str, list[str]] = {}
    for one in grades.of(student):
        if one.state == UNREADABLE:
            reasons.setdefault(one.verdict.removeprefix(f"{one.id}  {UNREADABLE}: "), []).append(one.id)
    return "; ".join(f"{', '.join(ids)}: {why}" for why, ids in reasons.items())


def groups(marks: Sequence[Mark], id: str) -> list[Group]:
    """The wrong answers to an exercise, alike ones together, the most frequent first."""
    alike: dict[tuple[str, str], list[Mark]] = {}
    for one in marks:
        if one.id == id and one.state in (WRONG, NOT_COUNTED):
            alike.setdefault((one.state, way(one)), []).append(one)
    found = [
        Group(id, words, state, tuple(one.student for one in same), same[0]) for (state, words), same in alike.items()
    ]
    return sorted(found, key=lambda group: (-len(group.students), group.words))


def way(one: Mark) -> str:
    """How an answer goes wrong, in words that are the same for answers that do so alike."""
    verdict = one.verdict.removeprefix(one.id).strip()
    return one.details.get("hint") or re.sub(r"^\d+/\d+: ", "", verdict)


def page_name(student: str) -> str:
    """The name of a student's page: readable, and another for each student."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", student).strip("-")[:40] or "student"
    return f"{readable}-{hashlib.sha256(student.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}.html"


def _no_formula(text: str) -> str:
    """A spreadsheet computes what begins like a formula; a name is none."""
    return f"'{text}" if text.startswith(_FORMULA) else text
