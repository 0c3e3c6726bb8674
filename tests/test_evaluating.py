"""Evaluation mode for a while, and every part of the model as it was afterwards."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from torch import nn

from oneformer_lite.evaluating import evaluating


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


@pytest.mark.parametrize("training", [[True, True, True], [True, False, True], [False, True, False], [False] * 3])
def test_each_part_is_as_it_was(training: list[bool]) -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout())
    for module, mode in zip(model.modules(), training):
        module.training = mode
    with evaluating(model):
        assert not any(modes(model))
    assert modes(model) == training
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert modes(model) == training


def test_nested_blocks_end_with_the_outermost() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout())
    with evaluating(model):
        with evaluating(model[1]), evaluating(model):
            assert not any(modes(model))
        assert not any(modes(model))
    assert all(modes(model))
    with evaluating(model[0]):
        assert modes(model) == [True, False, True]
        with evaluating(model):
            assert not any(modes(model))
        assert modes(model)[1] is False
    assert all(modes(model))


def test_what_is_set_to_training_within_a_block_stays_so() -> None:
    model = nn.Sequential(nn.Dropout()).eval()
    with evaluating(model):
        model.train()
        with evaluating(model):
            assert not any(modes(model))
    assert all(modes(model))


def test_blocks_that_overlap_in_two_threads() -> None:
    """The first to begin is the first to end: what the second computes afterwards is still without dropout."""
    model, other = nn.Sequential(nn.Dropout(), nn.Dropout()), nn.Sequential(nn.Dropout())
    began, ended = Barrier(2, timeout=10), Barrier(2, timeout=10)
    seen = []

    def first() -> None:
        with evaluating(model):
            began.wait()
        ended.wait()

    def second() -> None:
        began.wait()
        with evaluating(model[0]), evaluating(model):
            ended.wait()
            seen.extend(modes(model))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda task: task(), (first, second)))
    assert seen == [False] * 3 and all(modes(model)) and all(modes(other))


def test_many_threads_predict_on_a_model_in_training_mode() -> None:
    """Dropout of 99 % would show in any result, a BatchNorm in training mode in its statistics."""
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.99)).train()
    picture = torch.ones(2, 4)

    def predict(_: int) -> torch.Tensor:
        with evaluating(model), torch.no_grad():
            time.sleep(random.random() / 1000)
            return model(picture)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(predict, range(200)))
    assert all(torch.equal(result, results[0]) for result in results) and results[0].all()
    assert all(modes(model)) and not model[0].running_mean.any()
