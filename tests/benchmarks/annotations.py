"""How long it takes to open a large annotation file, and what that keeps in memory.

    python tests/benchmarks/annotations.py --pictures 200000

A file like COCO's is written to a temporary folder (seven objects a picture) and opened by a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

CATEGORIES = [{"id": i + 1, "name": f"class {i}", "isthing": 1} for i in range(80)]
OBJECTS = 7


def images(pictures: int) -> list[dict]:
    return [{"id": i + 1, "file_name": f"{i + 1:012d}.jpg", "height": 480, "width": 640} for i in range(pictures)]


def square(number: int, corners: int) -> list[float]:
    """An outline with ``corners`` points, two decimals as in COCO."""
    left, top, half = number % 500 + 0.25, number % 300 + 0.75, range(corners // 2)
    points = [(left, top + k * 0.37) for k in half] + [(left + 99.5, top + k * 0.37) for k in reversed(half)]
    return [round(value, 2) for point in points for value in point]


def instances(pictures: int, corners: int) -> Iterator[dict]:
    for i in range(pictures * OBJECTS):
        yield {
            "id": i + 1, "image_id": i // OBJECTS + 1, "category_id": i % 80 + 1, "iscrowd": 0, "area": 99.5,
            "bbox": [i % 500, 2, 99, 3], "segmentation": [square(i, corners)],
        }  # fmt: skip


def panoptic(pictures: int) -> Iterator[dict]:
    for i in range(pictures):
        segments = [
            {"id": 7 * i + k + 1, "category_id": (i + k) % 80 + 1, "iscrowd": 0, "area": 99, "bbox": [1, 2, 99, 3]}
            for k in range(OBJECTS)
        ]
        yield {"image_id": i + 1, "file_name": f"{i + 1:012d}.png", "segments_info": segments}


def write(path: Path, pictures: int, annotations: Iterator[dict]) -> None:
    with path.open("w") as file:
        file.write(f'{{"images": {json.dumps(images(pictures))}, "categories": {json.dumps(CATEGORIES)}')
        file.write(', "annotations": [')
        for i, entry in enumerate(annotations):
            file.write(("," if i else "") + json.dumps(entry))
        file.write("]}")


def resident() -> float:
    """Megabytes of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(kind: str, path: Path) -> None:
    """Open the file; prints seconds, megabytes at the peak and megabytes kept, over what the imports take."""
    import pycocotools.mask  # noqa: F401, what the reader imports is not the data's

    from oneformer_lite.data import InstanceDataset, PanopticDataset

    folder, before, start = path.parent, resident(), time.process_time()
    dataset = InstanceDataset(folder, path) if kind == "instances" else PanopticDataset(folder, path, folder)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(
        f"{kind}: {path.stat().st_size / 1e6:.0f} MB, {len(dataset)} pictures: {seconds:.1f} s of processor time, "
        f"{peak - before:.0f} MB at the peak, {resident() - before:.0f} MB kept"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--corners", type=int, default=4, help="points of an outline; COCO has 30 on average")
    parser.add_argument("--kinds", nargs="+", default=["instances", "panoptic"])
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(args.kinds[0], args.measure)
    with tempfile.TemporaryDirectory() as folder:
        for kind in args.kinds:
            path = Path(folder) / f"{kind}.json"
            entries = instances(args.pictures, args.corners) if kind == "instances" else panoptic(args.pictures)
            write(path, args.pictures, entries)
            subprocess.run([sys.executable, __file__, "--kinds", kind, "--measure", str(path)], check=True)


if __name__ == "__main__":
    main()
