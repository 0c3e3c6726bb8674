"""run.watch(): a run on disk while it trains; nothing blocks, nothing is raised into the notebook."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from run_folder import write_run, write_steps

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError
from oneformer_lite.runs import watch as module
from oneformer_lite.training.locks import TRAINER_LOCK, locked
from oneformer_lite.training.log import Log
from oneformer_lite.training.state import STOP, write_state


def until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path) -> Path:
    write_run(tmp_path / "town", logged=12, state="running")
    return tmp_path / "town"


@pytest.fixture
def running(folder):
    with locked(folder / TRAINER_LOCK):
        yield ofl.Run(folder)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(module, "_SHARE_OF_TIME", 0)


def test_it_follows_a_run_to_its_end(folder):
    with locked(folder / TRAINER_LOCK):
        started = time.monotonic()
        watch = ofl.Run(folder).watch(interval=0.05)
        assert time.monotonic() - started < 20 and watch.state == {
            "status": "running", "step": 12, "loss": "class", "pictures": 10, "following": True,
        }  # fmt: skip
        assert repr(watch) == "Watch('town'): running, step 12 of 40, loss 0.417, PQ 10.0"
        assert "30 %" in watch._head.value and "14 s left" in watch._head.value  # 28 steps of half a second
        write_steps(Log(folder, 12), range(13, 41))
        until(lambda: watch.state["step"] == 40 and "at step 40" in watch._sheet.value)
        write_state(folder, "finished")
    until(lambda: not watch.state["following"])
    assert "✓ finished" in watch._head.value and watch._stop.layout.display == "none" == watch._resume.layout.display


def test_a_failed_run_says_why_and_offers_to_resume(tmp_path):
    watch = write_run(tmp_path, state="failed", reason="process 1 was killed (<SIGKILL>)").watch()
    assert "process 1 was killed (&lt;SIGKILL&gt;)" in watch._head.value and "✕ failed" in watch._head.value
    assert watch._resume.layout.display == "" and not watch.state["following"]


def test_a_run_that_has_not_begun_says_so(folder, running):
    (folder / "metrics.jsonl").unlink()
    watch = running.watch(interval=60)
    assert "waiting for the first step" in watch._head.value and watch.state["step"] == 0
    watch.close()


def test_stopping_takes_two_clicks_in_a_few_seconds(folder, running, monkeypatch):
    watch = running.watch(interval=60)
    watch._stop.click()
    assert watch._stop.description == "Click again to stop" and not (folder / STOP).exists()
    with monkeypatch.context() as late:
        late.setattr(module, "_CONFIRM_SECONDS", 0.0)
        watch.refresh()
        assert watch._stop.description == "Stop"
        watch._stop.click()
        watch._stop.click()  # too late: it asks once more
        assert not (folder / STOP).exists()
    watch._stop.click()
    assert (folder / STOP).exists() and watch._stop.disabled and "asked to stop" in watch._head.value
    watch.refresh()
    assert "asked to stop" in watch._head.value
    watch.close()


def test_resume_follows_again_and_an_error_is_told(tmp_path, monkeypatch):
    run = write_run(tmp_path, logged=12, state="stopped")
    watch = run.watch(interval=0.05)

    def fail(self):
        raise ConfigError("4 GPUs are asked for, 0 are there")

    monkeypatch.setattr(ofl.Run, "resume", fail)
    watch._resume.click()
    assert "ConfigError: 4 GPUs are asked for" in watch._head.value and not watch.state["following"]
    with locked(tmp_path / TRAINER_LOCK):
        monkeypatch.setattr(ofl.Run, "resume", lambda self: None)
        watch._resume.click()
        assert watch.state["following"] and "GPUs" not in watch._head.value
        assert "▶ running" in watch._head.value and watch._stop.layout.display == ""
        write_state(tmp_path, "finished")
    until(lambda: not watch.state["following"])


def test_what_goes_wrong_is_told_and_tried_again(folder, running, monkeypatch, capfd):
    watch = running.watch(interval=0.05)
    with monkeypatch.context() as broken:
        broken.setattr(module.RunView, "_show_plots", lambda self: 1 / 0)
        until(lambda: "ZeroDivisionError: division by zero" in watch._head.value)
    until(lambda: "ZeroDivisionError" not in watch._head.value)
    assert watch.state["following"] and capfd.readouterr().err == ""
    watch.close()
    until(lambda: not watch.state["following"])


def test_one_view_follows_a_run(running):
    first = running.watch(interval=0.05)
    second = running.watch(interval=0.05).set(interval=0.04, loss="dice")
    until(lambda: not first.state["following"])
    assert second.state["following"] and second.state["loss"] == "dice"
    second.close()
    until(lambda: not second.state["following"])
    with pytest.raises(ConfigError, match="interval is 0; expected seconds above 0"):
        running.watch(interval=0)
