"""EoMT's panoptic and instance rules, from the logits of a padded square to the picture's own size, step by step as its
official ``lightning_module.py`` and ``mask_classification_instance.py`` have them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.inference import RawPrediction, instance_inference, panoptic_inference

SIDE, CLASSES, QUERIES = 32, 5, 12
THINGS = (True, False, True, False, False)


def reverted(mask_logits, inside, size):
    """``revert_resize_and_pad_logits_instance_panoptic`` of one picture."""
    square = F.interpolate(mask_logits[None], (SIDE, SIDE), mode="bilinear")
    return F.interpolate(square[:, :, : inside[0], : inside[1]], size, mode="bilinear")[0]


def official_panoptic(mask_logits, class_logits, mask_thresh=0.8, overlap_thresh=0.8):
    """``to_per_pixel_preds_panoptic``: the segment of each pixel from 0, -1 for none, and the segments' classes."""
    scores, classes = class_logits.softmax(-1).max(-1)
    segments = -torch.ones(mask_logits.shape[-2:], dtype=torch.long)
    keep = classes.ne(class_logits.shape[-1] - 1) & (scores > mask_thresh)
    found, stuff = [], {}
    if not keep.any():
        return segments, found
    masks = mask_logits.sigmoid()[keep]
    winner = (scores[keep][:, None, None] * masks).argmax(0)
    for k, class_id in enumerate(classes[keep].tolist()):
        own, won = masks[k] >= 0.5, winner == k
        final = own & won
        if not own.sum() or not won.sum() or not final.sum() or won.sum().item() / own.sum().item() < overlap_thresh:
            continue
        if not THINGS[class_id]:
            if class_id in stuff:
                segments[final] = stuff[class_id]
                continue
            stuff[class_id] = len(found)
        segments[final] = len(found)
        found.append(class_id)
    return segments, found


def official_instances(mask_logits, class_logits, most=100):
    scores, index = class_logits.softmax(-1)[:, :-1].flatten().topk(min(most, QUERIES * CLASSES), sorted=False)
    logits = mask_logits[index // CLASSES]
    masks = logits > 0
    certainty = (logits.sigmoid().flatten(1) * masks.flatten(1)).sum(1) / (masks.flatten(1).sum(1) + 1e-6)
    return index % CLASSES, scores * certainty, masks


def cases(count: int):
    """Blobs of one query each, some of them sure, over pictures of all shapes."""
    c = dataclasses.replace(config.eomt_coco_l(), image_size=SIDE)
    for seed in range(count):
        generator = torch.Generator().manual_seed(seed)
        size = tuple(torch.randint(8, 60, (2,), generator=generator).tolist())
        class_logits = torch.randn(QUERIES, CLASSES + 1, generator=generator)
        sure = torch.rand(QUERIES, generator=generator) < 0.6
        surest = torch.randint(0, CLASSES + 1, (QUERIES,), generator=generator)
        class_logits[torch.arange(QUERIES), surest] += 6.0 * sure
        coarse = torch.randn(1, QUERIES, 3, 3, generator=generator)
        masks = 4 * F.interpolate(coarse, (SIDE // 4, SIDE // 4), mode="bicubic")[0]
        inside = c.inference_size(*size)
        yield masks, class_logits, inside, RawPrediction(class_logits, masks, (SIDE, SIDE), inside, size), size


def test_panoptic_in_two_hundred_cases() -> None:
    kept = 0
    for masks, class_logits, inside, raw, size in cases(200):
        segments, classes = official_panoptic(reverted(masks, inside, size), class_logits)
        found, listed = panoptic_inference(raw, THINGS, 0.8, 0.8)
        assert [class_id for _, class_id, _ in listed] == classes
        assert np.array_equal(found.numpy(), segments.numpy() + 1)
        kept += len(classes)
    assert kept > 60


def test_instances_in_two_hundred_cases() -> None:
    for masks, class_logits, inside, raw, size in cases(200):
        labels, scores, pixels = official_instances(reverted(masks, inside, size), class_logits)
        found, ours, of_ours = instance_inference(raw, (True,) * CLASSES, most=config.eomt_coco_l().max_instances)
        expected = sorted(zip(labels.tolist(), pixels.flatten(1).sum(1).tolist(), scores.tolist()))
        given = sorted(zip(ours.tolist(), found.flatten(1).sum(1).tolist(), of_ours.tolist()))
        assert [row[:2] for row in given] == [row[:2] for row in expected]
        assert np.allclose([row[2] for row in given], [row[2] for row in expected], atol=1e-5)


def test_the_square_is_the_models_own() -> None:
    """What predict hands on is what was seen: the whole square, of which the picture fills the upper left."""
    from oneformer_lite.inference import predict_raw
    from oneformer_lite.model import build

    c = dataclasses.replace(
        config.eomt_toytown(), image_size=64, hidden_dim=48, num_heads=4, query_blocks=1,
        backbone_options={"depth": 2, "init_values": 1.0},
    )  # fmt: skip
    _, raw = predict_raw(build(c).eval(), ofl.data.Toytown("val", (70, 150))[0].image, "panoptic")
    assert raw.padded == (64, 64) and raw.unpadded == (30, 64) and raw.output == (70, 150)
