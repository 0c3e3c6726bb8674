"""How quickly the inspectors answer, on the Toytown model: in JupyterLab, in the exported page, and what a trace costs.

    python tests/benchmarks/inspectors.py

Milliseconds from the event (a key on the slider, the pointer on the picture) to the last picture that follows; medians
of several. The page is measured from the event to the end of its drawing. Needs Chromium and an idle machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from playwright.sync_api import TimeoutError

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "inspectors")]

from browser import change, chromium, opened  # noqa: E402
from lab_page import LabPage, click_picture, jupyterlab, slider, write_notebook  # noqa: E402
from test_in_jupyterlab import INSPECTORS, SETUP  # noqa: E402
from without_trace import model_without_trace  # noqa: E402

import oneformer_lite as ofl  # noqa: E402

REPEATS = 9
RUN = """\
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from run_folder import write_run
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.training.checkpoint import save_checkpoint
from oneformer_lite.data.opening import open as open_split
write_toytown(Path("data"), "train", 128, 60)
run = write_run(Path("run"))
save_checkpoint(run.folder, model.config, step=40, model=model.state_dict(), average=None)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        trace_cost(Path(folder))
        with chromium() as browser:
            lab = in_jupyterlab(browser, Path(folder))
            steps = steps_of_a_run(browser, Path(folder))
            pages = in_pages(browser, Path(folder))
    print(f"\n{'':<18}{'JupyterLab: slider':>20}{'click':>8}{'page: slider':>15}{'MB':>6}")
    for name in INSPECTORS:
        moved, clicked = lab[name]
        page, size = pages[name]
        print(f"{name:<18}{moved:>17.0f} ms{f'{clicked:.0f}' if clicked else '-':>8}{page:>12.1f} ms{size:>6.1f}")
    words = "LossInspector, to a step: {:.0f} ms to its batch, {:.0f} ms to what it costs, {:.0f} ms if both are known"
    print(words.format(*steps))


def in_jupyterlab(browser, folder: Path) -> dict[str, tuple[float, float | None]]:
    """Inspector -> milliseconds of a slider's step and of a click."""
    (folder / "lab").mkdir()
    write_notebook(folder / "lab/inspectors.ipynb", [SETUP, *(made for made, *_ in INSPECTORS.values())])
    found = {}
    with jupyterlab(folder / "lab") as address:
        page = LabPage(browser, address, "inspectors.ipynb")
        for cell, (name, (_, description, place)) in enumerate(INSPECTORS.items(), 1):
            inspector = page.inspector(cell)
            if name == "FeatureInspector":
                inspector.get_by_role("button", name="channels").click()
                page.settle()
            handle = slider(inspector, description)
            keys = ["ArrowLeft", "ArrowRight"] * REPEATS
            if handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemin"):
                keys.reverse()
            moved = [page.change(lambda: handle.press(key)) for key in keys[:REPEATS]]  # noqa: B023
            clicked = None
            if place:
                spots = [(place[0], place[1] - 0.03 * (k % 3)) for k in range(REPEATS)]
                clicked = statistics.median(clicks(page, inspector, spots))
            found[name] = statistics.median(moved), clicked
        page.page.close()
    return found


def steps_of_a_run(browser, folder: Path) -> tuple[float, float, float]:
    """Milliseconds to a step of a run that was never shown: to the first picture of its batch, and to the last picture,
    for which the model runs; and to the last picture of a step that is known."""
    (folder / "run").mkdir()
    setup = SETUP + RUN.format(paths=sys.path[:2])
    made = 'LossInspector(run, open_split("data", "train")).set(loss="mask")'
    write_notebook(folder / "run/losses.ipynb", [setup, made])
    with jupyterlab(folder / "run") as address:
        page = LabPage(browser, address, "losses.ipynb")
        handle = slider(page.inspector(1), "step")
        new = []
        for _ in range(2 + REPEATS):  # the first two warm it up
            last = page.change(lambda: handle.press("ArrowLeft"))
            new.append((page.first_picture(), last))
        first, last = (statistics.median(times) for times in zip(*new[2:]))
        known = [page.change(lambda: handle.press(key)) for key in ["ArrowRight", "ArrowLeft"] * 3]  # noqa: B023
        page.page.close()
    return first, last, statistics.median(known)


def clicks(page: LabPage, inspector, spots: list[tuple[float, float]]) -> list[float]:
    """Milliseconds of a click on each spot, without those that choose what was chosen already."""
    found = []
    for spot in spots:
        try:
            found.append(page.change(lambda: click_picture(inspector, spot), seconds=2))  # noqa: B023
        except TimeoutError:
            continue
    return found


def in_pages(browser, folder: Path) -> dict[str, tuple[float, float]]:
    """Inspector -> milliseconds of a slider's step in its exported page, and the page's megabytes."""
    names: dict = {}
    exec(SETUP, names)
    found = {}
    for name, (made, *_) in INSPECTORS.items():
        inspector = eval(made, names)
        if name == "FeatureInspector":
            inspector.set(view="channels")
        path = inspector.to_html(folder / f"{name}.html")
        with opened(browser, path) as page:
            handle = page.locator("input[type=range]:visible").first
            at_start = handle.evaluate("e => e.value === e.min")
            keys = (["ArrowRight", "ArrowLeft"] if at_start else ["ArrowLeft", "ArrowRight"]) * REPEATS
            times = [change(page, lambda: handle.press(key)) for key in keys[:REPEATS]]  # noqa: B023
        found[name] = statistics.median(times), path.stat().st_size / 1e6
    return found


def trace_cost(folder: Path) -> None:
    """model(images, task) against the same model without the feature, alternating."""
    model = ofl.from_pretrained("toytown").eval()
    plain, images = model_without_trace(model, folder), torch.randn(1, 3, 160, 160)
    taken: dict[str, list[float]] = {"off": [], "without": [], "on": []}
    with torch.inference_mode():
        for i in range(60):
            for name, run in (
                ("off", lambda: model(images, "panoptic")),
                ("without", lambda: plain(images, "panoptic")),
                ("on", lambda: model(images, "panoptic", trace=True)),
            ):
                begun = time.perf_counter()
                run()
                if i >= 10:
                    taken[name].append(1000 * (time.perf_counter() - begun))
    off, without, on = (statistics.median(taken[name]) for name in ("off", "without", "on"))
    print(f"a forward at 160 x 160: without the feature {without:.1f} ms, trace off {off:.1f} ms, on {on:.1f} ms")


if __name__ == "__main__":
    main()
