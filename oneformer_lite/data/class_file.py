"""The file of class names beside label maps: a name on each line, or a pixel value before each.

The line "0: (void)" says which value pixels have where nobody knows the class. Without the brackets, "0: void" is a
class of that name, as there are parts with voids; a warning says so (:func:`~.by_name.warn_of_names`). "background" is
a class like all others.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import DataError
from ..files import on_disk
from ..json_faults import what_else, why_no_text
from .class_lines import EXPECTED, VALUE, fault
from .json_fields import NAME

VOID = "(void)"  # the value of pixels without class


def read_classes(path: Path) -> tuple[list[str], dict]:
    """The names, and what the file says of pixel values: the options of :class:`.SemanticDataset`.

    UTF-8, UTF-16 and UTF-32 are read. Raises :class:`DataError` for what is no such file.
    """
    lines = [line.strip() for line in _text(path).splitlines() if line.strip()]
    if why := fault(lines):
        raise DataError(f"{path}{why}" if EXPECTED in why else f"{path}{why}; {EXPECTED}")
    numbered = [VALUE.fullmatch(line) for line in lines]
    if not all(numbered):
        if any(numbered):
            raise DataError(f"{path}: some lines begin with a pixel value (7: road), some do not: expected all or none")
        return _checked(path, lines), {}
    if long := next((found[1] for found in numbered if found and len(found[1]) > 9), ""):
        raise DataError(f"{path}: the pixel value {long[:20]}... has {len(long)} digits: {EXPECTED}")
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
        raise DataError(f"{path} has no name in it: {EXPECTED}")
    for name in names:
        if not NAME.holds([name]):
            raise DataError(f"{path}: the name {name!r} is no {NAME.text}: {EXPECTED}")
    return names
