"""The confusion matrix as a picture."""

from __future__ import annotations

import numpy as np
import pytest

from oneformer_lite.errors import DataError
from oneformer_lite.render import confusion_picture


@pytest.mark.parametrize("classes", [1, 3, 40, 133])
@pytest.mark.parametrize("nothing", [0, 1])
def test_any_number_of_classes_is_drawn(classes, nothing):
    confusion = np.random.default_rng(0).integers(0, 100, (classes, classes + nothing))
    picture = confusion_picture(confusion, [f"class {i}" for i in range(classes)])
    assert picture.dtype == np.uint8 and picture.shape[2] == 3 and 200 < picture.shape[0] <= 1500


def blue(picture: np.ndarray) -> float:
    return (picture[..., 2].astype(int) - picture[..., 0]).clip(0).mean()


def test_what_is_right_is_dark_on_the_diagonal_and_what_is_not_annotated_white():
    right = confusion_picture(np.diag([50, 50, 50]), "abc")
    absent = confusion_picture(np.diag([50, 0, 0]), "abc")
    assert blue(right) > blue(absent) + 1


@pytest.mark.parametrize("shape", [(3, 5), (2, 3), (4, 4), (3,)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(DataError, match="confusion matrix of 3 classes, got"):
        confusion_picture(np.zeros(shape, int), "abc")
