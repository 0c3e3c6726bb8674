"""run.replay(): a log with a slider over its time, in a notebook and as a page."""

from __future__ import annotations

import json

import numpy as np
import pytest
from run_folder import write_run

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError, DataError
from oneformer_lite.runs import dashboard
from oneformer_lite.training.log import LOG
from oneformer_lite.widgets import Replay


@pytest.fixture
def replay(tmp_path) -> Replay:
    return write_run(tmp_path / "town").replay()


def cards_say(replay: Replay, name: str, value: str) -> bool:
    return f'data-name="{name}">{value}<' in replay._cards.value


def test_it_opens_at_the_end_and_tells_the_story(replay):
    assert replay.state == {"step": 40, "loss": "class", "pictures": 40}
    assert repr(replay) == "Replay('town'): finished, step 40 of 40, loss 0.125, PQ 40.0"
    assert "100 %" in replay._head.value and "What to look for" in replay._head.value
    assert replay._plots.value.count("data:image/png") == 3
    assert {type(child).__module__.split(".")[0] for child in replay.children} == {"ipywidgets"}


def test_set_moves_numbers_cursor_and_pictures_but_draws_nothing_anew(replay):
    before, sheet = replay._plots.value, replay._sheet.value
    assert replay.set(step=23) is replay
    assert replay.state == {"step": 23, "loss": "class", "pictures": 20}
    assert cards_say(replay, "class", "0.0435") and cards_say(replay, "images_per_second", "39")
    assert cards_say(replay, "PQ", "20.0") and cards_say(replay, "mIoU", "–")
    assert cards_say(replay, "memory_mb", "1.1 GB")
    assert "--step:23}" in replay._cursor.value and "at step 20" in replay._sheet.value
    assert replay._plots.value == before and replay._sheet.value != sheet
    assert replay.set(step=10**6).state["step"] == 40 and replay.set(step=-5).state == {
        "step": 1, "loss": "class", "pictures": None,
    }  # fmt: skip
    assert "No pictures yet" in replay._sheet.value


def test_the_slider_does_what_set_does(replay):
    replay._slider.index = 4  # as the front end says it
    assert replay.state["step"] == 5 and cards_say(replay, "total", "1")


def test_only_the_plot_of_the_chosen_loss_is_drawn(replay, monkeypatch):
    drawn, draw = [], dashboard.layer_plot
    monkeypatch.setattr(dashboard, "layer_plot", lambda log, term, **kw: drawn.append(term) or draw(log, term, **kw))
    monkeypatch.setattr(dashboard, "loss_plot", None)  # would fail
    replay.set(loss="mask")
    assert "mask loss by decoder layer" in replay._plots.value and replay.state["loss"] == "mask"
    replay.set(loss="class").set(loss="mask")
    assert drawn == ["mask"]
    with pytest.raises(ConfigError, match="loss is 'contrastive'; expected one of class, mask, dice"):
        replay.set(loss="contrastive")


def test_a_run_without_a_log_is_refused_and_an_old_log_shown(tmp_path):
    with pytest.raises(DataError, match="nothing was logged in .*: run.watch"):
        write_run(tmp_path / "new", logged=0).replay()
    old = tmp_path / "old"
    old.mkdir()
    (old / LOG).write_text("".join(f'{{"kind": "train", "step": {s}, "seconds": 1, "total": 3.0}}\n' for s in (1, 9)))
    replay = ofl.Run(old).replay()
    assert repr(replay) == "Replay('old'): failed, step 9, loss 3, PQ –"  # no word of how it ended
    assert cards_say(replay, "lr", "–") and replay.to_html().stat().st_size > 10_000


def test_where_no_kernel_runs_there_is_a_picture(replay):
    still = np.asarray(replay.still())
    assert still.dtype == np.uint8 and still.shape[1] > 1200
    assert (still == [40, 0, 0]).all(-1).any() or (np.abs(still.astype(int) - [40, 0, 0]).max(-1) < 8).any()
    chosen = np.asarray(replay.set(loss="mask").still())
    assert chosen.shape == still.shape and (chosen != still).any()
    assert (still == np.asarray(replay.set(loss="class").still())).all()
    bundle = replay._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG") and bundle["text/plain"] == repr(replay)


def test_the_page_is_one_file_with_everything_in_it(replay, tmp_path):
    path = replay.to_html()
    text = path.read_text()
    assert path == tmp_path / "town/replay.html" and replay.to_html(tmp_path / "other.html").read_text() == text
    assert "http://" not in text and "https://" not in text and "<link" not in text and 'src="data:' in text
    data = json.loads(text.split("const { steps, frames } = ")[1].split(";\n")[0])
    assert data["steps"] == list(range(1, 41)) and len(data["frames"]) == 40
    assert data["frames"][1]["plots"]["mask"] == "step 2: mask: 1 → 1.5 → 2"
    assert text.count("<div data-step=") == 5  # none yet, and four evaluations
