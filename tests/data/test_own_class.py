"""A list of samples, and a ten-line class of one's own, work where a data set does."""

from __future__ import annotations

import dataclasses

import pytest

import oneformer_lite as ofl
from oneformer_lite.data import SegmentationDataset
from oneformer_lite.data.views import as_dataset
from oneformer_lite.errors import ConfigError
from oneformer_lite.training import toytown_training

SCENES = [ofl.data.Toytown("train", 64, 3)[index] for index in range(3)]


class Mine:
    """As a user writes it: nothing inherited, no IndexError at the end."""

    categories = ofl.data.Toytown.categories
    tasks = ofl.data.TASKS

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> ofl.data.Sample:
        return SCENES[index % 3]


class Silent:
    """It does not say which tasks it supplies: its samples do."""

    categories, __len__, __getitem__ = Mine.categories, Mine.__len__, Mine.__getitem__


GIVEN = {"list": SCENES, "tuple": tuple(SCENES), "class": Mine(), "without tasks": Silent()}


@pytest.fixture(params=GIVEN)
def given(request):
    return GIVEN[request.param]


def test_it_is_a_data_set(given) -> None:
    dataset = as_dataset(given)
    assert isinstance(dataset, SegmentationDataset) and len(dataset) == 3
    assert dataset.tasks == ofl.data.TASKS and dataset[2] is SCENES[2]


def test_it_is_judged(given, model) -> None:
    assert ofl.evaluate(model, given, ["semantic"]) == ofl.evaluate(model, SCENES, ["semantic"])


def test_it_is_examined(given, model) -> None:
    checks = [finding.check for finding in ofl.doctor(model, given, images=2).findings]
    assert "samples" not in checks and any("segments" in check for check in checks)


def test_it_trains(given, tmp_path) -> None:
    config = dataclasses.replace(ofl.config.toytown(), pretrained=False, image_size=64, num_points=64)
    recipe = toytown_training(out=str(tmp_path), steps=1, batch_size=2, workers=0, evaluations=0, start_from=None)
    assert ofl.train(config, recipe, given).finished


@pytest.mark.parametrize("name", ["LossInspector", "ContrastInspector"])
def test_inspectors_look_into_it(given, model, name) -> None:
    assert getattr(ofl.widgets, name)(model, given).still()


@pytest.mark.parametrize(
    "wrong", [[], SCENES[0], "data/toytown", [SCENES[0], 3], type("Bare", (), {"categories": ()})()],
    ids=["nothing", "one sample", "a path", "a number", "no length"],
)  # fmt: skip
def test_what_is_no_data_set_is_refused(wrong) -> None:
    with pytest.raises(ConfigError, match="is no data set: expected one with 'categories' and 'tasks'"):
        as_dataset(wrong)
