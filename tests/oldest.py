"""The oldest version of everything that pyproject.toml allows, one requirement a line: for ``make test-oldest``.

    python tests/oldest.py > requirements.txt

Nothing is listed here: the floors are read from the project's own lists, so that they are what is tested.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def oldest(requirement: str) -> str:
    """``torch>=2.10`` as ``torch==2.10``; what is pinned stays. Raises ValueError where there is no floor to test."""
    parsed = Requirement(requirement)
    floors = {specifier.version for specifier in parsed.specifier if specifier.operator in (">=", "==")}
    if len(floors) != 1:
        raise ValueError(f"{requirement!r} in pyproject.toml names no oldest version: write {parsed.name}>=VERSION")
    extras = f"[{','.join(sorted(parsed.extras))}]" if parsed.extras else ""
    return f"{parsed.name}{extras}=={floors.pop()}"


def all_oldest(project: dict) -> list[str]:
    """The floors of the project's dependencies and of all its extras, each once."""
    lists = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    return sorted({oldest(requirement) for requirements in lists for requirement in requirements})


def oldest_python(project: dict) -> tuple[int, int]:
    """The Python to which ``requires-python`` goes back."""
    major, minor = project["requires-python"].removeprefix(">=").split(".")
    return int(major), int(minor)


if __name__ == "__main__":
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    if sys.version_info[:2] != (floor := oldest_python(project)):
        sys.exit(f"the oldest Python is {floor[0]}.{floor[1]}, this is {sys.version.split()[0]}: make PYTHON=...")
    print("\n".join(all_oldest(project)))
