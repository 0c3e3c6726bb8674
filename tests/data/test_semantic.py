"""Label maps: pairing by name, void, and what is said about bad files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from raw_png import deep_colours, raw_png

from oneformer_lite.data.label_map import read_label_map
from oneformer_lite.data.sample import SegmentInfo
from oneformer_lite.data.semantic import SemanticDataset
from oneformer_lite.errors import ConfigError, DataError

NAMES = ("road", "sky", "car")
pytestmark = pytest.mark.filterwarnings("ignore:1 of 3 pictures")  # the fixture's, see what_is_left_out
LABELS = np.array([[1, 1, 255, 1], [0, 0, 0, 255]], np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for name in ("b.jpg", "a.png", "unlabelled.jpg"):
        Image.new("RGB", (4, 2), "red").save(tmp_path / "images" / name)
    (tmp_path / "images" / "a.txt").write_text("a caption")
    save(tmp_path, "a", LABELS)
    save(tmp_path, "b", np.full((2, 4), 255, np.uint8))
    return tmp_path


def save(folder: Path, stem: str, labels: np.ndarray) -> None:
    Image.fromarray(labels).save(folder / "labels" / f"{stem}.png")


def read(folder: Path, **options) -> SemanticDataset:
    return SemanticDataset(folder / "images", str(folder / "labels"), NAMES, **options)


def test_each_class_present_is_one_segment(folder):
    dataset = read(folder)
    sample = dataset[0]
    assert sample.segment_map.tolist() == [[2, 2, 0, 2], [1, 1, 1, 0]]
    assert sample.segment_map.dtype == np.int32
    assert sample.segments == (SegmentInfo(1, 0), SegmentInfo(2, 1))
    assert sample.image[0, 0].tolist() == [255, 0, 0] and sample.file_name == "a.png"
    assert sample.tasks == dataset.tasks == ("semantic",)
    assert [(c.id, c.name, c.is_thing) for c in dataset.categories] == [
        (0, "road", False), (1, "sky", False), (2, "car", False)
    ]  # fmt: skip


def test_pairs_are_sorted_and_pictures_without_label_map_skipped(folder):
    dataset = read(folder)
    assert [s.file_name for s in dataset] == ["a.png", "b.jpg"] and len(dataset) == 2
    assert dataset.image_ids == [0, 1] == [s.image_id for s in dataset]


def test_the_order_is_that_of_the_names_not_of_the_disk(folder):
    for number in (7, 2, 9, 0, 5, 8, 1, 6, 3, 4):
        Image.new("RGB", (4, 2)).save(folder / "images" / f"n{number}.jpg")
        save(folder, f"n{number}", LABELS)
    names = [s.file_name for s in read(folder)]
    assert names == ["a.png", "b.jpg", *(f"n{number}.jpg" for number in range(10))]


def test_a_picture_that_is_all_void_has_no_segment(folder):
    assert read(folder)[1].segments == () and not read(folder)[1].segment_map.any()


def test_another_ignore_index(folder):
    save(folder, "a", np.where(LABELS == 255, 0, LABELS + 1).astype(np.uint8))
    with pytest.warns(UserWarning, match="'road', which so never comes.*numbered from 1, values=range"):
        dataset = read(folder, ignore_index=0)
    assert dataset[0].segment_map.tolist() == [[3, 3, 0, 3], [2, 2, 2, 0]]


def test_classes_numbered_from_1_keep_their_names(folder):
    """0 means that nobody knows: values=range(1, K + 1)."""
    save(folder, "a", np.where(LABELS == 255, 0, LABELS + 1).astype(np.uint8))
    save(folder, "b", np.full((2, 4), 3, np.uint8))
    dataset = read(folder, ignore_index=0, values=range(1, 4))
    assert dataset[0].segment_map.tolist() == [[2, 2, 0, 2], [1, 1, 1, 0]]
    assert [dataset.categories[s.class_id].name for s in dataset[1].segments] == ["car"]
    assert [c.id for c in dataset.categories] == [1, 2, 3]  # what result files write
    with pytest.raises(DataError, match=r"values 4, which are neither a class id \(1, 2, 3\) nor ignore_index=0"):
        save(folder, "b", np.full((2, 4), 4, np.uint8))
        dataset[1]


@pytest.mark.parametrize(("dtype", "high"), [(np.uint8, 255), (np.uint16, 65535), (np.uint8, 128)])
def test_masks_of_two_values_with_a_gap(folder, dtype, high):
    binary = np.array([[0, high, high, 0]] * 2, dtype)
    for name in "ab":
        save(folder, name, binary)
    dataset = SemanticDataset(folder / "images", folder / "labels", NAMES[:2], None, values=(0, high))
    assert dataset[0].segment_map.tolist() == [[1, 2, 2, 1]] * 2


def test_a_mask_of_0_and_255_is_noticed_when_255_is_void(folder):
    for name in "ab":
        save(folder, name, np.array([[0, 255, 255, 0]] * 2, np.uint8))
    with pytest.warns(UserWarning, match=r"only the class 'road' and 255, which is void.*values=\(0, 255\)") as seen:
        dataset = SemanticDataset(folder / "images", folder / "labels", NAMES[:2])
        assert dataset[0].segment_map.tolist() == [[1, 0, 0, 1]] * 2
        assert dataset[1].segments == (SegmentInfo(1, 0),)
    assert len([w for w in seen if "void" in str(w.message)]) == 1


@pytest.mark.parametrize("ignore", [None, 7])
def test_a_mask_of_0_and_255_that_is_no_void_says_how_it_is_read(folder, ignore):
    save(folder, "a", np.array([[0, 255, 255, 0]] * 2, np.uint8))
    save(folder, "b", np.array([[0, 255, 255, 0]] * 2, np.uint8))
    with pytest.raises(DataError, match=r"values 255, .* masks of 0 and 255, values=\(0, 255\)"):
        SemanticDataset(folder / "images", folder / "labels", NAMES[:2], ignore)[0]


@pytest.mark.parametrize("least", [0, 1])
@pytest.mark.parametrize("name", ["a", "b"])
def test_classes_numbered_from_1_are_noticed_when_the_set_is_opened(folder, least, name):
    save(folder, name, np.array([[least, 1, 2, 3]] * 2, np.uint8))
    with pytest.raises(DataError, match=r"values 3, .*class id \(0..2\).*values=range\(1, 4\), and ignore_index=0"):
        read(folder)
    assert len(read(folder, ignore_index=3)) == 2  # then 3 is void


def test_a_map_of_bits_is_0_and_1(folder):
    for name in "ab":
        Image.fromarray(np.array([[0, 255, 255, 0]] * 2, np.uint8)).convert("1").save(folder / f"labels/{name}.png")
    assert read(folder)[0].segment_map.tolist() == [[1, 2, 2, 1]] * 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"values": (0, 1)}, "values has 2 entries for 3 class names"),
        ({"values": (0, 1, 1)}, "same value"),
        ({"values": (0, 1, "2")}, "whole numbers of at most 16 bits, got '2'"),
        ({"values": (0, 1, 2.0)}, "whole numbers"),
        ({"values": (0, 1, 10**9)}, "at most 16 bits, got 1000000000"),
        ({"values": (0, 1, -2)}, "values holds -2: expected 0 and more"),
        ({"ignore_index": "255"}, "whole numbers of at most 16 bits, got '255'"),
        ({"ignore_index": True}, "got True"),
    ],
)
def test_values_are_judged_when_they_are_given(folder, options, words):
    with pytest.raises(DataError, match=words):
        read(folder, **options)


@pytest.mark.parametrize("names", ["road", [], ["road", 7], ["road", None], ["road", " "], [""]])
def test_names_are_a_list_of_names(folder, names):
    with pytest.raises(DataError, match="class_names must be a list of names"):
        SemanticDataset(folder / "images", folder / "labels", names)


def test_two_classes_of_one_name(folder):
    with pytest.raises(DataError, match="same name"):
        SemanticDataset(folder / "images", folder / "labels", ["road", "road"])


def test_more_than_255_classes_meet_the_usual_void(folder):
    save(folder, "a", np.array([[255, 256]] * 2, np.uint16))
    names = [f"c{i}" for i in range(300)]
    with pytest.warns(UserWarning, match="ignore_index=255 is also the value of the class 'c255'"):
        SemanticDataset(folder / "images", folder / "labels", names)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="ignore_index")
        dataset = SemanticDataset(folder / "images", folder / "labels", names, None)
    assert {s.class_id for s in dataset.annotation(0)[1]} == {255, 256}


@pytest.mark.parametrize("suffix", ["PNG", "tif", "TIFF", "bmp", "gif"])
def test_suffixes_of_either_case_and_other_exact_formats(folder, suffix):
    (folder / "images" / "a.png").rename(folder / "images" / "a.PNG")
    (folder / "labels" / "a.png").unlink()
    Image.fromarray(LABELS).save(folder / "labels" / f"a.{suffix}")
    dataset = read(folder)
    assert [s.file_name for s in dataset] == ["a.PNG", "b.jpg"]
    assert dataset[0].segment_map.tolist() == [[2, 2, 0, 2], [1, 1, 1, 0]]


def test_maps_in_jpeg_are_refused_with_the_reason(folder):
    for path in (folder / "labels").iterdir():
        path.unlink()
    Image.fromarray(LABELS).save(folder / "labels" / "a.jpg")
    with pytest.raises(DataError, match="got none .it holds 'a.jpg', and JPEG does not keep class ids"):
        read(folder)


@pytest.mark.parametrize("hidden", ["._a.png", "._c.png", ".DS_Store", ".c.jpg"])
@pytest.mark.parametrize("where", ["images", "labels"])
def test_hidden_files_are_left_alone(folder, hidden, where):
    (folder / where / hidden).write_bytes(b"\x00\x05\x16\x07" + bytes(200))
    assert [len(s.segments) for s in read(folder)] == [2, 0]


def test_names_written_by_another_system_pair_up(folder):
    Image.new("RGB", (4, 2)).save(folder / "images" / "e\u0301te\u0301.jpg")  # accents apart, as macOS writes them
    save(folder, "\u00e9t\u00e9", LABELS)
    assert len(read(folder)) == 3


def test_what_is_left_out_is_counted_once(folder):
    for number in range(5):
        Image.new("RGB", (4, 2)).save(folder / "images" / f"more{number}.jpg")
    with pytest.warns(UserWarning, match=r"6 of 8 pictures in .* no label map .* left out: 'more0.jpg', .* and 2 more"):
        read(folder)


def with_palette(indices: np.ndarray, colors: dict[int, tuple[int, int, int]]) -> Image.Image:
    picture = Image.fromarray(indices.astype(np.uint8), "P")
    table = np.zeros((256, 3), np.uint8)
    for index, color in colors.items():
        table[index] = color
    picture.putpalette(table.tobytes())
    return picture


@pytest.mark.parametrize(
    ("colors", "expected"),
    [
        ({0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0)}, [[1, 2, 3]]),  # VOC: colours to look at
        ({0: (0, 0, 0), 1: (2, 2, 2), 2: (255, 255, 255)}, [[1, 3, 0]]),  # greys 0, 2, 255 made smaller
        ({0: (2, 2, 2), 1: (1, 1, 1), 2: (0, 0, 0)}, [[3, 2, 1]]),
        ({0: (0, 0, 0), 1: (127, 127, 127), 2: (255, 255, 255)}, [[1, 2, 3]]),  # 127 is no class: to look at
        ({0: (0, 0, 0), 1: (255, 255, 255), 2: (255, 255, 255)}, [[1, 2, 3]]),  # black and white: to look at
    ],
)
def test_a_palette_of_class_ids_in_grey_counts_by_grey(folder, colors, expected):
    with_palette(np.array([[0, 1, 2]]), colors).save(folder / "labels" / "a.png")
    assert read(folder).annotation(0)[0].tolist() == expected


def test_the_grey_among_vocs_colours_is_an_index(folder):
    """VOC's palette has (128, 128, 128) at 7, and with more than 128 classes that grey could be one of them."""
    colors = {0: (0, 0, 0), 1: (128, 0, 0), 7: (128, 128, 128)}
    with_palette(np.array([[0, 7]]), colors).save(folder / "labels" / "a.png")
    dataset = SemanticDataset(folder / "images", folder / "labels", [f"class {i}" for i in range(150)])
    assert dataset.annotation(0)[0].tolist() == [[1, 8]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I", "F", "I;16"])
def test_a_grey_map_is_read_from_every_kind_of_picture(folder, mode):
    values = {"I": LABELS.astype(np.int32), "F": LABELS.astype(np.float32), "I;16": LABELS.astype(np.uint16)}
    picture = Image.fromarray(values[mode]) if mode in values else Image.fromarray(LABELS).convert(mode)
    (folder / "labels" / "a.png").unlink()
    picture.save(folder / "labels" / "a.tif")
    assert read(folder)[0].segment_map.tolist() == [[2, 2, 0, 2], [1, 1, 1, 0]]


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf])
def test_floats_that_are_no_class_ids_are_refused(folder, value):
    (folder / "labels" / "a.png").unlink()
    Image.fromarray(np.full((2, 4), value, np.float32)).save(folder / "labels" / "a.tif")
    with pytest.raises(DataError, match="a.tif holds floats that are no whole numbers"):
        read(folder)[0]


def test_things_are_those_named(folder):
    categories = read(folder, is_thing=[False, False, True]).categories
    assert [c.is_thing for c in categories] == [False, False, True]
    with pytest.raises(DataError, match="2 entries for 3"):
        read(folder, is_thing=[False, True])


def test_a_palette_counts_by_index_and_16_bits_are_read(folder):
    picture = Image.fromarray(LABELS)
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    assert picture.mode == "P"
    picture.save(folder / "labels" / "a.png")
    save(folder, "b", LABELS.astype(np.uint16))
    first, second = read(folder)
    np.testing.assert_array_equal(first.segment_map, second.segment_map)
    assert first.segment_map.tolist() == [[2, 2, 0, 2], [1, 1, 1, 0]]


def test_unknown_values_are_named(folder):
    save(folder, "b", np.array([[0, 3, 300, 255]] * 2, np.uint16))
    with pytest.raises(DataError) as error:
        read(folder)[1]
    assert str(folder / "labels" / "b.png") in str(error.value) and "values 3, 300, which" in str(error.value)


def test_a_coloured_map_is_refused(folder):
    coloured = np.zeros((2, 4, 3), np.uint8)
    coloured[0, 1, 2] = 7
    save(folder, "b", coloured)
    with pytest.raises(DataError, match="3 channels RGB with different values") as error:
        read(folder)[1]
    assert str(folder / "labels" / "b.png") in str(error.value)


def test_a_map_of_another_size_is_named(folder):
    save(folder, "b", np.zeros((3, 4), np.uint8))
    with pytest.raises(DataError, match=r"\(3, 4\).*\(2, 4\)") as error:
        read(folder)[1]
    assert str(folder / "labels" / "b.png") in str(error.value)


def test_a_map_without_picture_is_named(folder):
    save(folder, "c", LABELS)
    with pytest.raises(DataError, match="c.png") as error:
        read(folder)
    assert str(folder / "labels") in str(error.value)


def test_two_pictures_of_one_name_are_refused(folder):
    Image.new("RGB", (4, 2)).save(folder / "images" / "a.jpg")
    with pytest.raises(DataError, match="same name") as error:
        read(folder)
    assert str(folder / "images" / "a.jpg") in str(error.value)


@pytest.mark.parametrize("emptied", ["images", "labels"])
@pytest.mark.parametrize("left", [None, "notes.txt"])
def test_a_folder_without_pictures_is_the_one_that_is_named(folder, emptied, left):
    for path in (folder / emptied).iterdir():
        path.unlink()
    if left:
        (folder / emptied / left).touch()
    found = f"holds '{left}'" if left else "is empty"
    with pytest.raises(DataError, match=rf"^{folder / emptied}: expected .*it {found}"):
        read(folder)


def test_a_folder_that_is_not_there_is_looked_for_around_it(folder):
    with pytest.raises(DataError, match="pics does not exist .*holds 'images', 'labels'.: expected the folder of the"):
        SemanticDataset(folder / "pics", folder / "labels", NAMES)
    with pytest.raises(DataError, match="an address"):
        SemanticDataset("https://x.y/z", folder / "labels", NAMES)
    with pytest.raises(DataError, match="a.png is no folder") as error:
        SemanticDataset(folder / "images", folder / "labels" / "a.png", NAMES)
    assert "COCO" not in str(error.value)


def test_exchanged_folders_say_what_they_hold(folder):
    (folder / "images" / "unlabelled.jpg").unlink()
    with pytest.raises(DataError, match="are the folders of pictures and maps exchanged"):
        SemanticDataset(folder / "labels", folder / "images", NAMES)[0]


def test_no_maps_and_no_folder(folder):
    for path in (folder / "labels").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="got none"):
        read(folder)
    (folder / "labels").rmdir()
    with pytest.raises(DataError) as error:
        read(folder)
    assert str(folder / "labels") in str(error.value)


def test_a_damaged_map_is_named(folder):
    (folder / "labels" / "b.png").write_bytes(b"")
    with pytest.raises(DataError, match="is empty") as error:
        read(folder).annotation(1)
    assert str(folder / "labels" / "b.png") in str(error.value)


@pytest.mark.parametrize(("bits", "row"), [(4, b"\x01\x2f"), (2, b"\x1b"), (1, b"\x70")])
def test_values_of_few_bits_are_those_in_the_file(folder, bits, row):
    expected = {4: [0, 1, 2, 15], 2: [0, 1, 2, 3], 1: [0, 1, 1, 1]}
    path = folder / "labels" / "a.png"
    path.write_bytes(raw_png(bits, [row], 4))
    assert read_label_map(path, range(40), 255).tolist() == [expected[bits]]
    if bits == 1:  # as drawing programs save black and white
        assert read_label_map(path, (0, 255), None).tolist() == [[0, 255, 255, 255]]


def test_maps_that_do_not_hold_what_was_painted_are_refused(folder):
    path = folder / "labels" / "a.png"
    labels = np.kron(np.array([[0, 40], [80, 40]], np.uint8), np.ones((9, 9), np.uint8))
    for name, words in {
        "JPEG": "is a lossy picture .JPEG or its like.", "WEBP": "format WEBP, which is lossy or may be",
        "AVIF": "format AVIF, which is lossy or may be", "JPEG2000": "format JPEG2000, which is lossy or may be",
        "PPM": "is a PNM .PGM, PBM, PPM., whose header says how its values are stretched",
    }.items():  # fmt: skip
        if name in Image.SAVE:
            Image.fromarray(np.dstack([labels] * 3)).save(path, name)
            with pytest.raises(DataError, match=words):
                read_label_map(path, range(100), 255)
    Image.fromarray(labels).save(path, "TIFF", compression="jpeg")
    with pytest.raises(DataError, match="is a lossy picture"):
        read_label_map(path, range(100), 255)
    path.write_bytes(b"P5\n4 1\n20\n\0\1\x13\x14")  # 0, 1, 19 and 20 of 20: 0, 13, 242 and 255 to Pillow
    with pytest.raises(DataError, match="is a PNM"):
        read_label_map(path, range(100), 255)
    Image.fromarray(np.uint16([[0, 1, 65535]])).save(path)
    assert read_label_map(path, range(3), 65535).tolist() == [[0, 1, 65535]]  # one channel is exact
    path.write_bytes(deep_colours(np.array([[0, 1, 65535]])))
    with pytest.raises(DataError, match="16 bits in several channels"):
        read_label_map(path, range(3), 255)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("grey", [0, 255])
def test_shapes_in_the_transparency_alone_are_not_lost(folder, mode, grey):
    alpha = Image.fromarray(np.array([[0, 255, 255, 0]] * 2, np.uint8))
    picture = Image.new("L", (4, 2), grey).convert(mode)
    picture.putalpha(alpha)
    picture.save(folder / "labels" / "a.png")
    for classes in ((0, 1), (0, 255)):
        with pytest.raises(DataError, match=f"a.png has the value {grey} everywhere, and shapes in its transparency"):
            read_label_map(folder / "labels" / "a.png", classes, None)
    picture.putalpha(128)
    picture.save(folder / "labels" / "a.png")
    assert (read_label_map(folder / "labels" / "a.png", (0, 255), None) == grey).all()


@pytest.mark.parametrize("odd", [17, 31, 46])
def test_numbering_from_1_is_noticed_where_the_last_class_is_rare(tmp_path, odd):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    for number in range(60):
        Image.new("RGB", (4, 1)).save(tmp_path / "images" / f"{number:02}.jpg")
        Image.fromarray(np.uint8([[0, 1, number, 150 if number == odd else 7]])).save(
            tmp_path / "labels" / f"{number:02}.png"
        )
    names = [f"class {i}" for i in range(150)]
    with pytest.raises(DataError, match=rf"{odd}.png holds the values 150, .*numbered from 1, values=range\(1, 151\)"):
        SemanticDataset(tmp_path / "images", tmp_path / "labels", names)
    assert len(SemanticDataset(tmp_path / "images", tmp_path / "labels", names, 0, values=range(1, 151))) == 60


def test_large_maps_are_looked_at_less_often(folder, monkeypatch):
    monkeypatch.setattr("oneformer_lite.data.semantic._PIXELS", 8)
    for name in "cdefghijklmnopqr":
        save(folder, name, LABELS)
        Image.new("RGB", (4, 2)).save(folder / "images" / f"{name}.jpg")
    looked_at = []
    monkeypatch.setattr(
        "oneformer_lite.data.semantic.read_label_map", lambda path, *_: looked_at.append(path) or LABELS.astype(int)
    )
    read(folder)
    assert len(looked_at) == 8 and looked_at[-1].stem > "m"  # not the first eight


@pytest.mark.parametrize("made", [np.array, tuple, iter])
def test_names_may_come_in_any_sequence(folder, made):
    dataset = SemanticDataset(folder / "images", folder / "labels", made(NAMES))
    assert [category.name for category in dataset.categories] == list(NAMES)


@pytest.mark.parametrize("things", [("false", "0", "no"), [0, 2, 1], "010", [None, False, True]])
def test_what_is_a_thing_is_true_or_false(folder, things):
    with pytest.raises(ConfigError, match=r"is_thing\[0\] must be True or False"):
        read(folder, is_thing=things)


def test_a_set_numbers_no_classes(folder):
    """Its order differs from process to process, and a pixel's class with it."""
    for names in ({"road", "sky", "car"}, frozenset(NAMES), {"road": 0, "sky": 1, "car": 2}.keys()):
        with pytest.raises(DataError, match="class_names must be a list of names"):
            SemanticDataset(folder / "images", folder / "labels", names)
    with pytest.raises(DataError, match="a set has none"):
        read(folder, values={0, 1, 2})


def greys_set(folder: Path, palette: list[int], maps: list[list[int]], count: int) -> SemanticDataset:
    """Maps of one row each, all with the same palette of greys."""
    for path in [*(folder / "images").iterdir(), *(folder / "labels").iterdir()]:
        path.unlink()
    for number, indices in enumerate(maps):
        picture = Image.fromarray(np.array([indices], np.uint8))
        picture.putpalette([value for grey in palette for value in (grey,) * 3])
        picture.save(folder / "labels" / f"{number}.png")
        Image.new("RGB", (len(indices), 1)).save(folder / "images" / f"{number}.png")
    return SemanticDataset(folder / "images", folder / "labels", [f"class {i}" for i in range(count)])


@pytest.mark.parametrize("maps", [[[0, 20, 40], [0, 20, 145]], [[0, 20, 40]], [[0, 20, 145], [0, 20, 40]]])
def test_equal_palettes_are_read_by_one_rule_whatever_the_maps_hold(folder, maps):
    """A ramp to look at: in the map of 0, 20 and 40 its greys are classes too, in that of 145 one is not."""
    dataset = greys_set(folder, [min(255, i * 255 // 150) for i in range(256)], maps, 150)
    assert [(dataset.annotation(i)[0] - 1)[0].tolist() for i in range(len(maps))] == maps


def test_black_and_white_count_as_the_palettes_of_the_other_maps_do(folder):
    """Grey pictures that were made smaller: each with the greys that it holds."""
    dataset = greys_set(folder, [0, 5, 255], [[0, 1, 2]], 20)
    for name, indices in (("1", [0, 1]), ("2", [0, 0])):
        picture = Image.fromarray(np.array([indices], np.uint8))
        picture.putpalette([0, 0, 0, 255, 255, 255])
        picture.save(folder / "labels" / f"{name}.png")
        Image.new("RGB", (2, 1)).save(folder / "images" / f"{name}.png")
    dataset = SemanticDataset(folder / "images", folder / "labels", [f"class {i}" for i in range(20)])
    assert [dataset.annotation(i)[0].tolist() for i in range(3)] == [[[1, 6, 0]], [[1, 0]], [[1, 1]]]


def test_maps_whose_palettes_are_of_two_kinds_are_refused(folder):
    greys_set(folder, [0, 5, 7], [[0, 1, 2]], 20)
    with_palette(np.array([[0, 1]]), {0: (0, 0, 0), 1: (128, 0, 0)}).save(folder / "labels" / "1.png")
    Image.new("RGB", (2, 1)).save(folder / "images" / "1.png")
    with pytest.raises(DataError, match="palettes of the label maps are of two kinds: .*0.png seems"):
        SemanticDataset(folder / "images", folder / "labels", [f"class {i}" for i in range(20)])


def test_a_map_that_was_not_looked_at_is_refused_when_it_is_read(folder, monkeypatch):
    greys_set(folder, [0, 5, 7], [[0, 1, 2]], 20)
    with_palette(np.array([[0, 1]]), {0: (0, 0, 0), 1: (128, 0, 0)}).save(folder / "labels" / "1.png")
    Image.new("RGB", (2, 1)).save(folder / "images" / "1.png")
    monkeypatch.setattr("oneformer_lite.data.semantic._LOOKED_AT", 1)
    dataset = SemanticDataset(folder / "images", folder / "labels", [f"class {i}" for i in range(20)])
    with pytest.raises(DataError, match="two kinds: others seems .*1.png as indices"):
        dataset.annotation(1)
