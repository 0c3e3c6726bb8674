"""Several runs at a time: which are launched when, and what becomes of the others when one stops or fails."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from study_folder import write_study

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError, OneFormerLiteError
from oneformer_lite.studies import background, running
from oneformer_lite.studies.running import _alone
from oneformer_lite.studies.study import LOCK, STOP
from oneformer_lite.training.locks import locked


class FakeRun:
    """A run that is over when it has been asked for its status ``looks`` times."""

    def __init__(self, name: str, looks: int, end: str, told: list[str]) -> None:
        self.folder, self.looks, self.end, self.told, self.launched = Path(name), looks, end, told, False

    @property
    def status(self) -> str:
        if not self.launched:
            return "failed"  # nothing is there yet
        self.looks -= 1
        return "running" if self.looks > 0 else self.end

    def ask_to_stop(self) -> None:
        self.told.append(f"ask {self.folder}")

    def stop(self) -> None:
        self.told.append(f"stop {self.folder}")


class FakeWork:
    """Runs a, b, c, d of one seed, each of which goes on for some looks."""

    def __init__(self, folder: Path, ends: dict[str, tuple[int, str]]) -> None:
        self.folder, self.told, self.results = folder, [], []
        self.definition = SimpleNamespace(threads=1)
        self.runs = {name: FakeRun(name, looks, end, self.told) for name, (looks, end) in ends.items()}
        self.pending = [(SimpleNamespace(name=name, config=None, run_config=lambda out, seed: out), 0) for name in ends]

    def run_of(self, variant, seed: int) -> FakeRun:
        return self.runs[variant.name]

    def launch(self, config, out: str, devices: str) -> None:
        self.runs[out].launched = True
        self.told.append(f"{out} on {devices}")

    def ended(self, variant, seed: int, run: FakeRun) -> None:
        if run.end == "failed":
            raise OneFormerLiteError(f"the run of {variant.name} failed")
        self.told.append(f"{variant.name} ended")
        self.pending = [pair for pair in self.pending if pair[0].name != variant.name]
        self.results.append(SimpleNamespace(failed=""))


def told(folder: Path, monkeypatch, **ends) -> list[str]:
    write_study(folder)
    work = FakeWork(folder, ends)
    monkeypatch.setattr(background, "launch", work.launch)
    monkeypatch.setattr(background, "EVERY", 0.0)
    try:
        background.all_runs(work, ["x", "y"])
    except OneFormerLiteError as error:
        work.told.append(str(error))
    return work.told


def test_a_place_that_is_free_gets_the_next_run(tmp_path: Path, monkeypatch):
    found = told(tmp_path, monkeypatch, a=(9, "finished"), b=(2, "finished"), c=(2, "finished"), d=(2, "finished"))
    assert found == ["a on x", "b on y", "b ended", "c on y", "c ended", "d on y", "d ended", "a ended"]


def test_a_run_that_is_stopped_stops_the_study(tmp_path: Path, monkeypatch):
    found = told(tmp_path, monkeypatch, a=(99, "finished"), b=(2, "stopped"), c=(2, "finished"))
    assert found == ["a on x", "b on y", "ask a", "stop a"]


def test_a_study_stops_between_two_runs_where_none_goes_on_that_could(tmp_path: Path, monkeypatch):
    """While a model is judged."""
    write_study(tmp_path)
    real, ends = FakeWork.ended, dict.fromkeys("abc", (1, "finished"))

    def ended(work: FakeWork, variant, seed: int, run=None) -> bool:
        real(work, variant, seed, run or FakeRun("", 0, "finished", []))
        ofl.Study.attach(tmp_path).stop()
        return True

    monkeypatch.setattr(FakeWork, "ended", ended)
    monkeypatch.setattr(running, "_train", ended)
    with locked(tmp_path / LOCK):
        running.one_by_one(work := FakeWork(tmp_path, ends))
        assert work.told == ["a ended"]
        (tmp_path / STOP).unlink()
        assert told(tmp_path, monkeypatch, **ends) == ["a on x", "b on y", "a ended", "b ended"]
    (tmp_path / STOP).unlink()
    ofl.Study.attach(tmp_path).stop()
    assert not (tmp_path / STOP).exists()  # nothing goes on


def test_a_run_that_fails_is_raised_when_the_others_have_stopped(tmp_path: Path, monkeypatch):
    found = told(tmp_path, monkeypatch, a=(2, "failed"), b=(99, "finished"), c=(2, "finished"))
    assert found == ["a on x", "b on y", "ask b", "stop b", "the run of a failed"]


def test_what_goes_on_or_is_finished_is_not_launched_again(tmp_path: Path, monkeypatch):
    """A study was killed, and the runs that it had launched were not."""
    write_study(tmp_path)
    work = FakeWork(tmp_path, {"a": (2, "finished"), "b": (0, "finished")})
    for run in work.runs.values():
        run.launched = True
    monkeypatch.setattr(background, "launch", work.launch)
    background.all_runs(work, ["x", "y"])
    assert sorted(work.told) == ["a ended", "b ended"]


def test_a_study_that_goes_on_says_so_and_is_not_made_twice(tmp_path: Path):
    found = write_study(tmp_path)
    assert found.status == "stopped"
    with locked(tmp_path / LOCK):
        assert ofl.Study.attach(tmp_path).status == "running" and "min left" in found._repr_html_()
        with pytest.raises(ConfigError, match="another process makes the study in"), _alone(tmp_path):
            pass
    assert found.status == "stopped"
