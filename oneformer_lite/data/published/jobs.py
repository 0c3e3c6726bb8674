"""Published archives: where they are, what they need in disk and time, and getting them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .archive import free_space, human, require_space
from .download import CONNECTIONS, fetch
from .remote import measure_rate


@dataclass(frozen=True)
class Archive:
    """A file of a data set's authors: address, size in bytes and SHA-256 (hexadecimal), as far as known."""

    url: str
    size: int | None = None
    sha256: str = ""

    @property
    def name(self) -> str:
        """The file's name, the last part of its address."""
        return self.url.rpartition("/")[2]

    def at(self, mirror: str | None) -> Archive:
        """The same file under another address, for example ``http://localhost:8000/coco``."""
        return replace(self, url=f"{mirror.rstrip('/')}/{self.name}") if mirror else self


@dataclass(frozen=True)
class Job:
    """An archive to unpack, what that takes on the disk (bytes, estimated), and the splits it is wanted for."""

    archive: Archive
    unpacked: int
    splits: tuple[str, ...]


@dataclass(frozen=True)
class Store:
    """Where archives come from: first ``archives``, a folder of the user's, then the net.

    What was fetched lies in ``root`` and goes once it is unpacked (:meth:`finish`); the user's own stay.
    """

    root: Path
    archives: Path | None = None
    connections: int = CONNECTIONS

    def has(self, archive: Archive) -> Path | None:
        """The archive if the user has it."""
        path = self.archives / archive.name if self.archives else None
        return path if path and path.exists() else None

    def get(self, archive: Archive) -> Path:
        """The archive, verified and complete; fetched if the user does not have it."""
        path = self.has(archive) or self.root / archive.name
        return fetch(archive.url, path, archive.size, archive.sha256, self.connections)

    def finish(self, archive: Archive) -> None:
        """Delete the archive, unless it is the user's."""
        if not self.has(archive):
            (self.root / archive.name).unlink(missing_ok=True)

    def announce(self, jobs: Sequence[Job]) -> None:
        """Say what will be fetched and what disk and time it needs; refuse if the disk is too small."""
        fetched = [job.archive for job in jobs if not self.has(job.archive)]
        here = sum(self._on_disk(archive) for archive in fetched)
        peak, in_the_end = disk_needs(jobs, fetched)
        print(f"{self.root}: {', '.join(archive.name for archive in fetched) or 'nothing'} to fetch")
        print(
            f"  disk: about {human(peak)} while unpacking, {human(in_the_end)} in the end; "
            f"{human(free_space(self.root))} are free"
        )
        require_space(self.root, max(0, peak - here), "to fetch and unpack")
        missing = max(0, sum(archive.size or 0 for archive in fetched) - here)
        if missing and (rate := measure_rate(max(fetched, key=lambda archive: archive.size or 0).url)):
            print(
                f"  time: {human(missing)} to come, about {max(missing / rate / 60, 1):.0f} min at the {human(rate)}/s "
                "that one connection brings just now; Ctrl-C keeps what has come",
                flush=True,
            )

    def _on_disk(self, archive: Archive) -> int:
        paths = (self.root / archive.name, self.root / f"{archive.name}.part")
        # blocks, because a part has holes; Windows does not tell them
        return sum(getattr(path.stat(), "st_blocks", 0) * 512 for path in paths if path.exists())


def disk_needs(jobs: Sequence[Job], fetched: Sequence[Archive]) -> tuple[int, int]:
    """Bytes on the disk at the worst moment and in the end, where each archive goes once it is unpacked. Lesson 14."""
    peak = total = 0
    for job in jobs:
        own = (job.archive.size or 0) if job.archive in fetched else 0
        peak = max(peak, total + own + job.unpacked)
        total += job.unpacked
    return peak, total
