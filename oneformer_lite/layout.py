"""Where the files of a split lie in a folder in COCO's panoptic layout. Nothing is imported that takes time, so that a
command line can refuse a wrong path at once."""

from __future__ import annotations

from pathlib import Path

from .errors import DataError

PREFIX = "panoptic_"
OTHERS = (
    "Outlines of objects (COCO's instance files) and label maps are opened in Python, with ofl.data.InstanceDataset "
    "and SemanticDataset, and given to ofl.train(config, recipe, train, val), ofl.evaluate(model, val) and "
    "ofl.doctor(dataset=train): data/README.md shows it"
)
LOOKED_AT = 10_000  # entries of a folder in which other annotations are looked for


def split_paths(data: str | Path, split: str) -> tuple[Path, Path, Path]:
    """The pictures, the annotation file and the folder of its PNGs. Raises :class:`DataError` without the second, with
    what there is instead."""
    root = Path(data)
    pngs = root / "annotations" / f"{PREFIX}{split}"
    file = pngs.with_name(f"{pngs.name}.json")
    if not file.exists():
        raise DataError(_missing(root, split, file))
    return root / split, file, pngs


def _missing(root: Path, split: str, file: Path) -> str:
    if not root.is_dir():
        what = "is no folder" if root.exists() else "does not exist"
        return f"{root} {what}: expected a folder in COCO's panoptic layout"
    others = sorted(path.stem.removeprefix(PREFIX) for path in file.parent.glob(f"{PREFIX}*.json"))
    if others:
        return f"{file} does not exist: {root} has the splits {', '.join(others)}, not {split!r}"
    words = (
        f"{file} does not exist: expected COCO's panoptic layout, with pictures in {root / split}, this file, and the "
        f"folder {file.with_suffix('')} of PNGs, which the annotation archive holds packed once more"
    )
    return f"{words}. {OTHERS}" if _holds_others(root) else words


def _holds_others(root: Path) -> bool:
    """Whether there are files that may be annotations of another kind."""
    found = zip(root.rglob("*"), range(LOOKED_AT))
    return any(path.suffix.lower() in (".json", ".png", ".tif", ".tiff", ".bmp", ".gif") for path, _ in found)
