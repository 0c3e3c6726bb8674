"""``oneformer-lite course``: start, progress, reset for learners; handout, grade, export, slides for lecturers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .arguments import command, count, positive

_WORKBOOK = Path("workbook")


def add(commands) -> None:
    p = commands.add_parser("course", help="run a course: handout, grading, progress, slides", description=__doc__)
    parts = p.add_subparsers(title="what to do", required=True, metavar="WHAT")

    p = command(parts, "start", start, "copy the notebooks to a folder of your own")
    p.add_argument("folder", nargs="?", type=Path, default=_WORKBOOK)

    p = command(parts, "progress", progress, "what you have passed so far")
    p.add_argument("folder", nargs="?", type=Path, default=_WORKBOOK, help="as made by start")
    p.add_argument("--cores", type=positive(int), default=2)

    p = command(parts, "reset", reset, "bring a lab back to how it was delivered")
    p.add_argument("lab", help="its number, such as 03")
    p.add_argument("folder", nargs="?", type=Path, default=_WORKBOOK, help="as made by start")

    p = command(parts, "handout", handout, "write the student edition, a zip")
    p.add_argument("--out", type=Path, default=Path("runs/handout.zip"), metavar="FILE")

    p = command(parts, "grade", grade, "grade a folder of students' notebooks")
    p.add_argument("folder", type=Path, help="STUDENT/*.ipynb, or STUDENT_07_name.ipynb")
    p.add_argument("--out", type=Path, default=Path("runs/grades"), metavar="FOLDER", help="for table and pages")
    p.add_argument("--seed", type=count, help="of the hidden cases (default: a secret one, noted in results.json)")
    p.add_argument("--cores", type=positive(int), default=2)

    p = command(parts, "export", export, "write the labs for nbgrader or otter")
    p.add_argument("form", choices=("nbgrader", "otter"))
    p.add_argument("--out", type=Path, metavar="FOLDER", help="default: runs/nbgrader or runs/otter")
    p.add_argument("--seed", type=count, help="of the hidden tests (default: a secret one)")

    p = command(parts, "slides", slides, "make slides of lessons")
    p.add_argument("names", nargs="+", metavar="NAME", help="beginnings of lesson names, such as 05")
    p.add_argument("--out", type=Path, default=Path("runs/slides"), metavar="FOLDER")
    p.add_argument("--stored", action="store_true", help="run nothing: show the outputs that are stored")


def start(args) -> None:
    """Copy lessons, labs and sample data to FOLDER, where you can run and change them. What is there already stays as
    it is, so the same command also adds what has come since."""
    from ..course import workbook

    copied, kept = workbook.start(args.folder)
    there = f", {kept} were there already and are as they were" if kept else ""
    print(f"{copied} files copied{there}; open them with: jupyter lab {args.folder / 'notebooks'}")


def progress(args) -> None:
    """Check every answer in your labs, as grading does, and list what has passed. Stored outputs are not read, nothing
    else in the notebooks runs."""
    from ..course.grade import grade
    from ..course.progress import table
    from ..course.workbook import labs_of

    with _bar() as done:
        grades = grade(labs_of(args.folder), cores=args.cores, student="you", progress=done)
    print(table(grades))


def reset(args) -> None:
    """Bring a lab back to how it was delivered. The notebook that was there is kept beside it."""
    from ..course import workbook

    lab, aside = workbook.reset(args.lab, args.folder)
    print(f"{lab} is as delivered" + (f"; what you had is {aside.name}, beside it" if aside.exists() else ""))


def handout(args) -> None:
    """Write a zip for students: lessons, labs, sample data and the package, without solutions, sources, builders and
    tests. The same clone gives the same bytes."""
    from ..course.handout import write_handout

    print(f"{args.out}: {len(write_handout(args.out))} files")


def grade(args) -> None:
    """Grade every notebook in FOLDER: of each, the definitions that make the asked answers are taken and called, in a
    process of their own without network, files or the reference, on the printed cases and on hidden ones. Writes
    index.html, results.csv, results.json and a page for each student."""
    from ..course import grade as grading
    from ..course.results import passed_of
    from ..course.written import write_results

    with _bar() as done:
        grades = grading.grade(args.folder, args.seed, args.cores, progress=done)
    missing = [name for name, there in grades.walls.items() if not there]
    if missing:
        print(f"oneformer-lite: note: this system lacks {' and '.join(missing)}: answers of people you do not know "
              "belong in a container", file=sys.stderr)  # fmt: skip
    for problem in grades.problems:
        print(f"{problem.path}: {problem.words}")
    passed = sum(passed_of(grades, student) for student in grades.students)
    print(f"{len(grades.students)} students, {grades.judged} answers, {passed} passed, in {grades.seconds:.0f} s: "
          f"{write_results(grades, args.out)}")  # fmt: skip


def export(args) -> None:
    """Write the labs as nbgrader's source notebooks, or as otter-grader's notebooks and tests. Hidden tests draw their
    cases from a seed that students must not see. These graders run whole notebooks, in their own sandboxes."""
    import secrets

    from ..course.export_nbgrader import export_nbgrader
    from ..course.export_otter import export_otter

    seed = secrets.randbits(31) if args.seed is None else args.seed
    out = args.out or Path("runs") / args.form
    written = (export_nbgrader if args.form == "nbgrader" else export_otter)(out, seed)
    print(f"{len(written)} labs in {out}, hidden tests of seed {seed}")


def slides(args) -> None:
    """Make a page of slides of each lesson: arrow keys turn them, f fills the screen, the browser prints them. They
    need no network; the lesson runs first (a minute or less), so that its inspectors work."""
    from ..course.slides import write_slides
    from ..lessons.notebooks import find_lessons

    for lesson in find_lessons(args.names):
        print(write_slides(lesson, args.out, run=not args.stored))


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """A progress bar of notebooks, and what moves it to so many done of so many."""
    from tqdm import tqdm

    with tqdm(unit="notebook", desc="grading", dynamic_ncols=True) as bar:

        def move(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)
            bar.refresh()

        yield move
