"""What happens to runs that are killed, whose files are damaged, or that are moved: do they end with the same bits?

    python tests/benchmarks/harm.py                       # everything; the table that stands in README.md
    python tests/benchmarks/harm.py --only writing bits   # some of it
    python tests/benchmarks/harm.py --members all --only one writing --steps 9 --kills 3 --places 0 3 6 8

``one`` and ``two``: killed (SIGKILL) at random moments, a run in one process that is called again, and one of
``ofl.launch`` in two processes (gloo), of which a random one dies and the supervisor restarts both. ``writing``: killed
while it writes a checkpoint, once at each of ten places. ``bits``, ``cuts``: one random bit of checkpoint.pt flipped,
or the file truncated at a random place, at a random step. ``moved``: renamed, copied, looked at by a user who may only
read. Each is compared with a run that nothing disturbs, bit by bit: parameters, averaged weights, the optimiser's
state, and all records of the log but their times and memory. ``--members`` are other models than OneFormer, by the
names of their ``*_toytown()`` presets (``all``: every one). Steps are "lost" that the newest whole checkpoint holds and
the resumed run did not start from.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from member_checks import OTHERS, small  # noqa: E402
from same_end import CLOCK, flat  # noqa: E402

import oneformer_lite as ofl  # noqa: E402
from oneformer_lite.data.toytown import write_toytown  # noqa: E402
from oneformer_lite.training import checkpoint, read_log, toytown_training  # noqa: E402
from oneformer_lite.training.state import read_recipe  # noqa: E402
from oneformer_lite.training.trainer import Trainer  # noqa: E402

SCENES, BATCH, SAVED = 16, 2, 3  # pictures; of a step; steps between checkpoints
HARMS = 10
PLACES = ("half of it written", "before its checksum", "after its checksum", "on the disk", "read back", "linked",
          "the link renamed", "before its renaming", "after its renaming", "the folder not synced")  # fmt: skip


def recipe(folder: Path, name: str, steps: int, member: str = "oneformer") -> tuple:
    """The model's configuration, and its training, with averaged weights."""
    return small(member), toytown_training(
        data=str(folder / "data"), out=str(folder / name), steps=steps, batch_size=BATCH, workers=0, evaluations=0,
        save_steps=SAVED, log_steps=1,
    )  # fmt: skip


def train(*address) -> None:
    """A run, or the rest of it, in this process."""
    torch.set_num_threads(1)
    ofl.train(*recipe(*address))


def train_and_die(place: int, at: int, *address) -> None:
    """The same, killed at one of PLACES of the ``at``-th checkpoint that is written."""
    count = 0

    def dies(number: int, do: Callable, after: bool = False) -> Callable:
        def killed(*arguments, **options):
            if place == number and count == at and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = do(*arguments, **options)
            if place == number and count == at and after:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return killed

    save, replace = torch.save, os.replace

    def counted(content, path: Path) -> None:
        nonlocal count
        count += 1
        save(content, path)
        if place == 0 and count == at:
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    def renamed(draft, path) -> None:
        name = Path(path).name
        moment = {checkpoint.PREVIOUS: 6, checkpoint.CHECKPOINT: 7}.get(name)
        if count == at and moment == place:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(draft, path)
        if count == at and name == checkpoint.CHECKPOINT and place in (8, 9):
            os.kill(os.getpid(), signal.SIGKILL)

    torch.save, os.replace = counted, renamed
    checkpoint.seal = dies(1, dies(2, checkpoint.seal, after=True))
    checkpoint.to_disk = dies(3, checkpoint.to_disk, after=True)
    checkpoint.is_whole = dies(4, checkpoint.is_whole, after=True)
    os.link = dies(5, os.link, after=True)
    train(*address)


def train_and_stop(at: int, *address) -> None:
    """The same, stopped after step ``at``."""
    ends = Trainer._ends

    def asked(self, *batches) -> bool:
        self.stopping = self.step >= at
        return ends(self, *batches)

    Trainer._ends = asked
    train(*address)


class Study:
    """Runs below ``folder``, each compared with the one that nothing disturbs."""

    def __init__(self, folder: Path, member: str, options: argparse.Namespace) -> None:
        self.folder, self.member, self.chance = folder, member, random.Random(options.seed)
        self.steps, self.kills, self.places = options.steps, options.kills, options.places
        write_toytown(folder / "data", "train", 64, SCENES, workers=1)
        self.processes = multiprocessing.get_context("forkserver")
        self.processes.set_forkserver_preload(["oneformer_lite.training.trainer", "same_end"])

    def address(self, name: str) -> tuple[Path, str, int, str]:
        """What :func:`recipe` asks of the run in ``name``."""
        return self.folder, name, self.steps, self.member

    def start(self, target: Callable, *arguments) -> multiprocessing.Process:
        process = self.processes.Process(target=target, args=arguments)
        process.start()
        return process

    def undisturbed(self) -> None:
        """The run that the others are compared with."""
        process = self.start(train, *self.address("whole"))
        process.join()
        assert process.exitcode == 0

    def one(self) -> Iterator[tuple[str, int]]:
        """Killed again and again, in one process."""
        lost = 0
        for goal in sorted(self.chance.sample(range(1, self.steps - 2), self.kills)):
            process = self.start(train, *self.address("one"))
            while newest(self.folder / "one") < goal and process.is_alive():
                time.sleep(0.002)
            time.sleep(self.chance.uniform(0, 0.2))
            process.kill()
            process.join()
            lost += beyond(self.folder / "one")
        self.finish("one")
        yield "one", lost

    def two(self) -> Iterator[tuple[str, int]]:
        """Killed again and again, one of two processes."""
        lost = 0
        config, settings = recipe(*self.address("two whole"))
        assert ofl.launch(config, settings, "cpu:2").wait() == "finished"
        settings = dataclasses.replace(settings, out=str(self.folder / "two"))
        run = ofl.launch(config, settings, "cpu:2", restarts=self.kills)
        for goal in sorted(self.chance.sample(range(1, self.steps - 2), self.kills)):
            while newest(run.folder) < goal or not (victims := workers(run.folder)):
                assert run.status == "running", run.reason
                time.sleep(0.005)
            time.sleep(self.chance.uniform(0, 0.2))
            os.kill(self.chance.choice(victims), signal.SIGKILL)
            while set(victims) & set(workers(run.folder)):
                time.sleep(0.005)
            lost += beyond(run.folder)
        assert run.wait() == "finished", run.reason
        yield "two", lost

    def writing(self) -> Iterator[tuple[str, int]]:
        for place in self.places:
            folder = f"writing {place}"
            at = self.chance.randrange(2, self.steps // SAVED)
            process = self.start(train_and_die, place, at, *self.address(folder))
            process.join()
            assert process.exitcode == -signal.SIGKILL, f"not killed: {PLACES[place]}"
            expected = SAVED * (at if place >= 8 else at - 1)
            lost = max(0, expected - resumed_from(self.folder / folder))
            self.finish(folder)
            yield folder, lost

    def bits(self) -> Iterator[tuple[str, int]]:
        for number in range(HARMS):
            folder, step = self.stopped(f"bit {number}")
            content = bytearray((folder / checkpoint.CHECKPOINT).read_bytes())
            bit = self.chance.randrange(8 * len(content))
            content[bit // 8] ^= 1 << bit % 8
            (folder / checkpoint.CHECKPOINT).write_bytes(content)
            yield self.resumed(folder, step - 1)

    def cuts(self) -> Iterator[tuple[str, int]]:
        for number in range(HARMS):
            folder, step = self.stopped(f"cut {number}")
            path = folder / checkpoint.CHECKPOINT
            os.truncate(path, self.chance.randrange(path.stat().st_size))
            yield self.resumed(folder, step - 1)

    def moved(self) -> Iterator[tuple[str, int]]:
        folder, step = self.stopped("to rename")
        folder = folder.rename(self.folder / "renamed")
        yield self.resumed(folder, step)
        assert not (self.folder / "to rename").exists()
        folder, step = self.stopped("to copy")
        copy = Path(shutil.copytree(folder, self.folder / "copied"))
        before = [path.read_bytes() for path in sorted(folder.glob("*.*"))]
        yield self.resumed(copy, step)
        assert before == [path.read_bytes() for path in sorted(folder.glob("*.*"))]
        folder, step = self.stopped("read-only")
        look_only(folder)
        yield self.resumed(folder, step)

    def stopped(self, name: str) -> tuple[Path, int]:
        """A run that was stopped after a random step; the checkpoint before its last is of the step before."""
        step = SAVED * self.chance.randrange(2, self.steps // SAVED) + 1
        process = self.start(train_and_stop, step, *self.address(name))
        process.join()
        return self.folder / name, step

    def resumed(self, folder: Path, expected: int) -> tuple[str, int]:
        """To its end, as its own folder says; and the steps lost of those expected."""
        lost = max(0, expected - resumed_from(folder))
        process = self.start(train_on, folder)
        process.join()
        assert process.exitcode == 0
        return folder.name, lost

    def finish(self, name: str) -> None:
        process = self.start(train, *self.address(name))
        process.join()
        assert process.exitcode == 0

    def report(self, what: str) -> bool:
        """Do it, and say of how many runs the end is equal."""
        started, harms = time.monotonic(), self.kills if what in ("one", "two") else 0
        whole = self.folder / ("two whole" if what == "two" else "whole")
        ends = [(same(whole, self.folder / name), lost) for name, lost in getattr(self, what)()]
        equal, lost = sum(end for end, _ in ends), sum(lost for _, lost in ends)
        print(f"| {self.member} | {what} | {harms or len(ends)} | {len(ends)} | {equal} of {len(ends)} | {lost} | "
              f"{time.monotonic() - started:.0f} s |", flush=True)  # fmt: skip
        return equal == len(ends) and not lost


def train_on(folder: Path) -> None:
    """What Run.resume does, in this process."""
    torch.set_num_threads(1)
    ofl.train(*read_recipe(folder)[:2])


def look_only(folder: Path) -> None:
    """Everything that looks, by a user who may not write (where we may become one)."""
    folder.parent.chmod(0o755)
    ofl.Run(folder)  # imported before the change of user, who may not read Python's own files
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setuid(65534)
        run = ofl.Run.attach(folder)
        os._exit(0 if run.status == "stopped" and run.history and repr(run) and not os.access(folder, os.W_OK) else 1)
    assert os.waitpid(child, 0)[1] == 0


def workers(folder: Path) -> list[int]:
    """Processes that train in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"training.worker\0" + os.fsencode(folder) + b"\0" in command:
            found.append(int(entry.name))
    return found


def newest(folder: Path) -> int:
    log = read_log(folder)
    return log[-1]["step"] if log else 0


def resumed_from(folder: Path) -> int:
    """The step from which a run in this folder would resume."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damage is said, as it should be
        saved = checkpoint.load_checkpoint(folder, read_recipe(folder)[0])
    return saved["step"] if saved else 0


def beyond(folder: Path) -> int:
    """Steps of the newest whole checkpoint that a run would not resume from."""
    whole = [0]
    for name in (checkpoint.CHECKPOINT, checkpoint.PREVIOUS):
        if (folder / name).exists():
            with warnings.catch_warnings():
                whole.append(torch.load(folder / name, weights_only=True)["step"])
    return max(whole) - resumed_from(folder)


def same(one: Path, other: Path) -> bool:
    """Whether two runs have ended with the same bits; what differs is printed."""
    ends = [torch.load(folder / checkpoint.CHECKPOINT, weights_only=True) for folder in (one, other)]
    logs = [[record | dict.fromkeys(CLOCK, 0) for record in read_log(folder)] for folder in (one, other)]
    models = [(folder / "model/model.safetensors").read_bytes() for folder in (one, other)]
    kept = [name for name in ends[0] if name not in ("seconds", "recipe")]
    differing = [name for name in kept if flat(ends[0][name]) != flat(ends[1][name])]
    differing += ["the model's file"] * (models[0] != models[1])
    differing += [f"the log: {a} and {b}" for a, b in zip(*logs) if a != b][:1]
    differing += [f"the log's length: {len(logs[0])} and {len(logs[1])}"] * (len(logs[0]) != len(logs[1]))
    if differing:
        print(f"{other.name} has ended otherwise: {'; '.join(differing)}", file=sys.stderr, flush=True)
    return not differing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    every = ("one", "two", "writing", "bits", "cuts", "moved")
    parser.add_argument("--only", nargs="+", choices=every, default=every)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0, help="of moments, bits and places")
    parser.add_argument("--kills", type=int, default=20, help="of one run, in one process and in two")
    places = range(len(PLACES))
    parser.add_argument("--places", nargs="+", type=int, choices=places, default=places, help="of the writing")
    parser.add_argument("--members", nargs="+", choices=("oneformer", "all", *OTHERS), default=["oneformer"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| | | harms | runs | ends equal | steps lost | took |\n|---|---|---|---|---|---|---|", flush=True)
    good = True
    for member in ("oneformer", *OTHERS) if "all" in options.members else options.members:
        with tempfile.TemporaryDirectory() as name:
            study = Study(Path(name), member, options)
            study.undisturbed()
            good &= all([study.report(what) for what in options.only])
    print(f"{options.steps} steps, seed {options.seed}, torch {torch.__version__}", file=sys.stderr)
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
