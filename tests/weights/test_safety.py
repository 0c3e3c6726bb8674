"""Files from strangers: nothing in them is executed, and what is no model is refused in one sentence."""

import dataclasses
import json
import os
import pickle
import re
import zipfile

import pytest
import torch
from reference import small_reference
from safetensors.torch import load_file

import oneformer_lite as ofl
from oneformer_lite.errors import CheckpointError
from oneformer_lite.weights.files import read_tensors
from oneformer_lite.weights.huggingface import from_huggingface_state
from oneformer_lite.weights.huggingface_config import check_normalisation

pytestmark = pytest.mark.filterwarnings("ignore:.*(text mapper|are things)")


class Malicious:
    """Unpickled carelessly, this makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of transformers without its weights."""
    folder = tmp_path_factory.mktemp("model")
    small_reference("resnet", num_queries=20).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def state(folder):
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    return state


def refusal(source):
    with pytest.raises(CheckpointError) as refused:
        ofl.from_pretrained(source)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pickle_is_not_run(folder, state, tmp_path, legacy):
    trap = tmp_path / "executed"
    content = {"model": {**state, "trap": Malicious(trap)}}
    torch.save(content, tmp_path / "model.pth", _use_new_zipfile_serialization=not legacy)
    torch.save(content["model"], folder / "pytorch_model.bin", _use_new_zipfile_serialization=not legacy)
    for source in (tmp_path / "model.pth", folder):
        assert "holds more than tensors, which is not read because it could run as code" in refusal(source)
    assert not trap.exists()
    torch.load(tmp_path / "model.pth", weights_only=False)  # and the trap is a real one
    assert trap.exists()


def test_a_bare_pickle_is_not_run(tmp_path):
    path, trap = tmp_path / "model.pkl", tmp_path / "executed"
    path.write_bytes(pickle.dumps(Malicious(trap)))
    refusal(path)
    assert not trap.exists()


def test_other_files_under_a_weights_name(tmp_path, state):
    path = tmp_path / "model.pth"
    path.write_bytes(b"<!DOCTYPE html><html><body>404: moved</body></html>")
    assert f"{path} is no complete PyTorch weights file" in refusal(path)
    path.write_bytes(b"")
    refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w:document/>")
    refusal(path)
    torch.save({"model": state}, path)
    path.write_bytes(path.read_bytes()[:-10_000])
    assert "download it again" in refusal(path)
    path = path.with_suffix(".safetensors")
    path.write_bytes(b"<!DOCTYPE html>")
    assert "no complete safetensors file" in refusal(path)


@pytest.mark.parametrize("content", [[1, 2], {"model": [1]}, {"epoch": 3}, torch.zeros(2), {"model": {"a": "words"}}])
def test_plain_data_that_is_no_table_of_weights(tmp_path, content):
    torch.save(content, tmp_path / "model.pth")
    assert "holds no table of named weights" in refusal(tmp_path / "model.pth")


def test_weights_of_another_model(tmp_path):
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "model.pth")
    assert "it is no whole OneFormer" in refusal(tmp_path / "model.pth")


def test_an_index_names_files_of_its_own_folder_only(folder, tmp_path):
    index = folder / "model.safetensors.index.json"
    for content in ({"weight_map": {"a": "../../secret.safetensors"}}, {"weight_map": {"a": 3}}, {}):
        index.write_text(json.dumps(content))
        assert "does not say which file beside it holds which weight" in refusal(folder)
    index.write_text("[]")
    assert "holds a list" in refusal(folder)
    index.unlink()


@pytest.mark.parametrize(
    "content, processor",
    [
        ({"num_queries": "many"}, {}),
        ({"num_queries": None}, {}),
        ({"num_attention_heads": 0}, {}),
        ({"decoder_layers": "ten"}, {}),
        ({"backbone_config": "swin"}, {}),
        ({"backbone_config": {"model_type": "swin", "depths": 3}}, {}),
        ({"backbone_config": {"model_type": "resnet", "hidden_sizes": "wide"}}, {}),
        ({"backbone_config": {"model_type": "timm_backbone"}}, {}),
        ({"id2label": ["a", "b"]}, {}),
        ({"id2label": {"a": "b"}}, {}),
        ({}, {"size": "big"}),
        ({}, {"size": {"shortest_edge": "big"}}),
        ({}, {"metadata": 3}),
        ({}, {"metadata": {"thing_ids": 7}}),
        ({"oneformer_lite": {"image_size": -1}}, {}),
    ],
)
def test_a_configuration_of_odd_values_is_refused_in_words(content, processor):
    with pytest.raises(CheckpointError, match="of here describe no model: |sizes that here states can be built: "):
        from_huggingface_state({}, {"model_type": "oneformer"} | content, processor, "here")


def test_a_configuration_that_builds_nothing_is_refused_in_words(tmp_path):
    model = ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), decoder_layers=1, pretrained=False))
    model.save_pretrained(tmp_path)
    good = json.loads((tmp_path / "config.json").read_text())
    for change, words in (
        ({"num_queries": "many"}, "config.json describes no model: num_queries must be int, got 'many'"),
        ({"backbone": "nonsense"}, "no model of the sizes that .* states can be built: timm cannot build"),
        ({"hidden_dim": 10**9 * 8}, "can be built"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(good | change))
        assert re.search(words, refusal(tmp_path))


@pytest.mark.parametrize("mean", [0.4, [0.4, 0.4], "grey", None, ["a", "b", "c"], {}])
def test_odd_normalisations_are_refused(mean):
    with pytest.raises(CheckpointError, match="here normalises with image_mean"):
        check_normalisation({"image_mean": mean}, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "here")


def test_every_number_becomes_a_float32(tmp_path):
    torch.save({"a": torch.ones(2, dtype=torch.float64), "b": torch.ones(2, dtype=torch.float16)}, tmp_path / "a.bin")
    torch.save({"a": torch.ones(2, dtype=torch.int64)}, tmp_path / "b.bin")
    assert {t.dtype for t in read_tensors(tmp_path / "a.bin").values()} == {torch.float32}
    assert read_tensors(tmp_path / "b.bin")["a"].dtype == torch.int64
