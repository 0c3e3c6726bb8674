"""The checkpoints that come with the package: their size, their cards, and what they can do."""

import json
import re

import pytest

import oneformer_lite as ofl
from oneformer_lite.weights.hub import SHIPPED

NAMES = ("toytown", "toytown_crowded")


def scores(name):
    return json.loads((SHIPPED / name / "metrics.json").read_text())


@pytest.fixture(scope="module")
def model():
    return ofl.from_pretrained("toytown")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_of_the_preset(name):
    model = ofl.from_pretrained(name)
    assert (SHIPPED / name / "model.safetensors").stat().st_size <= 16e6
    assert model.config == getattr(ofl.config, name)() and model.text_mapper is not None


@pytest.mark.parametrize("folder", NAMES)
def test_the_card_says_what_was_measured(folder):
    measured = scores(folder)
    card = (SHIPPED / folder / "README.md").read_text()
    for name in ("PQ", "PQ_th", "PQ_st", "AP", "AP50", "mIoU", "pixel_accuracy"):
        row = re.search(rf"^\| {name} \| ([\d.]+) \|$", card, re.MULTILINE)
        assert row and float(row[1]) == pytest.approx(measured[name], abs=0.051), name


def test_it_still_scores_what_the_card_says(model):
    """On the first 40 of the 200 scenes; their own PQ lies within a few points of all 200."""
    measured = scores("toytown")
    metrics = ofl.evaluate(model, ofl.data.Toytown("val", 128, length=40))
    for name, slack in (("PQ", 6), ("AP", 8), ("mIoU", 5)):
        assert metrics[name] > measured[name] - slack


def test_the_crowded_one_finds_more_in_a_crowd_than_the_other(model):
    scenes = ofl.data.Toytown("val", 256, length=12, crowded=True)
    crowd = ofl.evaluate(ofl.from_pretrained("toytown_crowded"), scenes, "panoptic")
    assert crowd["PQ"] > scores("toytown_crowded")["PQ"] - 6
    assert crowd["PQ_th"] > ofl.evaluate(model, scenes, "panoptic")["PQ_th"] + 5


def test_each_token_makes_it_behave_like_its_task(model):
    scenes = ofl.data.Toytown("val", 128, length=24)
    metrics = {token: ofl.evaluate(model, scenes, token=token) for token in ofl.data.TASKS}
    # instance: nobody asks for stuff; semantic: touching things of a class become one
    assert metrics["instance"]["PQ_st"] < 0.2 * metrics["panoptic"]["PQ_st"]
    assert metrics["semantic"]["PQ_th"] < metrics["panoptic"]["PQ_th"] - 5
    assert metrics["semantic"]["AP"] < metrics["instance"]["AP"] - 3
    assert metrics["instance"]["mIoU"] < metrics["semantic"]["mIoU"] - 20
