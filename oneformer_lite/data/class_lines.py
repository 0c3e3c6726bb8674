"""What a file of classes is written with beside names: headings, numbers, colours, marks. Each would become part of a
name, and a line too many would shift all classes after it by one."""

from __future__ import annotations

import re
from collections.abc import Sequence

EXPECTED = "expected a name on each line and nothing else, or a pixel value before each, as in 7: road"
VALUE = re.compile(r"\s*(\d+)\s*:\s*(.*)")
_HEADS = ("name", "names", "class", "classes", "label", "labels")
_COLUMNS = re.compile(
    r"(?:names?|class(?:es)?|labels?|id|ids|index|value|values|number|nr|of|num|count|total|colou?rs?|rgb|hex|r|g|b|"
    r"red|green|blue|category|categories|\d+|[\W_])+", re.IGNORECASE,
)  # fmt: skip
_OTHER_NUMBERS = re.compile(r"(\d+\s*[,;=|)\-\uff1a]|\d+\s*\.(?!\d)|-\s)\s*\S")
_FIRST_NUMBER = re.compile(r"(\d+)\s+(\S.*)")
_BETWEEN = re.compile(r"[,;|\t]|\d\s*:")  # names, or values, on one line
_AFTER = re.compile(r".*\S\s*[,;=:|\t]\s*\d+|.*\S[\s:,]+\d+[\s,]+\d+[\s,]+\d+[:\s]*")  # a value or a colour
_LAST_NUMBER = re.compile(r"(.*\S)\s+(\d+)")
_LABELLED = re.compile(r"[^\W\d]+[\s_-]*\d+\s*[:=]\s*\S.*")
_PROGRAM = re.compile(r"[\[{].*|.*\{|[\]}],?|(nc|names|classes|labels)\s*:.*", re.IGNORECASE)  # JSON, YAML, pbtxt
# what no name has, on whichever line it stands
_MARKS = (
    (re.compile(r"(#|//).*"), "is a comment: remove it"),
    (re.compile(r".*\s(#|//)\s.*"), "has a comment"),
    (re.compile(r"[-=*_~+]{3,}.*"), "is a rule, not a name"),
    (re.compile(r"\|.*|.*\|"), "is a line of a table"),
    (re.compile(r"[-*+\u2022\u2023\u00b7\u2013]\s+\S.*"), "begins with the mark of a list"),
    (re.compile(r"0x[\da-f]+\b.*", re.IGNORECASE), "begins with a value in hexadecimal digits"),
    (re.compile(r".*[\s,;:=(]#(?:[\da-f]{3}|[\da-f]{6}|[\da-f]{8})\b.*", re.IGNORECASE), "has a colour"),
    (re.compile(r".*[(\[]\s*\d+\s*[,;\s]\s*\d+\s*[,;\s]\s*\d+\s*(?:[,;\s]\s*\d+\s*)?[)\]]"), "has a colour"),
)


def fault(lines: Sequence[str]) -> str:
    """Why ``lines``, stripped and none empty, are no names, in words; empty if they are."""
    if not lines:
        return ""
    if len(lines) > 1 and (lines[0].rstrip(":").lower() in _HEADS or _is_heading(lines)):
        return f" begins with the heading {lines[0]!r}: remove it"
    if why := _fault_of_all(lines):
        return why
    if len(lines) == 1 and _BETWEEN.search(name_of(lines[0])):
        return (
            f" has a single line, {lines[0]!r}, with several names on it: {EXPECTED} (if it is one name, classes=[...] "
            "in ofl.data.open)"
        )
    for rest, what, line in ((lines[1:], "begins", lines[0]), (lines[:-1], "ends", lines[-1])):
        if len(rest) > 1 and (why := _fault_of_all(rest, but_one=True)):
            return f" {what} with {line!r}, which is no class, and the other lines are no names: {why.lstrip(': ')}"
    return ""


def name_of(line: str) -> str:
    """The line without the pixel value before its name."""
    found = VALUE.fullmatch(line)
    return found[2] if found else line


def _is_heading(lines: Sequence[str]) -> bool:
    """The names of columns ("id,name"), or how many classes there are ("3", "Classes (3)")."""
    first, others = lines[0], lines[1:]
    if VALUE.fullmatch(first) or not _COLUMNS.fullmatch(first) or any(map(_COLUMNS.fullmatch, others)):
        return False
    words = re.findall(r"[^\W_]+", first.lower())
    return first.isdecimal() or len(words) > 1 and bool({*_HEADS, "id", "ids", "index", "value"}.intersection(words))


def _fault_of_all(lines: Sequence[str], but_one: bool = False) -> str:
    """``but_one``: the file has a line more, which has no number; then numbers are part of names unless they count."""
    names = [name_of(line) for line in lines]
    with_values = all(map(VALUE.fullmatch, lines))
    if written := next((line for line in lines if _PROGRAM.fullmatch(line)), ""):
        return f" is written as for a program (JSON, YAML), such as {written[:60]!r}"
    if all(name[:1] in ("'", '"') for name in names if name) and any(names):
        return f" has its names in quotes, such as {lines[0]!r}"
    if len(lines) > 1 and all(map(_AFTER.fullmatch, names)):
        return f": all lines end with a number or a colour, such as {lines[0]!r}"
    if len(lines) > 1 and _are_ids(*_numbers(_LAST_NUMBER, names, 2, 1), counting=but_one or with_values):
        mine = "if it belongs to the name, classes=[...] in ofl.data.open"
        return f": all lines end with a number of their own, such as {lines[0]!r} ({mine})"
    if _are_ids(*_numbers(_FIRST_NUMBER, lines, 1, 2), counting=but_one):
        mine = f"if it belongs to the name, pixel values before all names: 0: {lines[0]}"
        return f": all lines begin with a number or a dash, such as {lines[0]!r} ({mine})"
    if all(_OTHER_NUMBERS.match(line) and not VALUE.fullmatch(line) for line in lines):
        return f": all lines begin with a number or a dash, such as {lines[0]!r}"
    if len(lines) > 1 and all(map(_LABELLED.fullmatch, names)):
        return f": all lines have a number before their name that is no pixel value, such as {lines[0]!r}"
    if len(lines) > 1 and all(line[-1] in ",;" for line in lines[:-1]):
        return f": lines end with a {lines[0][-1]!r}, such as {lines[0]!r}"
    if ended := next((name for name in names if name.endswith(":")), ""):
        return f": {ended!r} ends with a colon"
    marked = ((line, what) for line, name in zip(lines, names) for form, what in _MARKS if form.fullmatch(name))
    line, what = next(marked, ("", ""))
    return f": {line!r} {what}" if line else ""


def _numbers(form: re.Pattern, lines: Sequence[str], number: int, rest: int) -> tuple[list[int], list[str]]:
    """The numbers that lines of a ``form`` have, and the rest of each; empty where one line has none."""
    found = [form.fullmatch(line) for line in lines]
    return ([int(f[number]) for f in found], [f[rest] for f in found]) if all(found) else ([], [])


def _are_ids(numbers: Sequence[int], rests: Sequence[str], counting: bool) -> bool:
    """Whether lines are numbered, rather than have numbers in their names.

    Ids grow from line to line, or count down to 0 or 1, and what stands beside them differs: "lane 1" and "lane 2", "2
    doors" and "3 doors", "US 101" and "route 66" are names. ``counting``: only 0, 1, 2 ... and 1, 2, 3 ... are ids.
    """
    grow = all(before < after for before, after in zip(numbers, numbers[1:]))
    counted = sorted(numbers) in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))
    down = counted and not counting and list(numbers) == sorted(numbers, reverse=True)
    return bool(numbers) and (down or grow and (counted or not counting)) and len(set(rests)) == len(rests)
