"""Where the lessons lie, and what their first cells say."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError

_CLONE = Path(__file__).resolve().parents[2] / "notebooks"
_SENTENCE = re.compile(r"\S.*?(?:[.?!](?=\s|$)|:$)")


@dataclass(frozen=True)
class Lesson:
    """One notebook: its path, its title ("07 · The contrastive loss") and the question it asks."""

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
    paths = next((found for place in places if (found := sorted(place.glob("[0-9][0-9]*_*.ipynb")))), [])
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
        text = first if isinstance(first, str) else "".join(first)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is no notebook ({error}): build it again with notebooks/build.py") from error
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    after = text[title.end() if title else 0 :]
    return Lesson(path, title[1].strip() if title else path.stem, _question(after))


def _question(text: str) -> str:
    """The first question of the paragraphs, else their first sentence, without the marks of Markdown."""
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    plain = (
        re.sub(r"[*`]|\[[^\]]*\]\([^)]*\)", _bare, part) for part in paragraphs if not part.startswith(("* ", "#"))
    )
    sentences = [sentence for part in plain for sentence in _SENTENCE.findall(part)]
    asked = (sentence for sentence in sentences if sentence.endswith("?"))
    return next(asked, sentences[0] if sentences else "").removesuffix(":")


def _bare(mark: re.Match) -> str:
    return mark[0][1 : mark[0].index("]")] if mark[0].startswith("[") else ""
