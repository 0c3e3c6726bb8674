"""Slides of a lesson: cut at headings, offline, turned by keys; and the pages of grades, in a real browser."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from browser import chromium, opened

from oneformer_lite.course.grade import Grades
from oneformer_lite.course.judge import Mark
from oneformer_lite.course.slides import slides_of, write_slides
from oneformer_lite.course.written import write_results
from oneformer_lite.lessons.notebooks import find_lessons


def test_a_slide_begins_with_each_heading_and_each_piece_of_text():
    new = nbformat.v4
    cells = [
        new.new_markdown_cell("# Title\n\n[Lab 05](labs/05.ipynb) · [Lesson 06 →](06.ipynb)\n\nwords"),
        new.new_code_cell("import os", metadata={"tags": ["setup"]}),
        new.new_markdown_cell("more\n\n## Second\n\ntext <script>alert(1)</script>"),
        new.new_code_cell("1 + 1", outputs=[new.new_output("stream", text="two")]),
        new.new_code_cell("2 + 2"),
    ]
    slides = list(slides_of(new.new_notebook(cells=cells), Path(".")))
    assert len(slides) == 3 and "ipynb" not in slides[0] and "words" in slides[0]
    assert "more" in slides[1] and "Second" in slides[2] and "two" in slides[2]
    assert slides[2].count('class="code"') == 2 and "<script" not in "".join(slides) and "import" not in "".join(slides)


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


UNDER_THE_FOOTER = """() => [...document.querySelectorAll('.slide')].map((slide, n) => {
  show(n);
  const pictures = [...slide.querySelectorAll('img')], over = slide.scrollHeight - slide.clientHeight;
  const small = pictures.filter(p => p.clientHeight < 0.44 * Math.min(p.naturalHeight, p.clientWidth * p.naturalHeight
    / p.naturalWidth) && p.clientHeight < 200);
  const lower = pictures.filter(p => p.style.maxHeight !== 'none' && p.clientHeight > 1 + innerHeight / 4);
  return small.length || (over > 1 && lower.length) ? [n, over] : null;
}).filter(Boolean)"""  # slides of which a picture is cut although it could be lower, or too small to read


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (400, 800)])
def test_keys_turn_the_slides_of_a_lesson_without_network(browser, tmp_path, width, height):
    page_file = write_slides(find_lessons(["07"])[0], tmp_path, run=False)
    with opened(browser, page_file, width, height) as page:
        count = page.locator(".slide").count()
        assert count > 15 and page.locator(".slide.now").count() == 1
        page.keyboard.press("ArrowRight")
        assert page.locator("footer output").inner_text() == f"2 / {count}" and page.url.endswith("#2")
        page.keyboard.press("End")
        assert page.locator("footer output").inner_text() == f"{count} / {count}"
        page.locator("footer button").first.click()
        assert page.locator("footer output").inner_text() == f"{count - 1} / {count}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        wide = "() => [...document.querySelectorAll('.slide')].filter(s => s.scrollWidth > s.clientWidth + 1).length"
        assert page.evaluate(wide) == 0
        assert page.evaluate(UNDER_THE_FOOTER) == []


def test_pages_of_grades_fit_a_telephone_and_lead_to_the_students(browser, tmp_path):
    states = ["passed", "wrong", "not counted", "not attempted", "missing"]
    marks = [
        Mark(f"student {n}", f"07.{k}", states[(n + k) % 5], f"07.{k}  1/7: {'x' * 200}", {"hint": "the sign"}, "a = 1")
        for n in range(8)
        for k in range(1, 5)
    ]
    index = write_results(Grades(marks, [], [f"07.{k}" for k in range(1, 5)], 3), tmp_path)
    with opened(browser, index, 400, 800, ready=".map") as page:
        assert page.locator("td.sq").count() == 32 and page.locator(".way .count").first.inner_text() == "2×"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator("td.sq a").first.click()
        page.wait_for_selector(".one")
        assert page.locator(".one").count() == 4 and page.url.endswith("#07.1")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
