"""Each fault is planted, found and named; healthy models, data and runs pass."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from planted import Changed, assert_fault, found, fresh_model

import oneformer_lite as ofl
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.dataset_checks.annotation import check_query_count
from oneformer_lite.errors import ConfigError
from oneformer_lite.losses import Criterion


@pytest.fixture(scope="module")
def shipped() -> ofl.OneFormer:
    return ofl.from_pretrained("toytown")


# -- healthy


@pytest.mark.parametrize(
    ("make", "summary"),
    [
        (fresh_model, "nothing wrong in 18 checks, too little to judge in 1 more"),  # no mask fits yet
        (lambda: ofl.from_pretrained("toytown"), "nothing wrong in 19 checks"),
    ],
    ids=["fresh", "trained"],
)
def test_a_healthy_model_passes_and_is_left_alone(make, summary: str) -> None:
    model = make().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    diagnosis = ofl.doctor(model, Changed())
    assert diagnosis.healthy and not diagnosis.warnings, diagnosis
    assert len(diagnosis.findings) == 19 and diagnosis.summary() == summary
    assert torch.equal(state, torch.get_rng_state()) and model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_real_photos_pass(coco_sample: Path) -> None:
    diagnosis = ofl.doctor(dataset=open_split(coco_sample, "train2017"), images=60)
    assert diagnosis.healthy, diagnosis
    assert found(diagnosis, "place of the segments").verdict == "fine"


def test_nothing_to_examine() -> None:
    with pytest.raises(ConfigError, match="nothing to examine"):
        ofl.doctor()
    assert_fault(ofl.doctor(dataset=Changed(length=0)), "samples", "empty")


# -- model and data set


def test_classes_of_another_data_set(shipped) -> None:
    categories = ofl.data.Toytown("val", 96, 1).categories
    other = (*categories[:-1], dataclasses.replace(categories[-1], name="lava"))
    assert_fault(ofl.doctor(shipped, Changed(categories=other)), "classes", "'water'", "'lava'", "for_classes")
    turned = found(ofl.doctor(shipped, Changed(categories=categories[1:] + categories[:1])), "classes")
    assert turned.verdict == "warning" and "in another order" in turned.evidence  # training and evaluation map it
    assert_fault(ofl.doctor(shipped, Changed(categories=categories + categories[:1])), "classes", "14", "15")


def test_class_ids_off_by_one_within_range(shipped) -> None:
    def shifted(sample):
        return sample.replace(
            segments=tuple(dataclasses.replace(s, class_id=(s.class_id + 1) % 14) for s in sample.segments)
        )

    assert_fault(ofl.doctor(shipped, Changed(shifted)), "predicted classes", "off by -1")


def test_a_batch_of_one_has_no_contrast() -> None:
    diagnosis = ofl.doctor(fresh_model(), Changed(length=1))
    assert_fault(diagnosis, "contrastive loss", "batch of one", "two or more")
    assert len(diagnosis.faults) == 1  # the texts, which get no gradient then, are not called dead


def test_a_contrastive_loss_of_zero_is_fine_where_it_is_earned_only(shipped) -> None:
    found_apart = ofl.doctor(shipped, ofl.data.Toytown("val", 128, 2), images=2)
    finding = found(found_apart, "contrastive loss")
    assert finding.verdict == "fine" and "2 pictures are told apart" in finding.evidence, finding

    model = fresh_model()
    criterion = Criterion(model.config)
    criterion.terms["contrastive"] = lambda output, pairs, config: output.text_queries.sum() * 0
    diagnosis = ofl.doctor(model, Changed(), criterion=criterion)
    assert_fault(diagnosis, "contrastive loss", "do not give that")


def test_more_segments_than_queries_is_a_warning() -> None:
    model = ofl.OneFormer(dataclasses.replace(fresh_model().config, num_queries=8, text_context=2))
    diagnosis = ofl.doctor(model, Changed())
    assert found(diagnosis, "number of queries").verdict == "warning" and diagnosis.healthy


@pytest.mark.parametrize("tasks, verdict", [(("semantic",), "fine"), (("instance", "semantic"), "warning")])
def test_of_the_semantic_task_alone_a_class_is_one_target(tasks, verdict) -> None:
    sample = Changed()[0]
    many = sample.replace(segments=tuple(dataclasses.replace(s, class_id=s.class_id % 2) for s in sample.segments))
    assert len(many.segments) > 2 and check_query_count([many], 2, tasks).verdict == verdict


@pytest.mark.parametrize("queries, verdict", [(2, "warning"), (3, "warning"), (4, "fine")])
def test_queries_of_fixed_classes_are_not_for_others(queries, verdict) -> None:
    """Of four segments two have a query of their own; the others share the rest."""
    sample = Changed()[0]
    segments = [dataclasses.replace(s, class_id=i) for i, s in enumerate(sample.segments[:4])]
    given = sample.replace(segments=tuple(segments))
    assert check_query_count([given], queries, fixed={2: 0, 3: 1}).verdict == verdict


# -- the zero cross-entropy, in the ways there are


def test_cross_entropy_at_zero_for_want_of_ground_truth() -> None:
    """All queries learn to say "no object", and cross-entropy goes to 0.0: what it is for a model that has."""
    model = fresh_model()
    with torch.no_grad():
        model.decoder.class_head.weight.zero_()
        model.decoder.class_head.bias[-1] = 20.0
    diagnosis = ofl.doctor(model, Changed(lambda s: s.replace(segments=())))
    assert_fault(diagnosis, "class loss", "no ground truth is left")
    assert_fault(diagnosis, "labels of the batch", "cross-entropy falls to 0")
    assert_fault(diagnosis, "mask loss", "no ground truth")


def test_cross_entropy_at_zero_for_labels_that_say_no_object(shipped) -> None:
    from oneformer_lite.data.batch import Batch
    from oneformer_lite.diagnosis.learning import check_labels

    batch: Batch = ofl.data.collate([(Changed()[i], "panoptic") for i in range(2)])
    for target in batch.targets:
        target.labels[:] = 14
    finding = check_labels(batch, 14)
    assert finding.verdict == "fault" and '14 means "no object"' in finding.evidence
    batch.targets[0].labels[:] = 0
    batch.targets[1].labels[:] = -1
    assert "-1 to 0" in check_labels(batch, 14).evidence


def test_cross_entropy_at_zero_in_a_criterion_of_ones_own() -> None:
    model = fresh_model()

    def wrong(output, targets):
        losses = Criterion(model.config)(output, targets)
        return {**losses, "class": losses["class"] * 0, "total": losses["total"] - 2 * losses["class"]}

    diagnosis = ofl.doctor(model, Changed(), criterion=wrong)
    assert_fault(diagnosis, "class loss", "no honest cross-entropy is zero")
    assert_fault(diagnosis, "gradients", "decoder.class_head.weight")


def test_no_query_is_matched() -> None:
    model = fresh_model()
    criterion = Criterion(model.config)
    none = torch.zeros(0, dtype=torch.int64)
    criterion.matcher = lambda predictions, targets, source: [[none] * len(targets) for _ in predictions]
    criterion.terms["class"] = lambda output, *_: output.class_logits.square().mean()
    for name in ("mask", "dice"):
        criterion.terms[name] = lambda output, *_: output.predictions[0].mask_logits.sum() * 0.0
    diagnosis = ofl.doctor(model, Changed(), criterion=criterion)
    assert_fault(diagnosis, "mask loss", "no query was matched")
    assert_fault(diagnosis, "dice loss", "no query was matched")


# -- the model


def test_a_loss_without_weight_is_a_warning() -> None:
    model = ofl.OneFormer(dataclasses.replace(fresh_model().config, dice_weight=0.0))
    finding = found(ofl.doctor(model, Changed()), "dice loss")
    assert finding.verdict == "warning" and "no effect" in finding.evidence


def test_parameters_that_get_no_gradient() -> None:
    model = fresh_model()
    forward = model.decoder.mask_head.forward
    model.decoder.mask_head.forward = lambda x: forward(x).detach()
    assert_fault(ofl.doctor(model, Changed()), "gradients", "mask_head", "detach")
    model.requires_grad_(False)
    assert_fault(ofl.doctor(model, Changed()), "gradients", "requires_grad")


def test_wrong_normalisation_of_the_backbone() -> None:
    model = fresh_model()
    model.backbone.shift += 5.0
    assert_fault(ofl.doctor(model, Changed()), "normalisation", "BatchNorm")


def test_collapsed_queries() -> None:
    model = fresh_model()
    with torch.no_grad():
        model.query_positions.weight[:] = model.query_positions.weight[:1]
    diagnosis = ofl.doctor(model, Changed())
    assert_fault(diagnosis, "queries", "collapsed")
    assert found(diagnosis, "queries").picture.shape == (256, 256, 3)


def test_a_task_token_without_influence() -> None:
    model = fresh_model()
    with torch.no_grad():
        for parameter in model.task_encoder.parameters():
            parameter.zero_()
    assert_fault(ofl.doctor(model, Changed()), "task token", "no influence")


def test_an_exploding_temperature() -> None:
    model = fresh_model()
    with torch.no_grad():
        model.text_mapper.logit_scale.fill_(5.0)
    assert_fault(ofl.doctor(model), "temperature", "148", "exploding")


@pytest.mark.parametrize("where", ["decoder.class_head.bias", "backbone.network.conv_stem.weight"])
def test_not_a_number(where: str) -> None:
    model = fresh_model()
    with torch.no_grad():
        model.get_parameter(where).view(-1)[0] = float("nan")
    assert_fault(ofl.doctor(model, Changed()), "numbers", where)


# -- how it looks


def test_words_page_and_notebook(tmp_path: Path) -> None:
    diagnosis = ofl.doctor(dataset=Changed(lambda s: s.replace(segment_map=s.segment_map[:, ::-1].copy())))
    text = repr(diagnosis).splitlines()
    assert text[0] == "1 fault in 6 checks" and text[1].startswith("x   place of the segments: ")
    assert text[2].startswith("    -> ")
    page = diagnosis.to_html()
    assert page.startswith("<!DOCTYPE html>") and page.count("<article>") == 6 and "data:image/webp" in page
    assert "http" not in page and "<html" not in diagnosis._repr_html_()
