"""K-Net beside the numbers that the official modules gave (knet_reference.py says how): kernels, classes and masks of
all stages, losses, matching, gradients, merges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from knet_reference import DIM, FFN, HEADS, KERNELS, STUFF, THINGS, maps, merge_case, scene, value

from oneformer_lite.config import KNetConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.inference import RawPrediction
from oneformer_lite.inference.knet import knet_panoptic
from oneformer_lite.losses import Criterion
from oneformer_lite.model import Features, KNet, KNetOutput, Trace, build
from oneformer_lite.model.knet import answered_classes

REFERENCE = np.load(Path(__file__).with_name("knet_reference.npz"))
TASKS = ("panoptic", "instance")


def small(task: str) -> KNetConfig:
    classes = THINGS + STUFF * (task == "panoptic")
    return KNetConfig(
        num_classes=classes, is_thing=tuple(k < THINGS for k in range(classes)), trained_task=task, pretrained=False,
        backbone="resnet18", hidden_dim=DIM, num_heads=HEADS, stage_ffn=FFN, thing_kernels=KERNELS,
        rank_weight=0.1 * (task == "panoptic"),
    )  # fmt: skip


def filled(task: str) -> KNet:
    model = build(small(task)).double()
    state = model.state_dict()
    ours = {name for name in state if name.split(".")[0] not in ("backbone", "fpn")}
    model.load_state_dict(state | {name: torch.from_numpy(value(name, tuple(state[name].shape))) for name in ours})
    return model


def features(model: KNet) -> Features:
    """What the model makes of the maps that an FPN would give."""
    location, semantic = model.localisation([torch.from_numpy(m) for m in maps()])
    return Features(location + semantic, [location, model.class_head(semantic)])


def equal(found: torch.Tensor, name: str) -> None:
    assert torch.from_numpy(REFERENCE[name]).shape == found.shape
    torch.testing.assert_close(found.float(), torch.from_numpy(REFERENCE[name]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", TASKS)
@torch.no_grad()
def test_first_masks_and_all_stages(task) -> None:
    model = filled(task).eval()
    found, trace = features(model), Trace()
    if task == "panoptic":
        equal(found.maps[1], "semantic")
    kernels, masks = model.start(found)
    equal(kernels, f"{task}_kernels0")
    equal(masks, f"{task}_masks0")
    predictions = model.read(found, every=True, trace=trace)
    assert len(predictions) == 4 and predictions[-1].mask_logits.shape[-2:] == (16, 24)
    for stage, prediction in enumerate(predictions[1:], start=1):
        equal(trace[f"decoder.layer{stage - 1}.queries"], f"{task}_kernels{stage}")
        doubled = torch.nn.functional.interpolate(
            torch.from_numpy(REFERENCE[f"{task}_masks{stage}"]), scale_factor=2, mode="bilinear"
        )
        torch.testing.assert_close(prediction.mask_logits.float(), doubled, rtol=1e-4, atol=1e-5)
        said = prediction.class_logits.float()
        official = torch.from_numpy(REFERENCE[f"{task}_classes{stage}"])
        torch.testing.assert_close(said[:, model.answered], official[:, model.answered], rtol=1e-4, atol=1e-5)
        assert not prediction.probabilities[:, ~model.answered].any()
        assert bool(model.answered.all()) == (task == "instance")


def targets_of(case: int, task: str) -> list[Targets]:
    found = []
    for picture in range(2):
        masks, labels = (torch.from_numpy(part) for part in scene(case, picture))
        kept = labels < THINGS if task == "instance" else torch.ones_like(labels, dtype=torch.bool)
        found.append(Targets(masks[kept], labels[kept], [""] * int(kept.sum())))
    return found


def learned(model: KNet) -> KNetOutput:
    found = features(model)
    output = model.output(model.read(found, every=True), None)
    output.semantic_logits = torch.nn.functional.interpolate(found.maps[1], scale_factor=2, mode="bilinear")
    return output


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("case", range(3))
def test_losses_matching_and_gradients(task, case) -> None:
    """Case 1: a picture without things; case 2: one without stuff, one with much void."""
    model, targets = filled(task), targets_of(case, task)
    criterion, output = Criterion(model.config), learned(model)
    losses = criterion(output, targets)
    stages = ("loss_rpn", "s0_loss", "s1_loss", "s2_loss")
    names = {"class": "cls", "mask": "mask", "dice": "dice", "rank": "rank"}
    for ours, theirs in names.items():
        if task == "instance" and ours == "rank":  # which it has not
            assert "rank" not in losses and f"instance{case}_s0_loss_rank" not in REFERENCE
            continue
        weight = criterion.weights[ours]
        for i, stage in enumerate(stages):
            if f"{task}{case}_{stage}_{theirs}" in REFERENCE:
                found = weight * float(criterion.by_prediction[ours][i])
                assert found == pytest.approx(float(REFERENCE[f"{task}{case}_{stage}_{theirs}"]), rel=1e-5, abs=1e-9)
            else:  # the first masks have no classes yet
                assert (ours, i) == ("class", 0)
    semantic = float(REFERENCE[f"{task}{case}_loss_rpn_seg"])
    assert float(losses["semantic"].detach()) == pytest.approx(semantic, rel=1e-5)
    whole = sum(float(REFERENCE[name]) for name in REFERENCE.files if name.startswith(f"{task}{case}_")
                and "loss" in name)  # fmt: skip
    assert float(losses["total"].detach()) == pytest.approx(whole, rel=1e-5)
    losses["total"].backward()
    equal(model.queries.weight.grad, f"{task}{case}_gradient")
    assigned = criterion.match(output, targets).assigned
    official = REFERENCE[f"{task}{case}_assigned"].reshape(4, 2, KERNELS)  # the thing of each kernel, from 1; 0: none
    for prediction, theirs in zip(assigned, official):
        for queries, target, things in zip(prediction, targets, theirs):
            free = queries[target.labels < THINGS].tolist()
            assert [things[query] for query in free] == list(range(1, len(free) + 1))
            assert queries[target.labels >= THINGS].tolist() == [
                KERNELS + k - THINGS for k in target.labels.tolist() if k >= THINGS
            ]


def test_a_hundred_merges() -> None:
    answered, is_thing = answered_classes(small("panoptic")), small("panoptic").is_thing
    official, start, found_some = REFERENCE["merges"], 0, 0
    for case in range(100):
        classes, masks, shape, padded, size = merge_case(case)
        theirs = official[start : start + size[0] * size[1]].reshape(size).astype(int)
        start += size[0] * size[1]
        logits = torch.from_numpy(classes).masked_fill(~answered, -1e4)
        raw = RawPrediction(logits, torch.from_numpy(masks), padded, shape, size, no_object=False)
        ours, segments = knet_panoptic(raw, is_thing, 0.3, 0.6)
        wanted = np.zeros(size, int)
        for id_, class_id, _ in segments:
            wanted[ours.numpy() == id_] = class_id + 1000 * (id_ - 1) + 1
        assert np.array_equal(wanted, np.where(theirs == THINGS + STUFF, 0, theirs + 1)), case
        found_some += len(segments) > 2
    assert start == len(official) and found_some > 50
