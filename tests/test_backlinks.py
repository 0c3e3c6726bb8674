"""A lesson lists what it builds ("In the package"), and that says "Lesson NN." in its docstring: both ways."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path

from notebook_builder import LESSONS, committed, words

import oneformer_lite

PACKAGE = Path(oneformer_lite.__file__).parent
_LESSON = re.compile(r"\bLesson (\d\d[a-z]?)\.")
_LISTED = re.compile(r"^\* `([\w.]+)`", re.MULTILINE)


@cache
def docstrings() -> dict[str, str]:
    """Docstring, or "", of every module, class, function and method, by its dotted path below ``oneformer_lite``."""
    found: dict[str, str] = {}

    def collect(node: ast.AST, name: str) -> None:
        found[name] = ast.get_docstring(node) or ""
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                collect(child, f"{name}.{child.name}")

    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        collect(ast.parse(path.read_text()), ".".join(part for part in parts if part != "__init__"))
    return found


def definition(name: str) -> str | None:
    """Where the thing of that dotted path is defined; None if there is nothing of that name."""
    if name in docstrings():
        return name
    parts = name.split(".")
    for count in range(len(parts) - 1, -1, -1):
        module = ".".join(parts[:count])
        if module in docstrings() or not module:
            thing = importlib.import_module(f"oneformer_lite.{module}".rstrip("."))
            for part in parts[count:]:
                thing = getattr(thing, part, None)
            where = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
            where = where.removeprefix("oneformer_lite.")
            return where if where in docstrings() else None
    return None


def listed() -> dict[str, list[str]]:
    """Lesson number -> the names under its heading "In the package"."""
    lists = {}
    for target in filter(Path.exists, LESSONS):
        part = words(committed(target)).partition("## In the package")[2].partition("\n## ")[0]
        lists[target.stem.partition("_")[0]] = _LISTED.findall(part)
    return lists


def test_what_a_lesson_lists_exists_and_names_the_lesson():
    problems = []
    for lesson, names in listed().items():
        if lesson != "00" and not names:
            problems.append(f"lesson {lesson} lists nothing under '## In the package' (as * `model.fpn.FPN`: ...)")
        for name in names:
            where = definition(name)
            if where is None:
                problems.append(f"lesson {lesson} lists {name}, which does not exist")
            elif lesson not in _LESSON.findall(docstrings()[where]):
                problems.append(f"{where} lacks 'Lesson {lesson}.' in its docstring: that lesson lists it")
    assert not problems, "\n" + "\n".join(problems)


def test_what_names_a_lesson_is_listed_by_it():
    problems = []
    for lesson, names in listed().items():
        there = {definition(name) for name in names}
        for name, text in docstrings().items():
            inside = any(where and where.startswith(f"{name}.") for where in there)  # a part of it is
            if lesson in _LESSON.findall(text) and name not in there and not inside:
                problems.append(f"{name} says 'Lesson {lesson}.', but lesson {lesson} does not list it")
    assert not problems, "\n" + "\n".join(problems)


def test_definition_follows_names_to_where_they_are_defined():
    assert definition("losses.contrastive.contrastive_loss") == "losses.contrastive.contrastive_loss"
    assert definition("predict") == "inference.predicting.predict"
    assert definition("losses.Criterion.forward") == "losses.criterion.Criterion.forward"
    assert definition("losses.nothing") is definition("nothing.at_all") is None
