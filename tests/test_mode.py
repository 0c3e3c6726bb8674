"""Evaluation mode for a while, and every part of the model as it was afterwards."""

from __future__ import annotations

import pytest
from torch import nn

from oneformer_lite.mode import evaluating


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
