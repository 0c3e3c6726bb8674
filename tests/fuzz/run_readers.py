"""Readers of a run's folder and of notebooks, as the fuzzer calls them."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

import nbformat
import numpy as np
from containers import sheet
from mutations import json_lines, json_text
from reader import reader
from tensors import torch_file
from weight_readers import tiny_model

RECIPE, STATE, LOG, CHECKPOINT = "run.json", "state.json", "metrics.jsonl", "checkpoint.pt"
SHEET = "pictures/step_0000002.webp"


def run_files() -> dict[str, bytes]:
    """What a training of four steps leaves, without its checkpoint."""
    from oneformer_lite.render import prediction_sheet
    from oneformer_lite.training import toytown_training
    from oneformer_lite.training.log import Log
    from oneformer_lite.training.state import write_recipe, write_state

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_recipe(tiny_model().config, toytown_training(data="data", out=name, steps=4), "cpu:1")
        write_state(folder, "stopped")
        log = Log(folder)
        for s in range(1, 5):
            layers = {term: [3 / s, 2 / s] for term in ("class", "mask", "dice")}
            losses = dict.fromkeys(("class", "mask", "dice", "contrastive", "total"), 1 / s)
            log.write("train", s, s / 2, lr=1e-3, **losses, by_layer=layers, images_per_second=2.0, memory_mb=900)
            if s % 2 == 0:
                log.write("eval", s, s / 2, images=4, PQ=float(s), AP=s / 2, mIoU=None)
        picture = np.full((12, 16, 3), 90, np.uint8)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return files | {SHEET: prediction_sheet([[picture] * 2], ["annotation", "panoptic"])}


def attached(folder: Path):
    """The run, asked for all that a notebook asks first."""
    import oneformer_lite as ofl

    run = ofl.Run.attach(folder)
    assert isinstance(run.status, str) and isinstance(run.reason, str) and repr(run)
    assert run.wait(0.0) == run.stop(0.0) == run.status
    return run


@reader(run_files, {RECIPE: json_text}, share=2)
def run_json(folder: Path) -> None:
    """What resuming and the command line read of it, too."""
    from oneformer_lite.training.state import keep_recipe, read_recipe

    attached(folder)
    config, train_config, devices = read_recipe(folder)
    json.dumps([dataclasses.asdict(config), dataclasses.asdict(train_config), devices])
    keep_recipe(config, dataclasses.replace(train_config, out=str(folder)), own_data=False)


@reader(run_files, {STATE: json_text})
def state_json(folder: Path) -> None:
    attached(folder)


@reader(run_files, {LOG: json_lines}, share=2)
def metrics_jsonl(folder: Path) -> None:
    """By all who read it: the run, resuming, the doctor, the dashboard without its plots."""
    from oneformer_lite.diagnosis.history import check_log
    from oneformer_lite.render.timeline import Timeline
    from oneformer_lite.runs import dashboard
    from oneformer_lite.training.log import Log, LogReader

    run = attached(folder)
    check_log(run)
    for records in (run.history, LogReader(folder).read()):
        timeline = Timeline(records, steps=4)
        for step in timeline.moments():
            assert dashboard.head("run", run.status, timeline, step) and dashboard.cards(timeline, step)
            assert dashboard.hover_texts(timeline, step)
    json.dumps(run.history)
    Log(folder, step=2).close()


@reader(run_files, {LOG: json_lines, RECIPE: json_text, STATE: json_text, SHEET: sheet}, share=0.1)
def replay(folder: Path) -> None:
    """With all plots and pages: slow."""
    from oneformer_lite.runs.report import report_html
    from oneformer_lite.widgets import Watch

    run = attached(folder)
    view = run.replay()
    view.set(step=2, loss="mask")
    view.still()
    view.to_html(folder / "replay.html")
    Watch(run).close()
    report_html(
        title="run", history=run.history, metrics={"PQ": 1.0}, gallery=[], recipe={"steps": 4}, wrong_token=None,
        next_steps=[],
    )  # fmt: skip


@reader(run_files, {SHEET: sheet}, share=2)
def run_pictures(folder: Path) -> None:
    from oneformer_lite.render import sheet_html
    from oneformer_lite.runs import dashboard
    from oneformer_lite.runs.still import _sheet
    from oneformer_lite.training.pictures import cut_pictures, find_pictures

    for step, path in find_pictures(folder).items():
        assert dashboard.pictures(step, path.read_bytes()) and _sheet(path.read_bytes(), 100).size
        sheet_html(path.read_bytes())
    cut_pictures(folder, 1)


@reader(run_files, {LOG: json_lines, RECIPE: json_text, STATE: json_text}, share=0.5)
def diagnosis(folder: Path) -> None:
    """The doctor, whose subject is damage: it reports what it finds."""
    import oneformer_lite as ofl

    found = ofl.doctor(run=folder)
    assert str(found) and found.to_html()


def checkpoint_files() -> dict[str, bytes]:
    from oneformer_lite.training.checkpoint import save_checkpoint

    model = tiny_model()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_checkpoint(folder, model.config, step=2, seconds=3.5, model=model.state_dict(), average=None)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


@reader(checkpoint_files, {CHECKPOINT: torch_file})
def checkpoint(folder: Path) -> None:
    from oneformer_lite.training.checkpoint import saved_model

    saved_model(folder, tiny_model().config)


# -- notebooks


def notebook_files() -> dict[str, bytes]:
    v4 = nbformat.v4
    outputs = [
        v4.new_output("stream", text="three <b>\n\x1b[31mred\x1b[0m"),
        v4.new_output("display_data", {"text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "x"}),
        v4.new_output("execute_result", {"image/png": "aGVsbG8=", "text/plain": "<Figure>"}, execution_count=1),
        v4.new_output("execute_result", {"text/markdown": "*so* $x_1$"}, execution_count=1),
        v4.new_output("error", ename="ValueError", evalue="no", traceback=["\x1b[0;31mValueError\x1b[0m"]),
    ]
    code = v4.new_code_cell("a = 1\n" * 30, outputs=outputs, metadata={"tags": ["a"]})
    words = r"A formula $\frac{a}{b}$ <img src='x.png'> [next](02_x.ipynb)"
    cells = [v4.new_markdown_cell(text) for text in ("# 01 · Looks\n\nWhere does it look?", words, "$$x$$")]
    return {"01_looks.ipynb": nbformat.writes(v4.new_notebook(cells=[*cells, code])).encode()}


def _notebook(content: bytes, rng) -> bytes:
    """Half of the time words that are no Markdown to be proud of, in an otherwise valid notebook."""
    if rng.random() < 0.5:
        return json_text(content, rng)
    odd = (
        "$", "$$", r"\frac", r"\begin{align}", r"\end{align}", "{", "}", "[a](", "](javascript:alert(1))", "<script>",
        "</section>", "![x](data:,x)", "![x](../../etc/passwd)", "![x](\0)", "`", "```", "|a|b|\n|--|--|\n", "> " * 30,
        "* " * 200, "[" * 500, "<" * 200, "&#0;", "\u202e", "<!--", "<svg onload=x>", r"\left(" * 50, "^" * 100,
        "_" * 99, "#" * 20, "  \n", "\n\n",
    )  # fmt: skip
    notebook = json.loads(content)
    text = "".join(rng.choice(odd) for _ in range(rng.randrange(1, 12)))
    rng.choice([cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"])["source"] = text
    return json.dumps(notebook).encode()


@reader(notebook_files, {"01_looks.ipynb": _notebook}, share=1.5)
def notebooks(folder: Path) -> None:
    """As ``lessons --html`` reads them, but for the kernel that runs them."""
    from oneformer_lite.lessons.cells import cells_html
    from oneformer_lite.lessons.execution import read_notebook
    from oneformer_lite.lessons.notebooks import find_lessons

    for lesson in find_lessons(folder=folder):
        assert isinstance(lesson.title, str) and isinstance(lesson.about, str)
        cells_html(read_notebook(lesson.path), folder, ["02_x"])
