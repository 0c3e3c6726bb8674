"""Pictures of mixed sizes in batches are judged and segmented as if each were alone."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data.batch import pad_to, padded_size
from oneformer_lite.data.instance import encode_mask
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.data.unreadable import Unreadable
from oneformer_lite.inference import prepare
from oneformer_lite.judged import batches

# inference sizes 128x213, 128x128, 213x128, 128x179, 128x172 (padded like the one before), 130x128
SIZES = ((96, 160), (128, 128), (160, 96), (100, 140), (90, 121), (130, 128))


class Listed(list):
    categories, tasks = Toytown.categories, Toytown.tasks


@pytest.fixture(scope="module")
def model():
    return ofl.from_pretrained("toytown")


@pytest.fixture(scope="module")
def mixed():
    scenes = [(Toytown("val", size)[i], i) for i, size in enumerate(SIZES + SIZES[:4])]
    return Listed(scene.replace(image_id=i, file_name=f"{i}.png") for scene, i in scenes)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_a_batch_has_one_padded_size_and_nothing_is_lost(model, mixed, batch_size):
    groups = list(batches(mixed, model.config, batch_size, Unreadable(len(mixed), 0.0)))
    for group in groups:
        assert 1 <= len(group) <= batch_size
        assert len({padded_size([model.config.inference_size(*s.size)]) for s in group}) == 1
    assert sorted(s.image_id for group in groups for s in group) == list(range(10))
    assert len(groups) == {1: 10, 2: 6, 3: 5, 100: 5}[batch_size]  # 2, 2, 2, 3 and 1 pictures of a size


def test_few_pictures_wait_for_others_of_their_size(model):
    read = []

    class Wide:
        def __len__(self):
            return 40

        def __getitem__(self, index):
            read.append(index)
            return ofl.data.Sample(np.zeros((32, 32 * (index + 1), 3), np.uint8), np.zeros((0, 0), np.int32), (), ())

    config = dataclasses.replace(model.config, image_size=32, test_max_size=16_384)
    groups = batches(Wide(), config, 2, Unreadable(40, 0.0))
    next(groups)
    assert len(read) == 16  # 8 batches wait at most
    assert sum(map(len, groups)) == 39


def test_the_batch_has_no_influence_on_metrics_and_predictions(model, mixed, tmp_path):
    single = ofl.evaluate(model, mixed, batch_size=1)
    done = []
    several = ofl.evaluate(
        model, mixed, batch_size=3, results=tmp_path, progress=lambda n, total: done.append((n, total))
    )
    assert several == pytest.approx(single, abs=1e-9) and 20 < single["PQ"] < 95 and 10 < single["AP"] < 95
    assert done[-1] == (10, 10) and [n for n, _ in done] == sorted({n for n, _ in done})

    instances = json.loads((tmp_path / "instances.json").read_text())
    for sample in mixed:
        alone = {task: ofl.predict(model, sample.image, task, min_score=0) for task in ofl.data.TASKS}
        segment_map = np.array(Image.open(tmp_path / "panoptic" / f"{sample.image_id}.png")) @ [1, 256, 256**2]
        np.testing.assert_array_equal(segment_map, alone["panoptic"].segment_map)
        ids = np.array([c.id for c in Toytown.categories])
        labels = np.array(Image.open(tmp_path / "semantic" / f"{sample.image_id}.png"))
        np.testing.assert_array_equal(labels, ids[alone["semantic"].label_map])
        batched = [e for e in instances if e["image_id"] == sample.image_id]
        np.testing.assert_allclose([e["score"] for e in batched], alone["instance"].scores, atol=1e-5)
        assert sorted(e["segmentation"]["counts"] for e in batched) == sorted(
            encode_mask(mask)["counts"] for mask in alone["instance"].masks
        )


def test_logits_of_a_batch_are_those_of_single_pictures(model, mixed):
    with torch.inference_mode():
        for group in batches(mixed, model.config, 4, Unreadable(len(mixed), 0.0)):
            images = [prepare(s.image, model.config) for s in group]
            size = padded_size([tuple(i.shape[-2:]) for i in images])
            together = model(torch.stack([pad_to(i, size) for i in images]), "panoptic")
            for b, image in enumerate(images):
                alone = model(image[None], "panoptic")
                for ours, theirs in ((together.class_logits, alone.class_logits),
                                     (together.mask_logits, alone.mask_logits)):  # fmt: skip
                    assert (ours[b] - theirs[0]).abs().max() < 1e-5 * theirs.abs().max()
