"""Large pictures are post-processed a band of rows at a time: the same result, and memory that stays small."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from oneformer_lite.inference import (
    RawPrediction,
    instance_inference,
    panoptic_inference,
    raw,
    semantic_inference,
    surest_labels,
)

THINGS = (True, False, True, True, False)
SIZES = {  # padded, unpadded, output
    "enlarged": ((64, 96), (60, 90), (117, 203)),
    "as it is": ((64, 96), (64, 96), (64, 96)),
    "reduced": ((96, 64), (95, 41), (31, 40)),
    "one row": ((32, 64), (1, 64), (1, 300)),
}


def prediction(name: str, queries: int = 12, seed: int = 0) -> RawPrediction:
    generator = torch.Generator().manual_seed(seed)
    padded, unpadded, output = SIZES[name]
    classes = 4 * torch.randn(queries, len(THINGS) + 1, generator=generator)
    masks = 5 * torch.randn(queries, padded[0] // 4, padded[1] // 4, generator=generator)
    return RawPrediction(classes, masks, padded, unpadded, output)


@pytest.fixture(params=[400, 5000])
def small_bands(request, monkeypatch):
    """A call makes bands small; before it, these pictures are one band."""
    return lambda: monkeypatch.setattr(raw, "BAND", request.param)


@pytest.mark.parametrize("name", SIZES)
def test_rows_are_those_of_the_whole(name):
    whole = prediction(name)
    masks, height = whole.masks(), whole.output[0]
    for top, bottom in {(0, height), (0, 1), (height // 3, height // 2 + 1), (height - 1, height)}:
        torch.testing.assert_close(whole.masks(rows=slice(top, bottom)), masks[:, top:bottom], rtol=1e-5, atol=1e-5)
    some = torch.tensor([7, 2])
    torch.testing.assert_close(whole.masks(some, slice(0, 1)), masks[[7, 2], :1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SIZES)
def test_the_three_post_processings_are_the_same_in_bands(name, small_bands):
    whole = prediction(name)
    scores, (labels, shares) = semantic_inference(whole), surest_labels(whole)
    map_, segments = panoptic_inference(whole, THINGS, 0.3, 0.5)
    masks, classes, certainty = instance_inference(whole, THINGS, 0.1)
    assert len(list(whole.bands(12))) == 1
    small_bands()
    assert len(list(whole.bands(12))) > 1 or whole.output[0] == 1
    torch.testing.assert_close(semantic_inference(whole), scores, rtol=1e-5, atol=1e-5)
    again, portions = surest_labels(whole)
    assert (again == labels).float().mean() > 0.999
    torch.testing.assert_close(portions, shares, rtol=1e-4, atol=1e-5)
    again, found = panoptic_inference(whole, THINGS, 0.3, 0.5)
    assert (again == map_).float().mean() > 0.999 and found == segments
    theirs, their_classes, their_certainty = instance_inference(whole, THINGS, 0.1)
    assert (theirs == masks).float().mean() > 0.999 and their_classes.equal(classes)
    torch.testing.assert_close(their_certainty, certainty, rtol=1e-4, atol=1e-6)


def test_the_labels_are_the_best_scores():
    whole = prediction("enlarged")
    scores, (labels, shares) = semantic_inference(whole), surest_labels(whole)
    assert labels.equal(scores.argmax(0)) and shares.equal(scores.max(0).values / scores.sum(0))


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    values = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.values = max(self.values, tensor.numel())
        return result


@pytest.mark.parametrize("name", ["semantic", "panoptic", "instance"])
def test_no_tensor_grows_with_the_picture_times_the_queries(monkeypatch, name):
    monkeypatch.setattr(raw, "BAND", 50_000)
    masks = torch.randn(40, 16, 16, generator=torch.Generator().manual_seed(1))
    picture = RawPrediction(4 * torch.randn(40, 6), masks, (64, 64), (64, 64), (500, 700))
    with Largest() as largest:
        if name == "semantic":
            surest_labels(picture)
        elif name == "panoptic":
            panoptic_inference(picture, THINGS, 0.1, 0.1)
        else:
            instance_inference(picture, THINGS, 0.9)
    assert largest.values <= max(500 * 700, 50_000) < 40 * 500 * 700 / 20


def test_scores_of_more_than_4_gb_are_halved_with_a_warning(monkeypatch):
    from oneformer_lite.inference import postprocessing

    whole = prediction("enlarged")
    exact = semantic_inference(whole)
    monkeypatch.setattr(postprocessing, "_LARGE", exact.numel() - 1)
    monkeypatch.setattr(raw, "BAND", 5000)
    with pytest.warns(UserWarning, match="float16"):
        halved = semantic_inference(whole)
    assert halved.dtype == torch.float16
    torch.testing.assert_close(halved.float(), exact, rtol=2e-3, atol=1e-4)
