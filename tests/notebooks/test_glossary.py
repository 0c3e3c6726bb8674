"""The glossary: its numbers are those of the small model, its lessons exist and use the word."""

from __future__ import annotations

import re

from notebook_builder import NOTEBOOKS, cells

from oneformer_lite import config

TEXT = (NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]
LETTERS = {row[0]: row[2] for row in ROWS if re.match(r"[A-Zh](,|$)", row[0])}
WORDS = {row[0]: row[2] for row in ROWS if re.fullmatch(r"\d\d[a-z]?(, \d\d[a-z]?)*", row[2]) and row[0] not in LETTERS}


def test_letters_have_the_sizes_of_the_small_model():
    c = config.toytown()
    sizes = {"Q": c.num_queries, "T": c.num_texts, "K": c.num_classes, "C": c.hidden_dim, "M": c.num_heads}
    assert {letter: LETTERS[letter] for letter in sizes} == {letter: str(size) for letter, size in sizes.items()}
    assert LETTERS["P"] == f"{c.sampling_points}; {c.num_points:,}" and LETTERS["S"] == str(4**2 + 8**2 + 16**2)


def test_words_are_in_order_and_their_lessons_exist_and_use_them():
    names = [re.sub(r"[^a-z ]", "", word.lower()) for word in WORDS]
    assert len(WORDS) >= 40 and names == sorted(names)
    lessons = {cells.number_of(path): path.read_text(encoding="utf-8").lower() for path in cells.every_lesson()}
    never = []
    for word, numbers in WORDS.items():
        spoken = re.split(r", | \(", word)[0].lower().replace(" ", r"\W*[ _]#?\s*")  # in code, or over two lines
        never += [f"{word} in {number}" for number in numbers.split(", ") if not re.search(spoken, lessons[number])]
    assert not never


def test_each_building_lesson_links_to_it():
    for path in cells.every_lesson():
        if cells.number_of(path) <= "15":
            assert "(GLOSSARY.md)" in path.read_text(encoding="utf-8"), path.name
