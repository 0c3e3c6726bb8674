"""What a file is by its first bytes, in words, where it is not what was expected: a name tells little."""

from __future__ import annotations

import re

_WEB_PAGE = "a web page or XML (a failed download, or another format)"
_POINTER = "a pointer of Git LFS, which stands for the file (git lfs pull fetches that)"
_STARTS = {
    b"version https://git-lfs": _POINTER,
    b"<": _WEB_PAGE,
    b"PK\x03\x04": "packed by zip",
    b"PK\x05\x06": "packed by zip",
    b"\x1f\x8b": "packed by gzip",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ\0": "packed by xz",
    b"7z\xbc\xaf\x27\x1c": "packed by 7-Zip",
    b"Rar!": "packed by rar",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"\x89PNG": "a PNG",
    b"\xff\xd8\xff": "a JPEG",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"II+\0": "a TIFF",
    b"MM\0+": "a TIFF",
    b"GIF8": "a GIF",
    b"8BPS": "a picture of Photoshop",
    b"v/1\x01": "a picture of OpenEXR",
    b"%PDF-": "a PDF",
    b"\x93NUMPY": "an array of numpy",
    b"\x89HDF\r\n": "a file of HDF5",
    b"SQLite format 3\0": "a database of SQLite",
}
# annotation and other text whose first bytes many files share, looked for in all that tells
_TEXTS = {
    rb"<annotations>\s*<version>|<annotations>.*<meta>": "XML of CVAT (choose COCO 1.0 when exporting)",
    rb"<annotation[ >].*<(folder|filename|size)>": "XML of one picture, as of Pascal VOC (choose COCO when exporting)",
    rb"<svg[ >]": "a drawing in SVG",
    rb"\d+( -?\d*\.?\d+){4}": "text of numbers, as YOLO has one for each picture (choose COCO when exporting)",
    rb'[#"]*filename"?,"?file_size': "CSV of the VGG Image Annotator (choose COCO when exporting)",
    rb'\{"data_row"': "NDJSON of Labelbox (a converter to COCO is needed)",
    rb"\{\\rtf": "text of a word processor (RTF)",
}
_BEFORE = re.compile(rb"(<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>]*>|\s)*", re.DOTALL)  # in XML, before what it is
_HEADER = 512  # bytes that tell


def kind_of(start: bytes) -> str:
    """What a file that begins so is; empty if that is not known."""
    start = start[:_HEADER].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        return "a HEIC picture, as phones write"
    if start[128:132] == b"DICM":
        return "a DICOM picture"
    text = start[_BEFORE.match(start).end() :]
    if kind := next((kind for first, kind in _TEXTS.items() if re.match(first, text, re.DOTALL)), ""):
        return kind
    return next((kind for first, kind in _STARTS.items() if start.startswith(first)), "")
