"""Results of a whole data set: the tasks that were asked for, each picture once, and nothing of another run unsaid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError, DataError
from oneformer_lite.metrics import ResultFiles

SCENE = ofl.data.Toytown("val", 64)[3]


@pytest.fixture(scope="module")
def predictions() -> dict[str, ofl.Prediction]:
    model = ofl.from_pretrained("toytown")
    return {task: ofl.predict(model, SCENE.image, task) for task in ofl.data.TASKS}


@pytest.mark.parametrize("task", ofl.data.TASKS)
def test_one_task_may_be_a_word(tmp_path: Path, predictions, task: str) -> None:
    files = ResultFiles(tmp_path, task)
    files.add(predictions[task], 1, "a.png")
    files.finish()
    there = {"panoptic": ["panoptic", "panoptic.json"], "instance": ["instances.json"], "semantic": ["semantic"]}
    assert sorted(path.name for path in tmp_path.iterdir()) == there[task]


@pytest.mark.parametrize("tasks", ["instances", ["panoptic", "depth"], "", [], None, 5, ("panoptic", None), b"x"])
def test_tasks_that_are_none_are_refused_and_nothing_is_written(tmp_path: Path, tasks) -> None:
    with pytest.raises(ConfigError, match="unknown task|no tasks to write"):
        ResultFiles(tmp_path / "results", tasks)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["semantic", "panoptic"])
def test_a_prediction_of_a_task_that_is_not_written_is_refused(tmp_path: Path, predictions, given: str) -> None:
    files = ResultFiles(tmp_path, "instance")
    with pytest.raises(ConfigError, match=f"expected a prediction for instance .*, got one for '{given}'"):
        files.add(predictions[given], 1, "a.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("task", ["panoptic", "instance", "semantic"])
@pytest.mark.parametrize(("number", "name"), [(1, "a.png"), (2, "a.png"), (1, "b.png"), (np.int64(1), "b.png")])
def test_a_picture_that_comes_twice_is_refused(tmp_path: Path, predictions, task: str, number, name: str) -> None:
    files = ResultFiles(tmp_path, [task])
    files.add(predictions[task], 1, "a.png")
    if task == "semantic" and name == "b.png":
        files.add(predictions[task], number, name)  # label maps are known by their names alone
        return
    with pytest.raises(DataError, match="has been added before|two pictures would be written"):
        files.add(predictions[task], number, name)
    files.add(predictions[task], 7, "c.png")
    files.finish()
    if task == "instance":
        count = len(predictions[task].segments)
        ids = [entry["image_id"] for entry in json.loads((tmp_path / "instances.json").read_text())]
        assert ids == [1] * count + [7] * count


@pytest.mark.parametrize(
    ("number", "name", "words"),
    [(None, "a.png", "image_id must be"), (1.5, "a.png", "image_id must be"), (True, "a.png", "image_id must be"),
     (1, None, "file_name must be"), (1, 5, "file_name must be"), (1, "", "file_name must be")],
)  # fmt: skip
def test_ids_and_names_that_are_none(tmp_path: Path, predictions, number, name, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ResultFiles(tmp_path, "instance").add(predictions["instance"], number, name)


def test_numbers_of_numpy_are_written_as_json_has_them(tmp_path: Path, predictions) -> None:
    files = ResultFiles(tmp_path, "panoptic")
    files.add(predictions["panoptic"], np.int64(5), "a.png")
    files.finish()
    assert json.loads((tmp_path / "panoptic.json").read_text())["annotations"][0]["image_id"] == 5


@pytest.mark.parametrize("task", ["panoptic", "semantic"])
def test_maps_of_another_run_are_told(tmp_path: Path, predictions, task: str, recwarn) -> None:
    for name in ("a.png", "b.png"):
        files = ResultFiles(tmp_path, task)
        files.add(predictions[task], 1, name)
        assert not [w for w in recwarn if "of this run" in str(w.message)]
        if name == "a.png":
            files.finish()
    with pytest.warns(UserWarning, match=rf"{task} holds 1 PNGs that are not of this run \(a.png"):
        files.finish()
