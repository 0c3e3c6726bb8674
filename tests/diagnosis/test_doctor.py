"""Each fault is planted, found and named; healthy models, data and runs pass."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.transforms import resize_nearest
from oneformer_lite.errors import ConfigError
from oneformer_lite.losses import Criterion
from oneformer_lite.training import toytown_training
from oneformer_lite.training.loader import open_split
from oneformer_lite.training.log import Log
from oneformer_lite.training.state import write_recipe, write_state


class Changed:
    """Toytown with every sample changed."""

    def __init__(self, change=lambda sample: sample, length: int = 12, categories=None) -> None:
        self.dataset, self.change, self.length = ofl.data.Toytown("val", 96, 12), change, length
        self.categories, self.tasks = categories or self.dataset.categories, self.dataset.tasks

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int):
        return self.change(self.dataset[index])


def fresh_model() -> ofl.OneFormer:
    torch.manual_seed(0)
    config = dataclasses.replace(ofl.config.toytown(), image_size=96, hidden_dim=32, decoder_layers=3, num_points=128)
    return ofl.OneFormer(config)


@pytest.fixture(scope="module")
def shipped() -> ofl.OneFormer:
    return ofl.from_pretrained("toytown")


def found(diagnosis: ofl.Diagnosis, check: str):
    return next(finding for finding in diagnosis.findings if finding.check == check)


def assert_fault(diagnosis: ofl.Diagnosis, check: str, *words: str) -> None:
    finding = found(diagnosis, check)
    assert finding.verdict == "fault" and finding.cure, diagnosis
    for word in words:
        assert word in finding.evidence + finding.cure, finding
    assert not diagnosis.healthy and diagnosis.findings[0].verdict == "fault"


# -- healthy


@pytest.mark.parametrize("make", [fresh_model, lambda: ofl.from_pretrained("toytown")], ids=["fresh", "trained"])
def test_a_healthy_model_passes_and_is_left_alone(make) -> None:
    model = make().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    diagnosis = ofl.doctor(model, Changed())
    assert diagnosis.healthy and not diagnosis.warnings, diagnosis
    assert len(diagnosis.findings) == 18 and diagnosis.summary() == "nothing wrong in 18 checks"
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


# -- the data set


def renumbered(offset: int):
    def change(sample):
        return sample.replace(
            segments=tuple(dataclasses.replace(s, class_id=s.class_id + offset) for s in sample.segments)
        )

    return change


def shrunk(sample):
    return sample.replace(segment_map=resize_nearest(sample.segment_map, 48, 48))


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        (renumbered(1), "class ids", ["off by one", "subtract 1"]),
        (renumbered(20), "class ids", ["20", "index in categories"]),
        (lambda s: s.replace(segments=()), "segments", ["no ground truth"]),
        (lambda s: s.replace(segment_map=s.segment_map * 0), "segments", ["empty targets"]),
        (shrunk, "pictures and maps", ["96 x 96", "48 x 48", "wrong resolution"]),
        (lambda s: s.replace(image=s.image / np.float32(255)), "pictures and maps", ["float32", "uint8"]),
        (lambda s: s.replace(image=(s.image / 255).round().astype(np.uint8)), "brightness", ["wrong normalisation"]),
        (lambda s: s.replace(segment_map=s.segment_map[:, ::-1].copy()), "place of the segments", ["left to right"]),
        (lambda s: s.replace(segment_map=s.segment_map[::-1].copy()), "place of the segments", ["upside down"]),
        (
            lambda s: s.replace(segment_map=np.roll(s.segment_map, (6, -9), (0, 1))),
            "place of the segments", ["moved 6 up, 9 right"],
        ),
    ],
)  # fmt: skip
def test_faults_of_the_data(change, check: str, words: list[str]) -> None:
    diagnosis = ofl.doctor(dataset=Changed(change))
    assert_fault(diagnosis, check, *words)
    if check == "place of the segments":
        picture = found(diagnosis, check).picture
        assert picture.dtype == np.uint8 and picture.shape == (192, 392, 3)


def test_hardly_annotated_pictures_are_a_warning() -> None:
    def mostly_void(sample):
        return sample.replace(segment_map=np.where(np.arange(96)[:, None] < 70, 0, sample.segment_map))

    def one_segment_kept(sample):
        kept = mostly_void(sample)
        ids = set(np.unique(kept.segment_map).tolist())
        return kept.replace(segments=tuple(s for s in kept.segments if s.id in ids))

    finding = found(ofl.doctor(dataset=Changed(one_segment_kept)), "segments")
    assert finding.verdict == "warning" and "void" in finding.evidence


# -- model and data set


def test_classes_of_another_data_set(shipped) -> None:
    categories = ofl.data.Toytown("val", 96, 1).categories
    diagnosis = ofl.doctor(shipped, Changed(categories=categories[1:] + categories[:1]))
    assert_fault(diagnosis, "classes", "'car'", "'bus'", "for_classes")
    assert_fault(ofl.doctor(shipped, Changed(categories=categories + categories[:1])), "classes", "14", "15")


def test_class_ids_off_by_one_within_range(shipped) -> None:
    def shifted(sample):
        return sample.replace(
            segments=tuple(dataclasses.replace(s, class_id=(s.class_id + 1) % 14) for s in sample.segments)
        )

    assert_fault(ofl.doctor(shipped, Changed(shifted)), "predicted classes", "off by -1")


def test_a_batch_of_one_has_no_contrast() -> None:
    assert_fault(ofl.doctor(fresh_model(), Changed(length=1)), "contrastive loss", "batch of one")


def test_a_contrastive_loss_of_zero_is_fine_where_it_is_earned_only(shipped) -> None:
    found_apart = ofl.doctor(shipped, ofl.data.Toytown("val", 128, 2), images=2)
    finding = found(found_apart, "contrastive loss")
    assert finding.verdict == "fine" and "2 pictures are told apart" in finding.evidence, finding

    model = fresh_model()
    criterion = Criterion(model.config)
    criterion.contrastive = lambda output: output.text_queries.sum() * 0
    diagnosis = ofl.doctor(model, Changed(), criterion=criterion)
    assert_fault(diagnosis, "contrastive loss", "do not give that")


def test_more_segments_than_queries_is_a_warning() -> None:
    model = ofl.OneFormer(dataclasses.replace(fresh_model().config, num_queries=8, text_context=2))
    diagnosis = ofl.doctor(model, Changed())
    assert found(diagnosis, "number of queries").verdict == "warning" and diagnosis.healthy


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
    criterion.class_loss = lambda prediction, targets, assigned: prediction.class_logits.square().mean()
    criterion.mask_losses = lambda predictions, *_: (predictions[0].mask_logits.sum() * 0.0,) * 2
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


# -- runs

NO_SCORE = {"kind": "eval", "PQ": 0.0, "mIoU": 0.0012}


def run_folder(folder: Path, records: list[dict], **settings) -> Path:
    recipe = toytown_training(out=str(folder), data="nowhere", minutes=1, **settings)
    write_recipe(fresh_model().config, recipe, "cpu:1")
    log = Log(folder)
    for step, record in enumerate(records, start=1):
        log.write(record.pop("kind", "train"), step, float(step), **record)
    write_state(folder, "finished")
    return folder


def losses(step: int, **changes) -> dict:
    shares = {"class": 9, "mask": 2, "dice": 3, "contrastive": 1, "total": 40}
    return {name: share / step for name, share in shares.items()} | changes


def test_a_run_that_learns_passes(tmp_path: Path) -> None:
    records = [losses(step) for step in range(1, 60)] + [{"kind": "eval", "PQ": 20.0, "mIoU": 40.0}]
    diagnosis = ofl.doctor(run=run_folder(tmp_path, records))
    assert diagnosis.healthy, diagnosis
    assert found(diagnosis, "data of the run").verdict == "warning"  # its folder is gone


@pytest.mark.parametrize(
    ("records", "check", "words"),
    [
        ([losses(s, **{"class": 0.0}) for s in range(1, 60)], "class loss over the run", ["zero for the last"]),
        ([losses(s, mask=None) for s in range(1, 60)], "mask loss over the run", ["59 of 59", "not finite"]),
        ([losses(1) for _ in range(60)], "progress", ["does not fall"]),
        ([losses(s) for s in range(1, 30)] + [NO_SCORE], "scores", ["next to nothing"]),
    ],
    ids=["zero", "nan", "flat", "nothing"],
)
def test_runs_that_went_wrong(tmp_path: Path, records: list[dict], check: str, words: list[str]) -> None:
    assert_fault(ofl.doctor(run=run_folder(tmp_path, records)), check, *words)


def test_a_recipe_of_single_pictures(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, [losses(1)], batch_size=4, accumulate=4)
    assert_fault(ofl.doctor(run=folder), "recipe", "contrastive", "exactly 0")


def test_crops_that_lose_everything(tmp_path: Path) -> None:
    empty = Changed(lambda s: s.replace(segments=()))
    diagnosis = ofl.doctor(dataset=empty, run=run_folder(tmp_path, [losses(1)]))
    assert_fault(diagnosis, "augmented targets", "no ground truth is left after cropping")


# -- how it looks


def test_words_page_and_notebook(tmp_path: Path) -> None:
    diagnosis = ofl.doctor(dataset=Changed(lambda s: s.replace(segment_map=s.segment_map[:, ::-1].copy())))
    text = repr(diagnosis).splitlines()
    assert text[0] == "1 fault in 5 checks" and text[1].startswith("x   place of the segments: ")
    assert text[2].startswith("    -> ")
    page = diagnosis.to_html()
    assert page.startswith("<!DOCTYPE html>") and page.count("<article>") == 5 and "data:image/png" in page
    assert "http" not in page and "<html" not in diagnosis._repr_html_()
