"""What is said about the project agrees with what is there."""

import ast
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


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


def test_imports_point_one_way():
    """data, model, losses and metrics know nothing of training, widgets or the hub."""
    package = ROOT / "oneformer_lite"
    forbidden = {
        "data": ("model", "losses", "training", "weights", "inspectors", "runs", "inference", "evaluation"),
        "model": ("losses", "training", "inspectors", "runs", "inference", "evaluation"),
        "losses": ("training", "weights", "inspectors", "runs", "inference", "evaluation"),
        "metrics": ("model", "losses", "training", "weights", "inspectors", "runs", "inference", "evaluation"),
        "render": ("model", "losses", "training", "weights", "inspectors", "runs"),
    }
    for folder, names in forbidden.items():
        for path in (package / folder).rglob("*.py"):
            text = re.sub(r"^ +from .*", "", path.read_text(), flags=re.MULTILINE)  # lazy, inside functions
            for name in names:
                assert not re.search(rf"^from \.+{name}\b", text, re.MULTILINE), f"{path} imports {name}"
    for path in package.rglob("*.py"):
        text = path.read_text()
        if path.parts[-2] not in ("course", "cli"):
            assert not re.search(r"^\s*from \.+course\b|oneformer_lite\.course", text, re.MULTILINE), path
        top = path.relative_to(package).parts[0]
        if top not in ("render", "inspectors", "runs"):
            assert "import matplotlib" not in text and "from matplotlib" not in text, path
        if top not in ("inspectors", "runs"):
            assert not re.search(r"^\s*(import|from) ipywidgets", text, re.MULTILINE), path


def test_files_stay_small_enough_to_see_whole():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "oneformer_lite").rglob("*.py")
        if (lines := path.read_text().count("\n")) > 300
    }
    assert not long


MARKDOWN = ("course/handout.py", "demo.py", "lessons/notebooks.py", "runs/report.py", "weights/published.py")


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
