"""What exported pages write can be read, in light and in dark, on a wide screen and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import FAINT, chromium
from run_folder import write_run
from test_in_jupyterlab import INSPECTORS, SETUP


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """The page of each inspector, and of a run."""
    folder, names = tmp_path_factory.mktemp("pages"), {}
    exec(SETUP, names)
    made = {name: eval(code, names).to_html(folder / f"{name}.html") for name, (code, *_) in INSPECTORS.items()}
    return made | {"Replay": write_run(folder / "run").replay().to_html()}


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*INSPECTORS, "Replay"])
def test_words_stand_out_and_nothing_sticks_out(browser, pages, name: str, theme: str) -> None:
    context = browser.new_context(color_scheme=theme, viewport={"width": 400, "height": 800}, offline=True)
    context.add_init_script(FAINT)
    page = context.new_page()
    page.goto(pages[name].as_uri())
    page.wait_for_selector("html[data-drawn]")
    try:
        paper = page.evaluate("behind(document.querySelector('main'))")
        assert (sum(paper[:3]) < 120) == (theme == "dark")
        assert page.evaluate("faint()") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        if name == "LossInspector":  # nor need its tables be moved sideways
            cut = "[...document.querySelectorAll('.ofl-scroll')].map((box) => box.scrollWidth - box.clientWidth)"
            assert page.evaluate(cut) == [0, 0]
    finally:
        context.close()
