"""The generated setup cell and badge."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import colab
import pytest
from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import TransformerManager
from notebook_builder import NOTEBOOKS, cells
from packaging.requirements import Requirement


def run_setup(source: str) -> list[str]:
    """What a setup cell asks pip for."""
    asked: list[str] = []
    names: dict = {}

    def magic(name: str, line: str) -> None:
        asked.append(f"{name} {line.format(**names)}")

    names["get_ipython"] = lambda: SimpleNamespace(run_line_magic=magic)
    exec(TransformerManager().transform_cell(source), names)
    return asked


def without(monkeypatch, *absent: str) -> None:
    """These modules cannot be found, until something was installed; all others are there."""
    monkeypatch.delenv(colab.SOURCE, raising=False)
    left = [*absent]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in left else object())
    monkeypatch.setattr(importlib, "invalidate_caches", left.clear)


@pytest.fixture
def alone(monkeypatch, tmp_path) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


SETUP = cells.setup_source(NOTEBOOKS / "00_x.ipynb")
WHEEL = "oneformer_lite-9.9-py3-none-any.whl"


def test_setup_cell_does_nothing_where_the_package_is_installed():
    before = list(sys.path)
    assert run_setup(SETUP) == [] and sys.path == before


def test_without_package_and_source_it_stops_with_a_sentence(monkeypatch, alone):
    without(monkeypatch, "oneformer_lite")
    with pytest.raises(UsageError, match="put its wheel beside this notebook, or write into SOURCE above"):
        run_setup(SETUP)


@pytest.mark.parametrize("given", [f"/some where/{WHEEL}", "/clone", "git+https://example.org/project.git"])
@pytest.mark.parametrize("by", ["the constant", "the environment"])
def test_it_installs_from_what_is_given_with_what_is_missing_and_no_torch(monkeypatch, alone, given, by):
    without(monkeypatch, "oneformer_lite", "ftfy")
    source = SETUP
    if by == "the constant":
        source = SETUP.replace('SOURCE = ""', f'SOURCE = "{given}"')
        assert source != SETUP
    else:
        monkeypatch.setenv(colab.SOURCE, given)
    assert run_setup(source) == [f'pip install --quiet --no-deps "{given}" "ftfy"']


def test_it_takes_a_wheel_that_lies_beside_the_notebook(monkeypatch, alone):
    for name in ("oneformer_lite-0.1-py3-none-any.whl", WHEEL, "other-1.0-py3-none-any.whl"):
        (alone / name).touch()
    without(monkeypatch, "oneformer_lite")
    assert run_setup(SETUP) == [f'pip install --quiet --no-deps "{WHEEL}" ']


def test_where_there_is_no_torch_either_all_that_the_package_needs_comes_with_it(monkeypatch, alone):
    (alone / WHEEL).touch()
    without(monkeypatch, "oneformer_lite", "torch", "timm")
    assert run_setup(SETUP) == [f'pip install --quiet  "{WHEEL}" ']


def test_an_installation_that_failed_is_said(monkeypatch, alone):
    (alone / WHEEL).touch()
    without(monkeypatch, "oneformer_lite")
    monkeypatch.setattr(importlib, "invalidate_caches", lambda: None)
    with pytest.raises(UsageError, match=f"could not be installed from {WHEEL}: pip's reason stands above"):
        run_setup(SETUP)


def test_every_dependency_is_installed_or_left_alone():
    project = tomllib.loads((colab.ROOT / "pyproject.toml").read_text())["project"]
    wanted = {Requirement(line).name for line in project["dependencies"]}
    listed = {Requirement(line).name for line in cells.PACKAGES.values()}
    assert wanted - cells.LEFT_ALONE <= listed and not listed & cells.LEFT_ALONE
    assert all(importlib.util.find_spec(name) for name in cells.PACKAGES)


@pytest.mark.parametrize("folder", ["", "labs", "labs/solutions"])
def test_setup_cell_finds_a_checkout_beside_the_notebook(monkeypatch, tmp_path, folder):
    (tmp_path / "oneformer_lite").mkdir()
    (tmp_path / "notebooks" / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: found(name) if str(tmp_path) in sys.path else None
    )
    assert run_setup(cells.setup_source(NOTEBOOKS / folder / "x.ipynb")) == [] and sys.path[0] == str(tmp_path)


def test_a_known_address_is_where_it_installs_from(monkeypatch, alone):
    monkeypatch.setattr(cells, "repository", lambda: "https://github.com/owner/project")
    without(monkeypatch, "oneformer_lite")
    source = cells.setup_source(NOTEBOOKS / "00_x.ipynb")
    assert run_setup(source) == ['pip install --quiet --no-deps "git+https://github.com/owner/project" ']


def test_badge_needs_a_public_address(monkeypatch):
    monkeypatch.setattr(cells, "repository", lambda: None)
    assert cells.badge(NOTEBOOKS / "00_x.ipynb") == ""
    monkeypatch.setattr(cells, "repository", lambda: "https://github.com/owner/project")
    link = "colab.research.google.com/github/owner/project/blob/main/notebooks/labs/x.ipynb"
    assert link in cells.badge(NOTEBOOKS / "labs" / "x.ipynb")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of the package as it lies here."""
    return colab.build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_is_small_and_holds_what_lessons_and_labs_read(wheel):
    assert wheel.stat().st_size < 36 * 2**20  # two checkpoints of 15.5 MB
    with zipfile.ZipFile(wheel) as archive:
        inside = {i.filename: i.file_size for i in archive.infolist() if "/sample_data/" in i.filename}
    here = colab.ROOT / "data" / "sample"
    files = [path for path in here.rglob("*") if path.is_file()]
    assert inside == {f"oneformer_lite/sample_data/{p.relative_to(here).as_posix()}": p.stat().st_size for p in files}


def test_a_notebook_alone_installs_the_wheel_and_goes_on_or_stops_in_its_first_cell(wheel, tmp_path):
    python = colab.fresh_environment(tmp_path / "environment")
    folder = tmp_path / "empty"
    folder.mkdir()
    after = "import sys, oneformer_lite as ofl\nprint('at', ofl.data.sample_folder(), 'google.colab' in sys.modules)"
    program = "from IPython.core.interactiveshell import InteractiveShell as S\nimport sys\nshell = S.instance()\n"
    program += "print('ran', [shell.run_cell(source).success for source in sys.argv[1:]])"
    command = [python, "-c", program, SETUP, after]

    done = subprocess.run(command, cwd=folder, env=colab.environment(), capture_output=True, text=True, timeout=120)
    assert "ran [False, False]" in done.stdout, done.stdout + done.stderr
    assert "UsageError: oneformer_lite is not here: put its wheel beside this notebook" in done.stdout + done.stderr

    variables = colab.environment(**{colab.SOURCE: str(wheel)})
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120)
    assert "ran [True, True]" in done.stdout, done.stdout + done.stderr
    installed = next((tmp_path / "environment").glob("lib/*/site-packages/oneformer_lite/sample_data"))
    assert f"at {installed} True" in done.stdout
