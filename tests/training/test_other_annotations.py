"""Annotations that know one task train and are judged by that task alone; real photographs train too."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data.instance import encode_mask
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.data.views import Chosen
from oneformer_lite.training import toytown_training, train


@pytest.fixture
def scenes(tmp_path):
    samples = [Toytown("train", 64)[i] for i in range(4)]
    (tmp_path / "images").mkdir()
    for s in samples:
        Image.fromarray(s.image).save(tmp_path / "images" / f"{s.image_id}.png")
    return samples


def short_run(data, tmp_path, **changes):
    config = dataclasses.replace(ofl.config.toytown(), image_size=64, num_points=128)
    config = ofl.config.for_classes(config, data.categories)
    settings = {"out": str(tmp_path / "run"), "steps": 2, "batch_size": 2, "workers": 0, "log_steps": 1,
                "evaluations": 1, "eval_images": 2, "augmentation": "fit"} | changes  # fmt: skip
    return train(config, toytown_training(**settings), train_data=data, val_data=data)


def test_instance_files_alone(scenes, tmp_path):
    annotations = [
        {"image_id": s.image_id, "category_id": segment.class_id, "segmentation": encode_mask(mask), "bbox": [],
         "iscrowd": int(segment.is_crowd), "area": int(mask.sum())}
        for s in scenes
        for segment, mask in zip(s.segments, s.segment_masks())
        if s.categories[segment.class_id].is_thing
    ]  # fmt: skip
    content = {
        "images": [{"id": s.image_id, "file_name": f"{s.image_id}.png", "height": 64, "width": 64} for s in scenes],
        "categories": [{"id": i, "name": c.name} for i, c in enumerate(Toytown.categories[:8])],
        "annotations": [a | {"id": i} for i, a in enumerate(annotations, start=1)],
    }
    (tmp_path / "instances.json").write_text(json.dumps(content))
    data = ofl.data.InstanceDataset(tmp_path / "images", tmp_path / "instances.json")
    result = short_run(data, tmp_path)
    evals = [r for r in result.history if r["kind"] == "eval"]
    assert result.finished and "AP" in evals[0] and "PQ" not in evals[0] and "mIoU" not in evals[0]


def test_label_maps_alone(scenes, tmp_path):
    (tmp_path / "labels").mkdir()
    for s in scenes:
        labels = ofl.metrics.semantic_labels(s.segment_map, s.segments, ignore=255).astype(np.uint8)
        Image.fromarray(labels).save(tmp_path / "labels" / f"{s.image_id}.png")
    names = [c.name for c in Toytown.categories]
    data = ofl.data.SemanticDataset(tmp_path / "images", tmp_path / "labels", names)
    result = short_run(data, tmp_path)
    evals = [r for r in result.history if r["kind"] == "eval"]
    assert result.finished and "mIoU" in evals[0] and "PQ" not in evals[0] and "AP" not in evals[0]


@pytest.mark.filterwarnings("ignore:.*segments but the model has")
def test_coco_photographs_train_and_are_judged(coco_sample, tmp_path):
    """With crowds, void and all; the benchmark overfit_coco.py runs longer."""
    data = open_split(coco_sample, "train2017")
    assert len(data) == 100 and any(s.is_crowd for i in range(100) for s in data.annotation(i)[1])
    result = short_run(data, tmp_path, steps=25, batch_size=4, evaluations=0)  # every picture once
    assert result.finished and all(np.isfinite(r["total"]) for r in result.history)
    metrics = ofl.evaluate(result.model, Chosen(open_split(coco_sample, "val2017"), range(4)))
    assert all(0 <= metrics[name] <= 100 for name in ("PQ", "AP", "mIoU"))
