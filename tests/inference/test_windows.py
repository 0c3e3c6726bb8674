"""A window that slides along the picture: where it stands, and that overlapping class scores are averaged."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.inference import predict_windows, semantic_inference, surest_labels
from oneformer_lite.inference.windows import BATCH, MOST, covering_size, window_starts
from oneformer_lite.model import EoMT, build


def official(model: EoMT, pixels: np.ndarray) -> torch.Tensor:
    """Class scores [K, H, W] by the steps of ``window_imgs_semantic`` and ``revert_window_logits_semantic``."""
    side, (height, width) = model.config.image_size, pixels.shape[:2]
    factor = max(side / height, side / width)
    size = [round(s * factor) for s in (height, width)]
    resized = ofl.data.normalise(np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BILINEAR)))
    crops = math.ceil(max(size) / side)
    overlap = crops * side - max(size)
    each = overlap / (crops - 1) if overlap > 0 else 0
    sums, counts = torch.zeros(model.config.num_classes, *size), torch.zeros(model.config.num_classes, *size)
    for j in range(crops):
        start = int(j * (side - each))
        along = slice(start, start + side)
        window = (along, slice(None)) if size[0] > size[1] else (slice(None), along)
        with torch.no_grad():
            out = model(resized[(slice(None), *window)][None])
        masks = torch.nn.functional.interpolate(out.mask_logits, (side, side), mode="bilinear").sigmoid()
        sums[(slice(None), *window)] += torch.einsum("bqhw,bqc->bchw", masks, out.class_logits.softmax(-1)[..., :-1])[0]
        counts[(slice(None), *window)] += 1
    return torch.nn.functional.interpolate((sums / counts)[None], (height, width), mode="bilinear")[0]


@pytest.fixture(scope="module")
def model() -> EoMT:
    torch.manual_seed(0)
    c = dataclasses.replace(
        config.eomt_toytown(), trained_task="semantic", image_size=64, hidden_dim=48, num_heads=4, num_queries=8,
        query_blocks=2, backbone_options={"depth": 3, "init_values": 1.0},
    )  # fmt: skip
    return build(c).eval()


SIZES = [(64, 64), (64, 100), (150, 64), (40, 33), (100, 331), (57, 114), (300, 200)]


@pytest.mark.parametrize("height, width", SIZES)
def test_the_official_steps_give_the_same(model, height, width) -> None:
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    found, expected = predict_windows(model, pixels), official(model, pixels)
    scores = semantic_inference(found)
    assert scores.shape == expected.shape and torch.allclose(scores, expected, atol=1e-5)
    top = expected.topk(2, dim=0).values
    clear = top[0] - top[1] > 1e-4
    assert surest_labels(found)[0][clear].equal(expected.argmax(0)[clear]) and clear.float().mean() > 0.9
    prediction = ofl.predict(model, pixels, "semantic")
    assert np.array_equal(prediction.label_map, surest_labels(found)[0].numpy())


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (2, 40_000)])
def test_a_picture_without_width_takes_few_windows(model, size) -> None:
    """At its own proportions the first would be 3000 windows, and all of them one batch."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    asked = []
    handle = model.register_forward_pre_hook(lambda _, args: asked.append(len(args[0])))
    with pytest.warns(UserWarning, match=f"{size[1]} x {size[0]} pixels is seen squeezed: .* {MOST} do at most"):
        prediction = ofl.predict(model, pixels, "semantic")
    handle.remove()
    assert prediction.label_map.shape == size and asked == [BATCH] * (MOST // BATCH)


def test_in_bands_as_at_once(model, monkeypatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 200, 3), np.uint8)
    whole = surest_labels(predict_windows(model, pixels))
    monkeypatch.setattr("oneformer_lite.inference.raw.BAND", 14 * 200 * 40)
    found = predict_windows(model, pixels)
    assert len(list(found.bands(found.semantic_maps))) > 1
    labels, shares = surest_labels(found)
    assert (labels == whole[0]).float().mean() > 0.999 and torch.allclose(shares, whole[1], atol=1e-5)


@pytest.mark.parametrize(
    "length, side, starts",
    [(64, 64, [0]), (65, 64, [0, 1]), (128, 64, [0, 64]), (150, 64, [0, 43, 86]), (96, 64, [0, 32])],
)
def test_windows_are_evenly_spread(length, side, starts) -> None:
    assert window_starts(length, side) == starts and starts[-1] + side == length


@pytest.mark.parametrize(
    "height, width, size", [(480, 640, (512, 683)), (683, 512, (683, 512)), (100, 100, (512, 512))]
)
def test_the_shorter_side_fits(height, width, size) -> None:
    assert covering_size(height, width, 512) == size


def test_evaluation_slides_it_too(model, monkeypatch) -> None:
    scenes = [ofl.data.Toytown("val", (64, 112))[i] for i in range(2)]
    found = ofl.evaluate(model, scenes, "semantic")
    by_hand = [ofl.predict(model, scene.image, "semantic").label_map for scene in scenes]
    truth = [ofl.metrics.semantic_labels(scene.segment_map, scene.segments) for scene in scenes]
    right = [(a == b)[b >= 0] for a, b in zip(by_hand, truth)]
    assert found["pixel_accuracy"] == pytest.approx(100 * np.concatenate(right).mean(), abs=1e-6)


def test_models_of_other_tasks_look_at_the_whole(model) -> None:
    whole = dataclasses.replace(model.config, trained_task="panoptic")
    assert not whole.windowed and model.config.windowed and not config.toytown().windowed
    other = build(whole).eval()
    other.load_state_dict(model.state_dict())
    pixels = np.random.default_rng(0).integers(0, 256, (64, 150, 3), np.uint8)
    assert not np.array_equal(
        ofl.predict(other, pixels, "semantic").label_map, ofl.predict(model, pixels, "semantic").label_map
    )


@pytest.mark.parametrize("task", ["panoptic", "instance", "semantic"])
def test_batches_are_judged_as_single_pictures(model, task) -> None:
    """Also where they are padded with something else than zeros."""
    other = build(dataclasses.replace(model.config, trained_task="panoptic", object_mask_threshold=0.0)).eval()
    other.load_state_dict(model.state_dict())
    scenes = [ofl.data.Toytown("val", size)[i] for i, size in enumerate([(64, 64), (64, 100), (90, 64)])]
    together, apart = ofl.evaluate(other, scenes, task, batch_size=3), ofl.evaluate(other, scenes, task, batch_size=1)
    for name, value in apart.items():
        assert together[name] == pytest.approx(value, abs=1e-3, nan_ok=True), name
