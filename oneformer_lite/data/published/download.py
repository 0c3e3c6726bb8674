"""Large files over HTTP: in pieces over several connections, resumable, verified.

A file on its way is ``NAME.part``, with ``NAME.part.json`` beside it, which says how much of each piece has
come. Only a file that is complete and verified bears its own name.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm.auto import tqdm

from ...errors import DataError
from ...files import make_folder, write_json
from ...json_reader import read_json
from . import remote
from .remote import Changed, Remote, describe, request

CONNECTIONS = 4
PIECE = 64 * 2**20  # bytes that one request asks for
ATTEMPTS = 6  # in a row that bring nothing


def fetch(
    url: str, target: str | Path, size: int | None = None, sha256: str = "", connections: int = CONNECTIONS
) -> Path:
    """Fetch ``url`` to ``target`` with a progress bar, going on where an earlier call was interrupted. Lesson 14.

    A server that cannot send parts is asked for the whole, over one connection. ``size`` (bytes) and
    ``sha256`` (hexadecimal) are what was published, where that is known. Ctrl-C, a lost connection and a full
    disk leave the pieces that have come; :class:`DataError` says what to do.
    """
    target = Path(target)
    if not target.exists():
        make_folder(target.parent)
        for _ in range(2):
            try:
                part = Part(target, remote.probe(url), size)
                part.fill(connections)
                break
            except Changed:
                Part.discard(target)
        else:
            raise DataError(f"{url} changes while it is being fetched: run the same command again later")
        try:
            verify(part.path, size, sha256)
        except DataError:
            Part.discard(target)  # nobody knows which piece is wrong
            raise
        os.replace(part.path, target)
        part.record.unlink(missing_ok=True)
    else:
        verify(target, size, sha256)
    return target


def verify(path: Path, size: int | None, sha256: str) -> None:
    """Raise :class:`DataError` unless the file has the published size and checksum, as far as they are known."""
    if not path.is_file():
        raise DataError(f"{path} is no file: move it away, then run again")
    came = path.stat().st_size
    if size is not None and came != size:
        raise DataError(f"{path} has {came} bytes, but the published file has {size}: delete it and run again")
    if not sha256:
        return
    digest = hashlib.sha256()
    with open(path, "rb") as file, _bar(came, f"verifying {path.name.removesuffix('.part')}") as bar:
        while block := file.read(4 * 2**20):
            digest.update(block)
            bar.update(len(block))
    if digest.hexdigest() != sha256:
        raise DataError(
            f"{path} has the checksum {digest.hexdigest()}, but the published file has {sha256}: it was damaged on "
            "its way, or the address offers another file. Delete it if it is still there, and run the command again"
        )


def _bar(total: int, text: str, initial: int = 0) -> tqdm:
    return tqdm(total=total, initial=initial, desc=text, unit="B", unit_scale=True, dynamic_ncols=True)


class Part:
    """A file on its way. ``done[i]`` counts the bytes of piece ``i`` that are on disk."""

    def __init__(self, target: Path, file: Remote, size: int | None = None) -> None:
        if size is not None and file.size != size:
            raise DataError(
                f"{file.url} has {file.size} bytes, but the published file has {size}: the address offers "
                "another file; check it, or use a mirror"
            )
        self.remote, self.name = file, target.name
        self.path, self.record = self._paths(target)
        self.piece = PIECE if file.ranges else max(file.size, 1)
        self.stop = threading.Event()
        self.pieces = -(-file.size // self.piece)
        self.done = self._read_record() or [0] * self.pieces

    @staticmethod
    def _paths(target: Path) -> tuple[Path, Path]:
        return target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.json")

    @classmethod
    def discard(cls, target: Path) -> None:
        """Forget what has come of ``target``."""
        for path in cls._paths(target):
            path.unlink(missing_ok=True)

    def _identity(self) -> dict:
        return {"size": self.remote.size, "version": self.remote.version, "piece": self.piece}

    def _read_record(self) -> list[int]:
        """What an earlier call has left of the very same file; nothing if the server cannot continue it."""
        try:
            record = read_json(self.record)
            whole = self.path.is_file() and self.path.stat().st_size == self.remote.size  # not cut short since
            usable = self.remote.ranges and whole and record["identity"] == self._identity()
            return record["done"] if usable and self._is_possible(record["done"]) else []
        except (DataError, KeyError, TypeError):
            return []

    def _is_possible(self, done: object) -> bool:
        """Whether these can be the bytes that have come of each piece."""
        return isinstance(done, list) and len(done) == self.pieces and all(
            type(came) is int and 0 <= came <= self._length(i) for i, came in enumerate(done)
        )

    def _save(self) -> None:
        write_json(self.record, {"identity": self._identity(), "done": list(self.done)})

    def _length(self, index: int) -> int:
        return min(self.piece, self.remote.size - index * self.piece)

    def fill(self, connections: int) -> None:
        """Fetch whatever is missing; returns when the file is complete."""
        missing = [i for i in range(len(self.done)) if self.done[i] < self._length(i)]
        with _full_disk(self.path), open(self.path, "r+b" if any(self.done) else "wb") as file:
            file.truncate(self.remote.size)
        pool = ThreadPoolExecutor(max(1, connections))
        try:
            futures = [pool.submit(self._fetch_piece, i) for i in missing]
            self._watch(futures)
        finally:
            self.stop.set()
            pool.shutdown(cancel_futures=True)
            with suppress(DataError):  # on a full disk the older record stays, which is true as well
                self._save()

    def _watch(self, futures: list[Future]) -> None:
        """Show the progress and record it every second, until all is there or something fails."""
        pending = set(futures)
        with _bar(self.remote.size, self.name, sum(self.done)) as bar:
            while pending:
                finished, pending = wait(pending, timeout=1, return_when=FIRST_EXCEPTION)
                bar.update(sum(self.done) - bar.n)
                for future in finished:
                    future.result()  # raises what the thread raised
                self._save()

    def _fetch_piece(self, index: int) -> None:
        failures = 0
        while not self.stop.is_set() and self.done[index] < self._length(index):
            before = self.done[index]
            try:
                self._read_piece(index)
            except remote.NETWORK_ERRORS as error:
                reason = remote.reason(self.remote.url, error)
                got_on = self.remote.ranges and self.done[index] > before
                failures = 1 if got_on else failures + 1
                if failures == ATTEMPTS:
                    raise DataError(
                        f"{self.remote.url}: the connection fails again and again ({reason}); {sum(self.done)} of "
                        f"{self.remote.size} bytes have come. Run the same command again to resume"
                    ) from error
                self.stop.wait(remote.PAUSE * 2 ** (failures - 1))

    def _read_piece(self, index: int) -> None:
        """One request for the rest of a piece."""
        if not self.remote.ranges:
            self.done[index] = 0
        start, end = index * self.piece + self.done[index], index * self.piece + self._length(index)
        headers = {"Range": f"bytes={start}-{end - 1}"} if self.remote.ranges else {}
        if headers and self.remote.version:
            headers["If-Range"] = self.remote.version
        with request(self.remote.url, headers) as response, open(self.path, "r+b", buffering=0) as file:
            part_sent = response.headers.get("Content-Range", f"bytes {start}-").startswith(f"bytes {start}-")
            if describe(self.remote.url, response) != self.remote or not part_sent:
                raise Changed
            file.seek(start)
            while start < end and not self.stop.is_set():
                block = response.read(min(remote.BLOCK, end - start))
                if not block:
                    raise ConnectionError("the server ended too early")
                with _full_disk(self.path):
                    _write(file, block)
                start += len(block)
                self.done[index] += len(block)


def _write(file, block: bytes) -> None:
    """All of ``block``: an unbuffered file may take only a part of it."""
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]


@contextmanager
def _full_disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}): make room on the disk, then run the same command "
            "again; what has come is kept"
        ) from error
