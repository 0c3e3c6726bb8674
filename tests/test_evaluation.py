"""The evaluation loop: perfect predictions score 100, and a token can be forced."""

import dataclasses

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.errors import ConfigError
from oneformer_lite.model import OneFormerOutput


class Oracle(torch.nn.Module):
    """Answers from the annotation: one query per target of the task whose token it is given."""

    def __init__(self, dataset, config):
        super().__init__()
        self.config, self.samples, self.tokens = config, list(dataset), []
        self.scale = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images, task):
        self.tokens.append(task)
        outputs = [self._one(image, task) for image in images]
        return OneFormerOutput(*(torch.stack(x) for x in zip(*outputs)))

    def _one(self, image, task):
        sample = next(s for s in self.samples if torch.equal(ofl.data.normalise(s.image), image))
        targets = ofl.data.targets_for(sample, task)
        classes = torch.full((self.config.num_queries, self.config.num_classes + 1), -20.0)
        classes[:, -1] = 20.0
        masks = torch.full((self.config.num_queries, *sample.size), -20.0)
        for q, (mask, label) in enumerate(zip(targets.masks, targets.labels)):
            classes[q, -1], classes[q, label] = -20.0, 20.0
            masks[q][mask] = 20.0
        return classes, masks


@pytest.fixture
def dataset():
    """Six scenes without crowds, which the semantic ground truth counts and no task's targets hold."""
    scenes = (s for s in Toytown("val", 128, length=30) if not any(x.is_crowd for x in s.segments))
    return [scene for scene, _ in zip(scenes, range(6))]


class Listed(list):
    categories, tasks = Toytown.categories, Toytown.tasks


def test_a_perfect_model_scores_100_under_its_own_tokens(dataset, monkeypatch):
    from oneformer_lite import evaluation
    from oneformer_lite.inference import RawPrediction

    def full_size(output, sizes, wanted):
        rows = zip(output.class_logits, output.mask_logits, sizes, wanted)
        return [RawPrediction(c, m, size, size, out) for c, m, size, out in rows]

    monkeypatch.setattr(evaluation, "raw_predictions", full_size)
    model = Oracle(dataset, ofl.config.toytown())
    metrics = ofl.evaluate(model, Listed(dataset), batch_size=4)
    for name in ("PQ", "SQ", "RQ", "PQ_th", "PQ_st", "AP", "AP50", "mIoU", "pixel_accuracy"):
        assert metrics[name] == pytest.approx(100, abs=1e-6), name
    assert model.tokens == ["panoptic", "instance", "semantic"] * 2

    model.tokens.clear()
    forced = ofl.evaluate(model, Listed(dataset), token="instance", batch_size=4)
    assert model.tokens == ["instance"] * 2
    assert forced["PQ_st"] == 0 and forced["PQ_th"] == pytest.approx(100) and forced["AP"] == pytest.approx(100)


def test_progress_counts_images_and_the_mode_is_restored(dataset):
    model = ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), pretrained=False)).train()
    seen = []
    ofl.evaluate(model, Listed(dataset), ("semantic",), batch_size=4, progress=lambda *a: seen.append(a))
    assert seen == [(4, 6), (6, 6)] and model.training


def test_what_cannot_be_judged_is_refused(dataset):
    model = ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), pretrained=False))
    only = Listed(dataset)
    only.tasks = ("semantic",)
    with pytest.raises(ConfigError, match="supports semantic, not panoptic"):
        ofl.evaluate(model, only)
    fewer = Listed(dataset)
    fewer.categories = Toytown.categories[:3]
    with pytest.raises(ConfigError, match="model knows 14 classes, the data set has 3"):
        ofl.evaluate(model, fewer)
