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


def test_the_nuclei_are_a_small_data_set_with_their_source_and_terms():
    folder = SAMPLE / "nuclei"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 700_000
    assert "CC0" in (folder / "README.md").read_text(encoding="utf-8")
    splits = {split: open_split(folder, split) for split in ("train", "val")}
    assert [len(data) for data in splits.values()] == [8, 4]
    assert [len(splits["val"][i].segments) for i in range(4)] == [25, 54, 28, 43]
    assert [category.name for category in splits["val"].categories] == ["nucleus"]
    for path in (folder / "predicted").iterdir():  # a map for each of those to judge by
        assert (folder / "images" / "val" / path.name).is_file()
