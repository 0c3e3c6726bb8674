"""Numbers behind TaskInspector: blends, fates, tokens and texts, and the model's two halves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.sample import TASKS
from oneformer_lite.inference import RawPrediction
from oneformer_lite.inspectors.segments import read_prediction
from oneformer_lite.inspectors.tasks.reading import (
    SHARES,
    TaskReader,
    blend,
    cosine,
    fates,
    fit_ids,
    fit_size,
    most_changed,
    small_masks,
    speaks,
    text_list,
    token_ids,
)


@pytest.fixture(scope="module")
def reader(model, sample) -> TaskReader:
    return TaskReader(model, sample.image)


def test_cosine_and_blend_by_hand() -> None:
    a, b = np.array([[3.0, 4], [1, 0], [0, 0]]), np.array([[4.0, 3], [-2, 0], [1, 1]])
    assert cosine(a, b) == pytest.approx([0.96, -1, 0])
    assert blend(a, b, 0.25)[0] == pytest.approx([3.25, 3.75])
    assert blend(a, b, 0).tolist() == a.tolist() and blend(a, b, 1).tolist() == b.tolist()


def test_fates_by_hand() -> None:
    classes, scores = np.array([0, 0, 0, 2, 1, 1]), np.array([0.9, 0.9, 0.9, 0.9, 0.8, 0.1])
    heard = speaks(classes, scores, 2, 0.8)  # class 2 is no object; a threshold is to be passed, not met
    assert heard.tolist() == [True, True, True, False, False, False]
    after = np.array([0, 1, 2, 0, 1, 1]), np.array([True, True, False, True, False, False])
    expected = ["keeps its class", "changes class", "goes silent", "wakes", "silent", "silent"]
    assert fates((classes, heard), after) == expected


def test_most_changed_come_first_and_those_heard_before_others() -> None:
    cosines, heard = np.array([0.5, -0.2, 0.9, 0.1]), np.array([True, False, True, False])
    scores = np.array([0.9, 0.3, 0.9, 0.6])
    assert most_changed(cosines, heard, scores, 1).tolist() == [0]
    assert most_changed(cosines, heard, scores, 3).tolist() == [3, 0, 2]
    assert most_changed(cosines, heard, scores, 9).tolist() == [1, 3, 0, 2]


def test_only_the_ids_of_the_last_word_differ() -> None:
    words, ids = token_ids(77)
    assert ids.shape == (3, 7) and words[:4] == ["start", "the", "task", "is"]
    assert ids[1].tolist() == [49406, 518, 10549, 533, 34572, 49407, 0]  # as the published models have it
    assert (ids != ids[0]).any(axis=0).tolist() == [False] * 4 + [True] * 3
    assert words[4:] == ["pan / instance / seman", "optic / end / tic", "end / · / end"]


def test_texts_are_counted_and_padded(sample) -> None:
    for task in TASKS:
        texts = text_list(sample, task, 28)
        targets = ofl.data.targets_for(sample, task)
        assert sum(count for count, _ in texts) == 28 and texts[-1] == (28 - len(targets), texts[-1][1])
        assert task in texts[-1][1]
    assert {text for _, text in text_list(sample, "instance", 28)} & {"a photo with a sky"} == set()


def test_pictures_and_masks_are_reduced_where_large() -> None:
    assert fit_size((3000, 4000)) == (384, 512) and fit_size((32, 40)) == (32, 40) and fit_size((1, 9000)) == (1, 512)
    assert fit_ids(np.arange(1024)[None]).tolist() == [list(range(0, 1024, 2))]
    logits = torch.full((2, 200, 100), -50.0)
    logits[0, :, :80], logits[1] = 50, 0
    masks = small_masks(logits, (768, 320))  # the rest is padding
    assert masks.shape == (2, 96, 40) and masks[0].min() == 255
    assert set(np.unique(masks[1])) == {128}


def test_results_are_those_of_predict(reader, model, sample) -> None:
    for task in TASKS:
        found, expected = (read_prediction(p) for p in (reader.result(task), ofl.predict(model, sample.image, task)))
        assert (found.segment_map == expected.segment_map).mean() > 0.999
        assert [s.class_id for s in found.segments] == [s.class_id for s in expected.segments]


def test_a_blend_begins_and_ends_with_its_tasks(reader, model, sample) -> None:
    steps = reader.blends("panoptic", "instance")
    assert len(steps) == len(SHARES) == 11
    panoptic = ofl.predict(model, sample.image, "panoptic")
    assert (steps[0].things, steps[0].stuff) == (
        sum(s.is_thing for s in panoptic.segments), sum(not s.is_thing for s in panoptic.segments),
    )  # fmt: skip
    assert steps[0].stuff > 2 and steps[-1].stuff == 0 and steps[-1].things > 0  # what this model has learned
    for step in steps:
        assert {s.id for s in step.segments} >= set(np.unique(step.segment_map)) - {0}
        assert all(s.area == (step.segment_map == s.id).sum() for s in step.segments)
        for s in step.segments:  # the id of a thing tells its query
            query = s.id // len(sample.categories) - (s.id % len(sample.categories) == 0)
            if sample.categories[s.class_id].is_thing:
                assert step.classes[query - 1] == s.class_id and step.scores[query - 1] == pytest.approx(s.score)
    again = reader.blends("instance", "instance")
    assert all(step.segment_map is again[0].segment_map for step in again)


def test_a_step_is_the_model_run_from_the_blended_token(reader, model, sample) -> None:
    a, b = (reader.readings[task].token for task in ("panoptic", "semantic"))
    token = torch.from_numpy(0.7 * a + 0.3 * b)[None]
    with torch.inference_mode():
        encoded = model.encode(ofl.inference.prepare(sample.image, model.config)[None])
        predictions = model.read(encoded, token)
    scores, classes = predictions[-1].class_logits[0].softmax(-1).max(-1)
    step = reader.blends("panoptic", "semantic")[3]
    assert step.scores == pytest.approx(scores.numpy(), abs=1e-5) and (step.classes == classes.numpy()).all()


def test_the_reader_leaves_the_model_as_it_was(sample) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(ofl.config.toytown(), image_size=96, hidden_dim=32, decoder_layers=2, num_queries=5)
    model = ofl.OneFormer(config).train()
    reader = TaskReader(model, sample.image)
    assert model.training and isinstance(reader.readings["panoptic"].raw, RawPrediction)
    reader.blends("panoptic", "instance")
    assert model.training


def test_blends_in_one_batch_are_those_one_by_one(reader, monkeypatch) -> None:
    together = reader.blends("panoptic", "instance")
    monkeypatch.setattr("oneformer_lite.inspectors.tasks.reading._AT_ONCE", 1)
    for a, b in zip(together, reader.blends("panoptic", "instance"), strict=True):
        assert np.allclose(a.scores, b.scores, atol=1e-4) and (a.things, a.stuff) == (b.things, b.stuff)
        assert (a.segment_map == b.segment_map).mean() > 0.999
