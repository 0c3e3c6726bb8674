"""Instance maps: one number an object, in the files that microscopists have; what is none is refused or said."""

from __future__ import annotations

import dataclasses
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data import InstanceMapDataset
from oneformer_lite.errors import ConfigError, DataError

NUMBERS = np.zeros((20, 30), np.int32)  # three objects, one of them in two pieces
NUMBERS[2:6, 3:9], NUMBERS[10:14, 20:28], NUMBERS[16:18, 1:4], NUMBERS[1:3, 25:29] = 1, 7, 300, 300


def save(folder: Path, numbers: np.ndarray = NUMBERS, name: str = "cell.png", dtype=np.uint16) -> Path:
    """A picture ``images/cell.jpg``, and its map ``masks/NAME``; the folder of maps."""
    for place in ("images", "masks"):
        (folder / place).mkdir(exist_ok=True)
    Image.fromarray(np.full((*numbers.shape, 3), 90, np.uint8)).save(folder / "images/cell.jpg")
    Image.fromarray(numbers.astype(dtype)).save(folder / "masks" / name)
    return folder / "masks"


def read(folder: Path, *args, **options) -> InstanceMapDataset:
    return InstanceMapDataset(folder / "images", folder / "masks", *args, **options)


@pytest.mark.parametrize(
    "name, dtype",
    [("cell.png", np.uint16), ("cell.tif", np.uint16), ("cell.tif", np.int32), ("cell.tiff", np.float32)],
    ids=["16-bit PNG", "16-bit TIFF", "32-bit TIFF", "float TIFF"],
)
def test_numbers_are_read_as_they_are(tmp_path, name, dtype):
    save(tmp_path, name=name, dtype=dtype)
    sample = read(tmp_path, "nucleus")[0]
    np.testing.assert_array_equal(sample.segment_map, NUMBERS)
    assert [s.id for s in sample.segments] == [1, 7, 300] and sample.tasks == ("instance",)
    targets = ofl.data.targets_for(sample, "instance")
    assert targets.labels.tolist() == [0, 0, 0] and targets.masks[2].sum() == 14
    assert (sample.file_name, sample.categories[0].name, sample.categories[0].is_thing) == ("cell.jpg", "nucleus", True)


def test_greys_and_palettes_of_eight_bits(tmp_path):
    numbers = np.where(NUMBERS == 300, 9, NUMBERS)
    save(tmp_path, numbers, dtype=np.uint8)
    assert [s.id for s in read(tmp_path)[0].segments] == [1, 7, 9]
    picture = Image.fromarray(numbers.astype(np.uint8)).convert("P")
    picture.putpalette([value for i in range(256) for value in (i, 255 - i, 7 * i % 256)])
    picture.save(tmp_path / "masks/cell.png")
    np.testing.assert_array_equal(read(tmp_path)[0].segment_map, numbers)


def test_names_that_go_on_and_one_folder_for_both(tmp_path):
    save(tmp_path, name="cell_masks.tif")
    with pytest.raises(DataError, match="'cell_masks.tif' has none"):
        read(tmp_path)
    assert len(read(tmp_path, ending="_masks")[0].segments) == 3
    (tmp_path / "masks/cell_masks.tif").rename(tmp_path / "images/cell_masks.tif")
    both = InstanceMapDataset(tmp_path / "images", tmp_path / "images", ending="_masks")
    assert both.picture_names == ["cell.jpg"] and len(both[0].segments) == 3
    with pytest.raises(DataError, match="expected PNG instance maps, .* with '_cells' before it, but got none"):
        InstanceMapDataset(tmp_path / "images", tmp_path / "images", ending="_cells")


def test_a_named_background_supplies_all_three_tasks(tmp_path):
    save(tmp_path)
    sample = read(tmp_path, "nucleus", background="glass")[0]
    assert sample.tasks == ofl.data.TASKS and [c.name for c in sample.categories] == ["nucleus", "glass"]
    (ground,) = [s for s in sample.segments if s.class_id == 1]
    assert ground.id == 2 and ((sample.segment_map == 2) == (NUMBERS == 0)).all()
    assert len(ofl.data.targets_for(sample, "panoptic")) == 4 and len(ofl.data.targets_for(sample, "semantic")) == 2


def test_a_background_among_many_numbers(tmp_path):
    """The first number that is free, found at once: one look at all numbers for each of them takes minutes."""
    save(tmp_path, np.kron(np.arange(20_000).reshape(100, 200), np.ones((2, 2), int)), "cell.tif", np.int32)
    begun = time.perf_counter()
    sample = read(tmp_path, background="glass")[0]
    assert sample.segments[-1].id == 20_000 and len(sample.segments) == 20_000 and time.perf_counter() - begun < 5


def test_what_nobody_judged_is_a_crowd(tmp_path):
    save(tmp_path)
    sample = read(tmp_path, ignore_index=300)[0]
    assert [s.is_crowd for s in sample.segments] == [False, False, True]
    assert len(ofl.data.targets_for(sample, "instance")) == 2


def test_objects_that_were_not_told_apart_are_said(tmp_path):
    save(tmp_path, (NUMBERS > 0) * 255, dtype=np.uint8)
    with pytest.warns(UserWarning, match="none of the 1 instance maps looked at in .*masks has two objects.*scipy"):
        read(tmp_path)


@pytest.mark.parametrize("step", [1, 256, 1000])
def test_numbers_that_say_classes_as_well_are_said(tmp_path, step):
    """class x 256 + number, as Mapillary has it, or class x 1000 + number."""
    save(tmp_path, (NUMBERS // 7 + 1) * step + NUMBERS % 7, dtype=np.uint16)
    with pytest.warns(UserWarning, match="no pixel of the 1 instance maps looked at .* is 0.*of 'nucleus'"):
        read(tmp_path, "nucleus")
    save(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tmp_path)


@pytest.mark.parametrize(
    "numbers, dtype, words",
    [
        (NUMBERS - 1, np.int32, "holds the number -1; expected 0 for background"),
        (np.stack([NUMBERS, NUMBERS * 2, NUMBERS], -1), np.uint8, "with different values, but a label map has one"),
        (NUMBERS + 0.5, np.float32, "holds floats that are no whole numbers"),
    ],
)
def test_what_is_no_instance_map_is_refused(tmp_path, numbers, dtype, words):
    save(tmp_path)
    Image.fromarray(numbers.astype(dtype)).save(tmp_path / "masks/cell.tif")
    (tmp_path / "masks/cell.png").unlink()
    with pytest.raises(DataError, match=words), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read(tmp_path)[0]


def test_a_map_of_other_numbers_and_masks_without_end_are_refused(tmp_path):
    save(tmp_path, np.arange(120 * 120).reshape(120, 120))
    with pytest.raises(DataError, match="holds 14399 different numbers on 14400 pixels: expected one for each object"):
        read(tmp_path)[0]
    numbers = np.kron(np.arange(150 * 150).reshape(150, 150), np.ones((5, 5), int))
    sample = read(save(tmp_path, numbers).parent)[0]
    with pytest.raises(DataError, match="22499 segments on 750 x 750 pixels, whose masks do not fit into memory"):
        ofl.data.targets_for(sample, "instance")
    assert sample.segment_masks([3]).sum() == 25


@pytest.mark.parametrize(
    "options, words",
    [
        ({"class_name": " "}, "must be two names, not blank"),
        ({"class_name": "a", "background": "a"}, "must be two names"),
        ({"ignore_index": 0}, "ignore_index must be a whole number from 1, or None, got 0"),
        ({"ignore_index": True}, "ignore_index must be"),
        ({"ignore_index": "7"}, "ignore_index must be"),
    ],
)
def test_options_out_of_range(tmp_path, options, words):
    save(tmp_path)
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, **options)


def test_one_door(tmp_path):
    (tmp_path / "any").mkdir()
    save(tmp_path / "any")
    named = ofl.data.open(
        tmp_path / "any/masks", pictures=tmp_path / "any/images", kind="instance", classes=["cell"], background="glass"
    )
    assert isinstance(named, InstanceMapDataset) and named.categories[0].name == "cell" and len(named.tasks) == 3
    for place in ("images/train", "instances/train"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "any/images/cell.jpg").rename(tmp_path / "images/train/cell.jpg")
    (tmp_path / "any/masks/cell.png").rename(tmp_path / "instances/train/cell.png")
    assert ofl.data.open(tmp_path).categories[0].name == "object"
    (tmp_path / "classes.txt").write_text("nucleus\n")
    assert ofl.data.open(tmp_path).categories[0].name == "nucleus"
    with pytest.raises(ConfigError, match="have one class: expected one name"):
        ofl.data.open(tmp_path, classes=["a", "b"])
    with pytest.raises(ConfigError, match="skip_boxes: no option of instance maps annotations"):
        ofl.data.open(tmp_path, skip_boxes=True)


def test_nuclei_as_they_are(shared_data):
    if not (shared_data / "nuclei").is_dir():
        pytest.skip(f"no nuclei at {shared_data}: set OFL_SHARED_DATA to the folder that holds them")
    folders = shared_data / "nuclei" / "images", shared_data / "nuclei" / "instances"
    nuclei = InstanceMapDataset(*folders, "nucleus")
    assert len(nuclei) == 664
    sizes = {nuclei.annotation(i)[0].shape for i in range(0, 664, 60)}
    assert (256, 256) in sizes and len(sizes) > 1
    sample = nuclei[0]
    ids = np.unique(np.asarray(Image.open(nuclei.paths(0)[1])))
    assert [s.id for s in sample.segments] == ids[ids > 0].tolist() and sample.image.shape[:2] == sample.size


def test_more_objects_than_coco_counts_can_be_found(tmp_path):
    """120 cells, all of them predicted: AP of 100 masks would be at most 84."""
    numbers = np.kron(np.arange(1, 121).reshape(10, 12), np.ones((4, 4), np.int32)).astype(np.int32)
    metric = ofl.metrics.InstanceMetric((ofl.data.Category(1, "cell", True),))
    segments = [ofl.data.SegmentInfo(i, 0) for i in range(1, 121)]
    masks = numbers[None] == np.arange(1, 121)[:, None, None]
    metric.update(1, masks, [0] * 120, np.linspace(1, 0.1, 120), numbers, segments)
    assert metric.compute().ap == pytest.approx(100) and metric.most_masks == 120
    few = ofl.metrics.InstanceMetric((ofl.data.Category(1, "cell", True),))
    few.update(1, masks, [0] * 120, np.linspace(1, 0.1, 120), np.where(numbers < 100, numbers, 0), segments[:99])
    assert few.most_masks == 100  # COCO's


def test_a_model_learns_and_is_analysed_on_maps(tmp_path):
    save(tmp_path)
    data = read(tmp_path, "nucleus")
    config = dataclasses.replace(ofl.config.nuclei(), num_queries=16, image_size=64, test_size=64, decoder_layers=1)
    model = ofl.OneFormer(dataclasses.replace(config, pretrained=False)).eval()
    batch = ofl.data.collate([(data[0], "instance")])
    losses = ofl.losses.Criterion(model.config)(model(batch.images, batch.tasks, texts=batch.texts), batch.targets)
    assert losses["contrastive"] * model.config.contrastive_weight == 0 and losses["mask"] > 0
    found = ofl.analyse(model, data, progress=False)
    assert found.tasks == ("instance",) and "AP" in found.metrics


@pytest.mark.parametrize("ending", [None, 5, ["_masks"]])
def test_an_ending_is_a_text(tmp_path, ending):
    save(tmp_path)
    with pytest.raises(ConfigError, match="ending must be a text such as '_masks', or '' for none"):
        read(tmp_path, ending=ending)
