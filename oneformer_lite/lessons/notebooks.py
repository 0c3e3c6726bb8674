"""Where the lessons lie, and what their first cells say."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError

_CLONE = Path(__file__).resolve().parents[2] / "notebooks"
_LINE_OF_LINKS = re.compile(r"(\s*·?\s*\[[^\]]*\]\([^)]*\))+\s*$")


@dataclass(frozen=True)
class Lesson:
    """One notebook: its path, its title ("07 · The contrastive loss") and the first sentence after it."""

    path: Path
    title: str
    about: str

    @property
    def name(self) -> str:
        """As on disk, without suffix."""
        return self.path.stem


def find_lessons(names: Sequence[str] = (), folder: Path | None = None) -> list[Lesson]:
    """The lessons whose names begin with one of ``names`` (all by default), in order.

    They lie in ``folder``, or in the clone that the package lies in, or in ``notebooks`` below the working folder.
    Raises :class:`DataError` if there are none there, or none of a name.
    """
    places = [folder] if folder else [_CLONE, Path.cwd() / "notebooks"]
    paths = next((found for place in places if (found := sorted(place.glob("[0-9][0-9]_*.ipynb")))), [])
    if not paths:
        raise DataError(
            f"no lessons in {' or '.join(map(str, places))}: they come with the repository, not with the installed "
            "package; name the notebooks folder of a clone with --notebooks"
        )
    for name in names:
        if not any(path.stem.startswith(name) for path in paths):
            raise DataError(f"no lesson begins with {name!r}; there are: {', '.join(path.stem for path in paths)}")
    return [_read(path) for path in paths if not names or path.stem.startswith(tuple(names))]


def _read(path: Path) -> Lesson:
    try:
        first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
    except (OSError, ValueError, LookupError) as error:
        raise DataError(f"{path} is no notebook ({error}): build it again with notebooks/build.py") from error
    text = first if isinstance(first, str) else "".join(first)
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    paragraphs = (part.strip() for part in text[title.end() if title else 0 :].split("\n\n"))
    words = next((part for part in paragraphs if part and not _LINE_OF_LINKS.fullmatch(part)), "")
    return Lesson(path, title[1].strip() if title else path.stem, _first_sentence(words))


def _first_sentence(words: str) -> str:
    """Plain, without the marks of Markdown."""
    sentence = re.match(r".+?[.?!:](?=\s|$)", " ".join(words.split()))
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", sentence[0] if sentence else "")
    return re.sub(r"[*`]", "", plain).removesuffix(":")
