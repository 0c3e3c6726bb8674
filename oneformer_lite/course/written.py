"""Grades as files: a table as CSV, everything as JSON, and pages."""

from __future__ import annotations

from pathlib import Path

from ..files import make_folder, replacing, write_json
from .grade import Grades
from .pages import index_page, student_page
from .results import as_csv, as_dict, page_name


def write_results(grades: Grades, out: Path) -> Path:
    """``results.csv``, ``results.json``, ``students/NAME.html`` and ``index.html`` in ``out``; the path of the last."""
    make_folder(out)
    _write(out / "results.csv", as_csv(grades))
    write_json(out / "results.json", as_dict(grades), indent=1)
    for student in grades.students:
        _write(out / "students" / page_name(student), student_page(grades, student))
    _write(out / "index.html", index_page(grades))
    return out / "index.html"


def _write(path: Path, text: str) -> None:
    with replacing(path, durable=False) as draft:
        draft.write_text(text, encoding="utf-8", errors="replace")
