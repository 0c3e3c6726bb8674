"""``predict`` as its user meets it; the post-processing itself is compared in test_postprocessing.py."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.inference import RawPrediction, prepare, raw_predictions, read_prediction, semantic_inference


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), pretrained=False)).eval()


@pytest.fixture
def picture():
    return ofl.data.Toytown("val", (96, 160))[0].image


@pytest.mark.parametrize("task", ofl.data.TASKS)
def test_a_prediction_has_the_size_of_the_picture(model, picture, task):
    p = ofl.predict(model, picture, task, min_score=0.0)
    assert p.task == task and all(0 <= s.score <= 1 for s in p.segments)
    maps = {"panoptic": p.segment_map, "semantic": p.label_map, "instance": p.masks}
    filled = maps.pop(task)
    assert filled.shape[-2:] == (96, 160) and all(m is None for m in maps.values())
    dtype = {"panoptic": np.int32, "semantic": np.int64, "instance": np.bool_}[task]
    assert filled.dtype == dtype
    for s in p.segments:
        assert s.class_name == model.config.class_names[s.class_id]
        assert s.is_thing == model.config.is_thing[s.class_id]
        if task == "instance":
            area = filled[s.id - 1].sum()
        else:
            area = (filled == (s.id if task == "panoptic" else s.class_id)).sum()
        assert s.area == area
    if task == "instance":
        assert all(s.is_thing for s in p.segments) and list(p.scores) == sorted(p.scores, reverse=True)


def test_semantic_scores_are_shares_of_the_pixels_class_scores(model, picture):
    """By hand from the class scores, which exceed 1 where several queries agree; and 1 where one class has all."""
    p = ofl.predict(model, picture, "semantic")
    with torch.inference_mode():
        x = prepare(picture, model.config)
        scores = semantic_inference(raw_predictions(model(x[None], "semantic"), [x.shape[-2:]], [picture.shape[:2]])[0])
    assert scores.max() > 1
    share = (scores.max(0).values / scores.sum(0)).numpy()
    for s in p.segments:
        assert s.score == pytest.approx(share[p.label_map == s.class_id].mean(), rel=1e-5)
    classes, masks = torch.full((2, 4), -90.0), torch.full((2, 4, 4), 9.0)
    classes[:, 1] = 90.0
    things = [ofl.data.Category(i, str(i), True) for i in range(3)]
    sure = RawPrediction(classes, masks, (16, 16), (16, 16), (16, 16))
    (segment,) = read_prediction(sure, "semantic", picture[:16, :16], model.config, tuple(things)).segments
    assert segment.class_id == 1 and segment.score == 1


def test_paths_pil_images_and_arrays_are_the_same(model, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "scene.png")
    inputs = (picture, Image.fromarray(picture), tmp_path / "scene.png", str(tmp_path / "scene.png"))
    maps = [ofl.predict(model, x, "semantic").label_map for x in inputs]
    assert all(np.array_equal(maps[0], m) for m in maps[1:])


def test_predicting_leaves_a_training_model_in_training_mode(model, picture):
    model.train()
    ofl.predict(model, picture, "panoptic")
    assert model.training
    model.eval()


def test_batch_and_single_image_give_the_same_segments(model):
    samples = [ofl.data.Toytown("val", (96, 128))[i] for i in range(3)]
    images = torch.stack([ofl.data.normalise(s.image) for s in samples])
    with torch.inference_mode():
        batch = raw_predictions(model(images, "panoptic"), [(96, 128)] * 3, [(96, 128)] * 3)
        for i, one in enumerate(batch):
            alone = raw_predictions(model(images[i : i + 1], "panoptic"), [(96, 128)], [(96, 128)])[0]
            torch.testing.assert_close(one.masks(), alone.masks(), rtol=1e-4, atol=1e-4)


def test_pictures_of_a_prediction(model, picture, tmp_path):
    p = ofl.predict(model, picture, "panoptic")
    assert p._repr_png_().startswith(b"\x89PNG")
    with Image.open(p.save(tmp_path / "out.png")) as saved:
        assert saved.size == p.show().size
    with pytest.raises(ofl.errors.DataError, match="out does not end like a picture's name"):
        p.save(tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(ofl.errors.DataError, match="file"):
        p.save(tmp_path / "file" / "out.png")


def test_bad_pictures_and_tasks_get_a_sentence(model, picture, tmp_path):
    with pytest.raises(ofl.errors.ConfigError, match="unknown task 'things'.*'panoptic'"):
        ofl.predict(model, picture, "things")
    with pytest.raises(ValueError, match="uint8 array .H, W, 3. of raw pixels; got ndarray of float32"):
        ofl.predict(model, picture.astype(np.float32), "panoptic")
    for wrong, cure in {
        "RGBA": (np.dstack([picture, picture[..., :1]]), r"image\[..., :3\]"),
        "channels first": (np.moveaxis(picture, -1, 0), r"np.moveaxis\(image, 0, -1\)"),
        "one channel": (picture[..., :1], r"image\[..., 0\]"),
        "shares": (np.float32(picture / 255), r"\(image \* 255\).round\(\).astype\(np.uint8\)"),
        "floats of bytes": (np.float64(picture), r": image.round\(\).astype\(np.uint8\)"),
        "normalised": (picture / 127.5 - 1, "without normalisation"),
        "a batch": (picture[None], r"one by one, list\(images\)"),
        "true and false": (picture > 99, r": image \* np.uint8\(255\)"),
        "a mask": (picture[..., 0] > 99, r": image \* np.uint8\(255\)"),
        "NaN": (np.where(picture > 250, np.nan, picture), "replace these first"),
        "complex": (picture.astype(complex), r"complex128 \[\d+, \d+, 3\]$"),
        "grey and transparency": (picture[..., :2], r"image\[..., 0\]"),
        "many channels": (np.dstack([picture] * 4), r"image\[..., \[0, 1, 2\]\]"),
        "an open file": (io.BytesIO(), r"Image.open\(file\)"),
        "bytes": (b"x.png", "os.fsdecode"),
        "nested lists": (picture[:4, :4].tolist(), r"np.array\(image, np.uint8\)"),
        "a generator": ((p for p in [picture]), r"list\(images\)"),
    }.values():
        with pytest.raises(ofl.errors.ConfigError, match=cure):
            ofl.predict(model, wrong, "panoptic")
    with pytest.raises(ValueError, match="got ndarray of uint8 .0, 4, 3."):
        ofl.predict(model, picture[:0, :4], "panoptic")
    with pytest.raises(ofl.errors.DataError, match="nowhere.jpg does not exist"):
        ofl.predict(model, tmp_path / "nowhere.jpg", "panoptic")
    with pytest.raises(ofl.errors.ConfigError, match=r"got the name 'toytown': ofl.from_pretrained\("):
        ofl.predict("toytown", picture, "panoptic")
    with pytest.raises(ofl.errors.ConfigError, match="expected a model first, got a ndarray"):
        ofl.predict(picture, model, "panoptic")
    with pytest.raises(ofl.errors.DataError, match="the picture has 0 x 5 pixels"):
        ofl.predict(model, Image.new("RGB", (0, 5)), "panoptic")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ofl.errors.DataError, match="empty.jpg is empty"):
        ofl.predict(model, tmp_path / "empty.jpg", "panoptic")


def test_the_inference_size_keeps_the_shape_and_the_limits():
    c = dataclasses.replace(ofl.config.coco_r50(), test_size=800, test_max_size=1333)
    assert c.inference_size(480, 640) == (800, 1067)
    assert c.inference_size(400, 1000) == (533, 1333)
    assert ofl.config.toytown().inference_size(64, 64) == (160, 160)


def test_a_model_in_bfloat16_sees_the_same() -> None:
    """``model.bfloat16()`` is all it takes: pictures come as they are, and nearly every pixel stays what it was."""
    scene = ofl.data.Toytown("val", size=160)[13]
    model = ofl.from_pretrained("toytown")
    full = ofl.predict(model, scene.image, "semantic")
    half = ofl.predict(model.bfloat16(), scene.image, "semantic")
    assert half.masks is None and half.label_map.shape == full.label_map.shape
    assert 0.98 < (half.label_map == full.label_map).mean() < 1  # it did compute in steps of 1/256
