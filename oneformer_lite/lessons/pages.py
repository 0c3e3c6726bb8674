"""One page for each lesson and one that lists them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import OneFormerLiteError
from ..files import replacing
from ..render.pages import fill, read
from .cells import cells_html, code_style
from .execution import LessonFailed, executed, read_notebook
from .frames import policy
from .notebooks import Lesson, find_lessons

INDEX = "index.html"


def write_pages(lessons: Sequence[Lesson], out: Path) -> Path:
    """Run the lessons one after the other, write ``out/NAME.html`` for each and ``out/index.html``; its path.

    A lesson that fails leaves no new page and does not keep the others from theirs; at the end
    :class:`OneFormerLiteError` says how many did.
    """
    failed = []
    linked = [lesson for lesson in _neighbours(lessons) if lesson in lessons or (out / f"{lesson.name}.html").exists()]
    for lesson in lessons:
        try:
            _write(out / f"{lesson.name}.html", lesson_page(lesson, linked))
        except LessonFailed as error:
            failed.append(lesson)
            print(f"oneformer-lite: {error}", file=sys.stderr)
    if listed := [lesson for lesson in linked if (out / f"{lesson.name}.html").exists()]:
        _write(out / INDEX, index_page(listed))
    if failed:
        raise OneFormerLiteError(
            f"{len(failed)} of {len(lessons)} lessons failed; the pages of the others are in {out}"
        )
    return out / INDEX


def lesson_page(lesson: Lesson, linked: Sequence[Lesson]) -> str:
    """Run one lesson, with a progress bar of its code cells, and give its page; it links to those of ``linked``."""
    from markupsafe import Markup

    with _progress(lesson) as bar:
        notebook = executed(lesson.path, bar.update)
    place, script = linked.index(lesson), read("lessons/lesson.js")
    cells = cells_html(notebook, lesson.path.parent, [other.name for other in linked])
    return fill(
        "lessons/lesson.html",
        lesson=lesson,
        before=linked[place - 1] if place else None,
        after=linked[place + 1] if place + 1 < len(linked) else None,
        style=Markup(read("lessons/lesson.css") + code_style()),
        policy=policy(cells, script),
        script=Markup(script),
        cells=Markup(cells),
    )


def index_page(lessons: Sequence[Lesson]) -> str:
    """The list of lessons, with what each begins with."""
    from markupsafe import Markup

    return fill("lessons/lessons.html", lessons=lessons, policy=policy(""), style=Markup(read("lessons/lesson.css")))


def _neighbours(lessons: Sequence[Lesson]) -> list[Lesson]:
    """All lessons of the folder that these lie in."""
    return find_lessons(folder=lessons[0].path.parent)


def _progress(lesson: Lesson):
    from tqdm import tqdm

    cells = read_notebook(lesson.path).cells
    total = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in cells)
    return tqdm(total=total, desc=lesson.title[:40], unit="cell", dynamic_ncols=True)


def _write(path: Path, page: str) -> None:
    with replacing(path) as draft:
        draft.write_text(page, encoding="utf-8")
