"""Signs in names that nobody sees, as they come with texts copied from web pages and tables: zero-width and
non-breaking blanks, byte-order marks, soft hyphens, marks of direction."""

from __future__ import annotations

import unicodedata

_FILLERS = "\u034f\u115f\u1160\u2800\u3164\uffa0"  # letters and marks that are drawn as nothing
_JOINERS = "\u200c\u200d"  # which Persian, Hindi and pictures of several signs are written with
_BLANKS = ("Zs", "Zl", "Zp")


def without_unseen(name: str) -> str:
    """The name without signs that have no width; wider blanks stay."""
    return name if name.isascii() else "".join(sign for sign in name if not _has_no_width(sign))


def is_blank(name: str) -> bool:
    """Whether there is nothing to see."""
    return not without_unseen(name).strip()


def holds_unseen(name: str) -> bool:
    """Whether a name has signs without width, or other blanks than the usual one. Joiners between letters (or pictures)
    that need them do not count."""
    return any(
        _has_no_width(sign) and not _joins(name, place) or sign != " " and unicodedata.category(sign) in _BLANKS
        for place, sign in enumerate(name)
    )


def _has_no_width(sign: str) -> bool:
    return unicodedata.category(sign) == "Cf" or sign in _FILLERS


def _joins(name: str, place: int) -> bool:
    """Whether a joiner stands between two signs that are not of ASCII."""
    beside = name[max(0, place - 1) : place] + name[place + 1 : place + 2]
    return name[place] in _JOINERS and len(beside) == 2 and not any(map(str.isascii, beside))
