"""The contrastive loss taken apart: it adds up to the loss itself, and false negatives are what they are called."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.contrast.reading import (
    Encoded,
    contrast,
    distinct_cosines,
    encode,
    false_negatives,
    lowest_loss,
    shared_sentences,
    slot_cosines,
    slot_runs,
    slot_shares,
)
from oneformer_lite.losses.contrastive import contrastive_loss

TASKS = ("panoptic", "semantic", "panoptic")


@pytest.fixture(scope="module")
def encoded(model) -> dict:
    return encode(model, [ofl.data.Toytown("val", 160, 8)[i] for i in range(3)])


@pytest.fixture(scope="module")
def batch(encoded) -> list[Encoded]:
    return [encoded[place, task] for place, task in enumerate(TASKS)]


def listed(image: int, task: str, *sentences: str, seed: int = 0) -> Encoded:
    rng = np.random.default_rng([seed, image])
    return Encoded(image, task, sentences, 5, rng.normal(size=(7, 4)), rng.normal(size=(7, 4)))


def test_it_is_the_loss_that_training_takes(model, batch) -> None:
    samples = [ofl.data.Toytown("val", 160, 8)[i] for i in range(3)]
    together = ofl.data.collate(list(zip(samples, TASKS)))
    with torch.inference_mode():
        output = model.eval()(together.images, together.tasks, together.texts)
        scales = [output.logit_scale, torch.tensor(math.log(1 / 0.07)), torch.tensor(9.0)]
        for scale in scales:
            expected = contrastive_loss(output.object_queries, output.text_queries, scale).item()
            found = contrast(slot_shares(batch).sum(-1), math.exp(-scale.item()))
            assert found.loss == pytest.approx(expected, rel=1e-3, abs=1e-4)
            assert np.allclose(found.by_row.sum(1), 1) and np.allclose(found.by_column.sum(0), 1)


def test_two_images_by_hand() -> None:
    found = contrast(np.array([[0.8, 0.4], [0.2, 0.6]]), 0.2)
    assert np.allclose(found.similarity, [[4, 2], [1, 3]])
    assert np.allclose(found.row_losses, [math.log(1 + math.exp(-2))] * 2)
    assert np.allclose(found.column_losses, [math.log(1 + math.exp(-3)), math.log(1 + math.exp(-1))])
    assert np.allclose(contrast(np.eye(2), 0.001).similarity, 100 * np.eye(2))  # clamped
    assert contrast(np.array([[0.3]]), 0.07).loss == 0


def test_slots_sum_to_the_cosine(batch) -> None:
    shares = slot_shares(batch)
    for i, image in enumerate(batch):
        for j, texts in enumerate(batch):
            a, b = image.queries.ravel(), texts.texts.ravel()
            assert shares[i, j].sum() == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-9)
            lengths = np.linalg.norm(image.queries, axis=1) * np.linalg.norm(texts.texts, axis=1)
            by_hand = slot_cosines(image, texts).diagonal() * lengths / np.linalg.norm(a) / np.linalg.norm(b)
            assert np.allclose(shares[i, j], by_hand)


def test_few_different_texts_give_all_cosines(batch) -> None:
    count, index, cosines = distinct_cosines(batch)
    assert count < len(batch) * 20 and cosines.shape == (3, 32, count)
    assert np.allclose(cosines[1][:, index[2]], slot_cosines(batch[1], batch[2]), atol=1e-4)


def test_false_negatives_share_task_and_sentences() -> None:
    car, sky, bus = (f"a photo with a {name}" for name in ("car", "sky", "bus"))
    same, more, other = (
        listed(0, "panoptic", car, sky),
        listed(1, "panoptic", car, sky),
        listed(2, "semantic", car, sky),
    )
    assert shared_sentences(same, more) == 1 and shared_sentences(same, other) == 0
    assert shared_sentences(same, listed(3, "panoptic", car, car, sky)) == pytest.approx(2 / 3)
    assert (
        shared_sentences(listed(0, "panoptic", car, car, car, sky), listed(1, "panoptic", car, car, bus, sky)) == 0.75
    )
    assert shared_sentences(listed(0, "instance"), listed(1, "instance")) == 1  # padding alone
    assert shared_sentences(listed(0, "instance"), listed(1, "instance", car)) == 0
    assert false_negatives([same, more, other]).tolist() == [[False, True, False], [True, False, False], [False] * 3]
    three = [same, listed(1, "panoptic", car, car, sky)]
    assert not false_negatives(three).any() and false_negatives(three, 0.6).sum() == 2


def test_equal_lists_hold_the_loss_up() -> None:
    lists = [listed(i, "panoptic", "a", "b") for i in range(3)] + [listed(3, "panoptic", "c")]
    assert lowest_loss(lists) == pytest.approx(2 * 3 * math.log(3) / 4) and lowest_loss(lists[2:]) == 0
    alike = [dataclasses.replace(e, texts=lists[0].texts) for e in lists[:3]] + [lists[3]]
    best = [dataclasses.replace(e, queries=e.texts) for e in alike]
    cosines = slot_shares(best).sum(-1)
    assert contrast(cosines, 0.01).loss == pytest.approx(lowest_loss(lists), abs=1e-3)
    losses = [contrast(slot_shares(alike).sum(-1), t).loss for t in (0.01, 0.07, 1)]
    assert all(loss >= lowest_loss(alike) - 1e-9 for loss in losses)


def test_slots_in_words() -> None:
    few, more = listed(0, "panoptic", "a"), listed(1, "instance", "a", "b", "c")
    assert slot_runs(few, more) == [(0, 0), (1, 1), (2, 2), (3, 4), (5, 6)]
    assert few.kinds.tolist() == [0, 1, 1, 1, 1, 2, 2]
    assert [more.text(slot) for slot in (2, 3, 5)] == ["c", "an instance photo", "learned context"]


def test_without_text_mapper() -> None:
    model = ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), hidden_dim=32, decoder_layers=1))
    model.text_mapper = None
    with pytest.raises(ConfigError, match="no text mapper.*add_text_mapper"):
        encode(model, [ofl.data.Toytown("val", 64, 2)[0]])
