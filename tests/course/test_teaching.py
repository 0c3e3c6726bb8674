"""What the page for lecturers says is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from oneformer_lite.cli import build_parser

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOURCES = NOTEBOOKS / "source"
TEXT = (NOTEBOOKS / "TEACHING.md").read_text(encoding="utf-8")


def test_minutes_are_those_of_the_cards_and_of_the_lessons_length():
    rows = re.findall(r"^\| (\d\d[a-z]?) \| (\d*) ?\| (\d*) ?\| (\d*) ?\|$", TEXT, re.MULTILINE)
    sources = {path.stem.partition("_")[0] for path in SOURCES.rglob("[0-9]*.py")}
    assert [number for number, *_ in rows] == sorted(sources)
    for number, minutes, exercises, of_lab in rows:
        assert minutes == next((str(read_in(path)) for path in SOURCES.glob(f"{number}_*.py")), "")
        for path in SOURCES.glob(f"{number}_*.py"):  # at its top too, where it says them
            assert re.findall(r"\*Minutes:\* (\d+)", path.read_text(encoding="utf-8")) in ([minutes], []), path
        for path in (SOURCES / "labs").glob(f"{number}_*.py"):
            cards = [int(found) for found in re.findall(r"^# [●○]{5} · (\d+) minutes", path.read_text(), re.MULTILINE)]
            assert (exercises, of_lab) == (str(len(cards)), str(sum(cards))), path


def read_in(source: Path) -> int:
    """By the rule of the page: 150 words and 8 lines a minute, 2 minutes a question, rounded to five."""
    cells = json.loads((NOTEBOOKS / f"{source.stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    text = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    code = [c for c in cells if c["cell_type"] == "code" and "setup" not in c["metadata"].get("tags", [])]
    lines = sum(bool(line.strip()) for cell in code for line in "".join(cell["source"]).split("\n"))
    words, questions = sum(len(re.findall(r"\w+", t)) for t in text), sum(t.count("<details>") for t in text)
    return 5 * round((words / 150 + lines / 8 + 2 * questions) / 5)


@pytest.mark.parametrize("source", sorted(SOURCES.glob("[01][0-5]*_*.py")), ids=lambda path: path.stem)
def test_a_lesson_says_at_its_top_what_it_is_for_and_what_it_needs(source):
    top = source.read_text(encoding="utf-8").partition("\n# %%")[0] + source.read_text(encoding="utf-8")[:2500]
    for part in ("*Goals:*", "*Before:*", "(GLOSSARY.md)"):
        assert part in top, f"{source.name} lacks {part}"
    building = "01" <= source.stem[:2] <= "13"
    assert (f'Toytown("val", size=128)[13], "{source.stem[:2]}")' in top) == building  # the map with its part lit
    assert ("in the sixty lines of lesson 00b" in " ".join(top.replace("#", "").split())) == building


def test_every_lesson_is_in_both_syllabi():
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE):
        if part.startswith(("Twelve", "Six")):
            assert set(re.findall(r"\b[012]\d[a-z]?\b", part)) >= {
                path.stem.partition("_")[0] for path in SOURCES.glob("[0-9]*.py")
            }


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
