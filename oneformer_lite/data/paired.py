"""Pictures and maps in two folders that share their file names up to the suffix."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from ..errors import DataError
from ..listing import few
from ..notices import warn_user
from .folders import by_stem, contents
from .label_map import SUFFIXES


def pair_files(image_dir: Path, map_dir: Path, maps: str, ending: str = "") -> list[tuple[Path, Path]]:
    """(picture, map) in the order of the maps' names; ``maps``: what these are called, "label maps".

    ``ending``: what follows a picture's name in that of its map ("_masks": cell.png and cell_masks.tif); then both may
    lie in one folder. Pictures without a map are left out with a warning. Raises :class:`DataError` for maps without a
    picture, or where there are none.
    """
    found = by_stem(map_dir, SUFFIXES, "their pictures")
    labels = {stem.removesuffix(ending): path for stem, path in found.items() if stem.endswith(ending)}
    pictures = by_stem(image_dir, Image.registered_extensions(), f"their {maps}")
    if ending and image_dir == map_dir:  # else each map is its own picture
        pictures = {stem: path for stem, path in pictures.items() if path not in labels.values()}
    orphans = [path.name for stem, path in labels.items() if stem not in pictures]
    if orphans or not labels:
        _refuse(image_dir, map_dir, maps, len(pictures), orphans, ending)
    bare = {path.name for stem, path in pictures.items() if stem not in labels}
    if bare:
        warn_user(
            f"{len(bare)} of {len(pictures)} pictures in {image_dir} have no {maps.removesuffix('s')} in {map_dir} "
            f"and are left out: {few(bare, 4)}",
        )
    return [(pictures[stem], path) for stem, path in labels.items()]


def _refuse(image_dir: Path, map_dir: Path, maps: str, pictures: int, orphans: list[str], ending: str) -> None:
    if not pictures:
        raise DataError(
            f"{image_dir}: expected the pictures of the {maps} in {map_dir}, but it {contents(image_dir)}: check both "
            "folders"
        )
    if orphans:
        have = "has" if len(orphans) == 1 else "have"
        came = f"{few(orphans, 2)} {have} none (the pictures' folder {contents(image_dir)})"
    else:
        suffixes = {path.suffix.lower() for path in map_dir.iterdir()}
        blurred = ", and JPEG does not keep class ids" * bool(suffixes & {".jpg", ".jpeg"})
        shapes = ", such as YOLO's, which are boxes or outlines: export COCO's JSON instead" * (".txt" in suffixes)
        came = f"got none (it {contents(map_dir)}{blurred or shapes})"
    named = f"named like a picture in {image_dir} up to the suffix" + f" with {ending!r} before it" * bool(ending)
    raise DataError(f"{map_dir}: expected PNG {maps}, each {named}, but {came}: check both folders")
