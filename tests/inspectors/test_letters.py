"""Words on every inspector's exported page, as high as a phone shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import chromium, opened
from run_folder import write_run
from test_in_jupyterlab import INSPECTORS

import oneformer_lite as ofl
from oneformer_lite import widgets
from oneformer_lite.inspectors.losses import pictures as loss_pictures
from oneformer_lite.inspectors.tasks import pictures as tasks
from oneformer_lite.render import plots
from oneformer_lite.training.checkpoint import save_checkpoint

WIDTH, LOWEST = 400, 11  # CSS pixels

# Words drawn on a canvas, in its own pixels.
RECORD = """
window.drawn = [];
for (const kind of [CanvasRenderingContext2D, OffscreenCanvasRenderingContext2D]) {
  const write = kind.prototype.fillText;
  kind.prototype.fillText = function (text, ...rest) {
    const { c, d } = this.getTransform();
    window.drawn.push([this.canvas, parseFloat(this.font) * Math.hypot(c, d), String(text)]);
    return write.call(this, text, ...rest);
  };
}
"""
# [pixels on the screen, words]: of the page's text, of SVG as it is scaled, and of canvases as they are shown.
HEIGHTS = """() => {
  const found = [], texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { parentElement: parent, textContent: words } = texts.currentNode;
    if (!words.trim() || !parent.getClientRects().length) continue;
    const matrix = parent.closest("svg") && parent.getScreenCTM();
    const scale = matrix ? Math.hypot(matrix.c, matrix.d) : 1;
    found.push([parseFloat(getComputedStyle(parent).fontSize) * scale, words.trim()]);
  }
  for (const [canvas, pixels, words] of window.drawn) {
    if (canvas.isConnected) found.push([(pixels * canvas.clientWidth) / canvas.width, words]);
  }
  return found;
}"""
# Pixels on the screen for each pixel of the pictures that a page shows as they come.
SCALES = """(selector) => [...document.querySelectorAll(selector)].filter((shown) => shown.clientWidth)
  .map((shown) => shown.clientWidth / (shown.naturalWidth || shown.width))"""


def _pictures(name: str, inspector) -> Iterator[tuple[str, float]]:
    """Which pictures come with words in them, and how high these are in the picture's pixels."""
    if name == "TaskInspector":
        yield "#chart", tasks.FONT
        yield "#blend, img", tasks.letters(inspector.photo)
    if name == "LossInspector":
        yield "canvas[aria-label*='loss']", plots.FONT * loss_pictures.PLOT["dpi"] / 72
        yield "canvas[aria-label*='batch']", loss_pictures.FONT


@pytest.fixture(scope="module")
def names(tmp_path_factory, model) -> dict:
    """What the inspectors are made of; the losses are those of a run, with their curves."""
    run = write_run(tmp_path_factory.mktemp("run"))
    save_checkpoint(run.folder, ofl.config.toytown(), step=40, model=model.state_dict(), average=None)
    scenes = [ofl.data.Toytown("val", 128, 8)[i] for i in range(8)]
    return {"model": model, "scenes": scenes, "run": run} | {name: getattr(widgets, name) for name in INSPECTORS}


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with chromium() as found:
        yield found


@pytest.mark.parametrize("name", INSPECTORS)
def test_words_are_legible_on_a_phone(browser, name: str, names: dict, tmp_path: Path) -> None:
    inspector = eval("LossInspector(run, scenes)" if name == "LossInspector" else INSPECTORS[name][0], names)
    with opened(browser, inspector.to_html(tmp_path / "page.html"), WIDTH, before=RECORD) as page:
        heights = page.evaluate(HEIGHTS)
        for selector, pixels in _pictures(name, inspector):
            scales = page.evaluate(SCALES, selector)
            assert scales, selector
            heights += [[scale * pixels, selector] for scale in scales]
    assert len(heights) > 10 and [found for found in heights if found[0] < LOWEST] == []
