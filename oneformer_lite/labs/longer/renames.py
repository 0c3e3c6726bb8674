"""Exercise 15.1: the names that other people give to parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..draws import first
from ..exercise import Case, Exercise, Mistake

Table = Sequence[tuple[str, str]]
_COMMON = [("enc.layer{}.lin1", "encoder.{}.first"), ("enc.layer{}", "encoder.{}"), ("head", "decoder.class_head")]
_CHAINED = [*_COMMON, ("encoder", "trunk"), ("trunk", "encoder.stem")]  # rows that fit what others have made

# -- 15.1: names, table of beginnings, {} = a number -> names


def _renamed(names: Sequence[str], table: Table) -> list[str]:
    return [_one(name, table) for name in names]


def _one(name: str, table: Table) -> str:
    for left, right in table:
        if found := re.match(re.escape(left).replace(r"\{\}", r"(\d+)") + r"(?=\.|$)", name):
            return right.replace("{}", found[1] if found.groups() else "{}") + name[found.end() :]
    return name


def _cases_renamed() -> list[Case]:
    return [
        Case("a number", ["enc.layer0.norm.weight", "enc.layer12.norm.bias"], _COMMON),
        Case("the first row that fits", ["enc.layer3.lin1.weight", "enc.layer3.lin2.weight"], _CHAINED),
        Case("no row fits", ["text.scale", "head.weight"], _COMMON),
        Case("a longer word", ["header.weight", "head.bias"], _COMMON),
        Case("a whole name", ["scale", "scale.more"], [("scale", "logit_scale"), ("scale.more", "more")]),
        Case("the beginning in the middle", ["model.head.weight", "head.head.weight"], _COMMON),
    ]


def _anywhere(names: Sequence[str], table: Table) -> list[str]:
    def one(name: str) -> str:
        for left, right in table:
            pattern = re.escape(left).replace(r"\{\}", r"(\d+)") + r"(?=\.|$)"
            if found := re.search(pattern, name):
                new = right.replace("{}", found[1] if found.groups() else "{}")
                return name[: found.start()] + new + name[found.end() :]
        return name

    return [one(name) for name in names]


def _any_word(names: Sequence[str], table: Table) -> list[str]:
    def one(name: str) -> str:
        for left, right in table:
            if found := re.match(re.escape(left).replace(r"\{\}", r"(\d+)"), name):
                return right.replace("{}", found[1] if found.groups() else "{}") + name[found.end() :]
        return name

    return [one(name) for name in names]


def _last_row(names: Sequence[str], table: Table) -> list[str]:
    return _renamed(names, list(table)[::-1])


def _one_digit(names: Sequence[str], table: Table) -> list[str]:
    def one(name: str) -> str:
        for left, right in table:
            if found := re.match(re.escape(left).replace(r"\{\}", r"(\d)"), name):
                rest = name[found.end() :]
                if "{}" in left or not rest or rest.startswith("."):
                    return right.replace("{}", found[1] if found.groups() else "{}") + rest
        return name

    return [one(name) for name in names]


def _all_in_turn(names: Sequence[str], table: Table) -> list[str]:
    for row in table:
        names = _renamed(names, [row])
    return list(names)


def _to_the_letter(names: Sequence[str], table: Table) -> list[str]:
    """Rows with ``{}`` fit no name."""
    return _renamed(names, [row for row in table if "{}" not in row[0]])


def _starts_with(names: Sequence[str], table: Table) -> list[str]:
    """The same, and a beginning may end within a word."""
    fitting = [next((row for row in table if name.startswith(row[0])), ("", "")) for name in names]
    return [new + name[len(old) :] for name, (old, new) in zip(names, fitting, strict=True)]


def _replaced(names: Sequence[str], table: Table) -> list[str]:
    found = list(names)
    for old, new in table:
        found = [name.replace(old, new) for name in found]
    return found


def _rest_lost(names: Sequence[str], table: Table) -> list[str]:
    def one(name: str) -> str:
        fits = any(name != _one(name, [row]) for row in table)
        return _one(name, table) if not fits else _one(name, table).removesuffix(_rest(name, table))

    return [one(name) for name in names]


def _rest(name: str, table: Table) -> str:
    """What stands behind the beginning that the first row which fits replaces."""
    patterns = (re.escape(left).replace(r"\{\}", r"(\d+)") + r"(?=\.|$)" for left, _ in table)
    return next((name[found.end() :] for pattern in patterns if (found := re.match(pattern, name))), "")


def _left_out(names: Sequence[str], table: Table) -> list[str]:
    return [new for name, new in zip(names, _renamed(names, table), strict=True) if name != new]


RENAMED = Exercise(
    id="15.1",
    name="renamed",
    reference=_renamed,
    cases=_cases_renamed,
    drawn=first.tables,
    mistakes=(
        Mistake("a row gives the beginning of a name: what stands in the middle stays", _anywhere),
        Mistake("a beginning ends at a dot, or where the name ends: header is not head", _any_word),
        Mistake("the first row that fits renames, not the last", _last_row),
        Mistake("a number may have several digits", _one_digit),
        Mistake("one row renames a name, the first that fits: what it has made is not renamed again (break)",
                _all_in_turn),
        Mistake("{} stands for a number of any length: taken to the letter, rows with {} fit nothing (re.escape "
                "writes it as \\{\\})", _to_the_letter),
        Mistake("{} stands for a number, and a beginning ends at a dot: startswith knows neither", _starts_with),
        Mistake("{} stands for a number, and a row gives a beginning: replace knows neither", _replaced),
        Mistake("a row replaces the beginning alone: what follows it in the name stays", _rest_lost),
        Mistake("a name that no row fits stays as it is", _left_out),
    ),
)  # fmt: skip
