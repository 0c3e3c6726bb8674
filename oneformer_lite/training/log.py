"""The run's log: one JSON object per line in ``metrics.jsonl``, which every plot is made from.

TensorBoard's files can be written besides: ``tensorboard --logdir runs`` shows the same numbers.
"""

from __future__ import annotations

import errno
import itertools
import json
import math
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

from ..errors import DataError
from ..files import open_own, replacing
from ..json_reader import parse_json

LOG = "metrics.jsonl"
LARGEST = 2.0**53  # steps beyond are no whole numbers to a plot
LAYERS = 1000  # each of them is a line of a plot
_SHOWN = 60  # characters of a line that is no record


def read_log(folder: str | Path) -> list[dict]:
    """All records of a run. Lines that are none are left out, with a warning; so is, without one, a last line that a
    crash cut short."""
    records, damaged = examine_log(folder)
    _warn(Path(folder) / LOG, damaged)
    return records


def examine_log(folder: str | Path) -> tuple[list[dict], list[tuple[int, str]]]:
    """The records of a run, and number and beginning of each line that is none; a last line that a crash cut short is
    neither. Raises :class:`DataError` if the file cannot be opened."""
    path = Path(folder) / LOG
    try:
        with open_own(path) as file:
            content = file.read()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise _unreadable(path, error) from error
    *lines, last = content.split(b"\n")
    records, damaged = _parsed(lines, path)
    return records + _parsed([last], path)[0], damaged


def _parsed(lines: Iterable[bytes], path: Path, first: int = 1) -> tuple[list[dict], list[tuple[int, str]]]:
    """Records, and number and beginning of each line that is none."""
    records, damaged = [], []
    for number, line in enumerate(lines, start=first):
        try:
            record = parse_json(line, f"{path}, line {number}", strict=False)  # every number is judged below
        except DataError:
            record = None
        if is_record(record):
            records.append(record)
        else:
            damaged.append((number, line.decode("utf-8", errors="replace")[:_SHOWN]))
    return records, damaged


def is_record(content: object) -> bool:
    """Whether it is what :meth:`Log.write` writes: a kind, a step, numbers, and the losses ``by_layer``."""
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        return False
    step, layers = content.get("step"), content.get("by_layer", {})
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step <= LARGEST or not isinstance(layers, dict):
        return False
    if not all(isinstance(row, list) and len(row) <= LAYERS and all(map(_is_number, row)) for row in layers.values()):
        return False
    return all(_is_number(value) for name, value in content.items() if name not in ("kind", "by_layer"))


def _is_number(value: object) -> bool:
    """A number that a plot can show, or null, which stands for one that is not finite."""
    return value is None or isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


class LogReader:
    """Reads a log that grows: each time only what is new, unless a resumed run has rewritten it. Of training at most
    ``most`` records are kept (:class:`Thinned`), so that a run of days does not fill the memory of who watches it."""

    def __init__(self, folder: str | Path, most: int | None = None) -> None:
        self.path, self.file, self.place, self.most = Path(folder) / LOG, None, 0, most
        self.lines, self.kept = 0, Thinned(most)

    def read(self) -> list[dict]:
        """The records so far; a line that is just being written comes next time, one that is no record never (with a
        warning)."""
        try:
            with open_own(self.path) as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self.file or status.st_size < self.place:
                    self.file, self.place, self.lines, self.kept = status.st_ino, 0, 0, Thinned(self.most)
                file.seek(self.place)
                new = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(self.path, error) from error
        *lines, last = new.split(b"\n")
        records, damaged = _parsed(lines, self.path, self.lines + 1)
        self.place, self.lines = self.place + len(new) - len(last), self.lines + len(lines)
        self.kept.add(records)
        _warn(self.path, damaged)
        return self.kept.records


class Thinned:
    """Records as they come, of training at most ``most`` (None: all): evenly spread ones, the first and the newest
    among them."""

    def __init__(self, most: int | None = None) -> None:
        self.most, self.every, self.seen = most, 1, 0
        self.chosen: list[dict] = []
        self.newest: dict | None = None  # of training

    def add(self, records: Iterable[dict]) -> None:
        """Records that follow those of before."""
        for record in records:
            is_chosen = record["kind"] != "train" or self.seen % self.every == 0
            if is_chosen:
                self.chosen.append(record)
            if record["kind"] == "train":
                self.newest, self.seen = None if is_chosen else record, self.seen + 1
                if self.most is not None and self.seen > self.most * self.every:
                    self._halve()

    @property
    def records(self) -> list[dict]:
        """A new list of them."""
        return self.chosen + ([] if self.newest is None else [self.newest])

    def _halve(self) -> None:
        """Every second of training stays."""
        self.every, numbers, last = 2 * self.every, itertools.count(), self.chosen[-1]
        self.chosen = [r for r in self.chosen if r["kind"] != "train" or next(numbers) % 2 == 0]
        if last is not self.chosen[-1]:
            self.newest = last


def _warn(path: Path, damaged: list[tuple[int, str]]) -> None:
    if damaged:
        number, line = damaged[0]
        more = f", and {len(damaged) - 1} more" * (len(damaged) > 1)
        warnings.warn(f"{path}: line {number}{more}, is no record and left out: {line!r}", stacklevel=3)


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read ({error.strerror or error}): check that it is a file and its permissions")


class Log:
    """Appends records to the log. ``step`` cuts off what a resumed run will do again.

    Of several processes one ``writes``; the others only keep the records.
    """

    def __init__(self, folder: str | Path, step: int = 0, writes: bool = True, tensorboard: bool = False) -> None:
        self.path, self.writes, self.board = Path(folder) / LOG, writes, None
        self.unwritten = ""  # lines for which the disk had no room
        if writes and tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            # what a killed run had written beyond its checkpoint is no longer shown
            self.board = SummaryWriter(Path(folder) / "tensorboard", purge_step=step + 1)
        self.records = [r for r in read_log(folder) if r["step"] <= step and r["kind"] != "final"]
        if writes:
            self._rewrite()

    def write(self, kind: str, step: int, seconds: float, **values) -> dict:
        """Append a record of numbers, or of lists of numbers by name.

        Values that are not finite become null, as JSON has no name for them. What a full disk refuses is written with
        a later record.
        """
        record = {"kind": kind, "step": step, "seconds": round(seconds, 2)}
        record |= {k: _rounded(v) for k, v in values.items()}
        self.records.append(record)
        if self.writes:
            self._append(json.dumps(record) + "\n")
        if self.board:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(f"{kind}/{name}", value, step)
        return record

    def close(self) -> None:
        """Nothing is lost without it but TensorBoard's newest seconds."""
        if self.board:
            self.board.close()

    def _append(self, line: str) -> None:
        """All lines or none: a reader never meets half a line that is not the last."""
        lines = self.unwritten + line
        try:
            with self.path.open("ab", buffering=0) as file:
                size, content = file.seek(0, os.SEEK_END), lines.encode()
                if file.write(content) < len(content):
                    file.truncate(size)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            if not self.unwritten:
                warnings.warn(f"{self.path} cannot be written ({error.strerror}): training goes on", stacklevel=4)
            self.unwritten = lines
        else:
            self.unwritten = ""

    def _rewrite(self) -> None:
        with replacing(self.path) as draft:
            draft.write_text("".join(json.dumps(r) + "\n" for r in self.records), encoding="utf-8")


def _rounded(value, digits: int = 6):
    if isinstance(value, dict):  # many numbers, for curves: four digits do
        return {name: [_rounded(v, 4) for v in values] for name, values in value.items()}
    if not isinstance(value, float):
        return value
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
