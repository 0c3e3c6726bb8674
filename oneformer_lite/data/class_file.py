"""The file of class names beside label maps: a name on each line, or a pixel value before each.

The line "0: (void)" says which value pixels have where nobody knows the class. Without the brackets, "0: void" is a
class of that name, as there are parts with voids; a warning says so (:func:`~.by_name.warn_of_names`). "background" is
a class like all others.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..errors import DataError
from ..files import on_disk
from ..json_faults import what_else, why_no_text
from .json_fields import NAME

VOID = "(void)"  # the value of pixels without class
_VALUE = re.compile(r"\s*(\d+)\s*:\s*(.*)")
_HEADS = ("name", "names", "class", "classes", "label", "labels")
_OTHER_NUMBERS = re.compile(r"(\d+\s*[\s,;=|.)\-\uff1a]|-\s)\s*\S")
_BETWEEN = re.compile(r"[,;|\t]|\d\s*:")  # names, or values, on one line
_AFTER = re.compile(r".*\S\s*[,;=:|\t]\s*\d+|.*\S[\s:,]+\d+[\s,]+\d+[\s,]+\d+[:\s]*")  # a value or a colour
_PROGRAM = re.compile(r"[\[{].*|.*\{|[\]}],?|(nc|names|classes|labels)\s*:.*", re.IGNORECASE)  # JSON, YAML, pbtxt
_EXPECTED = "expected a name on each line and nothing else, or a pixel value before each, as in 7: road"


def read_classes(path: Path) -> tuple[list[str], dict]:
    """The names, and what the file says of pixel values: the options of :class:`.SemanticDataset`.

    UTF-8, UTF-16 and UTF-32 are read. Raises :class:`DataError` for what is no such file.
    """
    lines = [line.strip() for line in _text(path).splitlines() if line.strip()]
    _refuse_other_files(path, lines)
    numbered = [_VALUE.fullmatch(line) for line in lines]
    if not all(numbered):
        if any(numbered):
            raise DataError(f"{path}: some lines begin with a pixel value (7: road), some do not: expected all or none")
        return _checked(path, lines), {}
    pairs = [(int(found[1]), found[2]) for found in numbered if found]
    void = [value for value, name in pairs if name.lower() == VOID]
    if len(void) > 1:
        raise DataError(f"{path}: {len(void)} lines say {VOID}; expected one at most")
    named = [(value, name) for value, name in pairs if name.lower() != VOID]
    ignored = void[0] if void else None if 255 in dict(named) else 255
    names = _checked(path, [name for _, name in named])
    return names, {"values": [value for value, _ in named], "ignore_index": ignored}


def _text(path: Path) -> str:
    needed = "label maps need the names of their classes, one on each line, or classes=[...] in ofl.data.open"
    try:
        content = on_disk(path).read_bytes()
        is_name = content.lstrip()[:1] == b"<" and b"</" not in content  # "<road>"
        if not is_name and (other := what_else(content, needed)):
            raise DataError(f"{path} is no text of names: {other}")
        return content.decode(json.detect_encoding(content)).removeprefix("\ufeff")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): {needed}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} cannot be read ({why_no_text(error)}): {needed}") from error


def _checked(path: Path, names: list[str]) -> list[str]:
    if not names:
        raise DataError(f"{path} has no name in it: {_EXPECTED}")
    for name in names:
        if not NAME.holds([name]):
            raise DataError(f"{path}: the name {name!r} is no {NAME.text}: {_EXPECTED}")
    return names


def _refuse_other_files(path: Path, lines: list[str]) -> None:
    """Raises :class:`DataError` for lines that are no names: each of them would shift all classes after it by one."""
    for line in lines:
        if line.startswith(("#", "//")):
            raise DataError(f"{path}: {line!r} is a comment: remove it; {_EXPECTED}")
    if len(lines) > 1 and lines[0].rstrip(":").lower() in _HEADS:
        raise DataError(f"{path} begins with the heading {lines[0]!r}: remove it; {_EXPECTED}")
    if written := next((line for line in lines if _PROGRAM.fullmatch(line)), ""):
        raise DataError(f"{path} is written as for a program (JSON, YAML), such as {written[:60]!r}: {_EXPECTED}")
    if lines and all(line[0] in "\"'" for line in lines):
        raise DataError(f"{path} has its names in quotes, such as {lines[0]!r}: {_EXPECTED}")
    if len(lines) > 1 and all(map(_AFTER.fullmatch, lines)):
        raise DataError(f"{path}: all lines end with a number or a colour, such as {lines[0]!r}: {_EXPECTED}")
    if lines and all(_OTHER_NUMBERS.match(line) and not _VALUE.fullmatch(line) for line in lines):
        raise DataError(f"{path}: all lines begin with a number or a dash, such as {lines[0]!r}: {_EXPECTED}")
    if len(lines) == 1 and _BETWEEN.search(_VALUE.fullmatch(lines[0])[2] if _VALUE.fullmatch(lines[0]) else lines[0]):
        raise DataError(
            f"{path} has a single line, {lines[0]!r}, with several names on it: {_EXPECTED} (if it is one name, "
            "classes=[...] in ofl.data.open)"
        )
    if len(lines) > 1 and all(line[-1] in ",;" for line in lines[:-1]):
        raise DataError(f"{path}: lines end with a {lines[0][-1]!r}, such as {lines[0]!r}: {_EXPECTED}")
