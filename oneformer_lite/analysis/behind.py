"""The pictures behind each bar: which ones make it as high as it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

KEPT = 12  # pictures of a bar


class Behind:
    """The pictures that count most for each bar, by their numbers in the data set; the others are only counted.

    A bar is named by words: ("errors", "panoptic", "missed"). Whatever the number of pictures, no bar keeps more than
    four times ``kept`` of them.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.kept = kept
        self._pictures: dict[tuple[str, ...], dict[int, float]] = defaultdict(dict)
        self.counts: dict[tuple[str, ...], int] = defaultdict(int)

    def note(self, bar: tuple[str, ...], picture: int, weight: float) -> None:
        """``weight``: how much of the bar this picture is (errors, pixels ...), noted once for a picture."""
        if weight <= 0:
            return
        pictures = self._pictures[bar]
        pictures[picture] = weight
        self.counts[bar] += 1
        if len(pictures) > 4 * self.kept:
            self._pictures[bar] = dict(self._sorted(bar))

    def of(self, *bar: str) -> list[tuple[int, float]]:
        """(picture, weight), those that count most first."""
        return self._sorted(bar) if bar in self._pictures else []

    def _sorted(self, bar: tuple[str, ...]) -> list[tuple[int, float]]:
        return sorted(self._pictures[bar].items(), key=lambda entry: (-entry[1], entry[0]))[: self.kept]

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return iter(self._pictures)
