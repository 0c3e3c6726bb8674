"""What one learner has passed so far, as a table for the terminal."""

from __future__ import annotations

from .grade import Grades
from .judge import PASSED
from .pages import lab_titles
from .results import STATES


def table(grades: Grades) -> str:
    """A line for each lab, and what to do next."""
    titles, lines = lab_titles(), []
    labs = sorted({one.id.partition(".")[0] for one in grades.marks})
    for lab in labs:
        marks = [one for one in grades.marks if one.id.startswith(f"{lab}.")]
        signs = " ".join(STATES[one.state].strip() or "-" for one in marks)
        passed = sum(one.state == PASSED for one in marks)
        lines.append(f"{lab}  {passed} of {len(marks)}  {signs:<12} {titles.get(lab, '')}".rstrip())
    passed = sum(one.state == PASSED for one in grades.marks)
    legend = "✓ passed, ✗ wrong, · not attempted, ! not counted, - missing, ? unreadable"
    lines.append(f"{passed} of {len(grades.marks)} passed ({legend})")
    following = next((one for one in grades.marks if one.state != PASSED), None)
    if following:
        hint = following.details.get("hint")
        lines.append(f"next: {following.verdict}" + (f"\n      hint: {hint}" if hint else ""))
    lines += [f"{problem.path}: {problem.words}" for problem in grades.problems]
    return "\n".join(lines)
