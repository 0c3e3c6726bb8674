"""The oldest versions that ``make test-oldest`` installs are those of pyproject.toml, one of everything."""

from __future__ import annotations

import tomllib

import pytest
from oldest import PROJECT, all_oldest, oldest, oldest_python


@pytest.mark.parametrize(
    "requirement, expected",
    [("torch>=2.10", "torch==2.10"), ("a_b==0.1.0", "a_b==0.1.0"), ("b>=1.26,<3", "b==1.26"), ("a[x]>=6", "a[x]==6")],
)
def test_floors(requirement: str, expected: str) -> None:
    assert oldest(requirement) == expected


@pytest.mark.parametrize("requirement", ["ftfy", "ftfy<7", "ftfy!=6", "ftfy>=5,>=6"])
def test_what_has_no_floor(requirement: str) -> None:
    with pytest.raises(ValueError, match="names no oldest version: write ftfy>=VERSION"):
        oldest(requirement)


def test_everything_in_the_project_has_one() -> None:
    project = tomllib.loads(PROJECT.read_text())["project"]
    found = dict(line.split("==") for line in all_oldest(project))
    # older ones run code out of a weights file that is read with weights_only=True, or that is named as a checkpoint
    assert tuple(map(int, found["torch"].split("."))) >= (2, 10)
    assert tuple(map(int, found["timm"].split("."))) >= (1, 0, 26)
    assert len(found) > 30 and oldest_python(project) == (3, 11)
