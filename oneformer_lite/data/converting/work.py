"""Writing a converted data set: pictures linked, maps written, by several processes."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ...errors import DataError
from ...files import make_folder, replacing
from ...notices import warn_user
from ..image import read_annotated, write_image
from ..layouts import NAMES
from ..panoptic_writing import save_panoptic_json, segment_entry
from ..parallel import spread
from ..sample import Category
from ..segment_ids import encode_ids, present_ids

_COPIED = "files that were copied, as the disk of the new folder cannot link to them"


@dataclass(frozen=True)
class Pair:
    """A picture, the maps that belong to it, its split, and its name in the converted data set."""

    split: str
    name: str
    picture: Path
    maps: tuple[Path, ...]

    @property
    def stem(self) -> str:
        """The name without suffix, also that of the map."""
        return self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Segments:
    """A segment map int32 [H, W], its ``segments_info``, and what is worth a notice, such as "objects without a
    number"."""

    segment_map: np.ndarray
    entries: list[dict]
    notes: Counter[str]

    @classmethod
    def of(cls, segment_map: np.ndarray, meaning: Callable[[int], tuple[int, bool]], notes: Counter[str]) -> Segments:
        """``meaning`` of a segment id: the id of its category, and whether it is a crowd."""
        ids = present_ids(segment_map).tolist()
        return cls(segment_map, [segment_entry(segment_map == i, i, *meaning(i)) for i in ids], notes)


@dataclass(frozen=True)
class Labels:
    """A label map uint8 [H, W], notes as of :class:`Segments`, and the picture, where it is no file of its own."""

    labels: np.ndarray
    notes: Counter[str]
    picture: np.ndarray | None = None


# -- a whole data set


def write_panoptic_pairs(
    pairs: Sequence[Pair], read: Callable[[Pair], Segments], categories: Sequence[Category], draft: Path, workers: int
) -> dict[str, int]:
    """Convert ``pairs`` to COCO's panoptic layout in the folder ``draft``; the pictures of each split."""
    done = _each(_panoptic, pairs, read, draft, workers)
    for split in (counts := _count(pairs)):
        chosen = [entries for pair, entries in zip(pairs, done, strict=True) if pair.split == split]
        images, annotations = zip(*chosen, strict=True)
        save_panoptic_json(draft / "annotations" / f"panoptic_{split}.json", images, annotations, categories)
    return counts


def write_label_pairs(
    pairs: Sequence[Pair], read: Callable[[Pair], Labels], names: Sequence[str], draft: Path, workers: int
) -> dict[str, int]:
    """Convert ``pairs`` to label maps (255 = void) in the folder ``draft``; the pictures of each split."""
    _each(_labelled, pairs, read, draft, workers)
    with replacing(draft / NAMES) as file:
        file.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return _count(pairs)


def _count(pairs: Sequence[Pair]) -> dict[str, int]:
    return dict(Counter(pair.split for pair in pairs))


def _each(function: Callable, pairs: Sequence[Pair], read: Callable, draft: Path, workers: int) -> list:
    """``function`` of each pair, under a bar; what they note is said once, with its number."""
    check_pairs(pairs)
    jobs = [(pair, read, draft) for pair in pairs]
    bar = tqdm(spread(function, jobs, workers), "converting", len(jobs), unit="picture", dynamic_ncols=True)
    results, notes = zip(*bar, strict=True)
    say(notes)
    return list(results)


def say(notes: Iterable[Counter[str]]) -> None:
    """Warn of what was noted of the pictures, once with its number."""
    total: Counter[str] = Counter()
    for note in notes:
        total.update(note)
    for what, count in total.items():
        warn_user(f"{what}: {count}")


def check_pairs(pairs: Sequence[Pair]) -> None:
    """Raise :class:`DataError` for names that lead out of the folder of their split, for two alike, and for none."""
    if not pairs:
        raise DataError("there are no pictures with maps: unpack the whole data set")
    for pair in pairs:
        if Path(pair.name).name != pair.name:
            raise DataError(f"a picture of the split {pair.split} is called {pair.name!r}: expected a name, not a path")
    names = Counter((pair.split, pair.stem) for pair in pairs)
    (split, stem), count = names.most_common(1)[0]
    if count > 1:
        raise DataError(f"{count} pictures of the split {split} are called {stem}: each needs a name of its own")


# -- one picture, in a worker process


def _panoptic(job: tuple[Pair, Callable[[Pair], Segments], Path]) -> tuple[tuple[dict, dict], Counter[str]]:
    """Write a PNG and place the picture; the entries for ``images`` and ``annotations``, and notes."""
    pair, read, draft = job
    found = read(pair)
    height, width = found.segment_map.shape
    read_annotated(pair.picture, (height, width), pair.maps[0])  # refused here if it is damaged or of another size
    notes = found.notes + place(pair.picture, draft / pair.split / pair.name)
    png = f"{pair.stem}.png"
    write_image(draft / "annotations" / f"panoptic_{pair.split}" / png, encode_ids(found.segment_map))
    image = {"id": pair.stem, "file_name": pair.name, "height": height, "width": width}
    return (image, {"image_id": pair.stem, "file_name": png, "segments_info": found.entries}), notes


def _labelled(job: tuple[Pair, Callable[[Pair], Labels], Path]) -> tuple[None, Counter[str]]:
    """Write a label map and place or write the picture; nothing, and notes."""
    pair, read, draft = job
    found = read(pair)
    target, notes = draft / "images" / pair.split / pair.name, found.notes
    if found.picture is None:
        read_annotated(pair.picture, found.labels.shape, pair.maps[0])
        notes = notes + place(pair.picture, target)
    else:
        write_image(target, found.picture)
    write_image(draft / "labels" / pair.split / f"{pair.stem}.png", found.labels)
    return None, notes


def place(source: Path, target: Path) -> Counter[str]:
    """``source`` also as ``target``: a hard link, so that nothing is copied, or a copy, noted, where there can be none
    (on another disk)."""
    make_folder(target.parent)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
        return Counter({_COPIED: 1})
    return Counter()
