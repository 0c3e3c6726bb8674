"""Toytown: the same scene every time and at every size, honestly annotated, rightly written."""

from __future__ import annotations

import json
import pickle
import random
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data import PanopticDataset, Toytown, write_toytown
from oneformer_lite.data.toytown import CATEGORIES, export
from oneformer_lite.data.toytown.avenue import lay_avenue, paint_avenue
from oneformer_lite.data.toytown.classes import BALL, PERSON, SIGN, TREE
from oneformer_lite.data.toytown.dataset import FAIR_PIXELS
from oneformer_lite.data.toytown.light import LIGHTS
from oneformer_lite.data.toytown.painter import paint, paint_elements
from oneformer_lite.data.toytown.pen import Pen
from oneformer_lite.data.toytown.placing import KINDS, Thing
from oneformer_lite.data.toytown.scene import Element, compose, paint_things
from oneformer_lite.data.toytown.view import View
from oneformer_lite.errors import ConfigError, DataError

SCENES = 60


@pytest.fixture(scope="module")
def samples():
    dataset = Toytown("train", size=128)
    return [dataset[i] for i in range(SCENES)]


def test_categories_are_fixed():
    names = "car bus person tree dog lamp ball sign sky building road sidewalk grass water"
    assert [c.name for c in CATEGORIES] == names.split()
    assert [c.id for c in CATEGORIES] == [*range(1, 9), *range(101, 107)]
    assert [c.is_thing for c in CATEGORIES] == [True] * 8 + [False] * 6
    assert len({c.color for c in CATEGORIES}) == 14
    assert Toytown("val").categories is CATEGORIES


def test_a_sample_is_what_it_says(samples):
    dataset = Toytown("val", size=(96, 160), length=7)
    sample = dataset[6]
    assert len(dataset) == 7 and dataset.split == "val" and dataset.size == (96, 160)
    assert sample.image.shape == (96, 160, 3) and sample.image.dtype == np.uint8
    assert sample.segment_map.shape == (96, 160) and sample.segment_map.dtype == np.int32
    assert sample.image_id == 7 and sample.file_name == "000000000007.jpg"
    np.testing.assert_array_equal(dataset[-1].image, sample.image)


def test_same_scene_every_time_and_other_scenes_otherwise(samples):
    again = Toytown("train", size=128, length=50)[3]  # the length does not change the scenes
    np.testing.assert_array_equal(again.image, samples[3].image)
    np.testing.assert_array_equal(again.segment_map, samples[3].segment_map)
    for other in (Toytown("val")[3], Toytown("train", seed=1)[3], samples[4]):
        assert np.mean(other.image != samples[3].image) > 0.5


def test_a_pickled_data_set_paints_the_same(samples):
    copy = pickle.loads(pickle.dumps(Toytown("train", size=128)))
    np.testing.assert_array_equal(copy[5].image, samples[5].image)


def test_scenes_do_not_depend_on_the_process(samples):
    """Python salts the hashes of strings again in each process; the scenes must not notice."""
    code = (
        "import zlib; from oneformer_lite.data import Toytown; "
        "print(zlib.crc32(Toytown('train', size=128)[2].image.tobytes()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) == zlib.crc32(samples[2].image.tobytes())


@pytest.mark.parametrize("size", [64, 256, 384])
def test_the_same_scene_at_every_size(samples, size):
    dataset = Toytown("train", size=size)
    for index in range(0, 12):
        other, sample = dataset[index], samples[index]
        small = min(size, 128)
        images = [
            np.asarray(Image.fromarray(s.image).resize((small, small), Image.Resampling.BOX), float)
            for s in (other, sample)
        ]
        # the two box filters differ at edges only; another scene would differ by 40 and more
        assert np.abs(images[0] - images[1]).mean() < 4.5
        if size > 64:  # at 64 pixels a segment may vanish altogether
            assert other.segments == sample.segments
        big, little = (other, sample) if size > 128 else (sample, other)
        step = big.size[0] / little.size[0]
        at = ((np.arange(little.size[0]) + 0.5) * step).astype(int)
        assert np.mean(big.segment_map[np.ix_(at, at)] == little.segment_map) > 0.96


def test_map_and_segments_agree(samples):
    for sample in samples:
        ids = [s.id for s in sample.segments]
        assert len(set(ids)) == len(ids) and 0 not in ids
        assert set(np.unique(sample.segment_map)) - {0} == set(ids)
        stuff = [s.class_id for s in sample.segments if not CATEGORIES[s.class_id].is_thing]
        assert len(set(stuff)) == len(stuff)  # each kind of stuff is one segment
        assert not any(s.is_crowd and s.class_id != 2 for s in sample.segments)
        assert np.bincount(sample.segment_map.ravel())[ids].min() >= FAIR_PIXELS


def thing_segments(sample):
    return [s for s in sample.segments if CATEGORIES[s.class_id].is_thing]


def touches(segment_map: np.ndarray, a: int, b: int) -> bool:
    """Whether two ids are neighbours somewhere, horizontally or vertically."""
    pairs = [(segment_map[:, 1:], segment_map[:, :-1]), (segment_map[1:], segment_map[:-1])]
    return any((((p == a) & (q == b)) | ((p == b) & (q == a))).any() for p, q in pairs)


def test_statistics(samples):
    things = [thing_segments(s) for s in samples]
    counts = [len(t) for t in things]
    assert 8.5 <= np.mean([len(s.segments) for s in samples]) <= 11
    assert 4 <= np.mean(counts) <= 6 and min(counts) >= 0 and max(counts) <= 13
    areas = np.array(
        [np.sum(s.segment_map == t.id) for s, ts in zip(samples, things, strict=True) for t in ts]
    )
    low, high = np.percentile(areas, [5, 95])
    assert high / low > 4 and low < 140 and high < 2500
    classes = np.bincount([s.class_id for x in samples for s in x.segments], minlength=14)
    assert classes.min() >= 8
    touching = [
        any(touches(s.segment_map, a.id, b.id)
            for i, a in enumerate(t) for b in t[i + 1 :] if a.class_id == b.class_id)
        for s, t in zip(samples, things, strict=True)
    ]  # fmt: skip
    assert np.mean(touching) > 0.3
    void = np.array([np.mean(s.segment_map == 0) for s in samples])
    assert 0.002 < void.mean() < 0.05 and void.max() < 0.4


def test_a_few_scenes_have_a_crowd():
    scenes = [compose(random.Random(i), 1.0) for i in range(200)]
    share = np.mean([any(e.is_crowd for e in scene.elements) for scene in scenes])
    assert 0.01 < share < 0.12


def test_things_are_painted_from_far_to_near_with_their_own_class():
    things = [
        Thing(KINDS[BALL], BALL, 0.5, 0.95, 0.4, False),
        Thing(KINDS[TREE], TREE, 0.5, 0.90, 0.3, False),
        Thing(KINDS[PERSON], PERSON, 0.15, 0.93, 0.4, False),
        Thing(KINDS[SIGN], None, 0.85, 0.95, 0.4, False),
    ]
    pen, elements = Pen(LIGHTS[0]), [Element(None)] * 7
    pen.world(3).box(0, 0, 1, 1, (90, 90, 90))
    paint_things(pen, random.Random(1), View(1.0, 0.4, 0.4), things, [], elements)
    assert [e.class_id for e in elements[7:]] == [TREE, PERSON, BALL]
    _, painted = paint(pen.strokes, 128, 128)

    def class_at(x: float, y: float) -> int | None:
        return elements[painted[int(y * 128), int(x * 128)]].class_id

    assert class_at(0.5, 0.87) == BALL and class_at(0.5, 0.5) == TREE
    assert class_at(0.15, 0.75) == PERSON
    assert painted[int(0.7 * 128), int(0.85 * 128)] == 0  # the unlabelled one


def test_a_flipped_pen_draws_to_the_left():
    pen = Pen(LIGHTS[0])
    pen.world(1).box(0, 0, 1, 1, (0, 0, 0))
    pen.place(7, 0.5, 0.5, 0.25, flip=True).box(0, 0, 1, 1, (255, 255, 255))
    rows, columns = np.nonzero(paint(pen.strokes, 64, 64)[1] == 7)
    assert (columns.min(), columns.max()) == (16, 31) and (rows.min(), rows.max()) == (16, 31)


def test_avenues_have_no_holes():
    view = View(1.0, 0.4, 0.45, 0.4)
    for i in range(60):
        pen, rng = Pen(LIGHTS[0]), random.Random(i)
        paint_avenue(pen, rng, view, lay_avenue(rng, view))
        assert (paint_elements(pen.strokes, 96, 96) > 0).all()


@pytest.mark.parametrize("aspect", [0.4, 1.0, 2.5, 8.0])
def test_every_pixel_is_painted(aspect):
    """Unpainted canvas is black void; no stroke is pure black where nothing is labelled."""
    for i in range(12):
        picture, elements = paint(compose(random.Random(i), aspect).strokes, 96, round(96 * aspect))
        assert not ((picture.sum(2) == 0) & (elements == 0)).any()


def test_the_element_map_can_be_had_alone():
    for i in range(8):
        strokes = compose(random.Random(i), 1.5).strokes
        np.testing.assert_array_equal(
            paint_elements(strokes, 80, 120), paint(strokes, 80, 120)[1]
        )


def test_edges_of_picture_and_map_agree():
    """A box from 1/4 to 3/4: exact map, and colours mixed in edge pixels only."""
    pen = Pen(LIGHTS[0])
    pen.world(1).box(0, 0, 1, 1, (200, 0, 0), lit=True)
    pen.world(7).box(0.25, 0.26, 0.75, 0.75, (0, 200, 0), lit=True)
    picture, elements = paint(pen.strokes, 40, 40)
    assert (elements[10:30, 10:30] == 7).all() and (elements == 7).sum() == 400
    assert picture[20, 20].tolist() == [0, 200, 0] and picture[9, 20].tolist() == [200, 0, 0]
    assert picture[10, 20].tolist() == [67, 133, 0]  # 0.4 of the row, to the nearest third


def test_soft_strokes_leave_the_elements_alone():
    pen = Pen(LIGHTS[0])
    pen.world(3).box(0, 0, 1, 1, (200, 200, 200), lit=True)
    before = paint(pen.strokes, 64, 64)
    pen.world(9).blob(0.5, 0.5, 0.4, 0.4, (0, 0, 0), 0.5)
    pen.tint([(0, 0), (1, 0), (0, 1)], (255, 0, 0), 0.3)
    pen.veil([(0, 0), (1, 1)], 0.05, (255, 255, 255), 0.5)
    after = paint(pen.strokes, 64, 64)
    assert (after[1] == 3).all() and np.abs(after[0].astype(int) - before[0]).max() > 50
    assert after[0][32, 32, 0] < 180  # the shadow is darkest in its middle


def test_water_mirrors_what_stands_above_it():
    pen = Pen(LIGHTS[0])
    pen.world(1).box(0, 0, 1, 0.5, (0, 0, 0), lit=True)
    pen.world(7).box(0.4, 0.3, 0.6, 0.5, (255, 0, 0), lit=True)
    pen.world(6).box(0, 0.5, 1, 1, (0, 0, 100), lit=True)
    pen.mirror(0, 0.5, 1, 1, 0.5)
    picture, elements = paint(pen.strokes, 100, 100)
    assert picture[60, 50, 0] > 100 and picture[85, 50, 0] < 20 and picture[60, 20, 0] < 20
    assert (elements[50:] == 6).all()
    pen.strokes[1] = pen.strokes[1]._replace(points=[(0.0, 0.49), (1.0, 0.5)])
    rows = paint(pen.strokes, 400, 400)[0][200:, 200, 0]  # a line of four rows above the water
    assert rows[:3].min() > 100 and rows[6:].max() < 20


@pytest.mark.parametrize(
    "arguments",
    [
        {"split": "test"},
        {"size": 32},
        {"size": 2048},
        {"size": (128,)},
        {"size": "128"},
        {"size": 128.0},
        {"size": True},
        {"length": 0},
        {"length": 2.5},
        {"length": True},
        {"seed": "a"},
    ],
)
def test_bad_arguments_are_named(arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        Toytown(**{"split": "train", **arguments})


def test_bad_indices():
    dataset = Toytown("val", size=64, length=3)
    for index in (3, -4):
        with pytest.raises(IndexError):
            dataset[index]
    for index in (1.0, "0", slice(2), None):
        with pytest.raises(ConfigError, match="index"):
            dataset[index]
    assert len(list(dataset)) == 3


def test_written_files_are_coco(tmp_path):
    path = write_toytown(tmp_path, "val", size=64, length=3, workers=1)
    assert path == tmp_path / "annotations" / "panoptic_val.json"
    content = json.loads(path.read_text())
    names = [f"{i:012d}" for i in (1, 2, 3)]
    assert sorted(p.name for p in (tmp_path / "val").iterdir()) == [f"{n}.jpg" for n in names]
    maps = tmp_path / "annotations" / "panoptic_val"
    assert sorted(p.name for p in maps.iterdir()) == [f"{n}.png" for n in names]
    assert content["images"][1] == {
        "id": 2, "file_name": "000000000002.jpg", "height": 64, "width": 64,
    }  # fmt: skip
    assert [c["id"] for c in content["categories"]] == [c.id for c in CATEGORIES]
    assert {c["isthing"] for c in content["categories"]} == {0, 1}
    dataset = Toytown("val", size=64, length=3)
    for index, annotation in enumerate(content["annotations"]):
        sample = dataset[index]
        assert annotation["image_id"] == index + 1
        rgb = np.asarray(Image.open(maps / annotation["file_name"])).astype(int)
        ids = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
        np.testing.assert_array_equal(ids, sample.segment_map)
        for info, segment in zip(annotation["segments_info"], sample.segments, strict=True):
            ys, xs = np.nonzero(ids == segment.id)
            assert info["category_id"] == CATEGORIES[segment.class_id].id
            assert info["area"] == len(ys) and info["iscrowd"] == int(segment.is_crowd)
            assert info["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
        picture = np.asarray(Image.open(tmp_path / "val" / f"{names[index]}.jpg")).astype(int)
        assert np.abs(picture - sample.image).mean() < 8  # JPEG halves the colours' resolution
        assert np.abs(picture - dataset[index - 1].image).mean() > 16
    read = PanopticDataset(tmp_path / "val", path, maps)[0]
    assert read.segments == dataset[0].segments and read.categories == CATEGORIES


def test_processes_write_what_one_writes(tmp_path):
    calls = []
    paths = [
        write_toytown(tmp_path / str(n), "train", 64, 5, workers=n,
                      progress=lambda done, total: calls.append((done, total)))
        for n in (1, 2)
    ]  # fmt: skip
    assert paths[0].read_text() == paths[1].read_text()
    assert calls == [(i, 5) for i in range(1, 6)] * 2
    for i in range(1, 6):
        name = f"train/{i:012d}.jpg"
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_finished_work_is_not_done_twice(tmp_path, monkeypatch):
    path = write_toytown(tmp_path, "val", 64, 3, workers=1)
    stamp = path.stat().st_mtime_ns
    monkeypatch.setattr(export, "write_one", lambda job: pytest.fail("painted again"))
    calls = []
    write_toytown(tmp_path, "val", 64, 3, workers=1, progress=lambda *c: calls.append(c))
    assert path.stat().st_mtime_ns == stamp and calls == [(3, 3)]


def test_other_parameters_replace_the_files(tmp_path):
    write_toytown(tmp_path, "val", 64, 3, workers=1)
    (tmp_path / "val" / "notes.txt").write_text("mine")
    path = write_toytown(tmp_path, "val", 64, 2, seed=4, workers=1)
    assert len(json.loads(path.read_text())["images"]) == 2
    names = sorted(p.name for p in (tmp_path / "val").iterdir())
    assert names == ["000000000001.jpg", "000000000002.jpg", "notes.txt"]
    np.testing.assert_array_equal(
        PanopticDataset(tmp_path / "val", path, path.with_suffix(""))[1].segment_map,
        Toytown("val", 64, 2, seed=4)[1].segment_map,
    )


def test_an_interrupted_write_leaves_no_json_and_can_be_repeated(tmp_path, monkeypatch):
    write_toytown(tmp_path, "val", 64, 2, workers=1)
    real, done = export.write_one, []

    def stop_at_the_third(job):
        done.append(job)
        if len(done) == 3:
            raise KeyboardInterrupt
        return real(job)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(export, "write_one", stop_at_the_third)
        write_toytown(tmp_path, "val", 64, 4, workers=1)
    assert not list((tmp_path / "annotations").glob("*.json"))
    path = write_toytown(tmp_path, "val", 64, 4, workers=1)
    assert len(json.loads(path.read_text())["annotations"]) == 4


def test_write_errors_are_named(tmp_path):
    with pytest.raises(ConfigError, match="workers"):
        write_toytown(tmp_path, "val", 64, 2, workers=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="folder"):
        write_toytown(tmp_path / "file", "val", 64, 2, workers=1)


def test_a_script_that_cannot_start_workers_still_gets_its_scenes(tmp_path: Path) -> None:
    """Read from standard input, a script has no file that a worker could import."""
    script = f"import oneformer_lite as ofl; ofl.data.write_toytown({str(tmp_path)!r}, 'val', 64, 4, workers=2)"
    run = subprocess.run([sys.executable, "-"], input=script, text=True, check=True, timeout=100, capture_output=True)
    assert len(list((tmp_path / "val").glob("*.jpg"))) == 4
    assert "Traceback" not in run.stderr
