"""The folders of a data set: that they are there, and what they hold where something else was expected."""

from __future__ import annotations

import os
import re
from collections.abc import Container
from pathlib import Path

from ..errors import DataError
from ..files import normal, on_disk, path_of
from ..listing import few


def require_folder(path: str | Path, holds: str, hint: str = "") -> Path:
    """``path`` if it is a folder, else :class:`DataError`; ``holds`` says what should be in it, ``hint`` what else may
    be the matter."""
    folder = on_disk(path_of(path, f"the folder of {holds}"))
    if re.match(r"\w{2,}:/", str(folder)):
        raise DataError(f"{path} is an address, and data are read from this machine alone: download them first")
    if not folder.is_dir():
        came = "is no folder" if folder.exists() else "does not exist"
        near = f" ({folder.parent} {contents(folder.parent)})" if folder.parent.is_dir() else ""
        raise DataError(f"{folder} {came}{near}: expected the folder of {holds}; check the path{hint}")
    return folder


def contents(folder: Path) -> str:
    """In words, what a folder holds: "holds 'a.png', 'b.png' and 7 more"; hidden files do not count."""
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        return f"cannot be listed ({error.strerror})"
    return f"holds {few(names, 4)}" if names else "is empty"


def by_stem(folder: Path, suffixes: Container[str], others: str) -> dict[str, Path]:
    """The pictures of a folder by their name without suffix, sorted; hidden files are none.

    Raises :class:`DataError` for two of one name, as ``others`` (in words) could be of either.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        stem = normal(path.stem)
        if stem in found:
            raise DataError(
                f"{path} and {found[stem]} have the same name up to the suffix, so {others} cannot be told apart: "
                "remove or rename one"
            )
        found[stem] = path
    return found
