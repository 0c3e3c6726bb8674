"""Build the notebooks: ``source/NN_name.py``, which people edit, to ``NN_name.ipynb``.

    python notebooks/build.py                  # every lesson and every lab with its solutions
    python notebooks/build.py 00 03_pixel      # those whose names begin so, lessons and labs
    python notebooks/build.py labs/03          # the lab alone
    python notebooks/build.py --words 03       # only words have changed: keep the outputs, execute nothing
    python notebooks/build.py --check          # do the committed notebooks match their sources?

A source is py:percent text (jupytext). The builder adds a Colab badge, links between lesson and lab and a setup cell,
executes the notebook in its own folder with one thread, and refuses outputs that strict nbval could not reproduce.
``source/labs/NN_name.py`` makes two notebooks: ``labs/NN_name.ipynb`` to fill in and its solutions.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import nbformat
from build_cells import NOTEBOOKS, SOURCES, assemble, targets_of
from build_labs import verify_lab
from build_outputs import BuildError, clean, tags, verify
from nbformat import NotebookNode

MAX_BYTES = 1_000_000
CELL_SECONDS = 900


def main(arguments: list[str] | None = None) -> int:
    """Build or check the named notebooks; the exit status is 1 if one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="beginnings of lesson names, or of labs/ and a lab's name")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="compare, execute nothing")
    how.add_argument("--words", action="store_true", help="take over words, keep outputs, execute nothing")
    options = parser.parse_args(arguments)
    work, done = (check, "same") if options.check else (reword, "reworded") if options.words else (build, "built")
    failures = 0
    for source in find_sources(options.names):
        for target in targets_of(source):
            before = processor_seconds()
            try:
                work(source, target)
                spent = processor_seconds() - before
                took = f"  {spent:.0f} s of processor time" if work is build else ""
                print(f"{done}  {target.relative_to(NOTEBOOKS)}{took}", flush=True)
            except BuildError as error:
                failures += 1
                print(f"FAILED  {target.relative_to(NOTEBOOKS)}: {error}", file=sys.stderr)
    return 1 if failures else 0


def processor_seconds() -> float:
    """Of all kernels that have ended: what a notebook costs on a machine that is busy with other things, too."""
    return os.times().children_user + os.times().children_system


def find_sources(names: list[str] | None = None) -> list[Path]:
    """The sources whose names, or whose paths below ``source``, begin with one of ``names`` (default: all)."""
    every = {path.relative_to(SOURCES).with_suffix("").as_posix(): path for path in sorted(SOURCES.rglob("*.py"))}
    chosen = set()
    for name in names or [""]:
        fits = {key for key, path in every.items() if key.startswith(name) or path.stem.startswith(name)}
        if name and not fits:
            raise SystemExit(f"no lesson begins with {name!r}; there are: {', '.join(every)}")
        chosen |= fits
    return [path for key, path in every.items() if key in chosen]


def build(source: Path, target: Path) -> NotebookNode:
    """Assemble, execute, verify and write one notebook; raises :class:`BuildError`."""
    notebook = assemble(source, target)
    execute(notebook, target.parent)
    clean(notebook)
    write(notebook, target)
    return notebook


def reword(source: Path, target: Path) -> None:
    """Write the notebook again with the outputs it has; raises :class:`BuildError` if its code has changed."""
    if not target.exists():
        raise BuildError("not built yet: run notebooks/build.py without --words")
    notebook, old = assemble(source, target), nbformat.read(target, as_version=4)
    new_code, old_code = ([c for c in n.cells if c.cell_type == "code"] for n in (notebook, old))
    lesson = [[(c.source, tags(c)) for c in code if "setup" not in tags(c)] for code in (new_code, old_code)]
    if lesson[0] != lesson[1]:  # the setup cell, which shows nothing, is the builder's own
        raise BuildError("its code has changed, not its words alone: run notebooks/build.py without --words")
    for cell, executed in zip(new_code, old_code, strict=True):
        cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
    clean(notebook)
    write(notebook, target)


def write(notebook: NotebookNode, target: Path) -> None:
    """Judge an executed notebook and put it in its place, whole; raises :class:`BuildError`."""
    verify(notebook)
    verify_lab(notebook, target)
    text = nbformat.writes(notebook) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise BuildError(f"larger than {MAX_BYTES} bytes: print or paint less")
    draft = target.with_suffix(".ipynb.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)


def check(source: Path, target: Path) -> None:
    """Raise :class:`BuildError` where the built notebook is not its source's, or not executed."""
    if not target.exists():
        raise BuildError("not built yet: run notebooks/build.py")
    wanted = assemble(source, target).cells
    notebook = nbformat.read(target, as_version=4)
    verify(notebook)
    verify_lab(notebook, target)
    found = notebook.cells
    for number, (new, old) in enumerate(zip(wanted, found, strict=False)):
        for part, a, b in (
            ("kind", new.cell_type, old.cell_type),
            ("source", new.source, old.source),
            ("tags", tags(new), tags(old)),
            ("id", new.id, old.id),
        ):
            if a != b:
                raise BuildError(f"the {part} of cell {number} differs from the source: rebuild")
    if len(wanted) != len(found):
        raise BuildError(f"the source has {len(wanted)} cells, the notebook {len(found)}: rebuild")


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all cells in ``folder``, one thread; an exception in a cell is a :class:`BuildError`."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MPLBACKEND", None)  # the kernel chooses its inline backend
    folder.mkdir(parents=True, exist_ok=True)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        raise BuildError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
