"""The cell that trains Toytown trains COCO: real photographs, the published recipe and model, from a notebook.

Slow (more than a minute on one core): the model has its full size, 65 million parameters; only the crop is small.
"""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import nbclient
import nbformat
import pytest

SETTINGS = """
import dataclasses
import oneformer_lite as ofl
from oneformer_lite.training import coco_training

# random weights instead of ImageNet's, which would have to be downloaded; for a CPU a small crop, which
# needs fewer points to compare masks at, and small pictures in evaluation
config = dataclasses.replace(
    ofl.config.coco_r50(), pretrained=False, image_size=128, num_points=784, test_size=128, test_max_size=256,
)
recipe = coco_training(
    data={data!r}, out={out!r}, steps=12, batch_size=2, workers=1,
    evaluations=1, eval_images=2, log_steps=1,
)
"""
TRAIN = "result = ofl.train(config, recipe)"
# the same run goes on in the background
LAUNCH = 'run = ofl.launch(config, dataclasses.replace(recipe, steps=16), devices="cpu:1")\nrun.status'
WAIT = "run.wait(600)\nrun"
CHECK = "import json\nprint(json.dumps([run.status, run.reason, result.finished, run.history]))"


@pytest.fixture(scope="module")
def cells(coco_sample: Path, tmp_path_factory) -> list:
    """The executed cells. The notebook's kernel ends with them."""
    folder = tmp_path_factory.mktemp("coco")
    sources = [SETTINGS.format(data=str(coco_sample), out=str(folder / "run")), TRAIN, LAUNCH, WAIT, CHECK]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    resources = {"metadata": {"path": folder}}
    nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", resources=resources).execute()
    nbformat.write(notebook, folder / "executed.ipynb")
    return notebook.cells


def streams(cell) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_real_pictures_train_through_the_published_recipe(cells) -> None:
    status, reason, finished, history = json.loads(streams(cells[-1]))
    assert (status, reason, finished) == ("finished", "", True)
    steps = [record for record in history if record["kind"] == "train"]
    assert [record["step"] for record in steps] == list(range(1, 17))  # 12 in the kernel, 4 in the background
    for name in ("class", "mask", "dice", "contrastive", "total"):
        assert all(math.isfinite(record[name]) for record in steps), name
    first, last = (statistics.mean(record["total"] for record in part) for part in (steps[:4], steps[-4:]))
    assert last < 0.9 * first
    assert any(record["kind"] == "eval" and math.isfinite(record["PQ"]) for record in history)


def test_what_the_cells_show_is_short_and_free_of_other_warnings(cells) -> None:
    """A hundred pictures do not have all of COCO's 133 classes, which training says once and nothing else."""
    for cell in cells[:4]:
        text = streams(cell)
        assert "Traceback" not in text, text
        assert text.count("Warning") == text.count("UserWarning: classes seen: 14 of 133 classes never occur"), text
        assert len(text.splitlines()) <= 4, text
    assert streams(cells[1]).count("Warning") == 1
    assert cells[2].outputs[0].data["text/plain"] == "'running'"
    assert "finished, step 16" in cells[3].outputs[0].data["text/plain"]
