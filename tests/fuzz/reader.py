"""What the fuzzer knows of a reader: valid inputs, how to change them, and how to read everything in them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mutations import Change, raw

READERS: dict[str, Reader] = {}


@dataclass(frozen=True)
class Reader:
    """``material`` makes the files of a valid input, ``changes`` those that are spoiled and how, ``read`` reads all.

    ``share``: inputs of this reader in relation to the others', less than one for slow readers.
    """

    name: str
    material: Callable[[], dict[str, bytes]]
    changes: Mapping[str, Change]
    read: Callable[[Path], object]
    share: float = 1.0

    @cached_property
    def valid(self) -> dict[str, bytes]:
        """The files of the valid input."""
        return self.material()

    def input(self, seed: int) -> dict[str, bytes | None]:
        """The files of one input; None stands for a folder in a file's place. Seed 0 is the valid input."""
        rng, files = random.Random(f"{self.name} {seed}"), dict(self.valid)
        if seed == 0:
            return files
        for name in rng.sample(list(self.changes), min(len(self.changes), rng.choice((1, 1, 1, 2)))):
            action = rng.random()
            if action < 0.96:
                files[name] = self.changes[name](files[name], rng)
            elif action < 0.97:
                del files[name]
            elif action < 0.98:
                files[name] = None
            else:
                files[name] = rng.choice((b"", raw(rng.choice(list(self.valid.values())), rng)))
        return files


def write(files: Mapping[str, bytes | None], folder: Path) -> None:
    """Put an input on the disk."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if content is None else path.write_bytes(content)


def reader(material: Callable[[], dict[str, bytes]], changes: Mapping[str, Change], share: float = 1.0):
    """Register the decorated function as what reads ``material``; its name is the reader's."""

    def register(read: Callable[[Path], object]) -> Callable[[Path], object]:
        READERS[read.__name__] = Reader(read.__name__, material, changes, read, share)
        return read

    return register
