"""The parts of the losses add up to what the criterion says, and a step's batch is what the trainer met."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.inspectors.losses.gradients import gradient_norms
from oneformer_lite.inspectors.losses.reading import joined, read_losses, take_apart
from oneformer_lite.inspectors.losses.steps import batch_of_samples, batches_of_step, newest_model
from oneformer_lite.losses import LOSSES, Criterion
from oneformer_lite.training import toytown_training
from oneformer_lite.training.loader import training_batches
from oneformer_lite.training.step import Objective


def tiny(**changes) -> ofl.config.ModelConfig:
    sizes = {"image_size": 64, "hidden_dim": 32, "decoder_layers": 2, "num_points": 64, "pretrained": False}
    return dataclasses.replace(ofl.config.toytown(), **(sizes | changes))


@pytest.fixture(scope="module")
def scenes() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 5)


def looked_at(config, scenes, double: bool = True):
    torch.manual_seed(0)
    model = ofl.OneFormer(config).eval()
    model = model.double() if double else model
    pairs = [(scenes[i], task) for i, task in enumerate(("panoptic", "instance", "semantic"))]
    batches, seeds = batch_of_samples(pairs, config)
    images = batches[0].images.to(next(model.parameters()).dtype)
    return model, dataclasses.replace(batches[0], images=images), seeds[0]


@pytest.mark.parametrize("changes", [{}, {"mask_loss": "focal"}, {"num_queries": 6}, {"compared_on": "pixels"}])
@pytest.mark.filterwarnings("ignore:an image has")
def test_parts_add_up_to_the_criterion(scenes, changes) -> None:
    config = tiny(**changes)
    model, batch, seeds = looked_at(config, scenes)
    output, criterion = model(batch.images, batch.tasks, texts=batch.texts), Criterion(config)
    parts = take_apart(criterion, output, batch.targets, seeds)
    losses = criterion(output, batch.targets, seeds)
    for name, value in parts.losses().items():
        assert value == pytest.approx(losses[name].item(), abs=1e-6), name
    for name, values in parts.by_layer().items():
        assert np.allclose(values, criterion.by_prediction[name].numpy(), atol=1e-6), name
    other = criterion(output, batch.targets, [(9, 9)] * 3)  # the points matter: other seeds, other losses
    assert (abs(other["mask"].item() - parts.losses()["mask"]) > 1e-6) == (config.compared_on == "points")
    assert parts.points.shape[2] == parts.point_losses.shape[2] == config.num_points


def test_parts_say_who_and_where(scenes) -> None:
    config = tiny()
    model, batch, seeds = looked_at(config, scenes)
    parts = read_losses(model, [batch], [seeds])
    layers, masks = config.decoder_layers + 1, sum(len(t) for t in batch.targets)
    assert parts.queries.shape == (layers, masks) and parts.points.shape == (layers, masks, config.num_points, 2)
    assert np.allclose(parts.point_losses.mean(-1) / masks, parts.mask)  # the mean over points is the mask's loss
    per_layer = sum(parts.weights[n] * parts.by_layer()[n][-1] for n in ("class", "mask", "dice"))
    no_object = parts.weights["class"] * parts.no_object[-1].sum()
    assert parts.pairs("total", -1).sum() + no_object == pytest.approx(per_layer)
    for image in range(3):
        mine = parts.queries[0, parts.images == image]
        assert len(set(mine)) == len(mine) == len(batch.targets[image])
        assert not parts.no_object[0, image, mine].any()  # a matched query is no "no object"
        assert (parts.no_object[0, image] > 0).sum() == config.num_queries - len(mine)
    place = int(parts.point_errors[-1, 0].argmax())  # truth at a point, read off the mask itself
    x, y = parts.points[-1, 0, place]
    truth = batch.targets[0].masks[0, int(y * 64), int(x * 64)].item()
    assert truth in (True, False) and parts.point_errors[-1, 0, place] > 0.3


def test_without_any_mask(scenes) -> None:
    model, batch, seeds = looked_at(tiny(), scenes)
    empty = [
        dataclasses.replace(t, masks=t.masks[:0], labels=t.labels[:0], texts=[]) for t in batch.targets
    ]  # fmt: skip
    output, criterion = model(batch.images, batch.tasks, texts=[[]] * 3), Criterion(tiny())
    parts, losses = take_apart(criterion, output, empty, seeds), criterion(output, empty, seeds)
    assert parts.losses()["total"] == pytest.approx(losses["total"].item(), abs=1e-6) and not parts.mask.size


def test_micro_batches_are_averaged(scenes) -> None:
    model, batch, seeds = looked_at(tiny(), scenes)
    alone = read_losses(model, [batch], [seeds])
    twice = joined([alone, alone])
    assert twice.losses() == pytest.approx(alone.losses()) and twice.images.max() == 5 and len(twice.targets) == 6


def test_gradients_are_those_of_a_backward_pass(scenes) -> None:
    model, batch, seeds = looked_at(tiny(), scenes)
    found = gradient_norms(model, [batch], [seeds])
    criterion = Criterion(model.config)
    criterion(model(batch.images, batch.tasks, texts=batch.texts), batch.targets, seeds)["total"].backward()
    assert found.terms == (*LOSSES, "total") and found.components[-1] == "whole model"
    for row, component in enumerate(found.components[:-1]):
        gradients = [p.grad for p in getattr(model, component).parameters() if p.grad is not None]
        norm = torch.stack([g.square().sum() for g in gradients]).sum().sqrt().item()
        assert found.norms[row, -1] == pytest.approx(norm, rel=1e-6), component
    column, texts = found.terms.index("contrastive"), found.components.index("text_mapper")
    assert found.norms[texts, column] > 0 and not found.norms[texts, :column].any()  # masks teach no text
    assert found.norms[-1] == pytest.approx(np.sqrt((found.norms[:-1] ** 2).sum(0)))


@pytest.mark.parametrize("step", [1, 2, 4])
def test_the_batch_of_a_step_is_the_one_that_was_met(scenes, step) -> None:
    c = toytown_training(steps=9, batch_size=4, accumulate=2, workers=0, seed=3)
    stream = training_batches(scenes, c, 64)  # from the start, as the trainer draws them: 5 scenes, several epochs
    met = [next(stream) for _ in range(2 * step)][-2:]
    batches, seeds = batches_of_step(scenes, tiny(), c, step)
    for mine, theirs in zip(batches, met, strict=True):
        assert torch.equal(mine.images, theirs.images) and mine.tasks == theirs.tasks
        assert mine.texts == theirs.texts and mine.image_ids == theirs.image_ids
    assert seeds == [[(3, 4 * (step - 1) + i) for i in part] for part in ((0, 1), (2, 3))]


@pytest.mark.filterwarnings("ignore")
def test_the_logged_loss_is_found_again_from_the_weights_before(scenes, tmp_path) -> None:
    config = tiny()
    recipe = {"evaluations": 0, "batch_size": 2, "workers": 0, "log_steps": 1, "ema_decay": None, "seed": 5}
    c = toytown_training(out=str(tmp_path), steps=1, **recipe)
    ofl.train(config, c, scenes)
    model, at, missing = newest_model(tmp_path, config)
    assert at == 1 and not missing
    batches, seeds = batches_of_step(scenes, config, c, 2)
    losses = Objective(model.train(), Criterion(config))(batches[0], seeds[0])
    ofl.train(config, dataclasses.replace(c, steps=2), scenes)
    logged = [r for r in ofl.Run(tmp_path).history if r["step"] == 2 and r["kind"] == "train"][0]
    for name in LOSSES:
        assert logged[name] == pytest.approx(losses[name].item(), rel=1e-4), name
    assert newest_model(tmp_path / "nowhere", config)[2].startswith("No checkpoint yet: ")
    (tmp_path / "checkpoint.pt").write_bytes(b"torn")
    assert newest_model(tmp_path, config)[1] == 1  # the checkpoint before it
    (tmp_path / "checkpoint.previous.pt").write_bytes(b"torn")
    model, at, missing = newest_model(tmp_path, config)
    assert model is at is None and "checkpoint.pt" in missing and "No checkpoint yet" not in missing
