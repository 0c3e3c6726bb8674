"""Runs that start from a trained model: what is taken over, what is new, and what does not fit."""

import dataclasses
import warnings
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load, save_file

import oneformer_lite as ofl
from oneformer_lite.cli import main
from oneformer_lite.data import Category
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.data.views import Listed
from oneformer_lite.errors import ConfigError
from oneformer_lite.training import Trainer, toytown_training
from oneformer_lite.training.finetune import chosen_start, start_from
from oneformer_lite.training.state import read_recipe

HEAD = ("decoder.class_head.weight", "decoder.class_head.bias")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small model and its folder."""
    config = dataclasses.replace(
        ofl.config.toytown(), image_size=64, encoder_layers=1, decoder_layers=2, text_layers=1, pretrained=False
    )
    torch.manual_seed(0)
    model = ofl.OneFormer(config)
    return model, model.save_pretrained(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def without_text_mapper(trained, tmp_path):
    model, folder = trained
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    state = load((folder / "model.safetensors").read_bytes())
    state = {name: value for name, value in state.items() if not name.startswith("text_mapper.")}
    save_file(state, tmp_path / "model.safetensors")
    return tmp_path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toytown")
    for split in ("train", "val"):
        write_toytown(folder, split, 64, 4, workers=1)
    return folder


def fresh(config, seed=1):
    torch.manual_seed(seed)
    return ofl.OneFormer(config)


def test_the_same_classes_take_everything_over(trained):
    model, folder = trained
    started = fresh(model.config)
    assert start_from(started, str(folder)) == []
    for (name, a), b in zip(model.state_dict().items(), started.state_dict().values()):
        assert torch.equal(a, b), name
    assert started.backbone.has_imagenet_weights


def test_classes_are_found_by_name_and_new_ones_are_named(trained):
    model, folder = trained
    names = ["car", "tram", "sky"]
    old = model.config.class_names
    config = ofl.config.for_classes(model.config, [Category(i, name, i < 3) for i, name in enumerate(names, 1)])
    started, untouched = fresh(config), fresh(config)
    assert start_from(started, str(folder)) == ["1 of 3 classes (tram)"]
    for name in HEAD:
        a, b, random = (m.state_dict()[name] for m in (model, started, untouched))
        for row, of in ((0, old.index("car")), (2, old.index("sky")), (3, len(old))):
            assert torch.equal(b[row], a[of])
        assert torch.equal(b[1], random[1])
    rest = model.state_dict().keys() - HEAD
    assert all(torch.equal(model.state_dict()[name], started.state_dict()[name]) for name in rest)


def test_a_missing_text_mapper_is_new_and_said(trained, without_text_mapper, data, tmp_path):
    model, _ = trained
    source = str(without_text_mapper)
    settings = {"data": str(data), "batch_size": 2, "workers": 0, "evaluations": 0, "steps": 1, "start_from": source}
    settings = toytown_training(out=str(tmp_path / "run"), look_first=False, **settings)
    with pytest.warns(UserWarning, match="new, with random weights: the text mapper .3.. million") as said:
        trainer = Trainer(model.config, settings, open_split(data, "train"), None)
    assert len(said) == 1
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    for name, value in model.state_dict().items():
        assert name.startswith("text_mapper.") or torch.equal(before[name], value), name
    trainer.run()
    after = trainer.model.state_dict()
    assert not torch.equal(after["text_mapper.context.weight"], before["text_mapper.context.weight"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = Trainer(model.config, settings, open_split(data, "train"), None)  # goes on, and does not start over
    assert again.step == 1
    assert torch.equal(again.model.text_mapper.context.weight, after["text_mapper.context.weight"])


@pytest.mark.parametrize("change", [{"hidden_dim": 64}, {"decoder_layers": 3}, {"decoder_ffn": 128}])
def test_another_model_is_refused_in_words(trained, change):
    model, folder = trained
    started = fresh(dataclasses.replace(model.config, **change))
    with pytest.raises(ConfigError, match=r"is no start for this configuration: .*config.for_classes\(from_pretrained"):
        start_from(started, str(folder))


@pytest.mark.parametrize("source, kept", [("trained", False), ("toytown", True), (None, True)])
def test_a_launched_run_finds_a_local_model_from_anywhere(source, kept, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trained").mkdir()
    monkeypatch.setattr("oneformer_lite.training.launch.start", lambda *given: None)
    settings = toytown_training(out="run", data=str(data), steps=1, start_from=source)
    ofl.launch(ofl.config.toytown(), settings, devices="cpu:1")
    _, written, _ = read_recipe(tmp_path / "run")
    assert written.start_from == (source if kept else str(tmp_path / "trained"))


def test_the_command_starts_from_a_model_or_from_scratch(data, tmp_path, monkeypatch, capsys):
    seen = []
    result = SimpleNamespace(finished=True, steps=1, seconds=1.0, folder=tmp_path, trouble="")
    monkeypatch.setattr("oneformer_lite.training.train", lambda *given: seen.append(given) or result)
    command = ["train", "--data", str(data), "--out", str(tmp_path), "--steps", "1"]
    for options in ([], ["--start-from", "toytown"], ["--from-scratch"]):
        assert main(command + options) == 0
    assert [(c.pretrained, t.start_from) for c, t in seen] == [(True, "auto"), (True, "toytown"), (False, None)]
    with pytest.raises(SystemExit):
        main([*command, "--from-scratch", "--start-from", "toytown"])
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize("queries", [20, 48, 31, 33])
def test_queries_that_fit_are_kept_and_the_last_is_the_tokens(trained, queries):
    model, folder = trained
    config = dataclasses.replace(model.config, num_queries=queries)
    started, untouched = fresh(config), fresh(config)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        new = start_from(started, str(folder))
    assert new == ([f"{queries - 32} of {queries} queries"] if queries > 32 else [])
    assert [f"{32 - queries} of the 32 queries" in str(w.message) for w in said] == [True] * (queries < 32)
    old, random, rows = (m.query_positions.weight.detach() for m in (model, untouched, started))
    kept = min(queries, 32) - 1
    assert torch.equal(rows[:kept], old[:kept]) and torch.equal(rows[-1], old[-1])
    assert torch.equal(rows[kept:-1], random[kept:-1])


def test_queries_and_classes_may_differ_together_as_on_the_page_for_own_data(trained):
    model, folder = trained
    config = ofl.config.for_classes(dataclasses.replace(model.config, num_queries=64), [Category(1, "ball", True)])
    assert start_from(fresh(config), str(folder)) == ["32 of 64 queries"]  # Toytown knows balls
    config = ofl.config.for_classes(config, [Category(1, "nucleus", True)])
    assert start_from(fresh(config), str(folder)) == ["32 of 64 queries", "1 of 1 classes (nucleus)"]


OWN = [Category(1, "nucleus", True), Category(2, "ball", True)]


@pytest.mark.parametrize(
    ("changes", "asked", "start"),
    [
        ({}, "auto", "toytown"),
        ({"num_queries": 64, "image_size": 256, "test_size": 300}, "auto", "toytown"),
        ({"hidden_dim": 64}, "auto", None),
        ({"pretrained": False}, "auto", None),
        ({}, None, None),
        ({}, "elsewhere", "elsewhere"),
    ],
)
def test_classes_of_ones_own_start_from_the_model_that_comes_along(changes, asked, start):
    config = ofl.config.for_classes(dataclasses.replace(ofl.config.toytown(), **changes), OWN)
    assert chosen_start(config, toytown_training(steps=1, start_from=asked)).start_from == start


def test_toytown_itself_and_published_models_start_as_ever():
    for config in (ofl.config.toytown(), ofl.config.coco_r50(), ofl.config.for_classes(ofl.config.coco_r50(), OWN)):
        assert chosen_start(config, toytown_training(steps=1)).start_from is None


def test_what_a_run_started_from_stands_in_its_folder_and_is_said(data, tmp_path):
    town = open_split(data, "train")
    names = [dataclasses.replace(c, name=f"my {c.name}") for c in town.categories]
    own = Listed([s.replace(categories=tuple(names)) for s in town], tuple(names), town.tasks)
    config = ofl.config.for_classes(dataclasses.replace(ofl.config.toytown(), image_size=64, num_points=64), names)
    settings = toytown_training(out=str(tmp_path), steps=1, batch_size=2, workers=0, evaluations=0)
    with pytest.warns(UserWarning, match="the run starts from toytown; new, with random weights: 14 of 14 classes"):
        ofl.train(config, settings, own)
    assert read_recipe(tmp_path)[1].start_from == "toytown"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "classes seen: 3 of 14 classes never occur")  # so few scenes
        assert ofl.train(config, dataclasses.replace(settings, steps=2), own).steps == 2
