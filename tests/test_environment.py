"""What is said about the project agrees with what is there."""

import ast
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READ_IN_ORDER = (
    "config", "data/converting", "data/published", "diagnosis", "inference", "lessons", "losses", "metrics", "model",
    "model/networks", "model/parts", "render", "runs", "training", "weights",
)  # fmt: skip


def test_environment_yml_lists_the_dependencies_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = set(project["dependencies"]) | set(project["optional-dependencies"]["test"])
    text = (ROOT / "environment.yml").read_text()
    listed = re.findall(r"^ {6}- (.+)$", text, flags=re.MULTILINE)
    assert listed[-1] == "-e ." and set(listed[:-1]) == wanted and len(listed) - 1 == len(wanted)
    assert f"python{project['requires-python']}" in text


def test_importing_takes_well_under_a_second_and_loads_nothing_heavy():
    code = "import sys, oneformer_lite; print([m for m in ('torch', 'timm', 'matplotlib') if m in sys.modules])"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert time.perf_counter() - start < 1.0


def test_every_public_name_can_be_had():
    import oneformer_lite as ofl

    for name in ofl.__all__:
        assert getattr(ofl, name) is not None
    for name in ofl.data.__all__:
        assert getattr(ofl.data, name) is not None


def test_files_stay_small_enough_to_see_whole():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "oneformer_lite").rglob("*.py")
        if (lines := path.read_text().count("\n")) > 300
    }
    assert not long


MARKDOWN = (
    "course/handout.py", "demo.py", "lessons/notebooks.py", "runs/report.py", "weights/published.py",
    "weights/published_members.py",
)  # fmt: skip


def test_back_ticks_stand_in_docstrings_and_markdown_alone():
    """Nothing makes code of them in a message, a hint or a page."""
    package, found = ROOT / "oneformer_lite", []
    for path in package.rglob("*.py"):
        if path.relative_to(package).as_posix() in MARKDOWN:
            continue
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        documentation = {node.value for node in nodes if isinstance(node, ast.Expr)}
        found += [
            f"{path.relative_to(package)}:{node.lineno}" for node in nodes
            if isinstance(node, ast.Constant) and "`" in str(node.value) and node not in documentation
        ]  # fmt: skip
    assert not found


@pytest.mark.parametrize("folder", READ_IN_ORDER)
def test_each_folder_says_in_which_order_to_read_it(folder):
    """Its ``__init__`` names what lies in it, and nothing else."""
    place = ROOT / "oneformer_lite" / folder
    words = ast.get_docstring(ast.parse((place / "__init__.py").read_text(encoding="utf-8")))
    files = {path.name for path in place.glob("*.py")} - {"__init__.py"}
    named = set(re.findall(r"``(\w+\.py)``", words))
    assert len(named & files) > len(files) / 2, f"it says nothing of {', '.join(sorted(files - named))}"
    beside = {path.name for path in place.glob("*/*.py")}  # of a folder below it
    assert named <= files | beside, f"{named - files - beside} is not there"
