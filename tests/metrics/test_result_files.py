"""What ``evaluate`` writes, judged again from the files alone, gives the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from references import coco_ap, read_panoptic, reference_miou, reference_quality, write_instance_json

import oneformer_lite as ofl
from oneformer_lite.cli import main
from oneformer_lite.data.sample import Category
from oneformer_lite.errors import DataError
from oneformer_lite.metrics import ResultFiles
from oneformer_lite.metrics.results import category_map

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
JSON, PNGS = SAMPLE / "annotations/panoptic_val.json", SAMPLE / "annotations/panoptic_val"


@pytest.fixture(scope="module")
def model():
    return ofl.from_pretrained("toytown")


@pytest.fixture(scope="module")
def dataset():
    return ofl.data.PanopticDataset(SAMPLE / "val", JSON, PNGS)


@pytest.fixture(scope="module")
def written(model, dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return ofl.evaluate(model, dataset, results=folder), folder


@pytest.fixture(scope="module")
def truth():
    return read_panoptic(JSON, PNGS)


def test_panoptic_files_give_the_same_pq(written, truth):
    metrics, folder = written
    images, categories = truth
    found, _ = read_panoptic(folder / "panoptic.json", folder / "panoptic", categories)
    assert found.keys() == images.keys() and any(c.id != i for i, c in enumerate(categories))
    expected = reference_quality([(*found[i], *images[i]) for i in images], categories)
    for ours, theirs in (("PQ", "pq"), ("SQ", "sq"), ("RQ", "rq")):
        for ending, group in (("", ""), ("_th", "_things"), ("_st", "_stuff")):
            assert metrics[ours + ending] == pytest.approx(expected[theirs + group], abs=1e-9)
    assert 20 < metrics["PQ"] < 95


def test_the_instance_file_gives_the_same_ap(written, tmp_path):
    metrics, folder = written
    ap, ap50, ap75, *_ = coco_ap(write_instance_json(JSON, PNGS, tmp_path / "gt.json"), folder / "instances.json")
    assert (metrics["AP"], metrics["AP50"], metrics["AP75"]) == pytest.approx((ap, ap50, ap75), abs=1e-9)
    assert 5 < metrics["AP"] < 95


def test_semantic_maps_give_the_same_miou(written, truth):
    metrics, folder = written
    images, categories = truth
    class_ids = {c.id: i for i, c in enumerate(categories)}
    pairs = []
    for image_id, (segment_map, segments) in images.items():
        ids = np.array(Image.open(folder / "semantic" / f"{image_id:012d}.png"))
        pred, gt = np.vectorize(class_ids.get)(ids), np.full(ids.shape, -1)
        for s in segments:
            gt[segment_map == s.id] = s.class_id
        pairs.append((pred, gt))
    assert metrics["mIoU"] == pytest.approx(reference_miou(pairs, len(categories)), abs=1e-9)
    assert 20 < metrics["mIoU"] < 95


def test_writing_changes_no_number_and_any_picture_can_be_added(model, dataset, written, tmp_path):
    """As for a test split: predictions alone, no annotation."""
    metrics, folder = written
    assert ofl.evaluate(model, dataset, batch_size=3) == pytest.approx(metrics, abs=1e-9)
    files = ResultFiles(tmp_path, ("panoptic", "instance"))
    for image_id in (1, 2):
        for task in ("panoptic", "instance"):
            path = SAMPLE / "val" / f"{image_id:012d}.jpg"
            files.add(ofl.predict(model, path, task, min_score=0), image_id, path.name)
    files.finish()
    alone, whole = (json.loads((f / "panoptic.json").read_text())["annotations"] for f in (tmp_path, folder))
    assert [len(e["segments_info"]) for e in alone] == [len(e["segments_info"]) for e in whole[:2]]
    alone, whole = (json.loads((f / "instances.json").read_text()) for f in (tmp_path, folder))
    # the model's own categories count from 1, the annotation's are 1 to 8 for things as well
    assert [e["category_id"] for e in alone] == [e["category_id"] for e in whole if e["image_id"] <= 2]


def test_image_ids_may_be_names_as_in_cityscapes(model, written, tmp_path):
    content = json.loads(JSON.read_text())
    for image, annotation in zip(content["images"], content["annotations"]):
        image["id"] = annotation["image_id"] = f"frankfurt_{image['id']:06d}_000294"
    (tmp_path / "named.json").write_text(json.dumps(content))
    named = ofl.data.PanopticDataset(SAMPLE / "val", tmp_path / "named.json", PNGS)
    assert ofl.evaluate(model, named, results=tmp_path / "results") == pytest.approx(written[0], abs=1e-9)
    entries = json.loads((tmp_path / "results/panoptic.json").read_text())["annotations"]
    assert {e["image_id"] for e in entries} == set(named.image_ids)
    assert sorted(e["file_name"] for e in entries) == sorted(p.name for p in PNGS.iterdir())


def test_the_command_says_what_it_wrote_and_only_the_tasks_asked_for(tmp_path, capsys):
    folder = tmp_path / "new" / "results"
    arguments = ["eval", "--data", str(SAMPLE), "--tasks", "semantic", "panoptic", "--results", str(folder)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"predictions of semantic, panoptic in {folder}"
    assert sorted(p.name for p in folder.iterdir()) == ["panoptic", "panoptic.json", "semantic"]
    assert len(list((folder / "panoptic").iterdir())) == len(list((folder / "semantic").iterdir())) == 12


def test_a_stopped_run_leaves_nothing_that_looks_complete(model, dataset, tmp_path):
    (tmp_path / "panoptic.json").write_text("of an earlier run")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ofl.evaluate(model, dataset, ("panoptic",), results=tmp_path, batch_size=2, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["panoptic"]


def test_a_folder_that_cannot_be_written_gets_one_sentence(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["eval", "--data", str(SAMPLE), "--results", str(tmp_path / "file" / "results")]) == 2
    err = capsys.readouterr().err
    assert "the folder" in err and "cannot be written" in err and "Traceback" not in err


def test_two_pictures_of_one_name_are_refused(model, tmp_path):
    files = ResultFiles(tmp_path, ("semantic",))
    prediction = ofl.predict(model, SAMPLE / "val" / "000000000001.jpg", "semantic")
    files.add(prediction, 1, "a/street.jpg")
    with pytest.raises(DataError, match="two pictures would be written to .*street.png"):
        files.add(prediction, 2, "b/street.jpg")


def test_grey_values_are_category_ids():
    labels = np.array([[0, 1], [1, 2]])
    cityscapes = [Category(i, "", False) for i in (7, 8, 33)]
    small = category_map(labels, cityscapes)
    assert small.dtype == np.uint8 and small.tolist() == [[7, 8], [8, 33]]
    large = category_map(labels, [*cityscapes[:2], Category(300, "", False)])
    assert large.dtype == np.uint16 and large.tolist() == [[7, 8], [8, 300]]
    with pytest.raises(DataError, match=r"must lie in 0..65535 to fit into a grey PNG, got 7..70000"):
        category_map(labels, [*cityscapes[:2], Category(70000, "", False)])


def test_the_example_of_the_docstring_writes_the_ids_of_the_annotation_file(model, dataset, tmp_path):
    """``predict`` knows no annotation file: the ids come from the model's configuration (sky is 101, not 9)."""
    own = {c.name: c.id for c in dataset.categories}
    files = ResultFiles(tmp_path, ("panoptic", "semantic", "instance"))
    for task in ("panoptic", "semantic", "instance"):
        files.add(ofl.predict(model, dataset[0].image, task), 1, "0.png")
    files.finish()
    entry = json.loads((tmp_path / "panoptic.json").read_text())["annotations"][0]
    things = json.loads((tmp_path / "instances.json").read_text())
    found = {s["category_id"] for s in entry["segments_info"]}
    assert found <= set(own.values()) and found & {101, 102, 103}
    assert {e["category_id"] for e in things} <= set(range(1, 9)) and things
    assert set(np.unique(Image.open(tmp_path / "semantic/0.png"))) <= set(own.values())
