"""What is looked up for speed is what the formula says, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from oneformer_lite.render.masks import blend_masks
from oneformer_lite.render.overlay import boundaries


def by_formula(image, ids, colors, opacity, outline) -> np.ndarray:
    share, blended = round(256 * opacity), image.astype(int)
    for number, color in colors.items():
        place = ids == number
        blended[place] = (image[place].astype(int) * (256 - share) + np.array(color) * share + 128) >> 8
    if outline:
        edge = boundaries(np.where(np.isin(ids, list(colors)), ids, 0))
        for number in np.unique(ids[edge]):
            blended[edge & (ids == number)] = (np.array(colors.get(int(number), (255, 255, 255))) + 255) >> 1
    return blended.astype(np.uint8)


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.int64])
@pytest.mark.parametrize("chosen", [(), (1, 2, 5), (1, 2, 3, 4, 5, 9)])
def test_blending_is_the_formula(kind: type, chosen: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    image, ids = rng.integers(0, 256, (24, 40, 3), np.uint8), rng.integers(0, 6, (24, 40)).astype(kind)
    image[0], image[1] = 0, 255
    colors = {number: tuple(rng.integers(0, 256, 3).tolist()) for number in chosen} | {3: (255, 255, 255)}
    for opacity in (0.0, 0.05, 0.6, 1.0):
        for outline in (True, False):
            expected = by_formula(image, ids, colors, opacity, outline)
            np.testing.assert_array_equal(blend_masks(image, ids, colors, opacity, outline), expected)
