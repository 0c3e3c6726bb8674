"""Editors and type checkers know every name of ``ofl``, and what its functions take and give."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import oneformer_lite as ofl

ROOT = Path(__file__).parents[1]
TYPED = ("drawings",)  # folders of the package without an error of their own
HEAVY = "torch torchvision timm PIL matplotlib scipy pycocotools ipywidgets tqdm jinja2 nbformat nbclient".split()
REVEALED = {
    "model": "oneformer_lite.model.base.MaskModel",
    "scene": "oneformer_lite.data.sample.Sample",
    "prediction": "oneformer_lite.inference.prediction.Prediction",
    "segment": "oneformer_lite.inference.prediction.Segment",
    "segment.score": "float",
    "segment.class_name": "str",
    "ofl.config.toytown()": "oneformer_lite.config.model.ModelConfig",
    "ofl.Run.attach('a')": "oneformer_lite.training.run.Run",
    "ofl.launch(ofl.config.toytown(), ofl.TrainConfig(steps=1))": "oneformer_lite.training.run.Run",
}
WRONG = {
    "ofl.predikt": "has no attribute",
    "prediction.segmentz": "has no attribute",
    "segment.skore": "has no attribute",
    "ofl.predict(model)": "No overload variant",
    "ofl.TrainConfig(stepz=1)": "Unexpected keyword argument",
    "ofl.data.Toytowns": "has no attribute",
}


def ten_lines() -> str:
    """The program under the heading "Ten lines" in README.md."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(r"## Ten lines\n+```python\n(.*?)```", text, re.DOTALL)[1]


@pytest.fixture(scope="module")
def checked(tmp_path_factory) -> list[str]:
    """What mypy says of the ten lines, of lines about them that reveal types or are wrong, and of ``TYPED``."""
    pytest.importorskip("mypy", reason="mypy is not installed: pip install '.[test]'")
    folder = tmp_path_factory.mktemp("typing")
    extra = [f"reveal_type({name})" for name in REVEALED] + list(WRONG)
    (folder / "lines.py").write_text(ten_lines() + "\n".join(extra) + "\n", encoding="utf-8")
    # other people's packages are left out: they are large, and what they are is not the question (but numpy's arrays
    # tell one picture from a list of pictures)
    skipped = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\nignore_missing_imports = True\n" for name in HEAVY)
    config = f"[mypy]\nmypy_path = {ROOT}\nfollow_imports = silent\nignore_missing_imports = True\n{skipped}"
    (folder / "mypy.ini").write_text(config)
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", str(folder), "lines.py"]
    command += [str(ROOT / "oneformer_lite" / name) for name in TYPED]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_ten_lines_of_the_readme_are_well_typed(checked):
    last = len(ten_lines().splitlines())
    ours = (line for line in checked if line.startswith("lines.py:"))
    errors = [line for line in ours if ": error:" in line and int(line.split(":")[1]) <= last]
    assert not errors, errors
    assert last >= 10


@pytest.mark.parametrize("name", TYPED)
def test_folders_stay_without_an_error(checked, name):
    assert [line for line in checked if f"oneformer_lite/{name}/" in line and ": error:" in line] == []


@pytest.mark.parametrize("name", REVEALED)
def test_types_are_known(checked, name):
    line = len(ten_lines().splitlines()) + 1 + list(REVEALED).index(name)
    (told,) = [text for text in checked if text.startswith(f"lines.py:{line}:")]
    assert REVEALED[name] in told and "Any" not in told


@pytest.mark.parametrize("code", WRONG)
def test_mistakes_are_found(checked, code):
    line = len(ten_lines().splitlines()) + 1 + len(REVEALED) + list(WRONG).index(code)
    told = [text for text in checked if text.startswith(f"lines.py:{line}:")]
    assert any(WRONG[code] in text for text in told), told


@pytest.mark.parametrize("package", [ofl, ofl.data, ofl.training], ids=["ofl", "ofl.data", "ofl.training"])
def test_the_names_for_editors_are_those_that_are_imported_on_use(package):
    (block,) = [node for node in ast.parse(inspect.getsource(package)).body if isinstance(node, ast.If)]
    assert block.test.id == "TYPE_CHECKING"
    imports = [(node.module, alias) for node in block.body for alias in node.names]
    assert all(alias.asname == alias.name for _, alias in imports), "X as X: exported, as type checkers see it"
    assert {alias.name: module for module, alias in imports if module} == package._NAMES
    assert [alias.name for module, alias in imports if not module] == list(getattr(package, "_MODULES", ()))


def test_py_typed_is_part_of_the_package():
    assert (ROOT / "oneformer_lite/py.typed").read_text() == ""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["oneformer_lite"]


def test_a_name_that_is_not_there_is_told():
    with pytest.raises(AttributeError, match="has no attribute 'predikt'; it offers config, data"):
        _ = ofl.predikt
