"""What people call: None, a number or an empty text in the place of what is meant is answered in a sentence, and so is
a keyword that does not exist."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from unchecked import unchecked

import oneformer_lite as ofl
from oneformer_lite import training
from oneformer_lite.errors import ConfigError, OneFormerLiteError
from oneformer_lite.training import toytown_training

SCENE = ofl.data.Toytown("val", 64)[1]
CONFIG = ofl.config.toytown()
RECIPE = toytown_training(steps=1, out="run", data="data")
MODEL = ofl.from_pretrained("toytown")
WRONG = [None, 5, 1.5, "", [], b"x", {}, True, float("nan"), object()]

# what is called with a wrong value in the place of its main argument, and of others that people mistake
CALLS: dict[str, Callable[[object], object]] = {
    "from_pretrained": lambda v: ofl.from_pretrained(v),
    "from_pretrained device": lambda v: ofl.from_pretrained("toytown", device=v),
    "OneFormer": lambda v: ofl.OneFormer(v),
    "save_pretrained": lambda v: MODEL.save_pretrained(v),
    "save_pretrained model": lambda v: ofl.save_pretrained(v, "x"),
    "predict model": lambda v: ofl.predict(v, SCENE.image, "panoptic"),
    "predict image": lambda v: v == [] or ofl.predict(MODEL, v, "panoptic"),
    "predict task": lambda v: ofl.predict(MODEL, SCENE.image, v),
    "evaluate model": lambda v: ofl.evaluate(v, [SCENE]),
    "evaluate dataset": lambda v: ofl.evaluate(MODEL, v),
    "evaluate tasks": lambda v: ofl.evaluate(MODEL, [SCENE], v),
    "analyse model": lambda v: ofl.analyse(v, [SCENE], progress=False),
    "analyse dataset": lambda v: ofl.analyse(MODEL, v, progress=False),
    "doctor model": lambda v: ofl.doctor(v, None if v is None else [SCENE]),
    "doctor dataset": lambda v: v is None or ofl.doctor(MODEL, v),
    "doctor run": lambda v: ofl.doctor(run=v),
    "train config": lambda v: ofl.train(v, RECIPE),
    "train recipe": lambda v: ofl.train(CONFIG, v),
    "launch config": lambda v: ofl.launch(v, RECIPE),
    "launch devices": lambda v: ofl.launch(CONFIG, RECIPE, v),
    "plan config": lambda v: ofl.plan(v, RECIPE),
    "plan devices": lambda v: ofl.plan(CONFIG, RECIPE, devices=v),
    "for_machine config": lambda v: training.for_machine(v, RECIPE, "cpu"),
    "for_machine recipe": lambda v: training.for_machine(CONFIG, v, "cpu"),
    "for_machine machine": lambda v: training.for_machine(CONFIG, RECIPE, v),
    "Run": lambda v: ofl.Run(v),
    "Run.attach": lambda v: ofl.Run.attach(v),
    "Study": lambda v: ofl.Study(v),
    "Study.attach": lambda v: ofl.Study.attach(v),
    "study variants": lambda v: ofl.study(v, 1, RECIPE),
    "study recipe": lambda v: ofl.study({"a": {}}, 1, v),
    "Ensemble": lambda v: ofl.Ensemble(v),
    "open": lambda v: ofl.data.open(v),
    "open split": lambda v: ofl.data.open(".", v),
    "open pictures": lambda v: ofl.data.open(".", pictures=v),
    "open classes": lambda v: ofl.data.open(".", pictures=".", classes=v),
    "PanopticDataset": lambda v: ofl.data.PanopticDataset(".", v, "."),
    "InstanceDataset": lambda v: ofl.data.InstanceDataset(v, "a.json"),
    "SemanticDataset": lambda v: ofl.data.SemanticDataset(v, ".", ["a"]),
    "InstanceMapDataset": lambda v: ofl.data.InstanceMapDataset(v, "."),
    "Toytown": lambda v: ofl.data.Toytown(v),
    "Digits": lambda v: ofl.data.Digits(v),
    "read_image": lambda v: ofl.data.read_image(v),
    "open_image": lambda v: ofl.data.open_image(v),
    "normalise": lambda v: ofl.data.normalise(v),
    "collate": lambda v: ofl.data.collate(v),
    "targets_for": lambda v: ofl.data.targets_for(v, "panoptic"),
    "targets_for task": lambda v: ofl.data.targets_for(SCENE, v),
    "write_toytown": lambda v: ofl.data.write_toytown(v, "val", length=1),
    "write_toytown split": lambda v: ofl.data.write_toytown("t", v, length=1),
    "write_digits": lambda v: ofl.data.write_digits(v, ofl.data.Digits("val")),
    "write_digits dataset": lambda v: ofl.data.write_digits("d", v),
    "write_panoptic": lambda v: ofl.data.write_panoptic("a", "b.json", "c", v),
    "write_panoptic folder": lambda v: ofl.data.write_panoptic(v, "b.json", "c", [SCENE]),
    "write_instances": lambda v: ofl.data.write_instances("a", "b.json", v),
    "write_instances file": lambda v: ofl.data.write_instances("a", v, [SCENE]),
    "convert_data": lambda v: ofl.data.convert_data(v, ".", "o"),
    "convert_data folder": lambda v: ofl.data.convert_data("voc", v, "o"),
    "download_coco": lambda v: ofl.data.download_coco(v),
    "download_coco only": lambda v: v is None or ofl.data.download_coco("coco", only=v),
    "download_ade20k": lambda v: ofl.data.download_ade20k(v),
    "prepare_cityscapes": lambda v: ofl.data.prepare_cityscapes(v),
    "for_classes config": lambda v: ofl.config.for_classes(v, SCENE.categories),
    "for_classes": lambda v: ofl.config.for_classes(CONFIG, v),
    "class_list": lambda v: ofl.config.class_list(v),
    "Criterion": lambda v: ofl.losses.Criterion(v),
    "ResultFiles": lambda v: ofl.metrics.ResultFiles(v, "semantic"),
    "ResultFiles tasks": lambda v: ofl.metrics.ResultFiles("r", v),
    "save_onnx": lambda v: ofl.weights.save_onnx(v, "a.onnx"),
    "save_huggingface": lambda v: ofl.weights.save_huggingface(v, "h"),
    "from_folder": lambda v: ofl.weights.from_folder(v),
    "toytown_training": lambda v: toytown_training(steps=1, data=v).data == "" and ofl.data.open(""),
    **{
        f"{name} {what}": lambda v, name=name, what=what: getattr(ofl.widgets, name)(
            *((v, SCENE) if what == "model" else (MODEL, v))
        )
        for name in ("MaskInspector", "QueryInspector", "LossInspector", "MatchInspector", "TaskInspector",
                     "ContrastInspector", "MergeInspector", "SamplingInspector", "FeatureInspector")
        for what in ("model", "sample")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_value_is_answered_in_a_sentence(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in WRONG:
        try:
            with unchecked():  # the checks of shapes in tests come before those of the package
                CALLS[name](value)
        except OneFormerLiteError as error:
            said = str(error)
        except ValueError as error:  # of layers and collate, which also say what was expected
            said = str(error)
        else:
            assert value in (None, []) or (name, value) == ("Ensemble", None), f"{name}({value!r}) was taken"
            continue
        assert len(said.split()) > 3 and "\n" not in said, f"{name}({value!r}): {said}"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


KEYWORDS = {
    "dvice": (lambda **k: ofl.from_pretrained("toytown", **k), "from_pretrained has no .*: did you mean device"),
    "min_scor": (lambda **k: ofl.predict(MODEL, SCENE.image, "panoptic", **k), "did you mean min_score"),
    "batchsize": (lambda **k: ofl.evaluate(MODEL, [SCENE], **k), "did you mean batch_size"),
    "window": (lambda **k: ofl.analyse(MODEL, [SCENE], **k), "did you mean windows"),
    "image": (lambda **k: ofl.doctor(MODEL, [SCENE], **k), "did you mean images"),
    "device": (lambda **k: ofl.launch(CONFIG, RECIPE, **k), "did you mean devices"),
    "step": (lambda **k: ofl.plan(CONFIG, RECIPE, **k), "did you mean steps"),
    "train_dataa": (lambda **k: ofl.train(CONFIG, RECIPE, **k), "did you mean train_data"),
    "seed": (lambda **k: ofl.study({"a": {}}, train_config=RECIPE, **k), "did you mean seeds"),
    "flips": (lambda **k: ofl.Ensemble([MODEL], **k), "did you mean flip"),
    "skip_box": (lambda **k: ofl.data.InstanceDataset(".", "a.json", **k), "did you mean skip_boxes"),
    "class_name": (lambda **k: ofl.data.SemanticDataset(".", ".", **k), "did you mean class_names"),
    "backgroud": (lambda **k: ofl.data.InstanceMapDataset(".", ".", **k), "did you mean background"),
    "panopticjson": (lambda **k: ofl.data.PanopticDataset(".", **k), "did you mean panoptic_json"),
    "lenght": (lambda **k: ofl.data.Toytown("val", **k), "did you mean length"),
    "worker": (lambda **k: ofl.data.write_toytown("t", "val", **k), "did you mean workers"),
    "task": (lambda **k: ofl.metrics.ResultFiles("r", **k), "did you mean tasks"),
}


@pytest.mark.parametrize("name", KEYWORDS)
def test_a_keyword_that_does_not_exist_says_what_was_meant(name: str) -> None:
    call, words = KEYWORDS[name]
    with pytest.raises(ConfigError, match=words):
        call(**{name: 1})


def test_an_option_of_open_that_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    with pytest.raises(ConfigError, match=r"skip_box: no option .* \(did you mean"):
        (tmp_path / "a.json").write_text("{}")
        ofl.data.open(tmp_path / "a.json", pictures=tmp_path, skip_box=True)
    with pytest.raises(ConfigError, match=r"class: no option of semantic annotations .*\(did you mean classes"):
        ofl.data.open(tmp_path / "labels", pictures=tmp_path, **{"class": ["a"]})


def test_wrappers_keep_what_editors_and_help_show() -> None:
    assert ofl.from_pretrained.__doc__.startswith("A trained model")
    assert ofl.from_pretrained.__name__ == "from_pretrained"
    assert ofl.data.InstanceDataset.__init__.__name__ == "__init__"


def test_the_readmes_calls_are_among_these() -> None:
    """Every function that README.md calls as ``ofl.NAME(...)``."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    calls = {
        ast.unparse(node.func)
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("ofl.")
    }
    doors = {call.removeprefix("ofl.").removeprefix("data.").removeprefix("widgets.").split("(")[0] for call in calls}
    without_arguments = {name for name in doors if name.startswith("config.") and name != "config.for_classes"}
    tried = {name.split()[0] for name in CALLS} | {"config.for_classes"}
    assert len(doors) > 10 and doors - without_arguments <= tried
