"""``oneformer-lite lessons``: which there are, and as pages for a browser without network."""

from __future__ import annotations

from pathlib import Path

from .arguments import command


def add(commands) -> None:
    p = command(commands, "lessons", run, "list the lessons, or write them as pages that work offline")
    p.add_argument("names", nargs="*", metavar="NAME", help="beginnings of lesson names, such as 07 (default: all)")
    p.add_argument("--html", action="store_true", help="run each (a minute or less) and write its page")
    p.add_argument("--out", type=Path, default=Path("runs/lessons"), metavar="FOLDER", help="for the pages")
    p.add_argument("--notebooks", type=Path, metavar="FOLDER", help="where they lie (default: the clone's notebooks)")


def run(args) -> None:
    """Without --html: list the lessons. With it: run them one after the other and write a page of each, and
    index.html which lists them. The pages need no network, no Jupyter and no server: open them in a browser, send
    them, put them on a web site. The inspectors in them work by slider, hover and click. Nothing is changed in the
    notebooks; to run those yourself, and for the labs: make lab."""
    from ..lessons.notebooks import find_lessons

    lessons = find_lessons(args.names, args.notebooks)
    if not args.html:
        for lesson in lessons:
            print(f"{lesson.title:<48} {lesson.path}")
        return
    from ..lessons.pages import write_pages

    print(f"pages: {write_pages(lessons, args.out)}")
