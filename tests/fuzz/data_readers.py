"""Readers of data sets, pictures and archives, as the fuzzer calls them."""

from __future__ import annotations

import io
import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
from containers import picture, png
from mutations import json_text, tree
from PIL import Image
from reader import reader

SHAPE = (12, 16)


def encoded(pixels: np.ndarray, kind: str = "PNG", mode: str | None = None, **options) -> bytes:
    out, image = io.BytesIO(), Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(out, kind, **options)
    return out.getvalue()


def scene(seed: int = 0, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def look_at(dataset) -> None:
    """Read a data set as training, evaluation and inspectors do: every item, targets, classes, a painted truth."""
    import oneformer_lite as ofl
    from oneformer_lite.config import for_classes
    from oneformer_lite.render import render_truth

    config = for_classes(ofl.config.toytown(), dataset.categories)
    assert asdict(config) and dataset.image_ids is not None
    for index in range(len(dataset)):
        sample = dataset[index]
        assert sample.image.shape[:2] == sample.segment_map.shape
        json.dumps([sample.image_id, sample.file_name, [asdict(c) for c in sample.categories]])
        for task in dataset.tasks:
            targets = ofl.data.targets_for(sample, task)
            assert len(targets.texts) == len(targets.labels)
        render_truth(sample, dataset.tasks[0], scale=1)


# -- COCO's panoptic and instance formats


def panoptic_files() -> dict[str, bytes]:
    segment_map = np.repeat(np.array([[1, 2, 300, 0]]), 12, 0).repeat(4, 1)
    colors = np.stack([segment_map & 255, segment_map >> 8, segment_map * 0], -1).astype(np.uint8)
    segments = [
        {"id": id_, "category_id": category, "area": 48, "bbox": [0, 0, 4, 12], "iscrowd": crowd}
        for id_, category, crowd in ((1, 1, 0), (2, 3, 0), (300, 1, 1))
    ]
    content = {
        "info": {"description": "made"},
        "images": [{"id": i, "file_name": f"{i}.png", "height": 12, "width": 16} for i in (1, 2)],
        "annotations": [{"image_id": i, "file_name": f"{i}.png", "segments_info": segments} for i in (1, 2)],
        "categories": [
            {"id": 1, "name": "car", "isthing": 1, "color": [255, 0, 0], "supercategory": "thing"},
            {"id": 3, "name": "sky", "isthing": 0, "color": [0, 0, 255], "supercategory": "stuff"},
        ],
    }
    name = "annotations/panoptic_val"
    files = {f"{name}.json": json.dumps(content).encode()}
    files |= {f"val/{i}.png": encoded(scene(i)) for i in (1, 2)}
    return files | {f"{name}/{i}.png": encoded(colors) for i in (1, 2)}


def open_split(folder: Path):
    from oneformer_lite.data import opening

    return opening.open(folder, "val")


@reader(panoptic_files, {"annotations/panoptic_val.json": json_text}, share=3)
def panoptic_json(folder: Path) -> None:
    look_at(open_split(folder))


@reader(
    panoptic_files,
    {"annotations/panoptic_val/1.png": picture, "annotations/panoptic_val/2.png": png, "val/1.png": picture},
)
def panoptic_png(folder: Path) -> None:
    look_at(open_split(folder))


def coco_files() -> dict[str, bytes]:
    return {name.replace("val", "val2017"): content for name, content in panoptic_files().items()}


@reader(coco_files, {"annotations/panoptic_val2017.json": json_text})
def coco_split(folder: Path) -> None:
    from oneformer_lite.data import opening
    from oneformer_lite.data.published.coco import split_val

    split_val(folder)
    for part in ("val2017-train", "val2017-test"):
        look_at(opening.open(folder, part))


def instance_files() -> dict[str, bytes]:
    from oneformer_lite.data.instance import encode_mask

    mask = np.zeros(SHAPE, bool)
    mask[2:5, 3:9] = True
    shapes = [
        [[1, 1, 9.5, 1, 9.5, 8, 1, 8]], [[1, 1, 4, 1, 4, 4], [6.5, 6, 9, 6, 9, 9, 6, 9]], encode_mask(mask),
        {"size": [*SHAPE], "counts": [30, 40, 50, 72]},
    ]  # fmt: skip
    annotations = [
        {"id": i, "image_id": i % 2, "category_id": 7 + i % 2, "iscrowd": int(i == 3), "segmentation": shape,
         "area": 20.5, "bbox": [1, 1, 5, 5]}
        for i, shape in enumerate(shapes)
    ]  # fmt: skip
    content = {
        "images": [{"id": i, "file_name": f"{i}.png", "height": 12, "width": 16} for i in (0, 1)],
        "annotations": annotations,
        "categories": [{"id": 7, "name": "car"}, {"id": 8, "name": "dog"}],
    }
    return {"instances.json": json.dumps(content).encode()} | {f"images/{i}.png": encoded(scene(i)) for i in (0, 1)}


@reader(instance_files, {"instances.json": json_text}, share=3)
def instance_json(folder: Path) -> None:
    from oneformer_lite.data.instance import InstanceDataset

    look_at(InstanceDataset(folder / "images", folder / "instances.json"))


def segmentation_files() -> dict[str, bytes]:
    annotations = json.loads(instance_files()["instances.json"])["annotations"]
    return {f"{a['id']}.json": json.dumps(a["segmentation"]).encode() for a in annotations}


def _segmentation(content: bytes, rng) -> bytes:
    """Outlines and codes; half of the time from scratch, with numbers at the edge of what there is."""
    if rng.random() < 0.5:
        return json_text(content, rng)
    odd = (-1e9, -1, -0.5, 0, 0.4, 3, 11.5, 12, 16, 17, 1e3, 1e5, 2**31, 2**32, 1e9, 1e18, 1e308, math.nan, math.inf)
    numbers = [rng.choice(odd) for _ in range(rng.choice((0, 1, 4, 5, 6, 7, 8, 20)))]
    whole = [int(n) if abs(n) < 1e19 else 10**19 for n in numbers if n == n]
    text = "".join(chr(rng.choice((rng.randrange(48, 112), rng.randrange(0, 256)))) for _ in range(rng.randrange(12)))
    size = rng.choice(([12, 16], [16, 12], [12.0, 16], ["12", "16"], [12], [12, 16, 1], [-12, -16], [10**9, 10**9]))
    made = rng.choice((
        [numbers], [numbers, numbers[:6]], numbers, {"size": size, "counts": whole}, {"size": size, "counts": text},
        {"size": [12, 16], "counts": whole}, {"size": [12, 16], "counts": text}, {"counts": text},
    ))  # fmt: skip
    return json.dumps(tree(made, rng) if rng.random() < 0.2 else made).encode()


@reader(segmentation_files, {f"{i}.json": _segmentation for i in range(4)}, share=3)
def segmentations(folder: Path) -> None:
    """One object's outline or run-length code, in an annotation file that is right in everything else."""
    from oneformer_lite.data.instance import InstanceDataset

    files = instance_files()
    content = json.loads(files["instances.json"])
    for number, annotation in enumerate(content["annotations"]):
        try:
            annotation["segmentation"] = json.loads((folder / f"{number}.json").read_bytes())
        except (OSError, ValueError, RecursionError):  # this reader is about what JSON can say
            continue
    for name in ("images/0.png", "images/1.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(files[name])
    (folder / "instances.json").write_text(json.dumps(content))
    look_at(InstanceDataset(folder / "images", folder / "instances.json"))


# -- label maps, and the layouts of labelling tools


def semantic_files() -> dict[str, bytes]:
    labels = np.arange(192, dtype=np.uint8).reshape(SHAPE) % 4
    labels[0] = 255
    return {"images/a.png": encoded(scene()), "labels/a.png": encoded(labels)}


def own_files() -> dict[str, bytes]:
    """Label maps with a list of classes, and outlines, as labelling tools lay them out."""
    maps = semantic_files()
    objects = {name.replace("images/", "val/"): data for name, data in instance_files().items()}
    objects["val/_annotations.coco.json"] = objects.pop("instances.json")
    names = "0: (void)\n1: road\n2: grass\n3: sky\n255: car\n".encode("utf-8-sig")
    return objects | {"maps/labels/a.png": maps["labels/a.png"], "maps/images/a.png": maps["images/a.png"],
                      "maps/labels/classes.txt": names}  # fmt: skip


def _class_list(content: bytes, rng) -> bytes:
    lines = content.decode("utf-8-sig").split("\n")
    odd = ("", ":", "0:", "7", "road", "1: road", "-1: a", "99999999999999999999: a", "²: a", "٣: a", "1: \0",
           "a" * 5000, "0: (void)", "1.5: a", "1: <b>", "\x85", "\u2028", "\r", "1 : 1 : 1")  # fmt: skip
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(lines))
        lines[place : place + rng.choice((0, 1, 1, 3))] = rng.sample(odd, rng.choice((0, 1, 1, 2)))
        lines = lines or [""]
    text = "\n".join(lines)
    if rng.random() < 0.1:
        text *= rng.choice((2, 2000))
    return text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "latin-1")), errors="replace")


@reader(
    own_files,
    {"val/_annotations.coco.json": json_text, "maps/labels/classes.txt": _class_list, "maps/labels/a.png": picture},
)
def own_folders(folder: Path) -> None:
    """Found by their layout; the doctor looks at them as at any other."""
    import oneformer_lite as ofl

    outlines = ofl.data.open(folder, "val", skip_boxes=True, crowds_as_objects=True)
    maps = ofl.data.open(folder / "maps/labels", pictures=folder / "maps/images")
    for dataset in (outlines, maps):
        look_at(dataset)
        assert str(ofl.doctor(dataset=dataset))
