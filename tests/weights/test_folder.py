"""Model folders: exact round trips, and a sentence for everything that does not fit."""

import dataclasses
import json
import pathlib
import pickle

import pytest
import torch
from safetensors.torch import load, save_file

import oneformer_lite as ofl
from oneformer_lite.errors import CheckpointError, DataError


@pytest.fixture(scope="module")
def model():
    config = dataclasses.replace(ofl.config.toytown(), image_size=64, pretrained=False)
    torch.manual_seed(0)
    return ofl.OneFormer(config).eval()


@pytest.fixture
def folder(model, tmp_path):
    return model.save_pretrained(tmp_path / "model")


def test_what_is_saved_loads_back_bit_equal(model, folder):
    loaded = ofl.from_pretrained(folder)
    assert loaded.config == model.config and not loaded.training
    assert list(loaded.state_dict()) == list(model.state_dict())
    for (name, a), b in zip(model.state_dict().items(), loaded.state_dict().values()):
        assert a.dtype == b.dtype and torch.equal(a, b), name
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(model(x, "panoptic").mask_logits, loaded(x, "panoptic").mask_logits)


def test_half_precision_halves_the_file_and_rounds_the_weights(model, folder, tmp_path):
    half = model.save_pretrained(tmp_path / "half", dtype=torch.float16)
    size, whole = ((f / "model.safetensors").stat().st_size for f in (half, folder))
    assert size < 0.51 * whole
    loaded = ofl.from_pretrained(half)
    weight = model.decoder.class_head.weight
    assert torch.equal(loaded.decoder.class_head.weight, weight.half().float())


def test_a_file_without_text_mapper_is_for_inference_and_says_so(folder):
    state = load((folder / "model.safetensors").read_bytes())
    save_file({k: v for k, v in state.items() if not k.startswith("text_mapper.")}, folder / "model.safetensors")
    with pytest.warns(UserWarning, match="holds no text mapper") as seen:
        model = ofl.from_pretrained(folder)
    assert len(seen) == 1
    x = torch.randn(1, 3, 64, 64)
    assert model(x, "semantic").class_logits.shape == (1, 32, 15)
    with pytest.raises(ofl.errors.ConfigError, match="without a text mapper"):
        model(x, "semantic", texts=[[]])
    model.add_text_mapper()
    assert model(x, "semantic", texts=[[]]).text_queries.shape == (1, 32, 96)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda s: s.pop("decoder.norm.weight"), "missing: decoder.norm.weight"),
        (lambda s: s.update(extra=torch.zeros(1)), "unknown: extra"),
        (
            lambda s: s.update({"decoder.norm.weight": torch.zeros(3)}),
            r"misshapen: decoder.norm.weight is \[3\] in the file, \[96\] in the model",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(folder, change, words):
    state = load((folder / "model.safetensors").read_bytes())
    change(state)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=words):
        ofl.from_pretrained(folder)


def test_a_truncated_file_is_refused_in_words(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="no complete safetensors file"):
        ofl.from_pretrained(folder)


def test_a_pickle_in_disguise_is_refused_and_not_executed(folder, tmp_path):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    (folder / "model.safetensors").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(CheckpointError, match="no complete safetensors file"):
        ofl.from_pretrained(folder)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "content, words",
    [
        ("{", "config.json is not valid JSON"),
        ('{"model_type": "bert"}', "is a 'bert' model: read here are oneformer_lite, oneformer, mask2former"),
        ('{"model_type": "oneformer_lite", "wings": 2}', r"describes no model: it has the unknown fields \['wings'\]"),
    ],
)
def test_a_bad_configuration_is_refused_in_words(folder, content, words):
    (folder / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=words):
        ofl.from_pretrained(folder)


def test_missing_weights_and_unknown_names(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="model folder is incomplete"):
        ofl.from_pretrained(folder)
    with pytest.raises(CheckpointError, match="no model 'nowhere'.*toytown"):
        ofl.from_pretrained("nowhere")


def test_a_folder_that_cannot_be_written_leaves_the_old_model(model, folder, monkeypatch):
    before = (folder / "model.safetensors").read_bytes()

    def full(path, content):
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(DataError, match="No space left on device.*unchanged"):
        model.save_pretrained(folder)
    assert not list(folder.glob(".*draft"))
    assert (folder / "model.safetensors").read_bytes() == before
    assert json.loads((folder / "config.json").read_text())["model_type"] == "oneformer_lite"
