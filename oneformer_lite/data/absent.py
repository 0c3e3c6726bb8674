"""A picture that is not there: what an error says of it, and what is there instead."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from PIL import Image

from ..files import normal


def why_absent(path: Path) -> str:
    """What an error says of a picture that is not there: an address, a link into nothing, another spelling, or nothing
    like it."""
    if address := re.match(r"(\w{2,}):/", str(path)):  # of two slashes, Path keeps one
        return (
            f"{str(path).replace(':/', '://', 1)!r} is an address ({address[1]}), and pictures are read from this "
            "machine alone: download it and give the path of the file"
        )
    if path.is_symlink():
        return (
            f"{path} is a link to {os.readlink(path)}, which does not exist from there: copy the files that links "
            "point to, not the links (rsync -L, cp -L), or fetch them (git annex get, dvc pull)"
        )
    return f"{path} does not exist{_what_does(path)}: check the path, and of a data set that it is unpacked whole"


def _what_does(path: Path) -> str:
    """Cameras and Windows write 0.JPG for what a file made there calls 0.jpg; tools convert pictures, and write names
    as addresses or with accents of their own."""
    if not path.parent.is_dir():
        return f" (there is no folder {path.parent})"
    names = sorted(os.listdir(path.parent))
    alike = [name for name in names if _plain(name) == _plain(path.name)]
    if alike and alike[0].lower() == path.name.lower():
        return f", but {alike[0]} does (upper and lower case differ here)"
    if alike:
        return f", but {alike[0]!r} does, a name that is written otherwise: {ascii(alike[0])}, not {ascii(path.name)}"
    pictures = [name for name in names if Path(name).suffix.lower() in Image.registered_extensions()]
    other = next((name for name in pictures if Path(_plain(name)).stem == Path(_plain(path.name)).stem), "")
    return f", but {other} does, of another format" if other else ""


def _plain(name: str) -> str:
    """A name without what makes no difference to people."""
    return normal(unquote(name)).casefold().strip()
