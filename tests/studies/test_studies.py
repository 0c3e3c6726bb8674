"""Studies made: killed twice and resumed, two at a time, extended, stopped; read without their runs; as a page."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import warnings
from dataclasses import replace
from pathlib import Path
from shutil import copy
from types import SimpleNamespace

import pytest
from browser import chromium, opened
from study_folder import CHANGES, PQ, results, write_study

import oneformer_lite as ofl
from oneformer_lite.cli import main
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.errors import ConfigError, DataError, DivergedError
from oneformer_lite.studies import running
from oneformer_lite.studies.background import places
from oneformer_lite.studies.results import curves_of
from oneformer_lite.training import toytown_training

VARIANTS = {"base": {}, "no contrastive loss": {"contrastive_weight": 0.0, "steps": 3}}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toytown")
    write_toytown(folder, "train", 64, 8, workers=1)
    write_toytown(folder, "val", 64, 2, workers=1)
    return folder


def small_config() -> ofl.ModelConfig:
    sizes = {"image_size": 64, "test_size": 64, "num_points": 64, "hidden_dim": 32, "num_queries": 20}
    layers = dict.fromkeys(("encoder_layers", "decoder_layers", "text_layers"), 1)
    return replace(ofl.config.toytown(), backbone="test_resnet", pretrained=False, text_width=16, **sizes, **layers)


def recipe(data: Path, out: Path, **changes) -> ofl.TrainConfig:
    settings = {"data": str(data), "out": str(out), "batch_size": 2, "workers": 0, "steps": 4}
    settings |= {"log_steps": 1, "evaluations": 0, "look_first": False}
    return toytown_training(**(settings | changes))


def make(data: Path, out: Path, seeds=2, variants=VARIANTS, save_steps=None, **options) -> ofl.Study:
    plan = recipe(data, out, save_steps=save_steps)
    return ofl.study(variants, seeds, plan, small_config(), title="Tiny", metrics=("PQ", "mIoU"), **options)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory) -> ofl.Study:
    """Made without interruption, one run after the other."""
    return make(data, tmp_path_factory.mktemp("whole") / "study")


KILLED = """
    import os, signal, sys
    sys.path[:0] = {path!r}
    from pathlib import Path
    from studies.test_studies import make
    from oneformer_lite.studies import judging
    from oneformer_lite.training import trainer

    def kill_after(kind, name, count, calls=[]):
        real = getattr(kind, name)
        def counted(*args, **values):
            calls.append(name)
            if calls.count(name) > count:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **values)
        setattr(kind, name, counted)

    kill_after({where}, {count})
    make(Path({data!r}), Path({out!r}), save_steps=1)
"""


def killed(data: Path, out: Path, where: str, count: int) -> None:
    """A study in a process that is killed at the call that comes after ``count`` others."""
    tests = str(Path(__file__).parents[1])
    code = textwrap.dedent(KILLED).format(path=[tests], where=where, count=count, data=str(data), out=str(out))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


def test_killed_twice_and_resumed_ends_with_the_same_table(data: Path, whole: ofl.Study, tmp_path: Path, capsys):
    out = tmp_path / "study"
    killed(data, out, "trainer.Trainer, 'train_step'", 2)  # in the first run
    assert ofl.Study.attach(out).status == "stopped" and not ofl.Study.attach(out).results
    killed(data, out, "judging, 'evaluate'", 2)  # when the third was trained and not judged yet
    half = ofl.Study.attach(out)
    assert len(half.results) == 2 and "2 of 4 runs, stopped" in repr(half) and 0.5 < half.share < 1
    first = {result.line() for result in half.results}
    ended = make(data, out)
    assert ended.status == "finished" and ended.to_jsonl(times=False) == whole.to_jsonl(times=False)
    assert repr(ended) == repr(whole)
    assert first < set(ended.to_jsonl().splitlines(keepends=True))  # what was finished was not made again
    assert not list(out.glob("runs/*/checkpoint*")) and len(list(out.glob("runs/*/model/model.safetensors"))) == 4


def test_two_processes_give_the_same_numbers(data: Path, whole: ofl.Study, tmp_path: Path):
    found = make(data, tmp_path / "study", seeds=1, devices="cpu:2")
    assert len(found.results) == 2
    assert found.to_jsonl(times=False) == "".join(r.line(False) for r in whole.results if r.seed == 0)


@pytest.fixture
def copied(whole: ofl.Study, tmp_path: Path) -> Path:
    """What is kept of the study."""
    for name in ("study.json", "results.jsonl"):
        copy(whole.folder / name, tmp_path)
    return tmp_path


def test_a_variant_may_be_added_and_nothing_taken_away(data: Path, whole: ofl.Study, copied: Path):
    found = make(data, copied, variants=VARIANTS | {"short": {"steps": 1}})
    before = [r.line() for r in whole.results]
    assert [r.line() for r in found.results if r.variant != "short"] == before and len(found.results) == 6
    with pytest.raises(ConfigError, match="holds another study: variant 'short' is missing"):
        make(data, copied)
    with pytest.raises(ConfigError, match="'base': lr was 0.002, is 0.001"):
        ofl.study(VARIANTS | {"short": {"steps": 1}}, 2, recipe(data, copied, lr=1e-3), small_config())
    assert [r.variant for r in found.results].count("short") == 2  # nothing was touched


def test_it_reads_without_its_runs(whole: ofl.Study, copied: Path):
    alone = ofl.Study.attach(copied)
    assert repr(alone) == repr(whole) and alone.status == "finished" and alone.to_jsonl() == whole.to_jsonl()
    assert (alone.variants, alone.baseline, alone.seeds) == (list(VARIANTS), "base", (0, 1))
    assert alone.definition.named("base").config == small_config()
    size = sum(path.stat().st_size for path in copied.iterdir())
    assert size < 12_000 and str(whole.folder) not in (copied / "study.json").read_text()


def test_what_a_run_leaves(whole: ofl.Study):
    first, short = whole.results[:2]
    assert (first.variant, first.seed, first.steps, short.steps) == ("base", 0, 4, 3)
    assert [step for step, _ in first.curves["loss"]] == [1, 2, 3, 4]
    assert first.parameters > 100_000 and first.seconds > 0 and {"PQ", "AP", "mIoU"} <= first.scores.keys()
    assert "no contrastive loss" in (whole.folder / "report.html").read_text()


def test_curves_are_thinned():
    history = [{"kind": "train", "step": s, "total": float(s % 2)} for s in range(1, 101)]
    history += [{"kind": "eval", "step": s, "PQ": 50.0 + s, "mIoU": None} for s in (50, 100)]
    found = curves_of(history, ["PQ", "mIoU"])
    assert found["PQ"] == [(50, 100.0), (100, 150.0)] and found.keys() == {"PQ", "loss"}
    assert len(found["loss"]) == 24 and found["loss"][-1][0] == 100
    assert found["loss"][11][1] == pytest.approx(0.5, abs=0.2)
    assert curves_of([], ["PQ"]) == {}


def test_runs_that_diverge_are_results(data: Path, tmp_path: Path, monkeypatch):
    def diverges(*given):
        raise DivergedError("the loss has exploded")

    monkeypatch.setattr(running, "train", diverges)
    found = make(data, tmp_path / "study", seeds=1)
    assert found.status == "finished" and found.results[1].failed == "the loss has exploded"
    assert "failed with seed 0: the loss has exploded" in repr(found)
    monkeypatch.undo()
    assert make(data, tmp_path / "study", seeds=1).to_jsonl() == found.to_jsonl()  # nor is one tried again


def test_stopped_it_says_so(data: Path, copied: Path, monkeypatch):
    monkeypatch.setattr(running, "train", lambda *given: SimpleNamespace(finished=False))  # as after Ctrl-C
    found = make(data, copied, variants=VARIANTS | {"third": {"lr": 1e-3}})
    assert found.status == "stopped" and len(found.results) == 4
    assert "4 of 6 runs, stopped" in repr(found) and "4 of 6 runs, stopped" in found._repr_html_()


def test_folders_that_are_not_for_a_study(data: Path, tmp_path: Path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ConfigError, match="holds a single run"):
        make(data, tmp_path)
    (tmp_path / "other" / "runs" / "base-0").mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds runs, but .* no study.json"):
        make(data, tmp_path / "other")
    with pytest.raises(DataError, match="holds no study"):
        ofl.Study.attach(tmp_path / "nothing")


def test_other_pictures_are_another_study(data: Path, whole: ofl.Study, tmp_path: Path):
    train, val = (ofl.data.Toytown(split, size=64, length=3) for split in ("train", "val"))
    with pytest.raises(ConfigError, match="training pictures are not those that the study .* began with: 3 pictures"):
        make(data, whole.folder, train_data=train, val_data=val)
    with pytest.raises(ConfigError, match="open their data themselves"):
        make(data, tmp_path, train_data=train, devices="cpu:2")


@pytest.mark.parametrize("devices, words", [("gpu", 'expected "auto"'), ("cpu:0", "cpu:0"), ("cpu:1000", "at most 64"),
                                            ("cuda:99", "counted from 0"), (99, "99 GPUs")], ids=str)  # fmt: skip
def test_devices_that_are_none(devices, words):
    with pytest.raises(ConfigError, match=words):
        places(devices)


def test_a_run_on_each_device(monkeypatch):
    assert places("cpu:3") == ["cpu:1"] * 3
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert places("auto") == places(2) == ["cuda:0", "cuda:1"] and places("cuda:1") == ["cuda:1"]


DAMAGED = {
    "no JSON": ("results.jsonl", lambda text: text[:-20], "line 9 is not valid JSON"),
    "another variant": ("results.jsonl", lambda text: text.replace("as it is", "as it", 1), "no run of 'as it'"),
    "a text for a score": ("results.jsonl", lambda text: text.replace("60.0", '"a"', 1), "expected numbers"),
    "a score of no metric": ("results.jsonl", lambda text: text.replace('"PQ"', '"<b>"', 1), "names of metrics"),
    "an unknown field": ("results.jsonl", lambda text: text.replace('"steps"', '"stepz"', 1), "stepz"),
    "a huge number": ("results.jsonl", lambda text: text.replace('"steps": ', f'"steps": {10**400}', 1), "too large"),
    "NaN": ("results.jsonl", lambda text: text.replace("60.0", "NaN", 1), "NaN"),
    "another format": ("study.json", lambda text: text.replace('"format": 1', '"format": 2'), "whose 'format' is 1"),
    "a field less": ("study.json", lambda text: text.replace('"seeds"', '"seedz"'), "'seeds' is missing"),
    "a strange recipe": ("study.json", lambda text: text.replace('"lr": 0.002', '"lr": -1'), "lr must be positive"),
    "a strange model": ("study.json", lambda text: text.replace('queries": 120', 'queries": "a"'), "num_queries"),
    "a variant twice": ("study.json", lambda text: text.replace('"no contrastive loss"', '"as it is"'), "comes twice"),
    "a name of two lines": ("study.json", lambda text: text.replace('"no contrastive loss"', r'"a\nb"'), "be a line"),
    "wrong metrics": ("study.json", lambda text: text.replace('"metrics": [', '"metrics": 5, "x": ['), "some of"),
    "no list of variants": ("study.json", lambda text: text.replace('"variants": [', '"variants": 3, "x": ['), "not"),
}


@pytest.mark.parametrize("name, damage, words", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_folder_says_where(tmp_path: Path, name: str, damage, words: str):
    write_study(tmp_path)
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(damage(text))
    assert (tmp_path / name).read_text() != text
    with pytest.raises(DataError, match=words):
        repr(ofl.Study.attach(tmp_path))


def test_the_api_of_a_study(tmp_path: Path):
    found = write_study(tmp_path, title="Made up")
    assert found.row("no contrastive loss").difference == pytest.approx(-3.2667, abs=1e-4)
    assert [row.variant for row in found.rows("mIoU")] == list(CHANGES)
    assert found.figure("AP").size[0] > 500 and found.table("PQ").startswith("PQ")
    assert [json.loads(line)["variant"] for line in found.to_jsonl().splitlines()][:2] == list(CHANGES)[:2]
    with pytest.raises(ConfigError, match=r"no variant 'no contrastive los': did you mean"):
        found.row("no contrastive los")
    with pytest.raises(ConfigError, match="there is no metric 'mAP'"):
        found.rows("mAP")
    with pytest.raises(ConfigError, match="expected one metric"):
        found.rows(("PQ", "AP"))
    assert found.seconds_left() == pytest.approx(3 * (21.0 + 2 * 2.0)) and found.share == 0.75


def test_the_figure_shows_where_the_mean_is(tmp_path: Path):
    """What counts is drawn in colour, what does not without: more of it, more colour."""
    import numpy as np

    def coloured(found: ofl.Study) -> int:
        pixels = np.asarray(found.figure("PQ").convert("RGB")).astype(int)
        return int((pixels.max(-1) - pixels.min(-1) > 60).sum())

    seen = write_study(tmp_path / "a")
    unseen = write_study(tmp_path / "b", results(PQ | {"no contrastive loss": (60.0, 61.0, 60.5)}))
    assert coloured(seen) > 200 and coloured(unseen) == 0


def test_names_in_letters_that_the_font_has_not_draw_without_warnings(tmp_path: Path):
    found = write_study(tmp_path, results({"基线": PQ["as it is"]}), changes={"基线": {}, "🙂": {"lr": 1e-3}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found.figure("PQ").size[0] > 500 and "基线" in found.to_html().read_text(encoding="utf-8")


def test_the_page_in_a_browser(tmp_path: Path):
    """Offline, without a script, as wide as its window, in both colour schemes; strangers' names stay text."""
    strange = {"as it is": {}, "<img src=x onerror=alert(1)> $x$": {"lr": 1e-3, "note": "<b>bold</b>"}}
    page = write_study(tmp_path, results({"as it is": PQ["as it is"]}), changes=strange).to_html()
    with chromium() as browser:
        for width in (400, 1200):
            with opened(browser, page, width=width, ready="main") as shown:
                assert shown.evaluate("document.documentElement.scrollWidth") <= width
                assert shown.locator("img[src=x]").count() == 0 and "<img src=x" in shown.inner_text("main")
                assert shown.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
                colours = []
                for scheme in ("light", "dark"):
                    shown.emulate_media(color_scheme=scheme)
                    colours.append(shown.evaluate("getComputedStyle(document.body).backgroundColor"))
                assert colours == ["rgb(255, 255, 255)", "rgb(18, 21, 28)"]


FILE = """
title = "From a file"
seeds = 1
metrics = ["mIoU"]
[config]
image_size = 64
test_size = 64
hidden_dim = 32
num_queries = 20
encoder_layers = 1
decoder_layers = 1
backbone = "test_resnet"
pretrained = false
[train]
data = "{data}"
out = "{out}"
steps = 400
batch_size = 2
workers = 0
evaluations = 0
[variants.base]
[variants.slow]
lr = 1e-4
"""


def test_the_command(data: Path, tmp_path: Path, capsys):
    file, out = tmp_path / "study.toml", tmp_path / "study"
    file.write_text(FILE.format(data=data, out=out))
    assert main(["study", str(file), "--check"]) == 0
    assert "slow (400 steps): lr 0.002 → 0.0001" in capsys.readouterr().out and not out.exists()
    (tmp_path / "wrong.toml").write_text("toytown_scenes = 9\n" + file.read_text().replace("mIoU", "mAP"))
    for options in (["--check"], []):  # refused before anything is painted or made
        assert main(["study", str(tmp_path / "wrong.toml"), *options]) == 2
        assert "there is no metric 'mAP'" in capsys.readouterr().err and not out.exists()
    assert main(["study", str(file), "--steps", "2"]) == 0
    said = capsys.readouterr().out
    assert "From a file: 2 variants x 1 seed, 2 of 2 runs, finished" in said and (out / "report.html").exists()
    assert main(["study", str(out)]) == 0 and capsys.readouterr().out == said
    assert main(["study", str(file)]) == 2
    assert "holds another study: variant 'base': steps was 2, is 400" in capsys.readouterr().err
