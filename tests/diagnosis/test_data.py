"""Faults planted in a data set alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from planted import Changed, assert_fault, found

import oneformer_lite as ofl
from oneformer_lite.data.transforms import resize_nearest
from oneformer_lite.data.views import Chosen
from oneformer_lite.errors import DataError


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


def crowded(sample):
    return sample.replace(segments=tuple(dataclasses.replace(s, is_crowd=True) for s in sample.segments))


def twice(sample):
    return sample.replace(segments=sample.segments + sample.segments[:1])


def void_listed(sample):
    first, *rest = sample.segments
    ids = np.where(sample.segment_map == first.id, 0, sample.segment_map)
    return sample.replace(segments=(dataclasses.replace(first, id=0), *rest), segment_map=ids)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (crowded, ["of 12 samples are crowds", "iscrowd"]),
        (twice, ["twice", "every segment once"]),
        (void_listed, ["segment id 0", "from 1"]),
        (lambda s: s.replace(segments=s.segments[1:]), ["which are not in its list", "to 0 (void)"]),
        (lambda s: s.replace(segment_map=s.segment_map * 65536), ["have no pixel", "R + 256 G + 256^2 B"]),
    ],
)
def test_segments_that_are_no_targets(change, words: list[str]) -> None:
    assert_fault(ofl.doctor(dataset=Changed(change)), "segments", *words)


def test_background_of_things_is_no_void_to_warn_of() -> None:
    dataset = Changed()
    things = tuple(dataclasses.replace(category, is_thing=True) for category in dataset.categories)

    def a_single_one(sample):
        last = sample.segments[-1]
        return sample.replace(
            segments=(last,), categories=things, segment_map=np.where(sample.segment_map == last.id, last.id, 0)
        )

    finding = found(ofl.doctor(dataset=Changed(a_single_one, categories=things)), "segments")
    assert finding.verdict == "fine" and "only things" in finding.evidence, finding


def without_segments(sample):
    return sample.replace(segments=(), segment_map=np.zeros_like(sample.segment_map))


@pytest.mark.parametrize(("empty", "verdict"), [(2, "fine"), (8, "warning")])
def test_some_pictures_without_a_thing_are_fine_where_there_are_only_things(empty: int, verdict: str) -> None:
    things = tuple(dataclasses.replace(category, is_thing=True) for category in Changed().categories)
    ids = [Changed()[i].image_id for i in range(empty)]

    def emptied(sample):
        return (without_segments(sample) if sample.image_id in ids else sample).replace(categories=things)

    finding = found(ofl.doctor(dataset=Changed(emptied, categories=things)), "segments")
    assert finding.verdict == verdict, finding


def test_a_picture_without_a_segment_is_a_warning_where_there_is_stuff() -> None:
    first = Changed()[0].image_id
    emptied = Changed(lambda sample: without_segments(sample) if sample.image_id == first else sample)
    finding = found(ofl.doctor(dataset=emptied), "segments")
    assert finding.verdict == "warning" and "1 of 12 pictures have none" in finding.evidence


def test_a_sample_that_cannot_be_read() -> None:
    def torn(sample):
        raise DataError("3.png cannot be read")

    diagnosis = ofl.doctor(dataset=Changed(torn))
    assert_fault(diagnosis, "samples", "3.png")
    assert "one of them cannot be read" in found(diagnosis, "not examined").evidence


def test_nothing_is_said_of_files_that_a_data_set_does_not_tell(tmp_path):
    town = ofl.data.Toytown("val", size=(64, 64), length=4)
    folders = tmp_path / "pictures", tmp_path / "maps.json", tmp_path / "maps"
    ofl.data.write_panoptic(*folders, [town[i] for i in range(4)])
    on_disk = ofl.data.PanopticDataset(*folders)
    for dataset, told in ((Chosen(town, [0, 2]), False), (Chosen(on_disk, [0, 2]), True), (on_disk, True)):
        assert ("files" in {finding.check for finding in ofl.doctor(dataset=dataset, images=2).findings}) is told
