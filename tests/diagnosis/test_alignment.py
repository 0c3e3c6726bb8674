"""Segments that do not lie where the picture has its edges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from planted import Changed, assert_fault, found

import oneformer_lite as ofl
from oneformer_lite.data.image import write_image
from oneformer_lite.data.instance import encode_mask
from oneformer_lite.data.opening import open as open_split

CHECK = "place of the segments"


def remapped(change):
    """The map changed and stretched to the picture's size again."""

    def resized(sample):
        turned = change(sample.segment_map)
        rows, columns = (np.arange(n) * m // n for n, m in zip(sample.size, turned.shape))
        return sample.replace(segment_map=turned[np.ix_(rows, columns)].copy())

    return resized


def enlarged(segment_map: np.ndarray) -> np.ndarray:
    return segment_map[: int(segment_map.shape[0] / 1.5), : int(segment_map.shape[1] / 1.5)]


class Listing:
    """Every segment without a pixel left out, so that only its place is at fault."""

    def __init__(self, samples, change) -> None:
        self.samples, self.categories, self.tasks = list(map(change, samples)), samples[0].categories, samples[0].tasks

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int):
        sample = self.samples[index]
        drawn = set(np.unique(sample.segment_map).tolist())
        return sample.replace(segments=tuple(s for s in sample.segments if s.id in drawn))


@pytest.fixture(scope="module", params=["toytown", "coco"])
def samples(request) -> list:
    if request.param == "toytown":
        return [ofl.data.Toytown("val", 128, 12)[i] for i in range(12)]
    photos = open_split(request.getfixturevalue("coco_sample"), "train2017")
    return [photos[i] for i in range(0, 96, 8)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (np.transpose, "transposed"),
        (lambda m: np.rot90(m, -1), "90 degrees to the left"),  # the cure turns back
        (np.rot90, "90 degrees to the right"),
    ],
)
def test_maps_turned_by_a_right_angle(samples, change, words: str) -> None:
    assert_fault(ofl.doctor(dataset=Listing(samples, remapped(change))), CHECK, words)


def test_half_of_the_maps_are_mirrored(samples) -> None:
    mirrored = remapped(lambda segment_map: segment_map[:, ::-1])
    odd = {id(sample) for sample in samples[1::2]}
    diagnosis = ofl.doctor(dataset=Listing(samples, lambda s: mirrored(s) if id(s) in odd else s))
    assert_fault(diagnosis, CHECK, "of 12 pictures", "mirrored left to right", f"images {samples[1].image_id}")
    assert found(diagnosis, CHECK).picture is not None


def noise(sample):
    pixels = np.random.default_rng(sample.image_id).integers(0, 256, sample.image.shape, dtype=np.uint8)
    return sample.replace(image=pixels)


@pytest.mark.parametrize(
    "change", [remapped(enlarged), noise, lambda s: s.replace(image=np.full_like(s.image, 90))],
    ids=["scaled", "noise", "constant"],
)  # fmt: skip
def test_outlines_on_no_edges(samples, change) -> None:
    assert_weak(ofl.doctor(dataset=Listing(samples, change)))


def test_maps_of_other_pictures(samples) -> None:
    following = {id(a): b.segment_map for a, b in zip(samples, samples[1:] + samples[:1])}
    segments = {id(a): b.segments for a, b in zip(samples, samples[1:] + samples[:1])}

    def swapped(sample):
        strange = sample.replace(segments=segments[id(sample)])
        return remapped(lambda _: following[id(sample)])(strange)

    assert_weak(ofl.doctor(dataset=Listing(samples, swapped)))


def test_maps_of_other_pictures_that_fit_better_elsewhere() -> None:
    """Four small pictures: the shift at which strange outlines fit best is no cause, so the cure names another."""
    scenes = [ofl.data.Toytown("val", 64, 4)[i] for i in range(4)]
    swapped = [s.replace(image=other.image) for s, other in zip(scenes, scenes[1:] + scenes[:1])]
    assert_fault(ofl.doctor(dataset=swapped), CHECK, "moved", "maps of other pictures", "sorted differently")
    assert found(ofl.doctor(dataset=scenes), CHECK).verdict == "fine"


def assert_weak(diagnosis: ofl.Diagnosis) -> None:
    finding = found(diagnosis, CHECK)
    assert finding.verdict == "warning" and "outlines of other pictures" in finding.evidence, diagnosis
    assert "belongs to its picture" in finding.cure and finding.picture.dtype == np.uint8


def test_three_healthy_pictures_are_enough(samples) -> None:
    for start in range(0, 12, 3):
        assert found(ofl.doctor(dataset=samples[start : start + 3]), CHECK).verdict == "fine"


def test_single_photos_are_no_fault(coco_sample: Path) -> None:
    photos = open_split(coco_sample, "val2017")
    for index in range(len(photos)):
        assert found(ofl.doctor(dataset=[photos[index]]), CHECK).verdict != "fault"


def test_a_single_picture_is_a_warning_at_most() -> None:
    finding = found(ofl.doctor(dataset=Changed(remapped(lambda m: m[:, ::-1]), length=1)), CHECK)
    assert finding.verdict == "warning" and "left to right" in finding.evidence and "3 pictures" in finding.cure


def instances(folder: Path, samples: list, change) -> ofl.data.InstanceDataset:
    """An instance file of the things in ``samples``, their masks changed."""
    content = {"images": [], "annotations": [], "categories": []}
    content["categories"] = [{"id": c.id, "name": c.name} for c in samples[0].categories]
    for sample in samples:
        height, width = sample.size
        name = f"{sample.image_id}.png"
        write_image(folder / name, sample.image)
        content["images"].append({"id": sample.image_id, "file_name": name, "height": height, "width": width})
        for segment, mask in zip(sample.segments, sample.segment_masks()):
            category = sample.categories[segment.class_id]
            if category.is_thing:
                code = {"id": len(content["annotations"]), "image_id": sample.image_id, "category_id": category.id}
                content["annotations"].append(code | {"segmentation": encode_mask(change(mask))})
    (folder / "instances.json").write_text(json.dumps(content))
    return ofl.data.InstanceDataset(folder, folder / "instances.json")


def test_masks_of_an_instance_file(tmp_path: Path, samples) -> None:
    healthy = ofl.doctor(dataset=instances(tmp_path, samples, lambda mask: mask))
    assert [f.check for f in healthy.findings if f.verdict == "warning"] == ["classes seen"], healthy  # of these few
    assert "times as strong" in found(healthy, CHECK).evidence
    assert_fault(ofl.doctor(dataset=instances(tmp_path, samples, lambda m: m[:, ::-1])), CHECK, "left to right")


def test_pictures_of_a_pixel() -> None:
    def pixel(sample):
        corner = sample.segment_map[:1, :1]
        kept = tuple(s for s in sample.segments if s.id == corner[0, 0])
        return sample.replace(image=sample.image[:1, :1], segment_map=corner, segments=kept)

    assert "no outlines" in found(ofl.doctor(dataset=Changed(pixel)), CHECK).evidence
