"""Every kind of picture becomes RGB; only pictures are opened, and what is wrong with a file is said."""

from __future__ import annotations

import ast
import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from raw_png import deep_colours
from raw_tiff import raw_tiff

import oneformer_lite
from oneformer_lite.data.image import FORMATS, image_from_bytes, open_image, read_image, to_rgb, write_image
from oneformer_lite.errors import DataError
from oneformer_lite.inference import as_pixels

PIXELS = np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8)
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "RGB"])
def test_every_kind_of_picture_becomes_rgb(tmp_path, mode):
    grey = np.tile(np.array([[0], [255]], np.uint8), (4, 8))
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.fromarray(grey).convert("RGB").convert(mode).save(path)
    expected = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_image(path), expected)


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    Image.fromarray(np.array([[0, 256, 32768, 65535]], np.uint16)).save(tmp_path / "x.png")
    assert read_image(tmp_path / "x.png")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_png_is_written_exactly_and_jpeg_at_quality_95(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    write_image(tmp_path / "x.png", pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), pixels)
    write_image(tmp_path / "x.jpg", pixels)
    Image.fromarray(pixels).save(tmp_path / "expected.jpg", quality=95)
    assert (tmp_path / "x.jpg").read_bytes() == (tmp_path / "expected.jpg").read_bytes()


@pytest.mark.parametrize("ending", ["h5", "psd", "wmf", "fits"])
def test_endings_of_formats_that_cannot_be_written_are_said(tmp_path, ending):
    with pytest.raises(DataError, match=rf"x.{ending} cannot be written as .*choose .png or .jpg"):
        write_image(tmp_path / f"x.{ending}", PIXELS)
    assert not any(tmp_path.iterdir())


def encoded(name: str, **options) -> bytes:
    content = io.BytesIO()
    Image.fromarray(PIXELS).save(content, name, **options)
    return content.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_the_content_says_what_it_is_whatever_the_suffix(tmp_path, name):
    if name not in Image.SAVE:
        pytest.skip(f"this build of Pillow cannot write {name}")
    (tmp_path / "x.txt").write_bytes(encoded(name))
    assert open_image(tmp_path / "x.txt").size == (16, 12)


@pytest.mark.parametrize("name", ["EPS", "PCX", "TGA", "SGI", "IM", "PSD", "FITS", "XBM"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "eps"])
def test_other_formats_are_refused_without_being_opened(tmp_path, monkeypatch, name, suffix):
    content = {"PSD": b"8BPS\x00\x01" + bytes(60), "FITS": b"SIMPLE  =                    T" + bytes(2850)}
    content |= {"XBM": b"#define x_width 8\n#define x_height 1\nstatic char x_bits[] = {0x01};", "EPS": POSTSCRIPT}
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content[name] if name in content else encoded(name))
    Image.init()
    factory, accept = Image.OPEN[name]
    monkeypatch.setitem(Image.OPEN, name, (lambda *_: pytest.fail(f"{name} was opened"), accept))
    with pytest.raises(DataError, match=rf"x.{suffix} is .*a format that is not read here|not a picture of a format"):
        open_image(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (raw_tiff(np.zeros((3, 4), np.float64)), "is a TIFF that Pillow cannot open: of floats of 16 or 64 bits"),
        (raw_tiff(np.zeros((3, 4), np.uint64), ">"), "is a TIFF that Pillow cannot open"),
        (raw_tiff(np.zeros((5, 3, 4), np.uint8)), "more channels than four"),
        (raw_tiff(np.zeros((3, 3, 4), np.float32)), "Save it again with 8 or 16 bits a channel"),
        (b"II+\0\x08\0\0\0" + bytes(40), "is a TIFF that Pillow cannot open"),
        (b"\x89PNG\r\n\x1a\n\0\0", "begins as a PNG does but cannot be decoded: it is damaged or cut short"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "is a pointer of Git LFS"),
        (b"<!DOCTYPE html><html>Sign in</html>", "is a web page or XML (a failed download, or another format), and no"),
        (b"PK\x03\x04....", "is packed by zip: unpack it first"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC picture, as phones write, a format that is not read here"),
        (bytes(128) + b"DICM" + bytes(9), "is a DICOM picture, a format that is not read here: save it as JPEG"),
        (b"v/1\x01\2\0\0\0", "is a picture of OpenEXR"),
        (b"# notes\n", "is not a picture of a format that is read here: save it as JPEG"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_called_by_what_it_is(tmp_path, content, words):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError) as refused:
        read_image(tmp_path / "a.png")
    assert f"a.png {words}" in str(refused.value) or words in str(refused.value)


@pytest.mark.parametrize("name", ["EPS", "PCX", "TGA", "SGI", "IM"])
def test_a_pil_image_in_another_format_is_not_decoded(tmp_path, monkeypatch, name):
    """Pillow decodes at the first look, so a picture that was merely opened would be decoded here."""
    Image.new("RGB", (8, 8)).save(tmp_path / "x", name)
    lazy = Image.open(tmp_path / "x")
    monkeypatch.setattr(lazy, "load", lambda: pytest.fail(f"{name} was decoded"))
    with pytest.raises(DataError, match=rf"the picture is a file in the format {name}, .*PNG.*convert"):
        as_pixels(lazy)
    if name != "EPS":  # which Ghostscript would have to read
        assert as_pixels(Image.open(tmp_path / "x").convert("RGB")).shape == (8, 8, 3)


@pytest.mark.parametrize("address", ["https://x.y/a.jpg", "s3://bucket/a.png", "file:///a.png"])
@pytest.mark.parametrize("kind", [str, Path])
def test_addresses_are_not_read(address, kind):
    with pytest.raises(DataError, match=r"://.* is an address .*: download it and give the path"):
        read_image(kind(address))


def test_there_is_one_door():
    """No module but data/image.py opens pictures by itself."""
    folder = Path(oneformer_lite.__file__).parent
    found = []
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                opens = node.func.attr == "open" and ast.unparse(node.func.value) in ("Image", "PIL.Image")
                if opens or node.func.attr in ("imread", "open_rgb"):
                    found.append(str(path.relative_to(folder)))
    assert found == ["data/image.py"]


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_pictures_of_every_format_are_a_data_error(name):
    """Each of 60 damaged files is read or refused in a sentence that names it; nothing else escapes."""
    if name not in Image.SAVE:
        pytest.skip(f"this build of Pillow cannot write {name}")
    whole, rng, refused = encoded(name), np.random.default_rng(7), 0
    for _ in range(60):
        content = bytearray(whole[: rng.integers(1, len(whole) + 1)] if rng.random() < 0.3 else whole)
        for place in rng.integers(0, min(len(content), 300), 4):
            content[place] = rng.integers(0, 256)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                to_rgb(image_from_bytes(bytes(content), "damaged file"))
        except DataError as error:
            refused += "damaged file" in str(error)
    assert refused > 5


@pytest.mark.parametrize("error", [TypeError("x"), AssertionError(), KeyError(3), RuntimeError("x"), IndexError("x")])
@pytest.mark.parametrize("method", ["open", "load"])
def test_whatever_pillow_raises_names_the_file(tmp_path, monkeypatch, error, method):
    def fail(*_, **__):
        raise error

    (tmp_path / "x.png").write_bytes(encoded("PNG"))
    monkeypatch.setattr(*((Image, "open") if method == "open" else (Image.Image, "load")), fail)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(DataError, match="x.png cannot be decoded"):
        open_image(tmp_path / "x.png")


def test_too_large_is_no_damage(tmp_path, monkeypatch):
    Image.new("1", (2000, 1000)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900_000)
    with pytest.raises(DataError, match="x.png is too large .*2000000 pixels.*tiles.*MAX_IMAGE_PIXELS") as error:
        open_image(tmp_path / "x.png")
    assert "damaged" not in str(error.value)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_100_000)
    with warnings.catch_warnings(), pytest.raises(DataError, match="too large"):
        warnings.simplefilter("error")  # where warnings are errors, Pillow's is one
        open_image(tmp_path / "x.png")

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(DataError, match="x.png has 2000 x 1000 pixels, for which there is not enough memory"):
        open_image(tmp_path / "x.png")


def test_pipes_folders_and_names_that_cannot_be(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")  # opening one waits for ever
    for path, words in (
        (tmp_path / "pipe.png", "is a device or a pipe"),
        (tmp_path, "is a folder"),
        (tmp_path / ("x" * 300), "cannot be read"),
        (str(tmp_path) + "/a\0b.png", "cannot be read"),
        (tmp_path / "nowhere.png", "does not exist"),
    ):
        with pytest.raises(DataError, match=words):
            open_image(path)


@pytest.mark.parametrize("name", ["TIFF", "GIF", "WEBP", "PNG"])
def test_further_pages_and_frames_are_left_out_with_a_warning(tmp_path, name):
    pages = [Image.new("RGB", (8, 6), color) for color in ("red", "blue", "white")]
    pages[0].save(tmp_path / "x", name, save_all=True, append_images=pages[1:])
    with pytest.warns(UserWarning, match="several pages or frames: only the first"):
        assert read_image(tmp_path / "x")[0, 0, 0] > 240


@pytest.mark.parametrize("mode", ["LAB", "HSV", "YCbCr", "RGBX", "LA", "PA", "La", "RGBa"])
def test_other_modes_are_converted_or_refused(tmp_path, mode):
    try:
        assert to_rgb(Image.new(mode, (8, 6))).shape == (6, 8, 3)
    except DataError as error:
        assert f"mode '{mode}' cannot be used" in str(error) and mode in ("LAB", "La", "PA")


def test_a_palette_with_more_transparencies_than_colours_is_refused_by_name(tmp_path):
    Image.new("P", (8, 6)).save(tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    chunk = b"tRNS" + bytes(300)
    at = content.index(b"IDAT") - 4
    more = struct.pack(">I", 300) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "x.png").write_bytes(content[:at] + more + content[at:])
    with pytest.raises(DataError, match=r"x\.png of the mode 'P' cannot be used"):
        read_image(tmp_path / "x.png")


def test_a_phones_jpeg_with_a_preview_is_one_picture(tmp_path):
    pages = [Image.new("RGB", (8, 6), color) for color in ("red", "blue")]
    pages[0].save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=pages[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_image(tmp_path / "x.jpg").format == "MPO"


def test_one_bright_pixel_does_not_hide_that_a_deep_picture_would_be_black(tmp_path: Path) -> None:
    """Pillow reads the upper eight of sixteen bits where there are several channels."""
    values = np.full((64, 64), 500, np.uint16)
    for brightest, refused in ((500, True), (65535, True), (None, False)):
        values[0, 0] = brightest or 65535
        pixels = values * np.uint16(1 if brightest else 100)
        (tmp_path / "a.png").write_bytes(deep_colours(pixels))
        if refused:
            with pytest.raises(DataError, match="nearly black"):
                read_image(tmp_path / "a.png")
        else:
            assert read_image(tmp_path / "a.png").shape == (64, 64, 3)


@pytest.mark.parametrize("largest", [1023, 4095])
def test_a_pnm_whose_values_are_a_small_part_of_its_range_is_not_read_as_black(tmp_path, largest):
    ramp = np.repeat(np.linspace(0, largest, 3500).astype(">u2").reshape(50, 70, 1), 3, axis=2)
    path = tmp_path / "deep.ppm"
    path.write_bytes(b"P6 70 50 65535\n" + ramp.tobytes())
    with pytest.raises(DataError, match="16 bits a channel, of which only the lower ones"):
        read_image(path)
    path.write_bytes(f"P6 70 50 {largest}\n".encode() + ramp.tobytes())
    assert read_image(path).max() == 255
