"""Mask DINO computes what the official code does: recorded numbers of its models, losses and gradients."""

from __future__ import annotations

import pytest
import torch
from mask_dino_recorded import KINDS, QUERIES, RECORDED, by_rule, features, filled, official_names, targets

from oneformer_lite.data.batch import Batch
from oneformer_lite.losses import Criterion
from oneformer_lite.model import MaskDino
from oneformer_lite.model.parts.selection import proposals


def near(found: torch.Tensor, name: str, tolerance: float = 1e-4) -> None:
    expected = torch.from_numpy(RECORDED[name])
    assert found.shape == expected.shape, (found.shape, expected.shape)
    scale = float(expected.abs().max())
    assert torch.allclose(found, expected, rtol=tolerance, atol=tolerance * scale), (found - expected).abs().max()


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_predictions_of_every_layer_and_of_the_selection(kind: str) -> None:
    model = filled(kind)
    read = features(model)
    start = model.start(read)
    every = [*model.read(read, every=True), *([start.selection] if start.selection else [])]
    near(torch.stack([p.class_logits for p in every]), f"{kind}.classes")
    near(torch.stack([p.boxes for p in every]), f"{kind}.boxes")
    looked_at = every[2:]  # the last one, and the selection
    near(torch.stack([p.mask_logits[..., 3::8, 3::8] for p in looked_at]), f"{kind}.masks")
    (last,) = model.read(read)
    assert last.class_logits.equal(every[2].class_logits) and last.class_logits.shape[1] == QUERIES


def test_proposals_are_the_released_ones() -> None:
    boxes, counts = proposals(((2, 3), (51, 4)), "released")
    expected = torch.from_numpy(RECORDED["proposals"])
    assert boxes.isinf().equal(expected.isinf()) and torch.allclose(boxes[counts], expected[counts], atol=1e-6)
    assert counts[:6].all() and not counts[6:10].any() and not counts[-4:].any() and counts[10:-4].all()


@pytest.fixture(scope="module", params=["released", "narrow", "semantic"])
def step(request) -> tuple:
    """A step of training: its kind, the model, what it says, the criterion's pairs and losses."""
    with pytest.MonkeyPatch.context() as patch:
        by_rule(patch)
        model = filled(request.param, mask_weight=5.0).train()
        read = features(model)
        patch.setattr(MaskDino, "begin", lambda *_: (read, None, None))
        wanted = targets()
        output = model.learn(Batch(torch.zeros(2, 3, 128, 160), ["panoptic"] * 2, wanted, None, [], []))
        criterion = Criterion(model.config)
        pairs = criterion.match(output, wanted)
        selected, _ = criterion._selection(output, wanted, pairs) if output.selection else (None, None)
        losses = criterion(output, wanted)
        losses["total"].backward()
    return request.param, model, output, criterion, [pairs, *([selected] if selected else [])], losses


def test_denoising_queries_and_what_they_say(step) -> None:
    kind, _, output, *_ = step
    every = [output.class_logits, *(p.class_logits for p in output.auxiliary)]
    every = [*every[1:], every[0], *([output.selection.class_logits] if output.selection else [])]
    near(torch.stack(every).detach(), f"{kind}.training.classes")
    for name, key in (("class_logits", "classes"), ("boxes", "boxes")):
        found = torch.stack([torch.cat([getattr(g, name) for g in layer], dim=1) for layer in output.denoising])
        expected = torch.from_numpy(RECORDED[f"{kind}.denoising.{key}"])[kind == "semantic" :]
        assert torch.allclose(found.detach(), expected, atol=1e-4 * float(expected.abs().max()))


def test_matching(step) -> None:
    kind, _, _, _, pairs, _ = step
    every = [images for found in pairs for images in found.assigned]
    found = [[[*queries.tolist(), *[-1] * (3 - len(queries))] for queries in images] for images in every]
    assert found == RECORDED[f"{kind}.matched"].tolist()


def test_losses(step) -> None:
    """Each of the official terms: the last prediction's have no number, earlier ones' theirs."""
    kind, _, output, criterion, _, losses = step
    theirs = dict(zip(RECORDED[f"{kind}.loss_names"].tolist(), RECORDED[f"{kind}.losses"].tolist()))
    ours = {"ce": "class", "mask": "mask", "dice": "dice", "bbox": "box", "giou": "giou"}
    layers = len(output.predictions)
    for their_name, name in ours.items():
        alone = [theirs[f"loss_{their_name}_{i}"] for i in range(layers - 1)] + [theirs[f"loss_{their_name}"]]
        assert criterion.by_prediction[name].tolist() == pytest.approx(alone, rel=1e-5)
        denoised = [v for key, v in theirs.items() if key.startswith(f"loss_{their_name}_dn")]
        assert losses[f"denoising_{name}"].item() == pytest.approx(sum(denoised), rel=1e-5)
        assert len(denoised) == layers - (kind == "semantic")
        if kind != "semantic":
            assert losses[f"selection_{name}"].item() == pytest.approx(theirs[f"loss_{their_name}_interm"], rel=1e-5)
    assert losses["total"].item() == pytest.approx(float(RECORDED[f"{kind}.total"]), rel=1e-5)
    assert len(theirs) == 5 * (layers + (kind != "semantic")) + 5 * len(output.denoising)


def test_gradients(step) -> None:
    kind, model, *_ = step
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    found = {name: float(value.norm()) for name, value in official_names(kind, gradients).items()}
    expected = dict(zip(RECORDED[f"{kind}.gradient_names"].tolist(), RECORDED[f"{kind}.gradients"].tolist()))
    assert found.keys() == expected.keys()
    largest = max(expected.values())
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-3, abs=1e-6 * largest), name
