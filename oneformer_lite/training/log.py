"""The run's log: one JSON object per line in ``metrics.jsonl``, which every plot is made from.

TensorBoard's files can be written besides: ``tensorboard --logdir runs`` shows the same numbers.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError
from ..files import replacing

LOG = "metrics.jsonl"


def read_log(folder: str | Path) -> list[dict]:
    """All records of a run; a last line that a crash cut short is left out."""
    records = []
    for number, line, record in parsed_lines(folder):
        if record is None:
            raise DataError(f"{Path(folder) / LOG}, line {number} is not JSON: {line[:60]!r}")
        records.append(record)
    return records


def parsed_lines(folder: str | Path) -> Iterator[tuple[int, str, object]]:
    """Number, text and content of each line of a run's log, the content None where it is not JSON; a last line that a
    crash cut short is left out."""
    path = Path(folder) / LOG
    lines = path.read_bytes().splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        try:
            content = json.loads(line.decode("utf-8"))
        except ValueError:  # not JSON, or not UTF-8
            if number == len(lines):
                return
            content = None
        yield number, line.decode("utf-8", errors="replace"), content


class LogReader:
    """Reads a log that grows: each time only what is new, unless a resumed run has written it anew."""

    def __init__(self, folder: str | Path) -> None:
        self.path, self.file, self.place, self.records = Path(folder) / LOG, None, 0, []

    def read(self) -> list[dict]:
        """All records so far; a line that is just being written comes next time."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self.file or status.st_size < self.place:
                    self.file, self.place, self.records = status.st_ino, 0, []
                file.seek(self.place)
                new = file.read()
        except FileNotFoundError:
            return []
        whole = new[: new.rfind(b"\n") + 1]
        self.place += len(whole)
        self.records = self.records + [json.loads(line) for line in whole.splitlines()]
        return self.records


class Log:
    """Appends records to the log. ``step`` cuts off what a resumed run will do again.

    Of several processes one ``writes``; the others only keep the records.
    """

    def __init__(self, folder: str | Path, step: int = 0, writes: bool = True, tensorboard: bool = False) -> None:
        self.path, self.writes, self.board = Path(folder) / LOG, writes, None
        if writes and tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            # what a killed run had written beyond its checkpoint is no longer shown
            self.board = SummaryWriter(Path(folder) / "tensorboard", purge_step=step + 1)
        self.records = [r for r in read_log(folder) if r["step"] <= step and r["kind"] != "final"]
        if writes:
            self._rewrite()

    def write(self, kind: str, step: int, seconds: float, **values) -> dict:
        """Append a record of numbers, or of lists of numbers by name.

        Values that are not finite become null, as JSON has no name for them.
        """
        record = {"kind": kind, "step": step, "seconds": round(seconds, 2)}
        record |= {k: _rounded(v) for k, v in values.items()}
        self.records.append(record)
        if self.writes:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        if self.board:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(f"{kind}/{name}", value, step)
        return record

    def close(self) -> None:
        """Nothing is lost without it but TensorBoard's newest seconds."""
        if self.board:
            self.board.close()

    def _rewrite(self) -> None:
        with replacing(self.path) as draft:
            draft.write_text("".join(json.dumps(r) + "\n" for r in self.records), encoding="utf-8")


def _rounded(value, digits: int = 6):
    if isinstance(value, dict):  # many numbers, for curves: four digits do
        return {name: [_rounded(v, 4) for v in values] for name, values in value.items()}
    if not isinstance(value, float):
        return value
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
