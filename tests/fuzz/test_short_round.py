"""A short round of the fuzzer, always the same one: nothing unhandled, no crash, no hang, no flood of memory.

``python tests/fuzz --inputs 100000`` is the long one.
"""

from __future__ import annotations

import gc
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

import mutations
import numpy as np
import pytest
import rounds
import trying
from outcomes import findings, table
from reader import READERS, Reader

from oneformer_lite.errors import DataError

INPUTS = range(12)  # of each fast reader; the first, which is valid, has been read before any
SLOW = {"replay": range(1, 2), "diagnosis": range(1, 5), "predicted_pictures": range(4)}
SLOW |= {name: range(4) for name in READERS if name.endswith(("_config", "_transformers"))}


@pytest.mark.parametrize("name", READERS)
def test_every_input_is_read_or_refused_in_words(name):
    seeds = SLOW.get(name, INPUTS)
    outcomes = list(trying.tried(READERS[name], seeds))
    bad = [o for o in outcomes if o.end in trying.BAD]
    assert not bad, "\n".join(f"python tests/fuzz --reader {name} --seed {o.seed}  # {o.end}: {o.words}" for o in bad)
    assert [outcome.seed for outcome in outcomes] == list(seeds)
    assert seeds[0] or outcomes[0].end == "accepted", "the valid input"


def test_there_are_readers_enough():
    assert len(READERS) >= 14


def test_a_seed_says_what_an_input_is():
    for reader in (READERS["instance_json"], READERS["archives"], READERS["run_pictures"]):
        inputs = [reader.input(seed) for seed in range(30)]
        assert inputs == [reader.input(seed) for seed in range(30)]
        assert len({str(files) for files in inputs}) > 25
        assert reader.input(0) == reader.valid


OUTSIDE = f"{tempfile.gettempdir()}/ofl-fuzz-outside-{os.getpid()}"


def _reads(name: str):
    """A reader that does what its one file says."""

    def read(folder):
        {
            b"accept": lambda: None,
            b"refuse": lambda: (_ for _ in ()).throw(DataError("no")),
            b"raise": lambda: [][1],
            b"die": lambda: os.kill(os.getpid(), 11),
            b"hang": lambda: time.sleep(60),
            b"spin": lambda: [n for n in iter(int, 1) if n],
            b"wait": lambda: time.sleep(0.7),  # longer than its processor time may be
            b"grow": lambda: np.ones(1 << 24).sum(),
            b"flood": lambda: [np.ones(1 << 24) for _ in range(100)],
            b"write": lambda: open(OUTSIDE, "w"),
            b"start": lambda: subprocess.run(["true"]),
            b"peep": lambda: open("/etc/passwd"),
        }[(folder / "a").read_bytes()]()

    return read


@pytest.mark.parametrize(
    "does, end, words",
    [
        ("accept", "accepted", ""), ("refuse", "refused", "DataError"), ("raise", "unhandled", "IndexError at"),
        ("die", "crash", "SIGSEGV"), ("hang", "timeout", "no end after 4 s"),
        ("spin", "timeout", "no end after"), ("wait", "accepted", ""), ("grow", "memory", "MB"),
        ("flood", "unhandled", "MemoryError"), ("write", "escape", "ofl-fuzz-outside-"),
        ("start", "escape", "Popen"), ("peep", "escape", "/etc/passwd"),
    ],
)  # fmt: skip
def test_every_end_is_told_from_the_others(does, end, words, monkeypatch):
    """Each by an input of that kind, and the inputs before and after it are not lost."""
    monkeypatch.setattr(trying, "RESIDENT", 2**26)
    monkeypatch.setattr(trying, "ROOM", 2**28)
    monkeypatch.setattr(trying, "PATIENCE", 8)
    seconds = 0.5 if does in ("hang", "spin", "wait") else trying.SECONDS
    reader = Reader("made", lambda: {"a": b"accept"}, {"a": lambda content, rng: does.encode()}, _reads("made"))
    seeds = [seed for seed in range(100) if reader.input(seed) == {"a": does.encode()}][:1]
    outcomes = list(trying.tried(reader, [0, *seeds, 0], seconds))
    assert [o.end for o in outcomes] == ["accepted", end, "accepted"]
    assert words in outcomes[1].words
    assert not os.path.exists(OUTSIDE)


def test_garbage_of_the_parent_hides_no_growth(monkeypatch):
    """Memory that the parent no longer needs is freed while an input is read: its growth is seen all the same."""
    monkeypatch.setattr(trying, "RESIDENT", 2**26)

    def read(folder):
        if (folder / "a").read_bytes() == b"grow":
            gc.collect()
            np.ones(1 << 24).sum()

    reader = Reader("made", lambda: {"a": b"accept"}, {"a": lambda content, rng: b"grow"}, read)
    seed = next(seed for seed in range(100) if reader.input(seed) == {"a": b"grow"})
    gc.disable()
    try:
        cycle = [np.ones(1 << 24)]
        cycle.append(cycle)
        del cycle
        assert [outcome.end for outcome in trying.tried(reader, [seed])] == ["memory"]
    finally:
        gc.enable()


def test_mutations_are_of_many_kinds():
    """Of a small annotation, each kind of change comes within a few hundred seeds."""
    content = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [[1.5, 2.5, 3.5]], "flag": True}
    seen = Counter()
    for seed in range(600):
        changed = mutations.tree(content, random.Random(seed))
        text = str(changed)
        seen["nan"] += "nan" in text
        seen["huge"] += len(text) > 2000
        seen["deleted"] += isinstance(changed, dict) and len(changed) < 3
        seen["swapped"] += isinstance(changed, dict) and not isinstance(changed.get("images"), list)
        seen["same"] += changed == content
    assert all(seen[kind] > 5 for kind in ("nan", "huge", "deleted", "swapped")) and seen["same"] < 60
    assert sys.getrecursionlimit() < mutations.DEEP


@pytest.mark.parametrize("ends", ["at its end", "after so many minutes", "by SIGTERM", "by Ctrl-C"])
def test_a_round_that_ends_early_tells_what_it_has_tried_of_all_readers(ends, monkeypatch):
    def job(job):
        name, seeds = job
        done.append(name)
        if len(done) == 4 and "by" in ends:
            signal.raise_signal(signal.SIGTERM if ends == "by SIGTERM" else signal.SIGINT)
        return [trying.Outcome(name, seed, "accepted") for seed in seeds]

    done: list[str] = []
    monkeypatch.setattr(rounds, "_job", job)
    before, ctrl_c = signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGINT, signal.default_int_handler)
    readers = [READERS[name] for name in ("instance_json", "panoptic_json", "archives")]
    found = rounds.long_round(readers, 80, 5, 1, minutes=0 if "minutes" in ends else math.inf)
    signal.signal(signal.SIGINT, ctrl_c)  # of a shell's background job it is ignored
    counts = [len(found[reader.name]) for reader in readers]
    assert signal.getsignal(signal.SIGTERM) is before
    assert counts == {"at its end": [30, 30, 20], "after so many minutes": [2, 0, 0]}.get(ends, [2, 2, 1])
    seeds = sorted(outcome.seed for outcome in found["instance_json"])
    assert len(set(seeds)) == len(seeds) and set(seeds) <= set(range(5, 35))
    assert "| all |" in table(found) and findings(found).strip() == ""
