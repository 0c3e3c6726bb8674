"""A crowded Toytown: many things, which touch, hide each other and look alike; the other town stays as it is."""

from __future__ import annotations

import json
import random
import zlib

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.cli import main
from oneformer_lite.data import Toytown, write_toytown
from oneformer_lite.data.toytown.classes import CAR, PERSON
from oneformer_lite.data.toytown.crowded import GROUPS, MOST, place_crowded, stand_together
from oneformer_lite.data.toytown.placing import KINDS, Thing
from oneformer_lite.data.toytown.scene import Scene, compose
from oneformer_lite.data.toytown.view import View
from oneformer_lite.errors import ConfigError

SCENES = 12
PLAIN = 539007490, 4156031451, 2020031474  # as Pillow 10.4 to 11.0, 11.3 to 12 and 13 draw


@pytest.fixture(scope="module")
def scenes() -> list:
    town = Toytown("val", size=256, crowded=True)
    return [town[i] for i in range(SCENES)]


def things(sample) -> list:
    return [segment for segment in sample.segments if sample.categories[segment.class_id].is_thing]


def neighbours(segment_map: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of ids that lie side by side somewhere."""
    pairs: set[tuple[int, int]] = set()
    for a, b in ((segment_map[:, 1:], segment_map[:, :-1]), (segment_map[1:], segment_map[:-1])):
        edge = a != b
        pairs |= {(min(p), max(p)) for p in zip(a[edge].tolist(), b[edge].tolist())}
    return pairs


def touching(sample) -> float:
    """Share of things that touch one of their own class."""
    ids = {segment.id: segment.class_id for segment in things(sample)}
    same = {i for pair in neighbours(sample.segment_map) if len({ids.get(p, -p - 1) for p in pair}) == 1 for i in pair}
    return len(same) / max(1, len(ids))


def test_three_times_as_many_things(scenes):
    crowded = [len(things(sample)) for sample in scenes]
    plain = [len(things(Toytown("val", size=128)[i])) for i in range(SCENES)]
    assert np.mean(crowded) > 3 * np.mean(plain)
    assert max(crowded) <= MOST and min(crowded) >= 10
    assert max(len(sample.segments) for sample in scenes) < ofl.config.toytown_crowded().num_queries


def test_they_touch_their_like(scenes):
    crowded = np.mean([touching(sample) for sample in scenes])
    plain = np.mean([touching(Toytown("val", size=128)[i]) for i in range(SCENES)])
    assert crowded > 0.4 and crowded > 1.5 * plain


def test_some_groups_wear_the_same(scenes):
    """Their members are painted with the same strokes but for place and size: the same colours in the same order."""
    same = others = 0
    for i in range(SCENES):
        scene = compose(random.Random(f"crowded toytown val 0 {i}"), 1.0, True)
        worn = {number: shape(scene, number) for number in range(7, len(scene.elements))}
        people = [n for n in worn if scene.elements[n].class_id == PERSON]
        counts = [sum(worn[n] == worn[m] for m in people) for n in people]
        same += sum(count > 1 for count in counts)
        others += sum(count == 1 for count in counts)
    assert same > 0.3 * (same + others) and others > 0.1 * (same + others)


def shape(scene: Scene, number: int) -> tuple[str, ...]:
    return tuple(f"{s.kind} {len(s.points)}" for s in scene.strokes if s.element == number)


def test_a_scene_is_the_same_at_every_size_and_in_every_call():
    large, small = (Toytown("val", size=size, crowded=True)[2] for size in (384, 256))
    assert [s.class_id for s in large.segments] == [s.class_id for s in small.segments]
    np.testing.assert_array_equal(small.image, Toytown("val", size=256, length=9, crowded=True)[2].image)


def test_the_other_town_stays_as_it_is():
    """The last checksum is of the pictures of before there was a crowded town."""
    assert zlib.crc32(b"".join(Toytown("val", 96)[i].image.tobytes() for i in range(6))) in PLAIN
    crowded = Toytown("val", 128, crowded=True)
    assert np.mean(crowded[3].image != Toytown("val", 128)[3].image) > 0.5
    assert "crowded" in repr(crowded) and "crowded" not in repr(Toytown("val"))
    assert crowded.picture_names[3] != Toytown("val", 128).picture_names[3]  # a run does not resume on the other


def test_a_row_ends_where_there_is_no_place():
    rng, view = random.Random(0), View(1.0, 0.2, 0.3)
    first = Thing(KINDS[CAR], CAR, 0.5, 0.8, view.unit(0.8), False)
    row = stand_together(rng, view, first, GROUPS[CAR], [], 1)
    assert len(row) == 1 and row[0]._replace(look=None) == first
    wall = [first._replace(x=0.05 * i, y=0.81, unit=4.0) for i in range(21)]  # hides all the road
    assert len(stand_together(rng, view, first, GROUPS[CAR], wall, 40)) == 1


def test_no_ground_no_things():
    assert place_crowded(random.Random(0), View(1.0, 0.2, 0.3), [], KINDS) == []


@pytest.mark.parametrize("crowded", [1, "yes", None])
def test_crowded_is_yes_or_no(crowded):
    with pytest.raises(ConfigError, match="crowded must be True or False"):
        Toytown("val", crowded=crowded)


def test_on_disk_the_two_towns_are_told_apart(tmp_path):
    path = write_toytown(tmp_path, "val", 64, 2, workers=1)
    plain = path.read_text()
    assert json.loads(plain)["info"]["toytown"].get("crowded") is None  # folders of before are still known
    write_toytown(tmp_path, "val", 64, 2, workers=1, crowded=True)
    assert json.loads(path.read_text())["info"]["toytown"]["crowded"] is True
    sample, painted = ofl.data.open(tmp_path, "val")[1], Toytown("val", 64, crowded=True)[1]
    np.testing.assert_array_equal(sample.segment_map, painted.segment_map)


def test_the_command_paints_it(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("oneformer_lite.demo.paint", lambda *given: asked.append(given))
    assert main(["download", "toytown", "--root", str(tmp_path), "--size", "256", "--scenes", "3", "--crowded"]) == 0
    assert asked == [(tmp_path, 256, 3, True)]
