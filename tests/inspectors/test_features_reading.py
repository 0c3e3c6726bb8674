"""Numbers of feature maps, by hand and against independent computations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.inspectors.features.reading import (
    FeatureMap,
    compact_units,
    feature_maps,
    principal_components,
    thinning,
    unit_vectors,
)  # fmt: skip
from oneformer_lite.inspectors.traced import TracedPicture, trace_picture


def random_map(h: int = 6, w: int = 5, channels: int = 8) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(h, w, channels)).astype(np.float32)


def test_channels_that_vary_most_come_first() -> None:
    values = np.array([[[5.0, 0.0, 1.0], [5.0, 4.0, -1.0]]], dtype=np.float32)  # deviations 0, 2, 1
    found = FeatureMap(values)
    assert found.order.tolist() == [1, 2, 0] and found.size == (1, 2)
    assert found.limits(0) == (5.0, 5.0)


def test_components_of_a_line() -> None:
    """Along (3, -4) all positions lie on one line: one component holds everything, and the heavy channel decides."""
    values = np.array([[[3.0, -4.0], [0.0, 0.0], [-3.0, 4.0]]], dtype=np.float32)
    scores, shares = principal_components(values)
    assert np.allclose(scores[0, :, 0], [-5, 0, 5]) and np.allclose(shares, [1, 0, 0])
    assert not scores[..., 1:].any()


def test_components_agree_with_the_singular_value_decomposition() -> None:
    values = random_map()
    scores, shares = principal_components(values)
    flat = values.reshape(-1, 8) - values.reshape(-1, 8).mean(0)
    left, sizes, _ = np.linalg.svd(flat, full_matrices=False)
    assert np.allclose(np.abs(scores.reshape(-1, 3)), np.abs(left * sizes)[:, :3], atol=1e-4)
    assert np.allclose(shares, (sizes**2 / (sizes**2).sum())[:3])
    mirrored, _ = principal_components(-values)
    assert np.allclose(mirrored, -scores, atol=1e-5)  # the sign follows the channels, not the solver


@pytest.mark.parametrize("values", [np.ones((3, 4, 5)), np.ones((1, 1, 7)), np.arange(6.0).reshape(2, 3, 1)])
def test_components_that_are_not_there(values: np.ndarray) -> None:
    scores, shares = principal_components(values.astype(np.float32))
    assert np.isfinite(scores).all() and not shares[1:].any()


def test_similarity_by_hand() -> None:
    values = np.array([[[1.0, 0.0], [1.0, 1.0], [0.0, 2.0], [-3.0, 0.0], [0.0, 0.0]]], dtype=np.float32)
    assert np.allclose(FeatureMap(values).similarity((0, 0)), [[1, 0.5**0.5, 0, -1, 0]])
    assert not FeatureMap(values).similarity((0, 4)).any()


def test_compact_units_keep_inner_products() -> None:
    values = random_map(channels=8)
    codes, scale = compact_units(values, rank=8)
    short = (codes - 128.0) * scale
    units = unit_vectors(values).reshape(-1, 8)
    assert codes.shape == (30, 8) and np.abs(short @ short.T - units @ units.T).max() < 0.02
    assert compact_units(values, rank=3)[0].shape == (30, 3)


def test_thinning() -> None:
    assert thinning((40, 40), 1600) == 1 and thinning((40, 40), 1599) == 2 and thinning((1, 100), 30) == 4


def test_places_in_maps() -> None:
    """A picture of 50 x 100 seen at 100 x 200: pixel (24, 99) lies at (49, 199), in stride 8 at row 6, column 24."""
    traced = TracedPicture(np.zeros((50, 100, 3), np.uint8), (100, 200), {})
    assert traced.padded == (128, 224)
    assert traced.cell((24, 99), 8) == (6, 24) and traced.cell((0, 0), 32) == (0, 0)


@pytest.mark.parametrize("pixel_decoder", ["deformable", "fpn"])
def test_maps_are_what_the_model_computes_without_the_padding(pixel_decoder: str) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(ofl.config.toytown(), pixel_decoder=pixel_decoder, test_size=40, pretrained=False)
    model = ofl.OneFormer(config)
    image = np.random.default_rng(0).integers(0, 255, (40, 70, 3), dtype=np.uint8)
    traced = trace_picture(model, image)
    assert traced.input_size == (40, 70) and model.training
    maps = feature_maps(traced)
    assert {key: found.size for key, found in maps.items() if key[0] == "backbone"} == {
        ("backbone", 4): (10, 18), ("backbone", 8): (5, 9), ("backbone", 16): (3, 5), ("backbone", 32): (2, 3),
    }  # fmt: skip
    with torch.no_grad():
        images = torch.nn.functional.pad(ofl.data.normalise(image)[None], (0, 26, 0, 24))
        model.eval()
        features = model.backbone(images)
        mask_features, coarser = model.pixel_decoder(features)
    for key, expected in ((("backbone", 8), features[1]), (("pixel decoder", 4), mask_features),
                          (("pixel decoder", 32), coarser[0])):  # fmt: skip
        found = maps[key]
        expected = expected[0, :, : found.size[0], : found.size[1]].permute(1, 2, 0).numpy()
        assert np.allclose(found.values, expected, atol=1e-5)
