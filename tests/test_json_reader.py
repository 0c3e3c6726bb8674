"""One reader of JSON for the whole package: every encoding, and a sentence for everything that is none."""

import bz2
import codecs
import gzip
import json
import lzma
import os

import pytest

from oneformer_lite.errors import CheckpointError, ConfigError, DataError
from oneformer_lite.json_reader import parse_json, read_json

CONTENT = {"name": "Prüfstück", "ids": [1, 2.5, None, True]}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_every_encoding_of_json_is_read(tmp_path, encoding):
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps(CONTENT, ensure_ascii=False).encode(encoding))
    assert read_json(path) == CONTENT
    assert parse_json(path.read_bytes(), "a") == CONTENT
    assert read_json(str(path), strict=False) == CONTENT


def test_a_mark_before_text_is_no_part_of_it():
    assert parse_json("\ufeff[1]", "here") == [1]


def refusal(content, **options) -> str:
    with pytest.raises(DataError) as refused:
        parse_json(content, "the file", **options)
    message = str(refused.value)
    assert message.startswith("the file is ") and len(message) < 400 and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Prüf".encode("latin-1") + b"stand", "WINDOWS-1252 (Latin-1) if this word is 'Prüfstand'"),
        ('{"a": "Prü'.encode()[:-1], "ends within a letter, so it is cut short"),
        ('{"a": 1}'.encode("utf-16")[:-1], "ends within a letter, so it is cut short"),
        (gzip.compress(b"{}", mtime=0), "it is packed by gzip; unpack it first"),
        (b"PK\3\4\x14\0\0\0\x08\0\xff\xff", "it is packed by zip; unpack it first"),
        (bz2.compress(b"{}"), "it is packed by bzip2; unpack it first"),
        (lzma.compress(b"{}"), "it is packed by xz; unpack it first"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "it is a PNG; write or"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "it is a JPEG; write or"),
        (b"%PDF-1.7 ...", "it is a PDF; write or"),
        (b"\x80\x04\x95\x10\0\0\0\0\0\0\0}", "it is no text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n", "a pointer of Git LFS, which stands"),
        (b"", "it is empty"),
        (b" \n ", "it is empty"),
        (codecs.BOM_UTF8, "it is empty"),
        (b"<!DOCTYPE html><html>404</html>", "web page or XML"),
        ("<html><title>Zug\xe4nge</title>".encode("latin-1"), "web page or XML"),
        (codecs.BOM_UTF8 + b"\r\n <!-- login --><html>", "web page or XML"),
        ("<annotation/>".encode("utf-16"), "web page or XML"),
        (b'{"a": [1, 2', "at line 1, column 12), so it is probably cut short"),
        (b'{"a": "unfinished', "probably cut short"),
        (b'{"a": 1}\n{"a": 2}', "after its end, at line 2, column 1, more follows"),
        (b'{"a": 1,\n "b" 2}', "Expecting ':' delimiter at line 2, column 6"),
        (b'{"a": ' + b"9" * 5000 + b"}", "at line 1, column 7, it has a whole number of 5000 digits (999999999999...)"),
        (b'{"b": 0.' + b"3" * 5000 + b',\n "a": [-' + b"7" * 6000 + b"]}", "line 2, column 9, it has a whole number"),
        (b'["' + b"5" * 90 + b'", ' + b"1" * 4301 + b"]", "a whole number of 4301 digits"),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_what_is_wrong_is_said(content, words, strict):
    message = refusal(content, strict=strict)
    assert words in message
    assert ("cut short" in message) == ("cut short" in words)  # nobody downloads a whole file again


@pytest.mark.parametrize(
    ("word", "encoding", "name"),
    [
        ("Straße", "latin-1", "WINDOWS-1252 (Latin-1)"), ("дерево", "cp1251", "WINDOWS-1251"),
        ("行人", "gbk", "GB18030"), ("自転車", "shift_jis", "SHIFT_JIS"),
    ],
)  # fmt: skip
def test_an_older_encoding_is_shown_by_what_the_word_is_in_it(word, encoding, name):
    content = json.dumps({"id": 1, "name": f"a {word} b"}, ensure_ascii=False).encode(encoding)
    assert f"{name} if this word is {word!r}" in refusal(content)
    assert json.loads(content.decode(encoding)) == parse_json(content.decode(encoding).encode(), "here")


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("strict", [True, False])
def test_a_hundred_thousand_levels(opening, strict):
    assert "nested too deep" in refusal(opening * 100_000, strict=strict)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_none(number):
    assert f"it holds {number}" in refusal(f'{{"a": [{number}]}}')
    assert len(parse_json(f'{{"a": [{number}]}}', "here", strict=False)["a"]) == 1  # for the caller to judge


@pytest.mark.parametrize("strict", [True, False])
def test_repeated_keys(strict):
    assert "the key 'a' comes twice" in refusal('{"b": [{"a": 1, "c": 2, "a": 3}]}', strict=strict)
    many = ", ".join(f'"{i}": 0' for i in range(100_000))
    assert "the key '7' comes twice" in refusal(f'{{{many}, "7": 0}}', strict=strict)


def test_files_that_are_none(tmp_path):
    for path in (tmp_path / "none.json", tmp_path, "a\0b", tmp_path / ("a" * 5000)):
        with pytest.raises(CheckpointError, match="unpack it"):
            read_json(path, CheckpointError, missing="unpack it")
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it: opening it would wait for ever
    with pytest.raises(ConfigError, match="pipe is no file"):
        read_json(tmp_path / "pipe", ConfigError)


def test_files_that_are_too_large(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps("a" * 100))
    with pytest.raises(DataError, match=r"has 102 bytes, more than the 101 .*: copy it again"):
        read_json(path, cure="copy it again", max_bytes=101)
    assert read_json(path, max_bytes=102) == "a" * 100
