"""Pictures and maps on disk, as the authors of data sets write them."""

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data.converting.convert import convert_data


def save(path, pixels, **options):
    """``pixels`` (an array, or a picture of Pillow's) as a file; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(path, **options)


@pytest.fixture(name="save")
def save_fixture():
    return save


@pytest.fixture
def photograph():
    """``photograph(path, (height, width), seed)`` writes noise."""

    def write(path, size=(12, 20), seed=0):
        save(path, np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8))

    return write


@pytest.fixture
def convert(tmp_path):
    """``convert(format)`` rewrites ``raw`` as ``out`` in this process, and returns ``out`` and the counts."""

    def run(format):
        return tmp_path / "out", convert_data(format, tmp_path / "raw", tmp_path / "out", workers=1)

    return run
