"""The file of class names beside label maps: encodings, void, and what is written as for other programs."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data.class_file import read_classes
from oneformer_lite.errors import DataError

NAMES = ["Stra\u00dfe", "\u8349", "ball"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "classes.txt"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_encoding_of_unicode_is_read(tmp_path: Path, encoding: str, ends: str) -> None:
    assert read_classes(written(tmp_path, ends.join(NAMES) + ends, encoding)) == (NAMES, {})
    numbered = ends.join(["0: (void)", *(f"{i}: {name}" for i, name in enumerate(NAMES, 1))])
    assert read_classes(written(tmp_path, numbered, encoding)) == (NAMES, {"values": [1, 2, 3], "ignore_index": 0})


@pytest.mark.parametrize("encoding", ["latin-1", "gb18030", "shift_jis"])
def test_older_encodings_are_refused_with_a_cure(tmp_path: Path, encoding: str) -> None:
    name = {"latin-1": "Stra\u00dfe", "gb18030": "\u8349\u5730", "shift_jis": "\u9053\u8def"}[encoding]
    with pytest.raises(DataError, match="saved in an older encoding.*iconv -f ENCODING -t UTF-8"):
        read_classes(written(tmp_path, f"ball\n{name}\n", encoding))


@pytest.mark.parametrize("line", ["bg,a", "bg, a, b", "bg;a", "bg|a", "bg\ta", "0: bg, 1: a", "0: bg 1: a", "1:bg;2:a"])
def test_all_names_on_one_line_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match="has a single line, .*several names on it: expected a name on each line"):
        read_classes(written(tmp_path, line + "\n"))


@pytest.mark.parametrize("text", ["wet grass", "class A", "0: wet grass", "7: road\n8: bus, tram", "door, wall\nroad"])
def test_names_with_blanks_or_commas_are_names(tmp_path: Path, text: str) -> None:
    assert len(read_classes(written(tmp_path, text))[0]) == len(text.split("\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["bg", "a"]', "written as for a program"), ('["bg",\n"a"]', "written as for a program"),
        ('{"0": "bg",\n "1": "a"}', "written as for a program"), ("nc: 2\nnames: [bg, a]", "written as for a program"),
        ("item {\n  id: 1\n  name: 'a'\n}", "written as for a program"), ('"bg"\n"a"', "names in quotes"),
        ("bg,\na,\n", "lines end with a ','"), ("bg;\na", "lines end with a ';'"),
        ("bg: 0\na: 1", "end with a number or a colour"), ("bg=0\na=1", "end with a number or a colour"),
        ("bg,0\na,1", "end with a number or a colour"),
        ("background:0,0,0::\na:128,0,0::", "end with a number or a colour"),
        ("bg 0 0 0\na 128 64 3", "end with a number or a colour"),
        ("bg\na\x07b", "control characters"), ("", "has no name in it"), (" \n\t\n", "has no name in it"),
        ("<!DOCTYPE html><html></html>", "is a web page"), ("{\\rtf1 bg}", "word processor"),
        ("PK\x03\x04", "packed by zip"), ("0: ", "the name '' is no text"), ("0: (void)", "has no name in it"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_names_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as refused:
        read_classes(written(tmp_path, text))
    assert str(tmp_path / "classes.txt") in str(refused.value) and "\n" not in str(refused.value)


HEADINGS = ["id,name", "name,r,g,b", "3", "Classes (3)", "Number of classes: 3", "index;class", "class_id name"]


@pytest.mark.parametrize("heading", HEADINGS)
@pytest.mark.parametrize("body", ["road\ngrass\nball", "0,road\n1,grass\n2,ball", "road,1,2,3\ngrass,4,5,6"])
def test_a_heading_is_no_class(tmp_path: Path, heading: str, body: str) -> None:
    with pytest.raises(DataError, match="begins with .*expected a name on each line"):
        read_classes(written(tmp_path, f"{heading}\n{body}"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("my classes\n0 road\n1 grass", "begins with 'my classes'.* begin with a number"),
        ("0 road\n1 grass\nend", "ends with 'end'.* begin with a number"), ("road\ngrass\n--- end", "is a rule"),
        ("road 0\ngrass 1\nball 2", "end with a number of their own"),
        ("road #804080\ngrass", "has a colour"), ("road,#804080\ngrass,#00ff00", "has a colour"),
        ("0: road #804080\n1: grass", "has a colour"), ("road (128,64,128)\ngrass (0,1,2)", "colour"),
        ("road [128, 64, 128]\ngrass", "has a colour"), ("| 0 | road |\n| 1 | grass |", "a table"),
        ("* road\n* grass", "the mark of a list"), ("road\n- grass", "the mark of a list"),
        ("road # asphalt\ngrass", "has a comment"), ("road // asphalt\ngrass", "has a comment"),
        ("0x0: road\n0x1: grass", "hexadecimal"), ("class_0: road\nclass_1: grass", "no pixel value"),
        ("road:\ngrass:", "ends with a colon"), ('0: "road"\n1: "grass"', "names in quotes"),
    ],
)  # fmt: skip
def test_numbers_colours_and_marks_are_no_part_of_a_name(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=f"{words}.*expected a name on each line"):
        read_classes(written(tmp_path, text))


@pytest.mark.parametrize(
    "names",
    [
        ["class 0", "class 1"], ["lane 1", "lane 2", "car"], [str(i) for i in range(10)], ["id card", "road"],
        ["red", "green", "blue"], ["number plate", "road"], ["class A", "class B"], ["road (wet)", "C# book"],
        ["T-shirt", "road/track"], ["door, wall", "road"], ["<road>", "f: x"], ["class 1", "class 2", "other"],
        ["red cell", "other class"], ["3D object", "2 wheeler"], ["no", "yes"],
        ["2 doors", "3 doors", "wall"], ["2 wheeler", "3 wheeler"], ["10 mm bolt", "12 mm bolt", "nut"],
        ["wall", "2 doors", "3 doors"], ["lane 1", "car 3", "wall"], ["wall", "lane 1", "car 3"],
        ["US 101", "route 66"], ["US 101", "route 66", "grass"], ["0.5 mm", "1.0 mm", "1.5 mm"],
    ],
)  # fmt: skip
def test_names_that_look_a_little_so_are_names(tmp_path: Path, names: list[str]) -> None:
    assert read_classes(written(tmp_path, "\n".join(names)))[0] == names


@pytest.mark.parametrize(
    "names", [["2 doors", "3 cars"], ["lane 1", "car 3"], ["4 lane 2", "7 lane 1"], ["2 road", "1 grass", "0 ball"]]
)
def test_pixel_values_show_that_numbers_belong_to_the_names(tmp_path: Path, names: list[str]) -> None:
    """Without them the numbers might be the values, and all classes exchanged."""
    with pytest.raises(DataError, match="with a number.*if it belongs to the name"):
        read_classes(written(tmp_path, "\n".join(names)))
    assert read_classes(written(tmp_path, "\n".join(f"{i}: {name}" for i, name in enumerate(names))))[0] == names


@pytest.mark.parametrize("text", ["7 road\n8 sidewalk\n11 wall", "road 7\nsidewalk 8\nwall 11", "7: road 0\n8: car 1"])
def test_ids_without_a_colon_or_beside_values_are_no_part_of_a_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="all lines (begin|end) with a number .*: expected|all lines .*; expected"):
        read_classes(written(tmp_path, text))


def test_names_in_brackets_of_other_kinds_are_names(tmp_path: Path) -> None:
    assert read_classes(written(tmp_path, "<road>\n<unk>"))[0] == ["<road>", "<unk>"]


@pytest.fixture
def maps(tmp_path: Path):
    def maps(classes: str) -> ofl.data.SemanticDataset:
        for kind in ("pictures", "labels"):
            (tmp_path / kind).mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "a.png")
        Image.fromarray(np.arange(64).reshape(8, 8).astype(np.uint8) % 3).save(tmp_path / "labels" / "a.png")
        (tmp_path / "labels" / "classes.txt").write_text(classes)
        return ofl.data.open(tmp_path / "labels", pictures=tmp_path / "pictures")

    return maps


@pytest.mark.parametrize(
    "name",
    ["void", "Void", "unlabeled", "unlabelled", "ignore", "IGNORE", "__ignore__", "unknown", "Don't care", "<void>",
     "(unlabeled)", "no label"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["0: {}\n1: road\n2: grass", "{}\nroad\ngrass"])
def test_a_name_that_says_that_nobody_knows_is_a_class_with_a_warning(maps, name: str, form: str) -> None:
    with pytest.warns(UserWarning, match=r"learned and judged as a class like all others.*\"0: \(void\)\""):
        dataset = maps(form.format(name))
    assert [c.name for c in dataset.categories] == [name, "road", "grass"]


@pytest.mark.parametrize("name", ["background", "_background_", "avoid", "other", "unknown vehicle", "voids"])
def test_background_and_names_that_only_look_so_are_classes(maps, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert len(maps(f"0: {name}\n1: road\n2: grass").categories) == 3
        assert len(maps("0: (void)\n1: road\n2: grass").categories) == 2


def test_a_value_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the pixel value 11111111111111111111\.\.\. has 5000 digits"):
        read_classes(written(tmp_path, f"0: road\n{'1' * 5000}: grass"))
