"""Slides of a lesson: one for each piece of text with the cells that follow it, as a page that needs no network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import replacing
from ..lessons.cells import code_html, code_style, output_html
from ..lessons.execution import executed, read_notebook
from ..lessons.frames import policy
from ..lessons.markdown import markdown_html
from ..lessons.notebooks import Lesson
from ..render.pages import fill, read

if TYPE_CHECKING:
    from nbformat import NotebookNode

_HEADING = re.compile(r"^(?=#{1,3} )", re.MULTILINE)
_LINKS = re.compile(r"^\[.+?\]\([^)]*\.ipynb\)( · \[.+?\]\([^)]*\.ipynb\))*$", re.MULTILINE)


def write_slides(lesson: Lesson, out: Path, run: bool = True) -> Path:
    """Write ``out/NAME.html``; its path. With ``run`` the lesson is executed, so that its inspectors work in the page;
    else its stored outputs are shown. Raises :class:`OneFormerLiteError` where a cell fails."""
    from markupsafe import Markup

    notebook = executed(lesson.path) if run else read_notebook(lesson.path)
    slides = list(slides_of(notebook, lesson.path.parent))
    script = read("course/slides.js")
    page = fill(
        "course/slides.html",
        title=lesson.title,
        style=Markup(read("course/slides.css") + code_style()),
        policy=policy("".join(slides), script),
        script=Markup(script),
        slides=[Markup(slide) for slide in slides],
    )
    path = out / f"{lesson.name}.html"
    with replacing(path) as draft:
        draft.write_text(page, encoding="utf-8")
    return path


def slides_of(notebook: NotebookNode, folder: Path) -> Iterator[str]:
    """The HTML of each slide; text is cut before its headings, and never run together with the next."""
    words, code = "", ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for part in _pieces(cell.source):
                if words or code:
                    yield _slide(words, code)
                words, code = markdown_html(part, folder, (), cell.get("attachments")), ""
        elif cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", ()) and cell.source.strip():
            shown = "".join(output_html(output, folder, ()) for output in cell.outputs)
            code += f'<section class="code">{code_html(cell.source)}<div class="outputs">{shown}</div></section>'
    if words or code:
        yield _slide(words, code)


def _pieces(source: str) -> list[str]:
    """A cell's text from heading to heading, without the links to other notebooks."""
    parts = [_LINKS.sub("", part).strip() for part in _HEADING.split(source)]
    return [part for part in parts if part]


def _slide(words: str, code: str) -> str:
    return f'<div class="words">{words}</div>{code}'
