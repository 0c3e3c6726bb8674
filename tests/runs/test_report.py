"""The report page: what it says, that it needs nothing else, and that a browser shows it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from oneformer_lite.runs.report import GalleryRow, percent, write_report

METRICS = {
    "PQ": 61.23, "SQ": 80.04, "RQ": 75.55, "PQ_th": 51.11, "PQ_st": 71.39,
    "AP": 31.4, "AP50": 55.26, "mIoU": 81.97, "mDice": 88.26,
}  # fmt: skip
HISTORY = [
    *({"kind": "train", "step": s, "total": 30 / s, "class": 2 / s} for s in range(1, 60)),
    {"kind": "eval", "step": 30, "PQ": 40.0, "AP": 10.0, "mIoU": 50.0},
    {"kind": "final", "step": 59, **METRICS},
]
TOKENS = {
    "panoptic": {"PQ": 61.2, "AP": 30.9, "mIoU": 80.0},
    "instance": {"PQ": 25.0, "AP": 31.4, "mIoU": 28.8},
    "semantic": {"PQ": 50.0, "AP": 20.1, "mIoU": 81.9},
}


def row(shade: int, caption: str) -> GalleryRow:
    flat = [np.full((256, 256, 3), shade + 10 * i, dtype=np.uint8) for i in range(5)]
    return GalleryRow(*flat, caption)


def write(folder: Path, **changes) -> Path:
    arguments = {
        "title": "Ten minutes <of> training",
        "history": HISTORY,
        "metrics": METRICS,
        "gallery": [row(0, "dusk & rain"), row(100, "noon")],
        "recipe": {"config": "toytown()", "seed": 7, "learning rate": 3e-4},
        "wrong_token": TOKENS,
        "next_steps": ["Run `oneformer-lite predict a.png`.", "Open lesson 1."],
    }
    return write_report(folder, **{**arguments, **changes})


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("run"))


ROWS = [
    {"id": 1, "name": "car", "is_thing": True, "PQ": 71.25, "TP": 31, "FN": 2, "AP": 44.4, "IoU": 80.5},
    {"id": 9, "name": "<sky>", "is_thing": False, "PQ": 33.33, "TP": 7, "FN": 0, "AP": None, "IoU": 91.7},
    {"id": 4, "name": "boat", "is_thing": True, "PQ": None, "TP": 0, "FN": 0, "AP": None, "IoU": None},
]


def test_classes_are_listed_worst_first_with_their_confusion(tmp_path):
    confusion = np.array([[90, 10, 0, 0], [5, 95, 0, 0], [0, 0, 0, 0]])
    text = write(tmp_path, per_class=ROWS, confusion=confusion).read_text(encoding="utf-8")
    section = text[text.index('id="classes"') : text.index('id="curves"')]
    assert section.index("&lt;sky&gt;") < section.index(">car<") < section.index("annotated nowhere".capitalize())
    assert ">33.3<" in section and ">71.2<" in section and ">44.4<" in section and "data:image/webp" in section
    assert section.count("–") == 1 and ">31<" in section  # sky has no AP
    assert ">boat<" not in section and "nowhere in these pictures (crowds aside): &#39;boat&#39;." in section


def test_without_classes_there_is_no_section(page):
    assert 'id="classes"' not in page.read_text(encoding="utf-8")


def test_page_says_what_it_was_given(page):
    text = page.read_text(encoding="utf-8")
    assert page.name == "report.html"
    assert "<title>Ten minutes &lt;of&gt; training</title>" in text
    for figure in ("61.2", "80.0", "75.5", "51.1", "71.4", "31.4", "55.3", "82.0"):
        assert re.search(rf">{re.escape(figure)}<", text), figure
    assert "dusk &amp; rain" in text and "0.0003" in text
    assert "<code>oneformer-lite predict a.png</code>" in text


def test_absent_numbers_are_dashes(page):
    assert [percent(v) for v in (None, float("nan"), 0.0, 99.96)] == ["–", "–", "0.0", "100.0"]
    things = re.search(r"<th>things</th>(.*?)</tr>", page.read_text(), re.S)[1]
    assert re.findall(r">([^<]+)<", things) == ["51.1", "–", "–"]


def test_the_best_token_of_each_metric_is_marked(page):
    section = page.read_text().split('id="task-token"')[1].split("</section>")[0]
    assert re.findall(r'number best">([^<]+)<', section) == ["61.2", "31.4", "81.9"]


def test_of_equals_none_is_best(tmp_path):
    tokens = {"panoptic": {"PQ": 61.24, "AP": 30.9}, "instance": {"PQ": 61.21, "AP": 31.4}}
    text = write(tmp_path, wrong_token=tokens).read_text()
    assert re.findall(r'number best">([^<]+)<', text) == ["31.4"]


def test_page_needs_nothing_but_itself(page):
    text = unescape(page.read_text())
    assert "http://" not in text and "https://" not in text
    sources = re.findall(r'(?:src|srcset|href)="([^"]*)"', text)
    assert len(sources) == 2 * 5 + 2 * 2  # two scenes; two plots, each light and dark
    assert all(s.startswith("data:image/") for s in sources)
    assert not re.search(r"@import|<link", text)


def test_parts_without_content_are_left_out(tmp_path):
    text = write(tmp_path, history=[], gallery=[], wrong_token=None, next_steps=[]).read_text()
    for part in ("curves", "gallery", "task-token", "next"):
        assert f'id="{part}"' not in text
    assert 'id="scores"' in text and 'id="recipe"' in text


def test_writing_replaces_and_leaves_no_draft(tmp_path):
    write(tmp_path / "deep" / "run", title="one", history=[])
    path = write(tmp_path / "deep" / "run", title="two", history=[])
    assert "<title>two</title>" in path.read_text()
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_twelve_noisy_scenes_stay_below_four_megabytes(page, tmp_path):
    rng = np.random.default_rng(0)
    noisy = [
        GalleryRow(*rng.normal(128, 8, (5, 384, 384, 3)).clip(0, 255).astype(np.uint8))
        for _ in range(2)
    ]
    two = write(tmp_path / "2", gallery=noisy, history=[]).stat().st_size
    one = write(tmp_path / "1", gallery=noisy[:1], history=[]).stat().st_size
    assert page.stat().st_size + 12 * (two - one) < 4_000_000


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip("Chromium is not installed at /usr/bin/chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_shows_the_page_offline(browser, page, scheme):
    context = browser.new_context(
        viewport={"width": 1600, "height": 900}, color_scheme=scheme, offline=True
    )
    tab = context.new_page()
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("requestfailed", lambda request: problems.append(request.url[:80]))
    tab.goto(page.as_uri())
    assert tab.locator(".row").count() == 2
    widths = tab.eval_on_selector_all("img", "all => all.map(i => i.naturalWidth)")
    assert len(widths) == 12 and min(widths) >= 256
    shown = tab.eval_on_selector_all(".picture", "all => all.map(p => p.clientWidth)")
    assert min(shown) >= 256
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", paper)[0]) > 128) == (scheme == "light")
    curve = tab.eval_on_selector(".pair picture img", "i => i.currentSrc")
    assert curve in page.read_text()
    light = tab.eval_on_selector(".pair picture img", "i => i.src")
    assert (curve == light) == (scheme == "light")
    assert problems == []
    context.close()


def test_click_uncovers_the_plain_image_and_a_narrow_page_does_not_overflow(browser, page):
    tab = browser.new_page(viewport={"width": 400, "height": 800}, reduced_motion="reduce")
    tab.goto(page.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400
    button = tab.locator("button.picture").first
    opacity = "b => getComputedStyle(b.querySelector('img')).opacity"
    assert button.evaluate(opacity) == "1"
    button.click()
    tab.mouse.move(0, 0)
    assert button.get_attribute("aria-pressed") == "true"
    assert button.evaluate(opacity) == "0"
    plain = tab.eval_on_selector("img.plain", "i => i.src")
    assert plain in button.evaluate("b => getComputedStyle(b).backgroundImage")
    button.press("Enter")
    tab.mouse.move(0, 0)
    assert button.evaluate(opacity) == "1"
    tab.close()
