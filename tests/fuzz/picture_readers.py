"""Readers of pictures and label maps, as the fuzzer calls them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from containers import picture, png, repainted, tiff
from data_readers import encoded, look_at, scene, semantic_files
from mutations import raw
from PIL import Image
from reader import reader


@reader(semantic_files, {"labels/a.png": picture, "images/a.png": picture})
def label_maps(folder: Path) -> None:
    from oneformer_lite.data.semantic import SemanticDataset

    look_at(SemanticDataset(folder / "images", folder / "labels", ["a", "b", "c", "d"]))


def instance_map_files() -> dict[str, bytes]:
    numbers = np.kron(np.array([[0, 1, 2, 300]] * 3), np.ones((4, 4))).astype(np.uint16)
    files = {"images/a.png": encoded(scene()), "maps/a.png": encoded(numbers)}
    return files | {"images/b.png": encoded(scene()), "maps/b.tif": encoded(numbers, "TIFF")}


@reader(instance_map_files, {"maps/a.png": picture, "maps/b.tif": picture})
def instance_maps(folder: Path) -> None:
    from oneformer_lite.data import InstanceMapDataset

    look_at(InstanceMapDataset(folder / "images", folder / "maps", "cell", background="ground"))


def picture_files() -> dict[str, bytes]:
    """One picture in every format that is accepted, some of them in more than one kind of pixels."""
    rgb, grey = scene(shape=(20, 24)), scene(shape=(20, 24))[..., 0]
    wide = (grey.astype(np.uint16) << 8) + 7
    files = {"a.png": encoded(rgb), "grey.png": encoded(grey), "palette.png": encoded(rgb, mode="P")}
    files |= {"16.png": encoded(wide), "a.jpg": encoded(rgb, "JPEG"), "grey.jpg": encoded(grey, "JPEG")}
    files |= {"cmyk.jpg": encoded(rgb, "JPEG", "CMYK")}
    files |= {"a.tif": encoded(rgb, "TIFF"), "16.tif": encoded(wide, "TIFF"), "float.tif": encoded(grey, "TIFF", "F")}
    files |= {"packed.tif": encoded(rgb, "TIFF", compression="tiff_lzw"), "a.bmp": encoded(rgb, "BMP")}
    files |= {"a.webp": encoded(rgb, "WEBP"), "a.gif": encoded(rgb, "GIF"), "a.ppm": encoded(rgb, "PPM")}
    files |= {"progressive.jpg": encoded(rgb, "JPEG", progressive=True, quality=80)}
    for kind, name in (("AVIF", "a.avif"), ("JPEG2000", "a.jp2")):
        if kind in Image.SAVE:
            files[name] = encoded(rgb, kind)
    return files


def _any_picture(content: bytes, rng) -> bytes:
    if content.startswith((b"\x89PNG", b"II*\0")) and rng.random() < 0.5:
        return png(content, rng) if content.startswith(b"\x89PNG") else tiff(content, rng)
    return raw(content, rng) if rng.random() < 0.8 else repainted(content, rng)


Image.init()


@reader(picture_files, {name: _any_picture for name in picture_files()}, share=5)
def pictures(folder: Path) -> None:
    """Every file is read; one that is refused keeps none of the others from being read."""
    from oneformer_lite.data.image import read_image
    from oneformer_lite.errors import DataError

    refusal = None
    for path in sorted(folder.iterdir()):
        try:
            pixels = read_image(path)
            assert pixels.dtype == np.uint8 and pixels.shape[2] == 3 and pixels.sum() >= 0
        except DataError as error:
            refusal = error
    if refusal is not None:
        raise refusal


def one_picture() -> dict[str, bytes]:
    return {name: content for name, content in picture_files().items() if name in ("a.jpg", "16.png", "a.tif")}


@reader(one_picture, {name: picture for name in one_picture()}, share=0.3)
def predicted_pictures(folder: Path) -> None:
    from weight_readers import tiny_model

    import oneformer_lite as ofl

    for path in sorted(folder.iterdir()):
        prediction = ofl.predict(tiny_model(), path, "panoptic")
        assert prediction.segment_map.shape == prediction.image.shape[:2]
