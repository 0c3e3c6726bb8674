"""What a check found, in words that every front end shows: as text, and as HTML with the words above the picture."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from typing import Any

from .compare import as_array

_WORDS = "margin:0; white-space:pre-wrap; overflow-wrap:anywhere; background:none; color:inherit"
_HINT = "margin:0.4em 0; padding:0.2em 0.7em; border-left:4px solid #e69f00; color:inherit"
_DETAIL = "margin:0.2em 0; color:inherit; opacity:0.8; overflow-wrap:anywhere"
_PRINTED = 160  # characters of an output that are quoted
_PICTURE = "display:block; margin-top:0.5em; max-width:100%; background:white"


@dataclass(frozen=True, repr=False)
class Result:
    """What :func:`~oneformer_lite.labs.check` found; its words are the same on every machine.

    ``differences`` has a line, or None, for each case by name. Of the first case that differs, ``pair`` is (yours,
    expected), ``arguments`` what it was called with and ``printed`` what it printed. ``note`` says why nothing was
    compared, or does not count; ``broken`` what was used although the card rules it out.
    """

    id: str
    attempted: bool = False
    differences: tuple[tuple[str, str | None], ...] = ()
    hint: str | None = None
    pair: tuple[Any, Any] | None = None
    note: str | None = None
    arguments: str | None = None
    printed: str = ""
    broken: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Right on every case, and the learner's own."""
        return self.attempted and not self.note and all(difference is None for _, difference in self.differences)

    @property
    def verdict(self) -> str:
        """The score and the first difference, in one line."""
        if self.note or not self.attempted:
            return f"{self.id}  {self.note or 'not attempted'}"
        right = sum(difference is None for _, difference in self.differences)
        score = f"{self.id}  {right}/{len(self.differences)}"
        if self.passed:
            return f"{score} passed" + (f", though with {' and '.join(self.broken)}" if self.broken else "")
        name, what = next((name, what) for name, what in self.differences if what)
        return f"{score}: {name}: {what}"

    @property
    def details(self) -> dict[str, str]:
        """What helps to find out why, by what it is."""
        if self.broken and not self.note:
            return {"card": f"it rules out {' and '.join(self.broken)}"}
        found = {"hint": self.hint, "called with": self.arguments, "it printed": _quoted(self.printed)}
        return {name: words for name, words in found.items() if words}

    def __repr__(self) -> str:
        return "\n".join([self.verdict, *(f"{name}: {words}" for name, words in self.details.items())])

    def _repr_html_(self) -> str | None:
        """The words, then the picture: a front end that is offered text and a picture shows the picture alone. None
        where one line of text is all there is to say."""
        picture = self.picture()
        if not (self.details or picture):
            return None
        words = f'<pre style="{_WORDS}">{html.escape(self.verdict)}</pre>'
        for name, text in self.details.items():
            style = _HINT if name in ("hint", "card") else _DETAIL
            words += f'<div style="{style}"><b>{name}:</b> {html.escape(text)}</div>'
        if picture:
            address = f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"
            words += f'<img alt="yours, expected and their difference" style="{_PICTURE}" src="{address}">'
        return words

    def picture(self) -> bytes | None:
        """A PNG of yours, expected and their difference, where both are arrays that can be looked at."""
        yours, expected = map(as_array, self.pair or (None, None))
        if yours is None or expected is None or min(yours.ndim, expected.ndim) < 2 or not yours.size * expected.size:
            return None
        from ..render.comparison import comparison
        from ..render.grid import png_bytes

        return png_bytes(comparison(yours, expected))


def _quoted(printed: str) -> str:
    """The first words of an output, on one line."""
    line = " ⏎ ".join(printed.strip().splitlines())
    return line if len(line) <= _PRINTED else f"{line[:_PRINTED]} …"
