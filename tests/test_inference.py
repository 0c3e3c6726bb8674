"""Post-processing against a plain reading of the official code, and ``predict`` as its user meets it."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.inference import (
    RawPrediction,
    instance_inference,
    panoptic_inference,
    raw_predictions,
    semantic_inference,
)

THINGS = (True, True, False, False)


def raw(seed=0, queries=12, size=(24, 32), output=(48, 60), unpadded=(90, 120)):
    """Confident classes and blobby masks on a grid of quarter size, with padding."""
    g = torch.Generator().manual_seed(seed)
    classes = 6 * torch.randn(queries, 5, generator=g)
    masks = F.interpolate(4 * torch.randn(1, queries, 6, 8, generator=g), size=size, mode="bicubic")[0]
    return RawPrediction(classes, masks, (4 * size[0], 4 * size[1]), unpadded, output)


def official_masks(r):
    """oneformer_model.py: interpolate to the input, crop the padding, interpolate to the output."""
    masks = F.interpolate(r.mask_logits[None], size=r.padded, mode="bilinear", align_corners=False)
    masks = masks[:, :, : r.unpadded[0], : r.unpadded[1]]
    return F.interpolate(masks, size=r.output, mode="bilinear", align_corners=False)[0]


@pytest.mark.parametrize("seed", range(3))
def test_semantic_is_the_sum_over_queries(seed):
    r = raw(seed)
    probability, masks = r.class_logits.softmax(-1), official_masks(r).sigmoid()
    expected = torch.zeros(4, *r.output)
    for q in range(12):
        for k in range(4):
            expected[k] += probability[q, k] * masks[q]
    torch.testing.assert_close(semantic_inference(r), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("thresholds", [(0.5, 0.8), (0.3, 0.3), (0.8, 0.5)])
def test_panoptic_is_the_official_merge(seed, thresholds):
    object_threshold, overlap_threshold = thresholds
    r = raw(seed)
    scores, labels = r.class_logits.softmax(-1).max(-1)
    masks = official_masks(r).sigmoid()
    kept = [q for q in range(12) if labels[q] != 4 and scores[q] > object_threshold]
    expected, owners, stuff = torch.zeros(r.output, dtype=torch.int32), [], {}
    if kept:
        ids = torch.stack([scores[q] * masks[q] for q in kept]).argmax(0)
    for k, q in enumerate(kept):
        label = int(labels[q])
        area, original = int((ids == k).sum()), int((masks[q] >= 0.5).sum())
        region = (ids == k) & (masks[q] >= 0.5)
        if area > 0 and original > 0 and region.sum() > 0 and area / original >= overlap_threshold:
            if label in stuff:
                expected[region] = stuff[label]
                continue
            owners.append(label)
            if not THINGS[label]:
                stuff[label] = len(owners)
            expected[region] = len(owners)
    got, segments = panoptic_inference(r, THINGS, object_threshold, overlap_threshold)
    assert torch.equal(got, expected)
    assert [(i, c) for i, c, _ in segments] == list(enumerate(owners, start=1))


@pytest.mark.parametrize("seed", range(3))
def test_instance_is_top_k_over_query_and_class(seed):
    r = raw(seed)
    probability, masks = r.class_logits.softmax(-1)[:, :-1], official_masks(r)
    pairs = sorted(((float(probability[q, k]), q, k) for q in range(12) for k in range(4)), reverse=True)[:12]
    expected = []
    for score, q, k in pairs:
        if THINGS[k]:
            inside = masks[q] > 0
            mean = (masks[q].sigmoid() * inside).sum() / (inside.sum() + 1e-6)
            expected.append((round(score * float(mean), 4), k, int(inside.sum())))
    got_masks, labels, scores = instance_inference(r, THINGS)
    got = [(round(float(s), 4), int(k), int(m.sum())) for s, k, m in zip(scores, labels, got_masks)]
    assert sorted(got) == sorted(expected) and expected


def test_nothing_found_is_void():
    r = raw()
    r.class_logits[:, :-1] = -50.0
    segment_map, segments = panoptic_inference(r, THINGS, 0.5, 0.8)
    assert not segment_map.any() and segments == []
    masks, labels, scores = instance_inference(r, THINGS, min_score=0.5)
    assert masks.shape == (0, 48, 60) and len(labels) == len(scores) == 0


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), pretrained=False)).eval()


@pytest.fixture
def picture():
    return ofl.data.Toytown("val", (96, 160))[0].image


@pytest.mark.parametrize("task", ofl.data.TASKS)
def test_a_prediction_has_the_size_of_the_picture(model, picture, task):
    p = ofl.predict(model, picture, task, min_score=0.0)
    assert p.task == task
    maps = {"panoptic": p.segment_map, "semantic": p.label_map, "instance": p.masks}
    filled = maps.pop(task)
    assert filled.shape[-2:] == (96, 160) and all(m is None for m in maps.values())
    dtype = {"panoptic": np.int32, "semantic": np.int64, "instance": np.bool_}[task]
    assert filled.dtype == dtype
    for s in p.segments:
        assert s.class_name == model.config.class_names[s.class_id]
        assert s.is_thing == model.config.is_thing[s.class_id]
        if task == "instance":
            area = filled[s.id - 1].sum()
        else:
            area = (filled == (s.id if task == "panoptic" else s.class_id)).sum()
        assert s.area == area
    if task == "instance":
        assert all(s.is_thing for s in p.segments) and list(p.scores) == sorted(p.scores, reverse=True)


def test_paths_pil_images_and_arrays_are_the_same(model, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "scene.png")
    inputs = (picture, Image.fromarray(picture), tmp_path / "scene.png", str(tmp_path / "scene.png"))
    maps = [ofl.predict(model, x, "semantic").label_map for x in inputs]
    assert all(np.array_equal(maps[0], m) for m in maps[1:])


def test_predicting_leaves_a_training_model_in_training_mode(model, picture):
    model.train()
    ofl.predict(model, picture, "panoptic")
    assert model.training
    model.eval()


def test_batch_and_single_image_give_the_same_segments(model):
    samples = [ofl.data.Toytown("val", (96, 128))[i] for i in range(3)]
    images = torch.stack([ofl.data.normalise(s.image) for s in samples])
    with torch.inference_mode():
        batch = raw_predictions(model(images, "panoptic"), [(96, 128)] * 3, [(96, 128)] * 3)
        for i, one in enumerate(batch):
            alone = raw_predictions(model(images[i : i + 1], "panoptic"), [(96, 128)], [(96, 128)])[0]
            torch.testing.assert_close(one.masks(), alone.masks(), rtol=1e-4, atol=1e-4)


def test_pictures_of_a_prediction(model, picture, tmp_path):
    p = ofl.predict(model, picture, "panoptic")
    assert p._repr_png_().startswith(b"\x89PNG")
    with Image.open(p.save(tmp_path / "out.png")) as saved:
        assert saved.size == p.show().size


def test_bad_pictures_and_tasks_get_a_sentence(model, picture, tmp_path):
    with pytest.raises(ofl.errors.ConfigError, match="unknown task 'things'.*'panoptic'"):
        ofl.predict(model, picture, "things")
    with pytest.raises(ValueError, match="raw picture, not a normalised one"):
        ofl.predict(model, picture.astype(np.float32), "panoptic")
    with pytest.raises(ofl.errors.DataError, match="nowhere.jpg does not exist"):
        ofl.predict(model, tmp_path / "nowhere.jpg", "panoptic")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ofl.errors.DataError, match="empty.jpg is empty"):
        ofl.predict(model, tmp_path / "empty.jpg", "panoptic")


def test_the_inference_size_keeps_the_shape_and_the_limits():
    c = dataclasses.replace(ofl.config.coco_r50(), test_size=800, test_max_size=1333)
    assert c.inference_size(480, 640) == (800, 1067)
    assert c.inference_size(400, 1000) == (533, 1333)
    assert ofl.config.toytown().inference_size(64, 64) == (128, 128)
