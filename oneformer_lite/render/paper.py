"""What words and lines of a picture are drawn on, and in which ink: white, or a dark theme's."""

from __future__ import annotations

from dataclasses import dataclass

from .colors import RGB


@dataclass(frozen=True)
class Paper:
    """The colours of :mod:`inspectors`' style sheet, for painted pictures."""

    ground: RGB
    ink: RGB
    title: RGB  # of words above and beside pictures
    faint: RGB  # of what steps back
    line: RGB
    empty: RGB  # of a cell without a value
    held: RGB  # behind what is chosen, in a row
    chosen: RGB  # behind what is chosen, in a sheet


WHITE = Paper(
    ground=(255, 255, 255), ink=(31, 36, 48), title=(52, 58, 70), faint=(93, 101, 117), line=(227, 230, 236),
    empty=(244, 245, 248), held=(255, 240, 204), chosen=(221, 235, 245),
)  # fmt: skip
DARK = Paper(
    ground=(20, 24, 31), ink=(230, 233, 240), title=(208, 213, 224), faint=(168, 176, 192), line=(50, 57, 71),
    empty=(30, 35, 44), held=(74, 59, 20), chosen=(22, 53, 74),
)  # fmt: skip
