"""A real JupyterLab in a real browser: a server of its own, one notebook, no network beyond this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat

SETTLED = 0.4  # seconds without another picture after which a drawing counts as finished
_SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # also cells that nobody has scrolled to are in the page
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
_RUN_ALL = """async () => {
  const app = window.jupyterapp;
  await app.restored;
  while (!app.shell.currentWidget?.sessionContext) await new Promise((done) => setTimeout(done, 100));
  const panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  await app.commands.execute("notebook:run-all-cells");
}"""
_SAVE_AND_SHUT_DOWN = """async () => {
  for (const command of ["docmanager:save", "kernelmenu:shutdown"]) await window.jupyterapp.commands.execute(command);
}"""
_STOPWATCH = """() => {
  const now = () => performance.now();
  for (const kind of ["pointerdown", "keydown"])
    addEventListener(kind, () => { window.began ??= now(); }, true);
  const seen = () => { window.ended = now(); window.loads = (window.loads || 0) + 1; };
  document.addEventListener("load", (event) => {  // such events never reach the window
    if (event.target.tagName !== "IMG") return;
    seen();
    window.pictured ??= window.ended;
  }, true);
  new MutationObserver((changes) => {  // frames around what is chosen, tables and words are HTML
    if (changes.some(({ target }) => (target.closest ? target : target.parentElement)?.closest(".widget-html"))) seen();
  }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
}"""
_PIXELS = """async (cell) => {
  const words = [];
  for (const image of cell.querySelectorAll("img")) {
    const canvas = new OffscreenCanvas(image.naturalWidth || 1, image.naturalHeight || 1);
    canvas.getContext("2d").drawImage(image, 0, 0);
    const bytes = await (await canvas.convertToBlob()).arrayBuffer();
    const hash = await crypto.subtle.digest("SHA-1", bytes);
    words.push(Array.from(new Uint8Array(hash)).join(" "));
  }
  return words;
}"""


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """Serve ``folder``; the server's address. It ends with the block, and its kernels with it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name, values in _SETTINGS.items():
        file = folder / ".settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    names = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
             "JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython"}  # fmt: skip
    environment = os.environ | {name: str(folder / f".{part}") for name, part in names.items()}
    options = ["--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token="]
    command = [sys.executable, "-m", "jupyterlab", *options, "--expose-app-in-browser", f"--notebook-dir={folder}"]
    with open(folder / ".server.log", "wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api", server, folder / ".server.log")
        yield address
    finally:
        end(server)


def end(server: subprocess.Popen, seconds: float = 60) -> None:
    """Let the server end its kernels; one that is not done in time is killed, and its kernels see that and end."""
    server.terminate()
    try:
        server.wait(seconds)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def wait_for(address: str, server: subprocess.Popen, log: Path, seconds: float = 90) -> None:
    """Return once ``address`` answers; raise with the server's words if it ends before, or never does."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab does not answer at {address}:\n{log.read_text()[-2000:]}")


def write_notebook(path: Path, cells: Sequence[str]) -> Path:
    """A notebook of code cells, not executed."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, path)
    return path


class LabPage:
    """A notebook that is open in JupyterLab, with its cells run: what the user would do, and what she then sees."""

    def __init__(self, browser, address: str, notebook: str, width: int = 1400) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 1200})
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{address}/lab/tree/{notebook}?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        self.page.evaluate(_RUN_ALL)
        self.page.evaluate(_STOPWATCH)

    def saved_and_shut_down(self):
        """Save the notebook, end its kernel, close the page; another page, which opens the notebook again."""
        self.page.evaluate(_SAVE_AND_SHUT_DOWN)
        address, browser = self.page.url, self.page.context.browser
        self.page.close()
        page = browser.new_page(viewport={"width": 1400, "height": 1200})
        page.goto(f"{address}?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        return page

    def inspector(self, cell: int, seconds: float = 120):
        """The inspector below code cell ``cell``, scrolled to, once its pictures are there."""
        outputs = self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(".ofl-inspector")
        outputs.wait_for(timeout=seconds * 1000)
        outputs.scroll_into_view_if_needed()
        self.settle()
        return outputs

    def pictures(self, inspector) -> list[str]:
        """A fingerprint of the pixels of each picture."""
        return inspector.evaluate(_PIXELS)

    def change(self, action, seconds: float = 10) -> float:
        """Do ``action`` and wait for what follows; milliseconds from the event to the last picture, frame or word."""
        self.page.evaluate(
            "() => { for (const time of ['began', 'pictured', 'ended']) delete window[time]; window.loads = 0; }"
        )
        action()
        self.page.wait_for_function("() => window.loads > 0", timeout=1000 * seconds)
        self.settle()
        return self.page.evaluate("() => window.ended - window.began")

    def first_picture(self) -> float:
        """Of the last change: milliseconds from the event to the first new picture."""
        return self.page.evaluate("() => window.pictured - window.began")

    def settle(self) -> None:
        """Wait until nothing has come for a moment."""
        before = None
        while before != (before := self.page.evaluate("() => window.loads || 0")):
            self.page.wait_for_timeout(1000 * SETTLED)


def slider(inspector, name: str):
    """The handle of the slider with this description."""
    row = inspector.locator(".widget-inline-hbox", has=inspector.page.get_by_text(name, exact=True))
    return row.locator(".noUi-handle")


def drag(page, handle, share: float) -> None:
    """Drag a slider's handle to a share of its track with the mouse."""
    handle.scroll_into_view_if_needed()
    track = handle.locator("xpath=ancestor::*[contains(@class,'noUi-target')]").bounding_box()
    at = handle.bounding_box()
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + share * track["width"], at["y"] + at["height"] / 2, steps=3)
    page.mouse.up()


def click_picture(inspector, place: tuple[float, float], number: int = 0) -> None:
    """Click a picture at (row, column), as shares of its height and width."""
    layer = inspector.locator(".ofl-picture [role=application]").nth(number)
    layer.scroll_into_view_if_needed()
    box = layer.bounding_box()
    layer.click(position={"x": place[1] * box["width"], "y": place[0] * box["height"]})
