"""Imports point one way, down: those inside functions and for type checkers too."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "oneformer_lite"

# from the ground up: what stands on one line may import what stands there or before
FLOORS = (
    "errors",
    "checks device evaluating file_kinds files json_faults json_reader listing notices on_demand spread",
    "data",
    "config",
    "model.output",
    "model.fast",
    "model.parts",
    "model.networks",
    "model",
    "losses metrics render",
    "weights inference",
    "judged",
    "evaluation dataset_checks",
    "training",
    "diagnosis inspectors",
    "analysis drawings",
    "runs studies",
    "labs lessons",
    "course",
    "demo installation",
    "cli",
)
# doors list what is behind them, and import it on use
DOORS = ("", "data", "training", "widgets")
# upwards all the same, on use, because people expect it where it is
EXCEPTIONS = {
    ("model.base", "weights"): "model.save_pretrained(folder)",
    ("training.run", "runs.watch"): "run.watch()",
    ("training.run", "runs.replay"): "run.replay()",
    ("training.run", "training.launch"): "run.resume()",
}


@cache
def modules() -> dict[str, Path]:
    """Dotted name below the package -> file; the package itself is ""."""
    return {
        ".".join(part for part in path.relative_to(PACKAGE).with_suffix("").parts if part != "__init__"): path
        for path in PACKAGE.rglob("*.py")
    }


def imported(name: str, path: Path, text: str | None = None) -> set[str]:
    """The package's modules that one imports, anywhere in its code."""
    here = name.split(".") if name else []
    package = here if path.name == "__init__.py" else here[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8") if text is None else text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".") * bool(node.module)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE.name:
            base = node.module.split(".")[1:]
        else:
            continue
        for alias in node.names:
            whole = ".".join([*base, alias.name])
            found.add(whole if whole in modules() else ".".join(base))
    return found - {name}


@cache
def imports() -> dict[str, frozenset[str]]:
    """Module -> what it imports, but for doors and exceptions."""
    return {
        name: frozenset(other for other in imported(name, path) if (name, other) not in EXCEPTIONS)
        for name, path in modules().items()
        if name not in DOORS
    }


def floor(name: str) -> int:
    """The floor of a module: that of the longest name that it begins with."""
    fitting = [
        (len(place), height)
        for height, places in enumerate(FLOORS)
        for place in places.split()
        if f"{name}.".startswith(f"{place}.")
    ]
    assert fitting, f"{name} stands on no floor: give its folder a place in FLOORS"
    return max(fitting)[1]


def test_imports_point_down():
    upwards = [
        f"{name} imports {other}"
        for name, others in imports().items()
        for other in others
        if other not in DOORS and floor(other) > floor(name)
    ]
    assert not upwards, "\n" + "\n".join(sorted(upwards))


def test_a_member_does_not_know_what_is_fast():
    """Its layers are those of the parts, whatever makes them fast."""
    members = [name for name in imports() if floor(name) == floor("model.oneformer")]
    assert "model.detr" in members and "model.fast.linear" not in members
    assert not [name for name in members for other in imports()[name] if other.startswith("model.fast")]


def test_a_member_is_one_short_file_that_nobody_knows():
    """At most 200 lines; but for the table of members, another member that is made of it and its lab nobody imports
    it. OneFormer itself is what the drawings draw."""
    table = ast.parse((PACKAGE / "model/__init__.py").read_text(encoding="utf-8")).body
    (members,) = (part.value for part in table if isinstance(part, ast.AnnAssign) and part.target.id == "MEMBERS")
    names = {name.id for name in members.values}
    files = {part.module for part in table if isinstance(part, ast.ImportFrom) and names & {n.name for n in part.names}}
    assert {"detr", "oneformer", "panoptic_segformer"} <= files and len(files) == len(names)
    lengths = {name: len((PACKAGE / f"model/{name}.py").read_text(encoding="utf-8").splitlines()) for name in files}
    assert not {name: length for name, length in lengths.items() if length > 200}
    others = {f"model.{name}" for name in files - {"oneformer"}}
    known = {(name, member) for name, imported in imports().items() for member in imported & others}
    assert known and not [pair for pair in known if not pair[0].startswith(("labs.", "model.")) and pair[0] != "model"]


def circles(graph: dict[str, frozenset[str]]) -> list[list[str]]:
    """Groups of modules each of which leads to itself; packages stand for what they import."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        reached[start], waiting = set(), [start]
        while waiting:
            for other in graph.get(waiting.pop(), ()):
                if other not in reached[start]:
                    reached[start].add(other)
                    waiting.append(other)
    groups: dict[frozenset[str], list[str]] = defaultdict(list)
    for name in graph:
        if name in reached[name]:
            groups[frozenset(other for other in reached[name] if name in reached.get(other, ()))].append(name)
    return [sorted(group) for group in groups.values()]


def test_no_modules_import_each_other():
    assert circles(imports()) == []


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=" to ".join)
def test_the_exceptions_are_needed(exception):
    name, other = exception
    assert other in imported(name, modules()[name])


@pytest.mark.parametrize(
    "text",
    [
        "from ..training import train",
        "def f():\n    from ..training.run import Run",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..training import TrainConfig",
        "from oneformer_lite.training.run import Run",
        "from .. import training",
    ],
    ids=["at the top", "in a function", "for type checkers", "by its whole name", "as a module"],
)
def test_an_import_upwards_is_seen_wherever_it_stands(text):
    (other,) = imported("data.sample", PACKAGE / "data" / "sample.py", text)
    assert floor(other) > floor("data.sample")


def test_a_circle_is_seen():
    graph = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("a"), "d": frozenset("a")}
    assert circles(graph) == [["a", "b", "c"]]


def test_only_widgets_know_ipywidgets_and_only_pictures_matplotlib():
    rules = {"ipywidgets": ("inspectors", "runs"), "matplotlib": ("render", "inspectors", "runs")}
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for other in {full.partition(".")[0] for full in names} & rules.keys():
                assert name.partition(".")[0] in rules[other], f"{name} imports {other}"
