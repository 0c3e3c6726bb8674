"""What all inspectors' pictures do: nothing twice, frames without another picture, exact or nearly so."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.picture import Picture
from oneformer_lite.render import quick_bytes


def noise(height: int = 30, width: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def read(content: bytes) -> tuple[str, np.ndarray]:
    image = Image.open(io.BytesIO(content))
    return image.format, np.asarray(image.convert("RGB"))


def test_quick_pictures_are_exact_or_nearly_so() -> None:
    kind, same = read(quick_bytes(noise()))
    assert kind == "WEBP" and np.array_equal(same, noise())
    smooth = np.asarray(Image.fromarray(noise(6, 8)).resize((80, 60), Image.Resampling.BICUBIC))
    kind, near = read(quick_bytes(smooth, photo=True))
    assert kind == "JPEG" and np.abs(near.astype(int) - smooth).mean() < 2


def test_the_same_picture_is_not_made_again(monkeypatch) -> None:
    picture, made = Picture(noise(), "a test"), []
    monkeypatch.setattr("oneformer_lite.inspectors.picture.quick_bytes", lambda *args: made.append(args) or b"")
    picture.show(noise())
    assert not made
    picture.show(noise()[::-1])
    assert len(made) == 1


def test_frames_lie_over_the_picture_in_the_units_of_its_points() -> None:
    picture = Picture(None, "a test", (4, 8))
    assert read(picture._image.value)[1].shape == (1, 1, 3) and picture._frames.value == ""
    picture.show(noise())
    shown = picture._image.value
    picture.frame((1, 2, 1, 4), (0, 6, 4, 0))
    first, second = picture._frames.value.split("</i>")[:2]
    assert first == '<i style="top:25.000%;left:25.000%;height:25.000%;width:50.000%">'
    assert 'class="line"' in second and "left:75.000%;height:100.000%;width:0.000%" in second
    assert picture._image.value == shown
    picture.frame()
    assert picture._frames.value == ""


def test_a_point_counts_in_the_given_units() -> None:
    picture = Picture(noise(), "a test", (4, 8))
    picture._told.value = "at 0.99 0.5 1"
    assert picture.point == (3, 4)
    with pytest.raises(ConfigError, match="outside the picture of 4 x 8"):
        picture.move((4, 0))
