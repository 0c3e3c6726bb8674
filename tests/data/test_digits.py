"""Scattered digits: the same scene every time, held-out digits never trained on, whole masks, and foreign files."""

from __future__ import annotations

import io
import pickle
import sys
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.data import Digits, write_digits
from oneformer_lite.data.digits import CATEGORIES
from oneformer_lite.data.digits.scene import disjoint, ink_box, moved_box, paint, scatter, varied
from oneformer_lite.data.digits.source import bundled, from_file
from oneformer_lite.errors import ConfigError, DataError


class Sure:
    """Stands for a random generator that always draws the lowest place, so that nothing ever fits."""

    def randint(self, low, high):
        return low

    def sample(self, cells, count):
        return cells[:count]


@pytest.fixture(scope="module", params=["easy", "hard"])
def level(request):
    return request.param


@pytest.fixture(scope="module")
def samples(level):
    dataset = Digits("train", level)
    return [dataset[i] for i in range(300)]


def frames(count=16):
    """Images and labels as a file holds them: bars of different widths, all ten labels in any ten."""
    images = np.zeros((count, 28, 28), np.uint8)
    for i, image in enumerate(images):
        image[4:24, 8 : 10 + i % 10] = 255
    return images, np.arange(count) % 10 if count >= 80 else np.arange(count) % 2


def inked(picture):
    """What lies in the box of a picture's ink."""
    top, left, bottom, right = ink_box(picture)
    return picture[top:bottom, left:right].tobytes()


def archive(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def test_a_sample_is_what_it_says(level, samples):
    assert isinstance(Digits("val", level), ofl.data.SegmentationDataset)
    assert len(Digits("val")) == 1000 and len(Digits("train")) == 60_000
    for sample in samples:
        assert sample.image.shape == (64, 64, 3) and sample.image.dtype == np.uint8
        assert (sample.image == sample.image[..., :1]).all()
        assert sample.tasks == (("instance",) if level == "hard" else ofl.data.TASKS)
        assert [s.id for s in sample.segments] == list(range(1, len(sample.segments) + 1))
        masks = sample.segment_masks()
        assert ((sample.image[..., 0] > 127) == masks.any(0)).all()
        assert ((sample.segment_map > 0) == masks.any(0)).all()
    assert samples[3].image_id == 4 and samples[3].file_name == "000000000004.png"


def test_numbers_and_classes_are_uniform(samples):
    counts = np.bincount([len(s.segments) for s in samples], minlength=5)
    assert counts[0] == 0 and counts.sum() == 300 and counts[1:].min() > 45
    classes = np.bincount([s.class_id for sample in samples for s in sample.segments], minlength=10)
    assert classes.min() > 0.6 * classes.mean()


def test_easy_boxes_are_disjoint_and_hard_masks_whole():
    easy, hard = Digits("train", "easy"), Digits("train", "hard")
    for i in range(100):
        boxes = [ink_box(255 * mask.astype(np.uint8)) for mask in easy[i].segment_masks()]
        assert all(disjoint(a, b) for k, a in enumerate(boxes) for b in boxes[:k])
    overlaps = [(hard[i].masks.sum(0) > 1).any() for i in range(100)]
    assert 20 < sum(overlaps) < 90
    ink = (bundled().split("train").images > 127).sum((1, 2))
    assert all(mask.sum() in ink for i in range(100) for mask in hard[i].masks)  # no pixel of a covered digit is lost


def test_a_scene_by_hand():
    one, two = np.zeros((2, 28, 28), np.uint8)
    one[0, 0], one[0, 1], two[0, 0] = 200, 100, 150
    picture, masks = paint([one, two], [(0, 0), (2, 0)], (30, 28))
    assert (picture[0, 0], picture[0, 1], picture[2, 0]) == (200, 100, 150) and picture.sum() == 450
    assert masks.sum((1, 2)).tolist() == [1, 1]  # 100 is not ink
    over, both = paint([one, two], [(0, 0), (0, 0)], (28, 28))
    assert over[0, 0] == 200 and both[:, 0, 0].all()  # the brightest, and both masks whole


def test_boxes_touch_without_overlap():
    assert disjoint((0, 0, 5, 5), (0, 5, 5, 9)) and disjoint((5, 0, 9, 5), (0, 0, 5, 5))
    assert not disjoint((0, 0, 5, 5), (4, 4, 9, 9)) and moved_box((1, 2, 3, 4), (10, 20)) == (11, 22, 13, 24)


def test_digits_that_fill_their_frames_come_to_stand_on_a_grid():
    places = scatter(Sure(), [(0, 0, 28, 28)] * 4, (64, 64), apart=True)
    assert places == [(0, 0), (0, 28), (28, 0), (28, 28)]
    assert scatter(Sure(), [(0, 0, 28, 28)] * 2, (64, 64), apart=False) == [(0, 0), (0, 0)]


def test_same_scene_every_time_and_other_scenes_otherwise(level, samples):
    again = Digits("train", level, length=10)[3]
    np.testing.assert_array_equal(again.image, samples[3].image)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(Digits("train", level)))[-60_000 + 3].image, again.image)
    for other in (Digits("val", level)[3], Digits("train", level, seed=1)[3], samples[4]):
        assert (other.image != again.image).any()


def test_scenes_do_not_depend_on_the_process(tmp_path):
    """Python salts the hashes of strings again in each process; the scenes must not notice."""
    images, labels = frames(160)
    dataset = Digits("val", "hard", file=archive(tmp_path / "bars.npz", images=images, labels=labels))
    assert zlib.crc32(dataset[2].masks.tobytes()) == 2713994769
    assert zlib.crc32(Digits("train", file=tmp_path / "bars.npz")[2].image.tobytes()) == 2549547267


def test_held_out_digits_are_never_trained_on():
    source = bundled()
    train, val = source.split("train"), source.split("val")
    assert (len(source), len(train), len(val)) == (1797, 1573, 224)
    np.testing.assert_array_equal(np.concatenate([train.images, val.images]), source.images)
    held_out = {image.tobytes() for image in val.images} - {image.tobytes() for image in train.images}
    sample = Digits("val", most=1)[0]
    assert len(held_out) == len(val) and inked(sample.image[..., 0]) in map(inked, val.images)


def test_without_scikit_learn_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    bundled.cache_clear()
    with pytest.raises(DataError, match="pip install scikit-learn"):
        Digits("val")


def test_varied_digits_differ_a_little_and_stay_themselves():
    plain, other = Digits("train"), Digits("train", vary=True)
    assert plain[0].image.tobytes() != other[0].image.tobytes()
    assert [s.class_id for s in plain[0].segments] == [s.class_id for s in other[0].segments]
    ratio = [other[i].segment_masks().sum() / plain[i].segment_masks().sum() for i in range(50)]
    assert 0.85 < np.mean(ratio) < 1.15 and np.min(ratio) > 0.5
    faint = np.zeros((28, 28), np.uint8)
    faint[14, 14] = 128  # any blur leaves no ink of it

    class Aslant:
        uniform = staticmethod(lambda low, high: 0.5 * high)

    assert (varied(Aslant(), faint) == faint).all()


def test_ground_is_a_class_where_it_is_asked_for():
    dataset = Digits("val", ground=True)
    sample = dataset[0]
    assert [c.name for c in dataset.categories] == [*map(str, range(10)), "ground"]
    assert (sample.segment_map > 0).all() and not sample.categories[sample.segments[-1].class_id].is_thing
    things = Digits("val")[0].segment_masks()
    np.testing.assert_array_equal(sample.segment_masks()[:-1], things)
    assert (sample.segment_masks()[-1] == ~things.any(0)).all()
    assert "ground" in ofl.data.targets_for(sample, "panoptic").texts[-1]


def test_a_folder_reads_back_equal(tmp_path, level):
    dataset, seen = Digits("val", level, length=12), []
    path = write_digits(tmp_path, dataset, progress=lambda done, total: seen.append((done, total)))
    read = ofl.data.open(tmp_path, "val")
    assert seen[-1] == (12, 12) and len(read) == 12 and read.categories == CATEGORIES == dataset.categories
    for mine, theirs in zip(map(dataset.__getitem__, range(12)), read):
        np.testing.assert_array_equal(mine.image, theirs.image)
        np.testing.assert_array_equal(mine.segment_masks(), theirs.masks)
        np.testing.assert_array_equal(mine.segment_map, theirs.segment_map)
        assert (mine.segments, mine.image_id, mine.file_name) == (theirs.segments, theirs.image_id, theirs.file_name)
    before = path.stat().st_mtime_ns
    write_digits(tmp_path, dataset)
    assert path.stat().st_mtime_ns == before  # nothing is done twice
    write_digits(tmp_path, Digits("val", level, length=3, seed=1))
    assert len(ofl.data.open(tmp_path, "val")) == 3


def test_ground_stays_out_of_an_instance_file(tmp_path):
    write_digits(tmp_path, Digits("val", length=2, ground=True))
    read = ofl.data.open(tmp_path, "val")
    assert read.categories == CATEGORIES and len(read[0].segments) == len(Digits("val")[0].segments)


def test_samples_that_are_written_need_names_of_their_own(tmp_path):
    sample = Digits("val")[0]
    with pytest.raises(DataError, match="comes twice"):
        ofl.data.write_instances(tmp_path, tmp_path / "a.json", [sample, sample])
    with pytest.raises(DataError, match="no samples"):
        ofl.data.write_instances(tmp_path, tmp_path / "a.json", [])
    assert not (tmp_path / "a.json").exists()


def test_painting_takes_under_a_millisecond(level):
    dataset, times = Digits("train", level, vary=True), []
    for i in range(200):
        start = time.process_time()
        dataset[i]
        times.append(time.process_time() - start)
    assert np.median(times) < 1e-3


def test_a_run_knows_its_scenes():
    names = {d.picture_names[0] for d in (
        Digits("train"), Digits("train", "hard"), Digits("train", seed=1), Digits("train", size=80),
        Digits("train", vary=True), Digits("train", most=2), Digits("train", ground=True), Digits("val"),
    )}  # fmt: skip
    assert len(names) == 8 and repr(Digits("val", size=(64, 80))).startswith("Digits('val', 'easy', size=(64, 80)")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("test",), "split"), (("train", "harder"), "'easy' or 'hard'"), (("val", "easy", 40), "room for 4"),
        (("val", "easy", 2000), "1024"), (("val", "easy", "64"), "size"), (("val", "easy", 64, 0), "length"),
        (("val", "easy", 64, 2.5), "length"), (("val", "easy", 64, 5, None), "seed"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_arguments_are_checked(arguments, words):
    with pytest.raises(ConfigError, match=words):
        Digits(*arguments)


@pytest.mark.parametrize(
    "options", [{"split": "val", "vary": True}, {"split": "val", "level": "hard", "ground": True},
                {"split": "val", "most": 0}, {"split": "val", "most": 5}], ids=str,
)  # fmt: skip
def test_options_are_checked(options):
    with pytest.raises(ConfigError):
        Digits(**options)


@pytest.mark.parametrize("index", [1000, -1001])
def test_no_scene_beyond_the_end(index):
    with pytest.raises(IndexError):
        Digits("val")[index]


def test_digits_of_a_file(tmp_path):
    images, labels = frames(160)
    path = archive(tmp_path / "digits.npz", images=images, labels=labels)
    train, val = Digits("train", file=path), Digits("val", "hard", file=str(path))
    assert len(from_file(path).split("train")) == 140 and train[0].segments and val[5].masks.any((1, 2)).all()
    assert "digits.npz" in train.picture_names[0]
    turned = archive(tmp_path / "turned.npz", images=np.asfortranarray(images), labels=labels.astype(np.uint8))
    np.testing.assert_array_equal(from_file(turned).images, images)


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def wrong_files(folder):
    """Words of the error -> what is in the file."""
    images, labels = frames(160)
    blank = images.copy()
    blank[7] = 127
    return {
        "digits": {"images": images},
        "images of another size": {"images": np.zeros((16, 8, 8), np.uint8), "labels": labels[:16]},
        "floats": {"images": images / 255, "labels": labels},
        "flat": {"images": images.reshape(160, -1), "labels": labels},
        "labels of objects": {"images": images, "labels": np.array([Trap(folder / "trapped")] * 160, object)},
        "labels as texts": {"images": images, "labels": labels.astype(str)},
        "one label too few": {"images": images, "labels": labels[:-1]},
        "a label of ten": {"images": images, "labels": labels + 1},
        "too few": {"images": images[:7], "labels": labels[:7]},
        "blank": {"images": blank, "labels": labels},
        "sorted": {"images": images, "labels": np.sort(labels)},
    }


@pytest.mark.parametrize("case", wrong_files(Path("x")))
def test_wrong_files_are_refused(tmp_path, case):
    path = archive(tmp_path / "wrong.npz", **wrong_files(tmp_path)[case])
    with pytest.raises(DataError, match="wrong.npz"):
        Digits("train", file=path)
    assert not (tmp_path / "trapped").exists()


def lying(shape, content):
    """An array in numpy's format whose header says another ``shape``."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


@pytest.mark.parametrize(
    "members",
    [
        {"images.npy": lying((2**40, 28, 28), b""), "labels.npy": lying((2**40,), b"")},
        {"images.npy": lying((160, 28, 28), b"\xff" * 784), "labels.npy": lying((160,), bytes(160))},
        {"images.npy": lying((160, 28, 28), bytes(784 * 161)), "labels.npy": lying((160,), bytes(160))},
        {"images.npy": b"no array", "labels.npy": b""},
        {"images.npy": b"\x93NUMPY\x01\x00\x10\x00{'descr': __import", "labels.npy": b""},
        {},
    ],
    ids=["huge", "too little", "too much", "no array", "half a header", "empty"],
)
def test_lying_headers_are_refused(tmp_path, members):
    path = tmp_path / "lies.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(DataError, match="lies.npz"):
        from_file(path)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut off", None], ids=["empty", "text", "cut", "none"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "broken.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="broken.npz cannot be read"):
        from_file(path)


def test_a_damaged_archive_is_refused(tmp_path):
    images, labels = frames(160)
    path = archive(tmp_path / "broken.npz", images=images, labels=labels)
    content = bytearray(path.read_bytes())
    content[150] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="broken.npz"):
        from_file(path)


def test_mnist_splits_into_7000_and_1000(shared_data):
    file = shared_data / "mnist-8000.npz"
    if not file.is_file():
        pytest.skip(f"no digits at {file}: set OFL_SHARED_DATA to the folder that holds them")
    assert [len(from_file(file).split(split)) for split in ("train", "val")] == [7000, 1000]
    assert Digits("val", "hard", file=file)[0].masks.any((1, 2)).all()


@pytest.mark.parametrize(
    "options", [{"file": value} for value in (5, True, [], float("nan"))] + [{"vary": "x"}, {"ground": 1}]
)
def test_files_and_flags_of_another_kind_are_refused(options):
    with pytest.raises(ConfigError, match="file of digits as a text|must be True or False"):
        Digits("train", **options)
