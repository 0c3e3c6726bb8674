"""One bad file does not end a long run; too many do; a worker that dies names its picture."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.toytown import Toytown, write_toytown
from oneformer_lite.data.unreadable import Unreadable
from oneformer_lite.data.views import Listed, Renumbered
from oneformer_lite.errors import DataError, OneFormerLiteError, WorkerError
from oneformer_lite.training import toytown_training, train
from oneformer_lite.training.loader import training_batches


@pytest.fixture(scope="module")
def scenes() -> list:
    town = Toytown("train", 64, 24)
    return [town[i] for i in range(24)]


class Damaged(Listed):
    """Some pictures cannot be read; ``error`` says how."""

    def __init__(self, samples: list, bad: tuple[int, ...], error=DataError) -> None:
        super().__init__(samples, samples[0].categories, samples[0].tasks)
        self.bad, self.error = bad, error

    def __getitem__(self, index: int):
        if index in self.bad:
            raise self.error(f"picture {index} is damaged")
        return self.samples[index]


def recipe(**changes) -> ofl.TrainConfig:
    settings = {"steps": 30, "batch_size": 4, "workers": 0, "evaluations": 0, "log_steps": 1} | changes
    return toytown_training(**settings)


def seen(data, start: int = 0, steps: int = 12, **changes) -> tuple[list, dict]:
    """Image ids of each step, and what could not be read."""
    batches = training_batches(data, recipe(**changes), 64, start)
    ids = [(batch.image_ids, batch.tasks, float(batch.images.sum())) for _, batch in zip(range(steps), batches)]
    return ids, batches.unreadable


def test_another_picture_takes_the_place_whoever_loads_and_wherever_it_starts(scenes) -> None:
    data = Damaged(scenes, (3, 17))
    whole, bad = seen(data)
    assert bad == {3: "picture 3 is damaged", 17: "picture 17 is damaged"} and all(len(ids) == 4 for ids, *_ in whole)
    assert not {4, 18} & {i for ids, *_ in whole for i in ids}  # ids count from 1
    assert seen(data, workers=2)[0] == whole
    assert seen(data, start=5, steps=7)[0] == whole[5:]
    healthy, _ = seen(Damaged(scenes, ()))
    changed = sum(a != b for a, b in zip(healthy, whole))
    assert 2 <= changed <= 4  # each is drawn in both epochs; all others stay


@pytest.mark.parametrize("error", [DataError, FileNotFoundError, PermissionError, KeyError, IndexError])
def test_what_counts_as_unreadable(scenes, error: type) -> None:
    assert set(seen(Damaged(scenes, (3,), error))[1]) == {3}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mistake_in_the_data_set_is_not_hidden_and_names_the_picture(scenes, workers: int) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        seen(Damaged(scenes, (3,), ZeroDivisionError), workers=workers)
    assert "picture 3 of the training data" in str(caught.value) + "".join(getattr(caught.value, "__notes__", []))


@pytest.mark.parametrize("renumbered", [False, True])
@pytest.mark.parametrize("class_id", [14, -1])
def test_a_class_that_is_none_leaves_its_picture_out(scenes, class_id: int, renumbered: bool) -> None:
    other = scenes[5].replace(segments=(dataclasses.replace(scenes[5].segments[0], class_id=class_id),))
    data = Listed([*scenes[:5], other, *scenes[6:]], scenes[0].categories, scenes[0].tasks)
    if renumbered:
        data = Renumbered(data, range(14), scenes[0].categories)
    _, unreadable = seen(data)
    assert list(unreadable) == [5] and f"has the class id {class_id}, but there are 14 classes" in unreadable[5]


def test_nothing_at_all_can_be_read(scenes) -> None:
    with pytest.raises(DataError, match="is damaged"):
        seen(Damaged(scenes, tuple(range(24))))


@pytest.mark.parametrize(("total", "share", "limit"), [(24, 0.01, 1), (1000, 0.01, 10), (24, 0.0, 0), (24, 0.5, 12)])
def test_how_many_may_be_left_out(total: int, share: float, limit: int) -> None:
    bad = Unreadable(total, share, "training")
    assert bad.limit == limit
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(3):  # met again in every epoch, named once
            bad.note({index: f"{index} is damaged" for index in range(limit)})
    assert len(said) == limit
    with pytest.raises(DataError, match="too many pictures" if limit else "^one more$"):
        bad.note({total: "one more"})


def small() -> ofl.ModelConfig:
    sizes = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "encoder_layers": 1, "decoder_layers": 1}
    return dataclasses.replace(ofl.config.toytown(), **sizes)


def state(folder: Path) -> dict:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def test_a_run_with_a_bad_file_goes_on_is_resumed_bit_equal_and_named_once(scenes, tmp_path: Path) -> None:
    data = Damaged(scenes, (7,))
    with pytest.warns(UserWarning, match="picture 7 is damaged.*1 of 24 training pictures, at most 1 may be"):
        whole = train(small(), recipe(out=str(tmp_path / "whole"), steps=9), data)
    assert whole.finished and state(tmp_path / "whole")["unreadable"] == {7: "picture 7 is damaged"}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for steps in (6, 9):
            parts = recipe(out=str(tmp_path / "parts"), steps=9, save_steps=6)
            if steps == 6:
                with pytest.raises(KeyboardInterrupt):
                    train(small(), parts, Stopping(data, after=6 * 4 + 16 + 8 + 1))  # a picture in its place
            else:
                train(small(), parts, data)
    assert sum("picture 7" in str(w.message) for w in said) == 2  # by the look at the start, and when it was drawn
    a, b = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert all(torch.equal(a["model"][name], b["model"][name]) for name in a["model"])


class Stopping(Listed):
    """A data set that presses Ctrl-C, hard, when it has been read ``after`` times."""

    def __init__(self, data, after: int) -> None:
        super().__init__(data, data.categories, data.tasks)
        self.left = after

    def __getitem__(self, index: int):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.samples[index]


def test_too_many_bad_files_end_the_run_and_keep_what_was_done(scenes, tmp_path: Path) -> None:
    data = Damaged(scenes, (8, 10))  # not among the sixteen that are looked at first
    with pytest.warns(UserWarning, match="left out"), pytest.raises(DataError, match="too many pictures cannot be"):
        train(small(), recipe(out=str(tmp_path), steps=30), data)
    assert (tmp_path / "checkpoint.pt").exists() and "too many" in (tmp_path / "state.json").read_text()


@pytest.mark.parametrize("error", [DataError, FileNotFoundError, PermissionError])
def test_an_evaluation_leaves_them_out_too(scenes, error: type) -> None:
    model = ofl.OneFormer(dataclasses.replace(small(), pretrained=False))
    rest = ofl.evaluate(model, Listed(scenes[1:6], scenes[0].categories, scenes[0].tasks), "semantic")
    with pytest.warns(UserWarning, match="picture 0 is damaged.*1 of 6 evaluated pictures"):
        assert ofl.evaluate(model, Damaged(scenes[:6], (0,), error), "semantic") == rest
    with pytest.raises(DataError, match="(^|: )picture 0 is damaged$"):
        ofl.evaluate(model, Damaged(scenes[:6], (0,), error), "semantic", unreadable=0)
    with pytest.warns(UserWarning), pytest.raises(DataError, match="too many"):
        ofl.evaluate(model, Damaged(scenes[:6], (0, 1), error), "semantic")


def test_a_file_that_spoils_during_the_run(tmp_path: Path) -> None:
    write_toytown(tmp_path, "train", 64, 12, workers=1)
    data = open_split(tmp_path, "train")
    sorted((tmp_path / "train").iterdir())[4].write_bytes(b"")
    assert set(seen(data)[1]) == {4}


class Deadly(Listed):
    """Reading picture 5 kills the process, as a segmentation fault or the kernel's memory guard does."""

    how = signal.SIGKILL

    def __getitem__(self, index: int):
        if index == 5 and self.is_first():
            os.kill(os.getpid(), self.how)
        return self.samples[index]

    def is_first(self) -> bool:
        """A second worker that dies of the same picture may do so while the first one's death is being told."""
        try:
            self.mark.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def paths(self, index: int) -> tuple[Path, ...]:
        return (Path(f"{index}.png"),)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_names_its_picture(tmp_path, how: int) -> None:
    """In a process of its own, as PyTorch may tell of the same death again, wherever the program is by then."""
    command = [sys.executable, __file__, str(int(how)), str(tmp_path / "died")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert re.search(r"DataLoader worker .* while it read picture 5 \(5.png\): .*remove it", done.stdout), (
        done.stderr[-2000:]
    )


def die(how: int, mark: Path) -> None:
    town = Toytown("train", 64, 24)
    data = Deadly([town[i] for i in range(24)], town.categories, town.tasks)
    data.how, data.mark = how, mark
    try:
        seen(data, workers=2)
    except WorkerError as error:
        print(error, flush=True)


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), EOFError(), OSError(24, "too many")])
def test_a_connection_that_breaks_tells_of_a_death(scenes, error: Exception) -> None:
    batches = training_batches(Damaged(scenes, ()), recipe(workers=2), 64)
    next(batches)
    with pytest.raises(type(error)), batches.deaths_named():  # all workers live: it means something else
        raise error
    worker = int(batches.readable.reading[1, 0])
    batches.readable.reading[1, 1] = 5
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(WorkerError, match=rf"{worker}\).*while it read picture 5"), batches.deaths_named():
        raise error


def test_an_error_of_pytorch_stays_what_it_is(scenes) -> None:
    batches = training_batches(Damaged(scenes, ()), recipe(), 64)
    with pytest.raises(RuntimeError, match="^something else$") as caught, batches.deaths_named():
        raise RuntimeError("something else")
    assert not isinstance(caught.value, OneFormerLiteError)


SCRIPT = """
import dataclasses, multiprocessing, sys
multiprocessing.set_start_method({method!r}, force=True)
import oneformer_lite as ofl
from oneformer_lite.training import toytown_training
print("started")
class Mine(ofl.data.Toytown):
    pass
ofl.data.write_toytown("data", "train", size=64, length=6, workers=2)
ofl.data.write_toytown("data", "val", size=64, length=2, workers=2)
sizes = dict(image_size=64, test_size=64, num_points=64, hidden_dim=32, encoder_layers=1, decoder_layers=1)
config = dataclasses.replace(ofl.config.toytown(), pretrained=False, **sizes)
recipe = toytown_training(data="data", out="run", steps=1, batch_size=2, evaluations=0, workers=1)
data = {data}
result = ofl.train(config, recipe, data)
print("finished", result.finished)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_plain_script_without_guard_trains_and_prints_no_traceback(tmp_path: Path, method: str) -> None:
    """The README's lines as a file, wherever processes start as on macOS (spawn) or under a newer Python."""
    done = run_script(tmp_path, method, "None")
    assert done.returncode == 0 and done.stdout.split() == ["started", "finished", "True"], done.stderr[-2000:]
    assert "Traceback" not in done.stderr


def test_a_script_with_its_own_data_set_and_no_guard_is_told_in_one_sentence(tmp_path: Path) -> None:
    done = run_script(tmp_path, "spawn", "Mine('train', 64, 6)")
    assert done.returncode != 0 and "put what the script does under  if __name__ ==" in done.stderr


def run_script(folder: Path, method: str, data: str) -> subprocess.CompletedProcess:
    script = folder / "script.py"
    script.write_text(textwrap.dedent(SCRIPT.format(method=method, data=data)))
    environment = os.environ | {"PYTHONPATH": str(Path(ofl.__file__).parents[1])}
    return subprocess.run([sys.executable, script.name], cwd=folder, capture_output=True, text=True, timeout=500,
                          env=environment, check=False)  # fmt: skip


def test_samples_of_the_look_do_not_depend_on_chance() -> None:
    from oneformer_lite.spread import spread_over

    assert spread_over(24, 4) == [0, 7, 15, 23] and spread_over(2, 16) == [0, 1] and spread_over(1, 16) == [0]
    assert np.all(np.diff(spread_over(118_287, 16)) > 0)


if __name__ == "__main__":
    die(int(sys.argv[1]), Path(sys.argv[2]))
