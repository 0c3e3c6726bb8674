"""The ONNX file of a model, as onnxruntime sees it: equal outputs under every task, and it stands alone."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from unchecked import unchecked

import oneformer_lite as ofl
from oneformer_lite.cli import main
from oneformer_lite.data.batch import normalised_batch
from oneformer_lite.errors import ConfigError
from oneformer_lite.inference import raw_predictions, read_prediction
from oneformer_lite.model.networks.dinat import NeighborhoodAttention
from oneformer_lite.model.output import OneFormerOutput
from oneformer_lite.model.parts import deformable_attention
from oneformer_lite.weights.onnx import onnx_difference, save_onnx

SIZE = (128, 160)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def printed_and_path(tmp_path_factory) -> tuple[str, Path]:
    """All that the command says, warnings that a terminal shows among it, and the file that it writes."""
    folder, said = tmp_path_factory.mktemp("onnx"), io.StringIO()
    with unchecked(), redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        assert main(["convert", "toytown", str(folder), "--onnx", "--size", *map(str, SIZE)]) in (0, None)
    hidden = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
    shown = [f"{warning.message}\n" for warning in warned if not issubclass(warning.category, hidden)]
    return said.getvalue() + "".join(shown), folder / "model.onnx"


@pytest.fixture(scope="module")
def session(printed_and_path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(printed_and_path[1]), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Two scenes of 128 x 128, padded to the size of the file."""
    scenes = ofl.data.Toytown("val", 128, 20)
    return normalised_batch([scenes[3].image, scenes[13].image], SIZE)


def outputs(session, images: torch.Tensor, tasks: list[str]) -> OneFormerOutput:
    numbers = np.array([ofl.data.TASKS.index(task) for task in tasks])
    found = session.run(["class_logits", "mask_logits"], {"images": images.numpy(), "task": numbers})
    return OneFormerOutput(*map(torch.from_numpy, found))


@pytest.mark.parametrize("tasks", [[task] * n for task in ofl.data.TASKS for n in (1, 2)] + [["semantic", "instance"]])
@torch.inference_mode()
def test_onnxruntime_computes_what_the_model_computes(session, model, images, tasks) -> None:
    images = images[: len(tasks)]
    found, wanted = outputs(session, images, tasks), model(images, tasks)
    for name in ("class_logits", "mask_logits"):
        a, b = getattr(found, name), getattr(wanted, name)
        assert a.shape == b.shape and a.dtype == torch.float32
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * b.abs().max().item())
    other = outputs(session, images, ["panoptic" if task != "panoptic" else "semantic" for task in tasks])
    assert (other.class_logits - wanted.class_logits).abs().max() > 0.1  # the task matters


@pytest.mark.parametrize("task", ofl.data.TASKS)
@torch.inference_mode()
def test_the_same_segments_come_of_it(session, model, images, task) -> None:
    predictions = []
    for output in (outputs(session, images, [task] * 2), model(images, task)):
        raws = raw_predictions(output, [(128, 128)] * 2, [(128, 128)] * 2)
        blank = np.zeros((128, 128, 3), np.uint8)
        predictions.append([read_prediction(r, task, blank, model.config, model.config.categories) for r in raws])
    for mine, theirs in zip(*predictions):
        assert len(mine.segments) > 3 or task == "instance"
        assert [s.class_name for s in mine.segments] == [s.class_name for s in theirs.segments]
        assert np.allclose(mine.scores, theirs.scores, atol=1e-3)
        field = {"panoptic": "segment_map", "semantic": "label_map", "instance": "masks"}[task]
        assert (getattr(mine, field) != getattr(theirs, field)).mean() < 1e-4


def test_the_file_stands_alone(session, model) -> None:
    facts = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    assert facts["tasks"] == list(ofl.data.TASKS) and facts["size"] == list(SIZE)
    assert facts["class_names"] == list(model.config.class_names)
    assert facts["is_thing"] == list(model.config.is_thing)
    assert facts["pixel_mean"] == [123.675, 116.28, 103.53] and facts["pixel_std"] == [58.395, 57.12, 57.375]
    assert facts["object_mask_threshold"] == model.config.object_mask_threshold
    shapes = {value.name: (value.type, value.shape) for value in [*session.get_inputs(), *session.get_outputs()]}
    assert shapes == {
        "images": ("tensor(float)", ["batch", 3, *SIZE]),
        "task": ("tensor(int64)", ["batch"]),
        "class_logits": ("tensor(float)", ["batch", 32, 15]),
        "mask_logits": ("tensor(float)", ["batch", 32, 32, 40]),
    }


def test_the_command_says_what_it_does_and_no_more(printed_and_path) -> None:
    printed, path = printed_and_path
    lines = [line for line in printed.splitlines() if not line.startswith("Applied ")]  # which PyTorch 2.10 says itself
    assert len(lines) == 4, printed
    assert lines[0].startswith("converting") and str(path) in lines[1] and lines[2].startswith("comparing")
    assert 0 < float(re.search(r"at most (\S+) of the largest", lines[3])[1]) < 1e-4


def test_a_file_that_computes_something_else_is_found_out(printed_and_path, monkeypatch, tmp_path, capsys) -> None:
    stranger = ofl.from_pretrained("toytown")
    with torch.no_grad():
        stranger.decoder.class_head.weight.neg_()
    assert onnx_difference(stranger, printed_and_path[1]) > 0.1
    monkeypatch.setattr("oneformer_lite.weights.onnx.save_onnx", lambda model, path, size: path.write_bytes(b"x"))
    monkeypatch.setattr("oneformer_lite.weights.onnx.onnx_difference", lambda model, path: float("nan"))
    assert main(["convert", "toytown", str(tmp_path / "a.onnx"), "--onnx"]) == 2
    assert "computes something else" in capsys.readouterr().err


@pytest.mark.parametrize(
    "images, task",
    [((1, 3, 128, 192), [0]), ((1, 3, 100, 160), [0]), ((1, 3, *SIZE), [3]), ((2, 3, *SIZE), [0, 1, 2])],
)
def test_wrong_inputs_are_refused(session, images, task) -> None:
    onnxruntime.set_default_logger_severity(4)  # it logs what it raises
    with pytest.raises(Exception, match="(?i)invalid|out of data bounds|broadcast|dimension|reshaped"):
        session.run(None, {"images": np.zeros(images, np.float32), "task": np.array(task)})


@pytest.mark.parametrize(
    "options, words",
    [
        (["--onnx", "--size", "100", "160"], "multiples of 32, got [100, 160]"),
        (["--onnx", "--half"], "leave --half"),
        (["--onnx", "--to", "huggingface"], "leave --half and --to out"),
        (["--size", "64", "64"], "--size is for --onnx"),
    ],
)
def test_options_that_contradict_each_other(options, words, tmp_path, capsys) -> None:
    assert main(["convert", "toytown", str(tmp_path / "out"), *options]) == 2
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()


def without(monkeypatch, *packages: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in packages else find(name))


def test_missing_packages_are_named(model, monkeypatch, tmp_path, capsys) -> None:
    without(monkeypatch, "onnxscript", "onnxruntime")
    with pytest.raises(ConfigError, match="needs onnxscript: pip install onnx onnxscript onnxruntime"):
        save_onnx(model, tmp_path / "model.onnx")
    monkeypatch.setattr("oneformer_lite.weights.onnx.save_onnx", lambda model, path, size: path.write_bytes(b"x"))
    assert main(["convert", "toytown", str(tmp_path / "a.onnx"), "--onnx"]) == 0
    assert "not compared: onnxruntime is not installed" in capsys.readouterr().out


def test_what_one_file_cannot_hold_is_refused(model, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("oneformer_lite.weights.onnx.LIMIT", 10_000_000)
    with pytest.raises(ConfigError, match="0.0 GB, but an ONNX file holds no more"):
        save_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_what_pytorch_cannot_convert_is_told_in_one_line(model, monkeypatch, tmp_path) -> None:
    def fails(*_, **__):
        try:
            raise AttributeError("no such thing\nas that")
        except AttributeError as error:
            raise RuntimeError("an error occurred at step 0") from error

    monkeypatch.setattr("torch.onnx.export", fails)
    with pytest.raises(ConfigError, match="cannot convert this model to ONNX: no such thing$"):
        save_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_neighbourhood_attention_for_any_number_of_images(tmp_path) -> None:
    """DiNAT attends tile by tile, some at a time; an exported graph does not know how many images will come."""
    torch.manual_seed(0)
    module = NeighborhoodAttention(dim=8, num_heads=2, kernel_size=3, dilation=2).eval()
    images = torch.randn(3, 9, 12, 8)
    with torch.no_grad():
        torch.onnx.export(
            module, (images[:2],), str(tmp_path / "attention.onnx"), dynamo=True, verbose=False,
            dynamic_shapes={"x": {0: "batch"}}, input_names=["x"],
        )  # fmt: skip
        session = onnxruntime.InferenceSession(str(tmp_path / "attention.onnx"), providers=["CPUExecutionProvider"])
        for count in (1, 3):
            (found,) = session.run(None, {"x": images[:count].numpy()})
            torch.testing.assert_close(torch.from_numpy(found), module(images[:count]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("exporting, form", [(True, "grid"), (False, "bag")])
def test_wide_heads_are_sampled_by_grid_for_onnx(exporting, form, monkeypatch) -> None:
    taken = []
    for name in ("grid", "bag"):
        original = getattr(deformable_attention, f"sample_by_{name}")

        def spy(*arguments, name=name, original=original):
            taken.append(name)
            return original(*arguments)

        monkeypatch.setattr(deformable_attention, f"sample_by_{name}", spy)
    monkeypatch.setattr("torch.onnx.is_in_onnx_export", lambda: exporting)
    places, weights = torch.rand(1, 3, 2, 1, 4, 2), torch.rand(1, 3, 2, 1, 4)
    deformable_attention.sample(torch.rand(1, 4, 2, 32), [(2, 2)], places, weights)
    assert taken == [form]


def test_the_lines_in_the_readme_run(printed_and_path, model, monkeypatch, tmp_path) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
                if "onnxruntime" in block)  # fmt: skip
    (tmp_path / "toytown-onnx").mkdir()
    (tmp_path / "toytown-onnx" / "model.onnx").write_bytes(printed_and_path[1].read_bytes())
    scene = ofl.data.Toytown("val", size=256)[13]
    Image.fromarray(scene.image).save(tmp_path / "scene.png")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(code, names)
    wanted = ofl.predict(model, scene.image, "semantic").label_map
    small = np.asarray(Image.fromarray(wanted.astype(np.uint8)).resize((40, 32), Image.Resampling.NEAREST))
    assert names["label_map"].shape == (32, 40) and (names["label_map"] == small).mean() > 0.85
