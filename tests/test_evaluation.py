"""The evaluation loop: perfect predictions score 100, and a token can be forced."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite import judged
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.errors import ConfigError, DataError
from oneformer_lite.inference import RawPrediction, reading
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
        for q, (mask, class_id) in enumerate(zip(targets.masks, targets.labels)):
            label = self.config.class_names.index(sample.categories[class_id].name)
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


@pytest.fixture
def full_size(monkeypatch):
    """The oracle's masks have the size of the picture, not a quarter of it."""

    def predictions(output, sizes, wanted, padded, temperature):
        rows = zip(output.class_logits, output.mask_logits, sizes, wanted)
        return [RawPrediction(c, m, size, size, out) for c, m, size, out in rows]

    monkeypatch.setattr(reading, "raw_predictions", predictions)


def test_a_perfect_model_scores_100_under_its_own_tokens(dataset, full_size):
    model = Oracle(dataset, dataclasses.replace(ofl.config.toytown(), test_size=128))
    metrics = ofl.evaluate(model, Listed(dataset), batch_size=4)
    for name in ("PQ", "SQ", "RQ", "PQ_th", "PQ_st", "AP", "AP50", "mIoU", "mDice", "pixel_accuracy"):
        assert metrics[name] == pytest.approx(100, abs=1e-6), name
    assert model.tokens == ["panoptic", "instance", "semantic"] * 2

    model.tokens.clear()
    forced = ofl.evaluate(model, Listed(dataset), token="instance", batch_size=4)
    assert model.tokens == ["instance"] * 2
    assert forced["PQ_st"] == 0 and forced["PQ_th"] == pytest.approx(100) and forced["AP"] == pytest.approx(100)


@pytest.fixture
def overlapping(tmp_path):
    """An instance file of its own categories, fewer than the model's and in another order; objects overlap."""
    outlines = [[10, 10, 80, 10, 80, 80, 10, 80], [40, 40, 110, 40, 110, 110, 40, 110], [90, 5, 120, 5, 120, 60]]
    entries = [(1, 44, outlines[0]), (1, 44, outlines[1]), (1, 7, outlines[2]), (2, 7, outlines[1])]
    content = {
        "images": [{"id": i, "file_name": f"{i}.png", "height": 128, "width": 128} for i in (1, 2)],
        "categories": [{"id": 44, "name": "dog"}, {"id": 7, "name": "car"}],
        "annotations": [
            {"id": n, "image_id": i, "category_id": c, "segmentation": [points], "iscrowd": 0}
            for n, (i, c, points) in enumerate(entries, start=1)
        ],
    }
    (tmp_path / "instances.json").write_text(json.dumps(content))
    for i in (1, 2):
        Image.fromarray(Toytown("val", 128)[i].image).save(tmp_path / f"{i}.png")
    return ofl.data.InstanceDataset(tmp_path, tmp_path / "instances.json")


def test_instance_files_are_judged_with_their_own_overlapping_masks(overlapping, full_size, tmp_path):
    model = Oracle(overlapping, dataclasses.replace(ofl.config.toytown(), test_size=128))
    metrics = ofl.evaluate(model, overlapping, ("instance",), results=tmp_path / "results")
    assert metrics["AP"] == pytest.approx(100)
    results = json.loads((tmp_path / "results/instances.json").read_text())
    sure = [r for r in results if r["score"] > 0.5]
    assert sorted((r["image_id"], r["category_id"]) for r in sure) == [(1, 7), (1, 44), (1, 44), (2, 7)]
    assert {r["category_id"] for r in results} == {7, 44}  # nothing of the classes that the file does not list
    # the flat map, in which the second dog covers a part of the first, would not give 100
    flat = Listed(dataclasses.replace(s, masks=None) for s in overlapping)
    flat.categories, flat.tasks = overlapping.categories, overlapping.tasks
    assert ofl.evaluate(model, flat, ("instance",))["AP"] < 90


def test_every_class_and_the_confusion_matrix_come_along(dataset, full_size):
    model = Oracle(dataset, dataclasses.replace(ofl.config.toytown(), test_size=128))
    result = ofl.evaluate(model, Listed(dataset), batch_size=4)
    assert [row["name"] for row in result.per_class] == [c.name for c in Toytown.categories]
    assert {row["PQ"] for row in result.per_class} == {None, 100.0}
    assert result.confusion.shape == (14, 15) and result.confusion.sum() == result.confusion.trace() > 0
    assert json.loads(result.to_json())["PQ"] == 100 and "more classes" in result.table(3)
    assert ofl.evaluate(model, Listed(dataset), "panoptic").confusion is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number from 1, got 0"),
        ({"batch_size": -8}, "batch_size must be"),
        ({"batch_size": 2.5}, "batch_size must be"),
        ({"batch_size": True}, "batch_size must be"),
        ({"tasks": ()}, "no tasks to judge"),
        ({"tasks": "everything"}, "unknown task 'everything'"),
        ({"tasks": None}, "no tasks to judge"),
        ({"token": "everything"}, "unknown task 'everything'"),
        ({"unreadable": 2}, "unreadable must be a number from 0 to 1, got 2"),
        ({"unreadable": "1 %"}, "unreadable must be a number from 0 to 1, got '1 %'"),
        ({"results": ""}, "expected the folder of the results as a text"),
        ({"results": "."}, "need a folder of their own"),
    ],
)
def test_numbers_and_names_out_of_range_are_refused(dataset, options, words):
    model = Oracle(dataset, ofl.config.toytown())
    with pytest.raises(ConfigError, match=words):
        ofl.evaluate(model, Listed(dataset), **options)


def test_an_empty_data_set_is_refused(dataset):
    with pytest.raises(DataError, match="no pictures"):
        ofl.evaluate(Oracle(dataset, ofl.config.toytown()), Listed())


def test_progress_counts_images_and_the_mode_is_restored(dataset):
    model = ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), pretrained=False)).train()
    seen = []
    ofl.evaluate(model, Listed(dataset), "semantic", batch_size=4, progress=lambda *a: seen.append(a))
    assert seen == [(4, 6), (6, 6)] and model.training


@pytest.mark.parametrize("tasks", [("panoptic",), ("instance", "semantic")])
def test_classes_in_another_order_are_found_by_name(model, dataset, tasks):
    order = sorted(range(14), key=lambda i: Toytown.categories[i].name)
    categories = tuple(Toytown.categories[i] for i in order)
    turned = Listed(
        s.replace(categories=categories, segments=tuple(
            dataclasses.replace(g, class_id=order.index(g.class_id)) for g in s.segments))
        for s in dataset
    )  # fmt: skip
    turned.categories = categories
    assert ofl.evaluate(model, turned, tasks) == ofl.evaluate(model, Listed(dataset), tasks)


def test_what_cannot_be_judged_is_refused(dataset):
    model = ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), pretrained=False))
    with pytest.raises(ConfigError, match="a Sample alone is no data set: expected .* or a list"):
        ofl.evaluate(model, dataset[0])
    with pytest.raises(ConfigError, match="the name 'data/toytown', which ofl.data.open.* opens, is no data set"):
        ofl.evaluate(model, "data/toytown")
    with pytest.raises(ConfigError, match="an empty list is no data set"):
        ofl.evaluate(model, [])
    with pytest.raises(ConfigError, match="ofl.from_pretrained"):
        ofl.evaluate("toytown", Listed(dataset))
    only = Listed(dataset)
    only.tasks = ("semantic",)
    with pytest.raises(ConfigError, match="supports semantic, not panoptic"):
        ofl.evaluate(model, only)
    fewer = Listed(dataset)
    fewer.categories = Toytown.categories[:3]
    with pytest.raises(ConfigError, match="model knows 14 classes, the data set has 3"):
        ofl.evaluate(model, fewer)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: {"segments": tuple(dataclasses.replace(g, class_id=77) for g in s.segments)}, "the class id 77"),
        (lambda s: {"segments": tuple(dataclasses.replace(g, class_id=-1) for g in s.segments)}, "the class id -1"),
        (lambda s: {"image": s.image / 255}, "is float64 .*expected uint8"),
        (lambda s: {"image": s.image[..., 0]}, r"is uint8 \[128, 128\]: expected"),
    ],
    ids=["beyond the classes", "below 0", "floats", "grey"],
)
def test_a_sample_that_is_none_is_left_out_and_many_end_it(model, dataset, change, words):
    bad = [sample.replace(**change(sample)) for sample in dataset]
    with pytest.raises(DataError, match=words):
        ofl.evaluate(model, bad, "semantic")
    with pytest.warns(UserWarning, match=words):
        found = ofl.evaluate(model, [*dataset[:3], bad[3]], "semantic")
    assert found == ofl.evaluate(model, dataset[:3], "semantic")


def test_things_that_are_stuff_for_the_model_are_told(model, dataset, recwarn):
    categories = tuple(dataclasses.replace(c, is_thing=c.is_thing and c.name != "car") for c in Toytown.categories)
    other = [sample.replace(categories=categories) for sample in dataset[:1]]
    ofl.evaluate(model, other, "semantic")
    assert not recwarn  # of which the semantic task knows nothing
    with pytest.warns(UserWarning, match="'car' is not of the same kind in the data set as for the model"):
        ofl.evaluate(model, other, ("panoptic", "semantic"))


def test_a_model_that_answers_nan_is_told(dataset):
    model = ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), pretrained=False))
    with torch.no_grad():
        model.decoder.class_head.weight.fill_(float("nan"))
    with pytest.warns(UserWarning, match="class logits are NaN"):
        ofl.evaluate(model, dataset[:1], "panoptic")
    with pytest.warns(UserWarning, match="class logits are NaN"):
        ofl.predict(model, dataset[0].image, "semantic")


@pytest.mark.parametrize("tasks", [("semantic", "panoptic"), ["semantic", "semantic", "panoptic"]])
def test_scores_come_in_the_order_of_the_tasks_and_a_list_of_samples_will_do(model, dataset, tasks):
    asked = ofl.evaluate(model, dataset, tasks)
    assert list(asked) == list(ofl.evaluate(model, Listed(dataset), ("panoptic", "semantic")))
    assert list(asked).index("PQ") < list(asked).index("mIoU")


def test_what_a_model_can_be_judged_on_is_known_before_it_is(dataset):
    model = Oracle(dataset, ofl.config.toytown())
    assert judged.judgeable(model, dataset, "semantic")[1] == ["semantic"] and not model.tokens
    fewer = Listed(dataset)
    fewer.categories = Toytown.categories[:3]
    with pytest.raises(ConfigError, match="model knows 14 classes"):
        judged.judgeable(model, fewer)


@pytest.mark.parametrize("crowds", [False, True])
def test_samples_without_any_segment_are_told(model, dataset, crowds):
    samples = [
        dataclasses.replace(s, segments=tuple(dataclasses.replace(g, is_crowd=True) for g in s.segments)) if crowds
        else dataclasses.replace(s, segments=(), segment_map=np.zeros_like(s.segment_map))
        for s in (dataset[0], dataset[1])
    ]  # fmt: skip
    with pytest.warns(UserWarning, match="none of the 2 evaluated pictures has a segment"):
        ofl.evaluate(model, samples)
