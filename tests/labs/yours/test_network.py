"""The model and the criterion of the labs compute what the package's do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.targets import pad_texts
from oneformer_lite.labs.yours import PARTS, Parts, YourOneFormer
from oneformer_lite.labs.yours.losses import Losses
from oneformer_lite.labs.yours.network import Network
from oneformer_lite.losses.points import PointSource


@pytest.fixture(scope="module")
def ours() -> YourOneFormer:
    """With no answer at all."""
    return YourOneFormer()


@pytest.mark.parametrize("shape", [(96, 128), (128, 100)])
def test_a_picture_is_segmented_as_by_the_package(ours, shape):
    image = ofl.data.Toytown("val", shape)[13].image
    found = {task: ofl.predict(ours.model, image, task, min_score=0.0) for task in ofl.data.TASKS}
    ids, labels = ours.segment(image, "panoptic")
    assert (ids == found["panoptic"].segment_map).mean() > 0.999
    assert labels == [s.class_id for s in found["panoptic"].segments]
    assert (ours.segment(image, "semantic") == found["semantic"].label_map).mean() > 0.999
    masks, _, scores = ours.segment(image, "instance")
    theirs = sorted((s.score for s in found["instance"].segments), reverse=True)
    assert len(masks) == len(theirs) and np.allclose(scores, theirs, atol=1e-4)


def test_the_losses_are_the_criterions(ours):
    town, model = ofl.data.Toytown("train", 64), ours.model
    batch = ofl.data.collate([(town[0], "panoptic"), (town[1], "semantic"), (town[2], "instance")])
    seeds = [(0, b) for b in range(3)]
    with torch.no_grad():
        output = model(batch.images, batch.tasks, texts=batch.texts)
        expected = ofl.losses.Criterion(model.config)(output, batch.targets, seeds)["total"]
        network = Network(model, Parts())
        queries, readings = network(batch.images, batch.tasks)
        padded = [pad_texts(texts, task, model.config.num_texts) for texts, task in zip(batch.texts, batch.tasks)]
        texts = network.text_queries(padded)
        source = PointSource(torch.device("cpu"), seeds)
        scale = model.text_mapper.logit_scale
        total = Losses(model.config, Parts())(readings, batch.targets, queries, texts, scale, source)
    assert torch.allclose(queries, output.object_queries, atol=1e-4)
    assert torch.allclose(texts, output.text_queries, atol=1e-4)
    assert len(readings) == len(output.predictions)
    assert torch.allclose(readings[-1].classes, output.class_logits, atol=1e-3)
    assert float(total) == pytest.approx(float(expected), rel=1e-4)


def test_every_part_does_its_work_somewhere(ours, monkeypatch):
    """Each is called by a picture, its scores, or a step of training: a square that is filled means something."""
    from oneformer_lite.labs.yours import parts

    called: set[str] = set()
    real = parts.Part.__call__
    monkeypatch.setattr(parts.Part, "__call__", lambda part, *args: called.add(part.exercise.id) or real(part, *args))
    mine = YourOneFormer()
    mine.train(steps=1, size=64, batch=2)
    assert called == {id for ids in PARTS.values() for id in ids}
    assert all(p.isfinite().all() for p in mine.model.parameters())
