"""What the doctor takes, and what it says about that which it cannot look at."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
import torch
from planted import Changed, assert_fault, found, fresh_model
from torch.utils.data import DataLoader, Subset

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype) -> None:
    diagnosis = ofl.doctor(fresh_model().to(dtype), Changed())
    assert diagnosis.healthy and found(diagnosis, "normalisation").verdict == "fine", diagnosis


def test_samples_instead_of_a_data_set() -> None:
    toytown = ofl.data.Toytown("val", 96, 6)
    for given in ([toytown[0], toytown[1], toytown[2]], (toytown[0],), Subset(toytown, [0, 2, 4])):
        diagnosis = ofl.doctor(fresh_model(), given)
        assert found(diagnosis, "classes").verdict == "fine"
        assert f"{len(given)} pictures" in found(diagnosis, "pictures and maps").evidence


@pytest.mark.parametrize(
    "given", ["val2017", [], [1], DataLoader([1]), object()], ids=["str", "empty", "ints", "loader", "object"]
)
def test_no_data_set(given) -> None:
    with pytest.raises(ConfigError, match="'categories' and 'tasks'.*list of at least one Sample"):
        ofl.doctor(dataset=given)


def test_unfit_requests() -> None:
    toytown = ofl.data.Toytown("val", 96, 2)
    for images in (0, -1, 2.5, "16"):
        with pytest.raises(ConfigError, match=f"images={images!r}"):
            ofl.doctor(dataset=toytown, images=images)
    with pytest.raises(ConfigError, match="yields a tuple"):
        ofl.doctor(dataset=Changed(lambda sample: (sample, 1)))
    other = toytown[1].replace(categories=toytown.categories[:3])
    with pytest.raises(ConfigError, match="different categories"):
        ofl.doctor(dataset=[toytown[0], other])


def test_one_task_alone_needs_no_contrastive_loss() -> None:
    maps = Changed(lambda s: s.replace(tasks=("semantic",)))
    maps.tasks = ("semantic",)
    model = fresh_model()
    said = found(ofl.doctor(model, maps, images=4), "texts to tell apart")
    assert said.verdict == "warning" and "2 ln B" in said.evidence
    model.config = dataclasses.replace(model.config, contrastive_weight=0.0)
    diagnosis = ofl.doctor(model, maps, images=4)
    assert found(diagnosis, "contrastive loss").verdict == "fine" and "texts to tell apart" not in repr(diagnosis)
    assert found(ofl.doctor(model, Changed(), images=4), "contrastive loss").verdict == "warning"  # of several tasks


def test_parameters_are_looked_at_without_data() -> None:
    model = fresh_model()
    assert "no data set was given" in found(ofl.doctor(model), "not examined").evidence
    with torch.no_grad():
        model.decoder.class_head.weight.fill_(float("nan"))
    assert_fault(ofl.doctor(model), "numbers", "decoder.class_head.weight")
    assert_fault(ofl.doctor(model, Changed(length=0)), "numbers", "decoder.class_head.weight")
    statistic = fresh_model()
    norm = next(m for m in statistic.modules() if isinstance(m, torch.nn.BatchNorm2d))
    norm.running_var[0] = float("nan")
    assert_fault(ofl.doctor(statistic), "numbers", "running_var")


def test_a_model_without_text_mapper_is_looked_at() -> None:
    model = fresh_model()
    model.text_mapper = None
    diagnosis = ofl.doctor(model, Changed())
    assert diagnosis.healthy and model.text_mapper is None
    assert "contrastive loss is not examined" in found(diagnosis, "temperature").evidence
    assert all(found(diagnosis, check).verdict == "fine" for check in ("class loss", "gradients", "task token"))
    assert "0 are frozen" in found(diagnosis, "gradients").evidence  # those lent for the examination do not count
    assert all(finding.check != "contrastive loss" for finding in diagnosis.findings)
    with torch.no_grad():
        model.query_positions.weight[:] = model.query_positions.weight[:1]
    assert_fault(ofl.doctor(model, Changed()), "queries", "collapsed")
    with torch.no_grad():
        model.decoder.class_head.weight.fill_(float("nan"))
    diagnosis = ofl.doctor(model, Changed())
    assert_fault(diagnosis, "numbers", "decoder.class_head.weight")
    assert "queries" in found(diagnosis, "not examined").evidence


def test_classes_that_differ_name_what_was_left_out() -> None:
    categories = ofl.data.Toytown("val", 96, 1).categories
    diagnosis = ofl.doctor(fresh_model(), Changed(categories=categories + categories[:1]))
    assert "task token" in found(diagnosis, "not examined").evidence


def test_things_that_are_stuff_for_the_model() -> None:
    model = fresh_model()
    config = model.config
    model.config = dataclasses.replace(config, is_thing=tuple(not thing for thing in config.is_thing))
    assert_fault(ofl.doctor(model, Changed()), "classes", "14 of 14", "a thing", "stuff", "is_thing")
    instances = Changed(lambda sample: sample.replace(tasks=("instance",)))
    instances.tasks = ("instance",)
    assert found(ofl.doctor(model, instances), "classes").verdict == "fine"


def test_gradients_under_inference_mode() -> None:
    model = fresh_model()
    with torch.inference_mode():
        assert ofl.doctor(model, Changed()).healthy
        diagnosis = ofl.doctor(fresh_model(), Changed())
    assert "made under torch.inference_mode" in found(diagnosis, "not examined").evidence


@pytest.mark.parametrize(
    "changes",
    [
        {"image_size": 32},
        {"contrastive_weight": 0.0},
        {"class_weight": 0.0},
        {"mask_weight": 0.0, "dice_weight": 0.0},
        {"num_queries": 1, "text_context": 0},
    ],
    ids=["one token", "no contrast", "no classes", "no masks", "one query"],
)
def test_what_is_meant_to_be_idle_is_not_dead(changes: dict) -> None:
    diagnosis = ofl.doctor(ofl.OneFormer(dataclasses.replace(fresh_model().config, **changes)), Changed())
    assert diagnosis.healthy and found(diagnosis, "gradients").verdict == "fine", diagnosis


def test_without_masks_no_part_is_called_dead() -> None:
    finding = found(ofl.doctor(fresh_model(), Changed(lambda s: s.replace(segments=()))), "gradients")
    assert finding.verdict == "warning" and "detach" not in finding.cure and "segments" in finding.cure


def test_a_reader_that_leaves() -> None:
    command = "import sys, oneformer_lite.cli as c; sys.exit(c.main(['doctor', '--model', 'toytown']))"
    process = subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()  # before it has printed
    assert process.stderr.read() == "" and process.wait() == 0
