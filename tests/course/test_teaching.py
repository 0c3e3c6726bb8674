"""What the page for lecturers says is so."""

from __future__ import annotations

import re
from pathlib import Path

from oneformer_lite.cli import build_parser

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TEXT = (NOTEBOOKS / "TEACHING.md").read_text(encoding="utf-8")


def test_minutes_are_those_of_the_cards_and_of_the_lessons_length():
    rows = re.findall(r"^\| (\d\d) \| (\d+) \| (\d*) \| (\d*) ?\|$", TEXT, re.MULTILINE)
    assert [number for number, *_ in rows] == [
        path.stem[:2] for path in sorted((NOTEBOOKS / "source").glob("[0-9]*.py"))
    ]
    for number, _, exercises, minutes in rows:
        for path in (NOTEBOOKS / "source" / "labs").glob(f"{number}_*.py"):
            cards = [int(found) for found in re.findall(r"^# [●○]{5} · (\d+) minutes", path.read_text(), re.MULTILINE)]
            assert (exercises, minutes) == (str(len(cards)), str(sum(cards))), path


def test_every_lesson_is_in_both_syllabi():
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE):
        if part.startswith(("Twelve", "Six")):
            assert set(re.findall(r"\b(?:0\d|1[0-5])\b", part)) == {f"{n:02}" for n in range(16)}


def test_commands_that_are_named_exist():
    named = {
        tuple(words.split())
        for words in re.findall(
            r"(?:oneformer-lite )?course (start|progress|reset|handout|grade|export \w+|slides)", TEXT
        )
    }
    assert len(named) >= 7
    more = {"reset": ["03"], "grade": ["x"], "slides": ["05"]}
    for words in named:
        build_parser().parse_args(["course", *words, *more.get(words[0], [])])
