"""The metrics once more, slowly and from files: what the package's own are compared with.

Nothing here uses the package's code for reading, matching or counting.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from oneformer_lite.data.sample import Category, SegmentInfo


def read_panoptic(json_path: Path, folder: Path, categories=None):
    """A panoptic JSON and its PNGs: {image id: (segment map, segments)} and the categories.

    ``categories`` are those of the annotation, for a results file, which has none.
    """
    content = json.loads(Path(json_path).read_text())
    if categories is None:
        categories = [Category(c["id"], c["name"], bool(c["isthing"])) for c in content["categories"]]
    class_ids = {c.id: i for i, c in enumerate(categories)}
    images = {}
    for entry in content["annotations"]:
        segment_map = np.array(Image.open(Path(folder) / entry["file_name"]), dtype=np.int32) @ [1, 256, 256**2]
        images[entry["image_id"]] = segment_map, [
            SegmentInfo(s["id"], class_ids[s["category_id"]], bool(s.get("iscrowd", 0)))
            for s in entry["segments_info"]
        ]
    return images, categories


def reference_counts(images, categories) -> tuple[np.ndarray, ...]:
    """IoU sum, tp, fp and fn of each class by panopticapi's definition, mask by mask.

    ``images`` yields (predicted map, its segments, annotated map, its segments).
    """
    iou_sum, tp, fp, fn = (np.zeros(len(categories)) for _ in range(4))
    for pred_map, pred_segments, gt_map, gt_segments in images:
        labelled = gt_map != 0
        crowd = {s.class_id: gt_map == s.id for s in gt_segments if s.is_crowd}  # the last stays
        found = set()
        for gt in (s for s in gt_segments if not s.is_crowd):
            gt_mask = gt_map == gt.id
            missed = True
            for pred in (s for s in pred_segments if s.class_id == gt.class_id):
                pred_mask = pred_map == pred.id
                iou = (pred_mask & gt_mask).sum() / (pred_mask & labelled | gt_mask).sum()
                if iou > 0.5:
                    iou_sum[gt.class_id] += iou
                    tp[gt.class_id] += 1
                    found.add(pred.id)
                    missed = False
            fn[gt.class_id] += missed
        for pred in (s for s in pred_segments if s.id not in found):
            pred_mask = pred_map == pred.id
            neutral = ~labelled | crowd.get(pred.class_id, False)
            fp[pred.class_id] += pred_mask[neutral].sum() / pred_mask.sum() <= 0.5
    return iou_sum, tp, fp, fn


def reference_quality(images, categories) -> dict[str, float]:
    """PQ, SQ and RQ in percent over all classes, things and stuff, and ``per_class`` [K, 3] (nan unseen)."""
    iou_sum, tp, fp, fn = reference_counts(images, categories)
    with np.errstate(invalid="ignore"):
        pq = iou_sum / (tp + fp / 2 + fn / 2)
        rq = tp / (tp + fp / 2 + fn / 2)
    sq = np.where(np.isnan(pq), np.nan, iou_sum / np.maximum(tp, 1))
    is_thing = np.array([c.is_thing for c in categories])
    groups = {"": slice(None), "_things": is_thing, "_stuff": ~is_thing}
    result = {
        name + group: float(100 * np.nanmean(values[chosen]))
        for group, chosen in groups.items()
        for name, values in (("pq", pq), ("sq", sq), ("rq", rq))
    }
    return result | {"per_class": 100 * np.stack([pq, sq, rq], 1)}


def reference_miou(pairs, num_classes: int) -> float:
    """Percent, from (predicted, annotated) label maps: pixel sets of each class, -1 annotated does not count."""
    shared, either, annotated = (np.zeros(num_classes) for _ in range(3))
    for pred, gt in pairs:
        for k in np.flatnonzero(np.bincount(np.append(pred, gt[gt != -1]))):
            p, g = (pred == k) & (gt != -1), gt == k
            shared[k] += (p & g).sum()
            either[k] += (p | g).sum()
            annotated[k] += g.sum()
    return float(100 * (shared / np.maximum(either, 1))[annotated > 0].mean())


def write_instance_json(panoptic_json: Path, panoptic_dir: Path, path: Path) -> Path:
    """Instance annotations derived from panoptic ones: things, with the JSON's own areas and crowd flags."""
    content = json.loads(Path(panoptic_json).read_text())
    things = {c["id"] for c in content["categories"] if c["isthing"]}
    annotations = []
    for entry in content["annotations"]:
        segment_map = np.array(Image.open(Path(panoptic_dir) / entry["file_name"]), dtype=np.int32) @ [1, 256, 256**2]
        for segment in entry["segments_info"]:
            if segment["category_id"] in things:
                code = mask_utils.encode(np.asfortranarray(segment_map == segment["id"], dtype=np.uint8))
                annotations.append({
                    "id": len(annotations) + 1, "image_id": entry["image_id"], "iscrowd": segment["iscrowd"],
                    "category_id": segment["category_id"], "area": segment["area"], "bbox": segment["bbox"],
                    "segmentation": {"size": code["size"], "counts": code["counts"].decode()},
                })  # fmt: skip
    categories = [c for c in content["categories"] if c["isthing"]]
    path.write_text(json.dumps({"images": content["images"], "annotations": annotations, "categories": categories}))
    return path


def coco_ap(instance_json: Path, results_json: Path) -> np.ndarray:
    """pycocotools on files, as its manual has it: AP, AP50, AP75, AP small, medium, large in percent."""
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO(str(instance_json))
        evaluation = COCOeval(gt, gt.loadRes(str(results_json)), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return 100 * evaluation.stats[:6]


def perturb(gt_map, gt_segments, rng, num_classes):
    """A prediction made from an annotation: shifted, merged, split, dropped, mislabelled."""
    pred_map = gt_map.astype(np.int64)
    classes = {s.id: s.class_id for s in gt_segments}
    for segment_id in list(classes):
        fate = rng.choice(["keep", "drop", "merge", "split", "mislabel", "void"],
                          p=[0.4, 0.12, 0.12, 0.12, 0.12, 0.12])  # fmt: skip
        mask = pred_map == segment_id
        if fate == "drop":
            pred_map[mask] = 0
        elif fate == "merge":
            pred_map[mask] = rng.choice(list(classes))
        elif fate == "split":
            half = mask & (rng.permutation(gt_map.shape[1]) < 0.3 * gt_map.shape[1])
            new_id = max(classes) + 1
            pred_map[half] = new_id
            classes[new_id] = classes[segment_id]
        elif fate == "mislabel":
            classes[segment_id] = int(rng.integers(num_classes))
        elif fate == "void":
            pred_map[(gt_map == 0) & (rng.random() < 0.5)] = segment_id
    pred_map = np.roll(pred_map, rng.integers(-6, 7, 2), axis=(0, 1))
    present = set(np.unique(pred_map).tolist())
    return pred_map, [SegmentInfo(i, c) for i, c in classes.items() if i in present]
