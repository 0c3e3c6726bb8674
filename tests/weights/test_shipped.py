"""The checkpoint that comes with the package: its size, its card, and what it can do."""

import json
import re

import pytest

import oneformer_lite as ofl
from oneformer_lite.weights.hub import SHIPPED

FOLDER = SHIPPED / "toytown"


@pytest.fixture(scope="module")
def model():
    return ofl.from_pretrained("toytown")


def test_it_is_small_and_of_the_preset(model):
    assert (FOLDER / "model.safetensors").stat().st_size <= 16e6
    assert model.config == ofl.config.toytown() and model.text_mapper is not None


def test_the_card_says_what_was_measured():
    measured = json.loads((FOLDER / "metrics.json").read_text())
    card = (FOLDER / "README.md").read_text()
    for name in ("PQ", "PQ_th", "PQ_st", "AP", "AP50", "mIoU", "pixel_accuracy"):
        row = re.search(rf"^\| {name} \| ([\d.]+) \|$", card, re.MULTILINE)
        assert row and float(row[1]) == pytest.approx(measured[name], abs=0.051), name


def test_it_still_scores_what_the_card_says(model):
    """On the first 40 of the 200 scenes; their own PQ lies within a few points of all 200."""
    measured = json.loads((FOLDER / "metrics.json").read_text())
    metrics = ofl.evaluate(model, ofl.data.Toytown("val", 128, length=40))
    for name, slack in (("PQ", 6), ("AP", 8), ("mIoU", 5)):
        assert metrics[name] > measured[name] - slack


def test_each_token_makes_it_behave_like_its_task(model):
    scenes = ofl.data.Toytown("val", 128, length=24)
    metrics = {token: ofl.evaluate(model, scenes, token=token) for token in ofl.data.TASKS}
    # instance: nobody asks for stuff; semantic: touching things of a class become one
    assert metrics["instance"]["PQ_st"] < 0.2 * metrics["panoptic"]["PQ_st"]
    assert metrics["semantic"]["PQ_th"] < metrics["panoptic"]["PQ_th"] - 5
    assert metrics["semantic"]["AP"] < metrics["instance"]["AP"] - 3
    assert metrics["instance"]["mIoU"] < metrics["semantic"]["mIoU"] - 20
