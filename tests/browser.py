"""A real browser (Debian's Chromium, driven by playwright), without network, for pages and widgets."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

# A script to run before a page's own: faint() lists the words of the page, and those painted on a canvas, that WCAG
# would not call legible on what lies behind them; behind(element) is that, [r, g, b, a].
FAINT = """
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


@contextmanager
def chromium() -> Iterator:
    """A browser; the test is skipped, with a reason, where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser, path, width: int = 1200, height: int = 900, ready: str = "html[data-drawn]", before: str = ""
) -> Iterator:
    """A page from disk, offline, once an element fits the selector ``ready``; an error in its script fails the test.
    ``before``: a script that runs before the page's own."""
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    context.add_init_script(before)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector(ready)
    yield page
    assert not errors, errors
    context.close()


def assert_back_opens_again(page, action) -> None:
    """After ``action``, another page, and the browser's Back, controls, labels and words are those of the first
    opening: browsers restore controls without telling the page."""
    read = "() => JSON.stringify([ofl.state(), document.querySelector('main').innerText])"
    first = page.evaluate(read)
    change(page, action)
    assert page.evaluate(read) != first
    page.goto("about:blank")
    page.go_back()
    page.wait_for_selector("html[data-drawn]")
    assert page.evaluate(read) == first


def canvas_pixels(page, canvas: int | str) -> np.ndarray:
    """uint8 [H, W, 3] of the page's canvas of this number or selector: as a PNG: a million numbers take long."""
    place = page.locator("canvas").nth(canvas) if isinstance(canvas, int) else page.locator(canvas)
    content = place.evaluate("canvas => canvas.toDataURL()").partition(",")[2]
    return np.array(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def change(page, action) -> float:
    """Do ``action`` and wait for the next drawing; milliseconds from the event to the new picture."""
    page.evaluate(
        "window.began = window.ended = 0; for (const kind of ['input', 'click', 'keydown'])"
        "addEventListener(kind, () => { window.began ||= performance.now(); }, true);"
        # a page says that it has drawn; asking it frame by frame would add up to two frames
        "new MutationObserver(() => { window.ended = performance.now(); })"
        ".observe(document.documentElement, { attributeFilter: ['data-drawn'] });"
    )
    action()
    page.wait_for_function("() => window.ended")
    return page.evaluate("window.ended - window.began")
