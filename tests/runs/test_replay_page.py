"""The page of a run in a real browser: slider, hover, choice of the loss, on a wide screen and on a phone."""

from __future__ import annotations

import numpy as np
import pytest
from browser import chromium, opened
from run_folder import write_run

from oneformer_lite.render.curves import loss_plot, metric_plot


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def test_slider_and_pointer_move_everything_offline(browser, tmp_path):
    path = write_run(tmp_path / "town").replay().to_html()
    with opened(browser, path, width=400, height=800, ready="#now") as page:
        assert page.text_content("[data-name=total]") == "0.125" and page.text_content("#now") == "step 40 of 40 · 20 s"
        assert page.evaluate("document.activeElement.id") == "place"  # ready for the keyboard
        for _ in range(17):
            page.keyboard.press("ArrowLeft")
        assert page.text_content("#now") == "step 23 of 40 · 12 s" and page.text_content("[data-name=PQ]") == "20.0"
        assert page.locator("#sheets > div:visible").get_attribute("data-step") == "20"
        assert page.text_content(".ofl-of-class figcaption") == "step 23: class: 0.0435 → 0.087 → 0.13"

        plot = page.locator(".ofl-of-loss .ofl-plot")
        start, slope = (float(plot.get_attribute(f"data-{name}")) for name in ("start", "slope"))
        box = plot.bounding_box()
        plot.hover(position={"x": (start + slope * 11) * box["width"], "y": box["height"] / 2})
        assert page.text_content(".ofl-of-loss figcaption").startswith("step 11: total 0.455 · class 0.0909")
        cursor = plot.locator(".ofl-cursor").bounding_box()
        assert cursor["x"] + 1 == pytest.approx(box["x"] + (start + slope * 11) * box["width"], abs=1.5)
        page.mouse.move(1, 1)  # away: back to where the slider stands
        assert page.text_content("[data-name=PQ]") == "20.0"

        assert page.locator(".ofl-of-dice").is_hidden()
        page.get_by_label("dice").check()
        assert page.locator(".ofl-of-dice").is_visible() and page.locator(".ofl-of-class").is_hidden()
        page.goto("about:blank")
        page.go_back()
        page.wait_for_selector("#now")
        assert page.locator(".ofl-of-dice").is_hidden() and page.get_by_label("class").is_checked()  # opened again
        for width in (360, 1300):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing sticks out
        cells = page.locator("#sheets > div:visible figure")
        assert len({round(cells.nth(i).bounding_box()["y"]) for i in range(4)}) == 1  # one row where there is room


def test_the_cursor_stands_on_the_axis_and_goes_no_higher(browser, tmp_path):
    """Whatever the words around the axes."""
    run = write_run(tmp_path / "town")
    with opened(browser, run.replay().to_html(), width=900, ready="#now") as page:
        for name, plot in (("loss", loss_plot), ("metric", metric_plot)):
            drawn = plot(run.history, size=(5.2, 3.0), dpi=130)
            box, cursor = (
                page.locator(f".ofl-of-{name} .{part}").bounding_box() for part in ("ofl-plot", "ofl-cursor")
            )
            assert (cursor["y"] - box["y"]) / box["height"] == pytest.approx(drawn.top, abs=0.01)
            assert cursor["height"] / box["height"] == pytest.approx(drawn.height, abs=0.01)


def test_the_still_has_a_cursor_where_the_slider_stands(tmp_path):
    replay = write_run(tmp_path / "town").replay()
    last, earlier = (np.asarray(replay.set(step=step).still()) for step in (40, 23))
    changed = (last != earlier).any(-1)[60:340]  # the plots, below the line of numbers
    columns = np.flatnonzero(changed.sum(0) > 150)
    assert len(columns) == 3 * 2  # one line of two pixels in each of the three plots
