"""Mask2Former's official files: ``.pth``, detectron2's ``.pkl``, and the names of before its second version."""

from __future__ import annotations

import dataclasses
import re

import pytest
import torch
from official_names import MASK2FORMER, official_state, written
from reference import small_mask2former
from safetensors.torch import load

import oneformer_lite as ofl
from oneformer_lite.errors import CheckpointError
from oneformer_lite.model import Mask2Former

pytestmark = pytest.mark.filterwarnings("ignore:.*(are things|for which task|no published data set|variants)")


@pytest.fixture(scope="module", params=["swin", "resnet"])
def files(request, tmp_path_factory):
    """The same random weights as a folder of transformers, and under the official names."""
    folder = tmp_path_factory.mktemp(request.param)
    small_mask2former(request.param, num_attention_heads=8).save_pretrained(folder)
    return folder, official_state(load((folder / "model.safetensors").read_bytes()), request.param, MASK2FORMER)


def first_version(state: dict) -> dict:
    """No "pixel_decoder." in the names, and another word for the queries."""
    return {
        re.sub(r"^sem_seg_head\.pixel_decoder\.", "sem_seg_head.", name).replace("query_feat", "static_query"): value
        for name, value in state.items()
    }


@pytest.mark.parametrize("form", ["pth", "2", "3", "4"])
@pytest.mark.parametrize("version", [1, 2])
def test_an_official_file_is_the_model_of_transformers_folder(files, tmp_path, form, version):
    folder, state = files
    path = tmp_path / ("model.pth" if form == "pth" else "model.pkl")
    written(path, state if version == 2 else first_version(state), form)
    expected, ours = ofl.from_pretrained(folder), ofl.from_pretrained(path)
    assert type(ours) is Mask2Former and ours.config.decoder_layers == 6 and ours.config.encoder_dropout == 0.0
    assert list(ours.state_dict()) == list(expected.state_dict())
    for (name, a), b in zip(expected.state_dict().items(), ours.state_dict().values()):
        assert a.equal(b), name


@pytest.mark.parametrize("wrapping", ["model.", "module.", "model._orig_mod."])
def test_a_file_in_wrapping_is_the_same(files, tmp_path, wrapping):
    """As Lightning writes it, or a run of several processes, or a compiled one; the criterion stays outside or in."""
    folder, state = files
    path, key = tmp_path / "model.ckpt", "state_dict" if wrapping.startswith("model") else "model"
    wrapped = {wrapping + name: value for name, value in state.items()} | {"criterion.empty_weight": torch.ones(7)}
    wrapped[f"{wrapping}criterion.empty_weight"] = torch.ones(7)
    torch.save({key: wrapped, "epoch": 3, "hyper_parameters": {"lr": 1e-4}}, path)
    expected, ours = ofl.from_pretrained(folder).state_dict(), ofl.from_pretrained(path).state_dict()
    assert expected.keys() == ours.keys() and all(a.equal(ours[name]) for name, a in expected.items())


def test_a_configuration_may_be_given_and_must_fit(files, tmp_path):
    folder, state = files
    written(tmp_path / "model.pkl", state, "4")
    config = dataclasses.replace(ofl.from_pretrained(folder).config, trained_task="semantic")
    assert ofl.from_pretrained(tmp_path / "model.pkl", config=config).config == config
    with pytest.raises(CheckpointError, match="num_queries is 14 in the file, 15 in config"):
        ofl.from_pretrained(tmp_path / "model.pkl", config=dataclasses.replace(config, num_queries=15))
    with pytest.raises(CheckpointError, match="holds a Mask2Former, but config is that of a oneformer"):
        ofl.from_pretrained(tmp_path / "model.pkl", config=ofl.config.toytown())


def test_a_file_that_lacks_a_weight(files, tmp_path):
    state = {name: value for name, value in files[1].items() if "class_embed" not in name}
    written(tmp_path / "model.pkl", state, "4")
    with pytest.raises(CheckpointError, match="missing: decoder.class_head.weight.: it is no whole Mask2Former"):
        ofl.from_pretrained(tmp_path / "model.pkl")
