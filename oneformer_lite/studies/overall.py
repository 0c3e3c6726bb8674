"""A bar over a whole study, beside those of its runs."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import Protocol

from tqdm.auto import tqdm

from ..errors import OneFormerLiteError
from .timing import duration

EVERY = 2.0  # seconds
PARTS = 1000


class Followed(Protocol):
    """What is shown of a study."""

    @property
    def share(self) -> float: ...
    def seconds_left(self, at_once: int = 1) -> float | None: ...


class Overall:
    """Follows the logs of the runs in a thread, so that it moves while one of them trains in this process."""

    def __init__(self, study: Followed, at_once: int = 1) -> None:
        self.study, self.at_once, self._ended = study, at_once, threading.Event()
        self.bar = tqdm(
            total=PARTS, desc="study", dynamic_ncols=True, file=sys.stderr,
            bar_format="{desc} {percentage:3.0f}%|{bar:24}|",
        )  # fmt: skip
        self._shown: tuple[str, int] | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Overall:
        self.refresh()
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self._ended.set()
        self._thread.join()
        self.refresh()
        self.bar.close()

    def say(self, text: str) -> None:
        """A line above the bar."""
        self.bar.write(f"  {text}", file=sys.stderr)

    def refresh(self) -> None:
        """Show how far the study is now."""
        share = self.study.share
        left = "" if share == 1 else f", {duration(self.study.seconds_left(self.at_once))}"
        shown = f"study{left}", round(PARTS * share)
        if shown != self._shown:
            self._shown = shown
            self.bar.set_description_str(shown[0], refresh=False)
            self.bar.update(shown[1] - self.bar.n)
            self.bar.refresh()

    def _follow(self) -> None:
        while not self._ended.wait(EVERY):
            with suppress(OneFormerLiteError):  # the run itself says what is wrong with its files
                self.refresh()
