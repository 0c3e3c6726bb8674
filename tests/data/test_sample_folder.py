"""The dozen scenes in data/sample are what Toytown paints, in COCO's layout."""

from pathlib import Path

import numpy as np

from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.toytown import Toytown

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def test_the_committed_scenes_are_toytowns_first_dozen():
    written, painted = open_split(SAMPLE, "val"), Toytown("val", 256)
    assert len(written) == 12
    assert [c.name for c in written.categories] == [c.name for c in painted.categories]
    for i in (0, 5, 11):
        on_disk, fresh = written[i], painted[i]
        assert np.array_equal(on_disk.segment_map, fresh.segment_map) and on_disk.segments == fresh.segments
        error = np.abs(on_disk.image.astype(int) - fresh.image).mean()
        assert error < 8  # JPEG
