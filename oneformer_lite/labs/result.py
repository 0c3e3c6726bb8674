"""What a check found, in words that every front end shows: as text, and as HTML with the words above the picture."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from typing import Any

from .compare import as_array

_WORDS = "margin:0; white-space:pre-wrap; overflow-wrap:anywhere; background:none; color:inherit"
_HINT = "margin:0.4em 0; padding:0.2em 0.7em; border-left:4px solid #e69f00; color:inherit"
_PICTURE = "display:block; margin-top:0.5em; max-width:100%; background:white"


@dataclass(frozen=True, repr=False)
class Result:
    """What :func:`~oneformer_lite.labs.check` found; its words are the same on every machine.

    ``differences`` has a line, or None, for each case by name; ``pair`` is (yours, expected) of the first case that
    differs; ``note`` stands for everything where nothing could be compared.
    """

    id: str
    attempted: bool = False
    differences: tuple[tuple[str, str | None], ...] = ()
    hint: str | None = None
    pair: tuple[Any, Any] | None = None
    note: str | None = None

    @property
    def passed(self) -> bool:
        """Right on every case."""
        return self.attempted and all(difference is None for _, difference in self.differences)

    @property
    def verdict(self) -> str:
        """The score and the first difference, in one line."""
        if self.note or not self.attempted:
            return f"{self.id}  {self.note or 'not attempted'}"
        right = sum(difference is None for _, difference in self.differences)
        score = f"{self.id}  {right}/{len(self.differences)}"
        if self.passed:
            return f"{score} passed"
        name, what = next((name, what) for name, what in self.differences if what)
        return f"{score}: {name}: {what}"

    def __repr__(self) -> str:
        return self.verdict + (f"\nhint: {self.hint}" if self.hint else "")

    def _repr_html_(self) -> str | None:
        """The words, then the picture: a front end that is offered text and a picture shows the picture alone. None
        where one line of text is all there is to say."""
        picture = self.picture()
        if not (self.hint or picture):
            return None
        words = f'<pre style="{_WORDS}">{html.escape(self.verdict)}</pre>'
        if self.hint:
            words += f'<div style="{_HINT}"><b>hint:</b> {html.escape(self.hint)}</div>'
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
