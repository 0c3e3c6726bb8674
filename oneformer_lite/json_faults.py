"""Why a file is no JSON, in words: what it is instead, where it stops to make sense, and what to do about it."""

from __future__ import annotations

import re
from json import JSONDecodeError

from .file_kinds import kind_of

_OLDER = {  # by what iconv calls them: encodings of the west (Latin-1), of Cyrillic, Chinese and Japanese
    "WINDOWS-1252": "cp1252", "WINDOWS-1251": "cp1251", "GB18030": "gb18030", "SHIFT_JIS": "cp932",
}  # fmt: skip
_CONTEXT = 24  # bytes of a text that are shown in each encoding it may have
_DIGITS = 4300  # of a whole number, from which Python does not read it


def what_else(start: bytes, cure: str) -> str:
    """What a file that begins so is, which is certainly no JSON; empty if its first bytes do not tell."""
    kind = kind_of(start)
    return kind and f"it is {kind}; {'unpack it first' if kind.startswith('packed') else cure}"


def why_no_text(reason: UnicodeDecodeError) -> str:
    """Of bytes that are no text in their encoding."""
    content = reason.object
    if reason.end >= len(content):
        return "it ends within a letter, so it is cut short; write or download it again"
    if min(content[:4096]) < 9:
        return "it is no text (packed, a picture, or another kind of file)"
    if reason.encoding != "utf-8":
        return f"it looks like {reason.encoding.upper()} but is not ({reason.reason}); save it again as UTF-8"
    return (
        f"byte {reason.start} (0x{content[reason.start]:02X}) is not UTF-8, so the file was saved in an older encoding"
        f"{_readings(content, reason.start)}. Save it again as UTF-8: with an editor's \"save with encoding\", or "
        "iconv -f ENCODING -t UTF-8"
    )


def _readings(content: bytes, place: int) -> str:
    """The word at ``place`` as each of the older encodings shows it, from which one sees which it is."""
    start = max(content.rfind(b'"', 0, place), content.rfind(b" ", 0, place), place - _CONTEXT) + 1
    word = re.split(rb'["\s]', content[start : place + _CONTEXT])[0]
    shown = []
    for name, codec in _OLDER.items():
        text = word.decode(codec, "replace")
        if text.isprintable() and "\ufffd" not in text:
            shown.append(f"{name}{' (Latin-1)' if codec == 'cp1252' else ''} if this word is {text!r}")
    return ": " + ", ".join(shown) if shown else ""


def why_no_json(reason: JSONDecodeError) -> str:
    """Of text that is no JSON."""
    text = reason.doc
    if not text.strip():
        return "it is empty"
    if kind := kind_of(text[:1024].encode("utf-8", "replace")):  # in an encoding of two bytes a letter
        return f"it is {kind}"
    if re.match(r"[\s\[{]*[\[{]\s*'", text):
        return "it is written as Python prints it, with single quotes: write it with json.dump"
    place = f"line {reason.lineno}, column {reason.colno}"
    if reason.msg.startswith("Extra data"):
        return f"after its end, at {place}, more follows (JSON Lines, or two files in one)"
    if reason.pos >= len(text.rstrip()) or reason.msg.startswith("Unterminated string"):
        return f"it ends too early ({reason.msg} at {place}), so it is probably cut short"
    return f"{reason.msg} at {place}"


def too_many_digits(text: str) -> str:
    """Where a whole number stands that Python does not read for its length; empty if there is none."""
    found = re.search(rf"(?<![\d.])\d{{{_DIGITS + 1},}}", text)
    if not found:
        return ""
    line, start = text.count("\n", 0, found.start()) + 1, text.rfind("\n", 0, found.start())
    return (
        f"at line {line}, column {found.start() - start}, it has a whole number of {len(found[0])} digits "
        f"({found[0][:12]}...), and none that a file of this kind holds has more than {_DIGITS}"
    )
