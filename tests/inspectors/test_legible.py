"""What exported pages write can be read, in light and in dark, on a wide screen and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import chromium
from run_folder import write_run
from test_in_jupyterlab import INSPECTORS, SETUP

# Every word of the page, and every word that is painted on a canvas: WCAG's contrast with what lies behind it.
BEFORE = """
const linear = (v) => (v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
const lightness = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const contrast = (a, b) => {
  const [low, high] = [lightness(a), lightness(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const rgba = (color) => {
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = color;
  pixel.fillRect(0, 0, 1, 1);
  return [...pixel.getImageData(0, 0, 1, 1).data];
};
const behind = window.behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const color = rgba(getComputedStyle(e).backgroundColor);
    if (color[3] > 128) return color;
  }
};
const painted = [];
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
  const at = this.getTransform().transformPoint({ x, y });
  const under = this.getImageData(Math.round(at.x), Math.round(at.y), 1, 1).data;
  const paper = under[3] > 128 ? [...under] : behind(this.canvas.parentElement || document.body);
  painted.push([text, rgba(this.fillStyle), paper]);
  return fillText.call(this, text, x, y, ...rest);
};
window.faint = () => {
  const found = painted.filter(([, ink, paper]) => contrast(ink, paper) < 4.5).map(([text]) => `painted: ${text}`);
  for (const element of document.querySelectorAll("main *")) {
    const words = [...element.childNodes].filter((n) => n.nodeType === 3 && n.data.trim()).map((n) => n.data.trim());
    if (!words.length || !element.checkVisibility()) continue;
    if (element.closest("select, [style*='-webkit-text-stroke']")) continue;  // the system's, and signs
    if (contrast(rgba(getComputedStyle(element).color), behind(element)) < 4.5) found.push(words.join(" "));
  }
  return found;
};
"""


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
    context.add_init_script(BEFORE)
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
