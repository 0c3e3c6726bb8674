"""MaskFormer's official files: detectron2's ``.pkl``, with an encoder and without, and names of its first version."""

from __future__ import annotations

import dataclasses
import pickle
import re
import warnings

import numpy as np
import pytest
import torch
from official_names import MASKFORMER, official_state, written
from reference import small_maskformer
from safetensors.torch import load

import oneformer_lite as ofl
from oneformer_lite.errors import CheckpointError
from oneformer_lite.model import MaskFormer, build

pytestmark = pytest.mark.filterwarnings("ignore:.*(are things|for which task|no published data set|variants)")


@pytest.fixture(scope="module", params=["swin", "resnet"])
def files(request, tmp_path_factory):
    """The same random weights as a folder of transformers, and under the official names."""
    folder = tmp_path_factory.mktemp(request.param)
    small_maskformer(request.param, decoder_attention_heads=8, encoder_attention_heads=8).save_pretrained(folder)
    return folder, official_state(load((folder / "model.safetensors").read_bytes()), request.param, MASKFORMER)


def first_version(state: dict) -> dict:
    """No "pixel_decoder." in the names, as in the zoo's files with a ResNet."""
    return {re.sub(r"^sem_seg_head\.pixel_decoder\.", "sem_seg_head.", name): value for name, value in state.items()}


@pytest.mark.parametrize("form", ["pth", "2", "4"])
@pytest.mark.parametrize("version", [1, 2])
def test_an_official_file_is_the_model_of_transformers_folder(files, tmp_path, form, version):
    folder, state = files
    state = state | {"criterion.empty_weight": torch.ones(7)}
    assert any(name.endswith("multihead_attn.in_proj_weight") for name in state)
    path = tmp_path / ("model.pth" if form == "pth" else "model.pkl")
    written(path, state if version == 2 else first_version(state), form)
    expected, ours = ofl.from_pretrained(folder), ofl.from_pretrained(path)
    assert type(ours) is MaskFormer and (ours.config.decoder_layers, ours.config.encoder_layers) == (3, 0)
    assert list(ours.state_dict()) == list(expected.state_dict())
    for (name, a), b in zip(expected.state_dict().items(), ours.state_dict().values()):
        assert a.equal(b), name


def with_encoder(config) -> tuple[MaskFormer, dict]:
    """A model with an encoder, and its weights under the official names, written here one by one."""
    torch.manual_seed(0)
    model = build(dataclasses.replace(config, encoder_layers=2, encoder_ffn=48, pretrained=False)).eval()
    encoder, out = "sem_seg_head.pixel_decoder.transformer.encoder.layers", {}
    for i, layer in enumerate(model.encoder.layers):
        a, f = layer.attention, layer.feed_forward
        for kind in ("weight", "bias"):
            fused = [getattr(part, kind) for part in (a.q_proj, a.k_proj, a.v_proj)]
            out[f"{encoder}.{i}.self_attn.in_proj_{kind}"] = torch.cat(fused)
            for theirs, part in (("self_attn.out_proj", a.out_proj), ("norm1", layer.norm), ("linear1", f.linear1),
                                 ("linear2", f.linear2), ("norm2", f.norm)):  # fmt: skip
                out[f"{encoder}.{i}.{theirs}.{kind}"] = getattr(part, kind)
    out["sem_seg_head.pixel_decoder.input_proj.weight"] = model.input_projection.weight
    out["sem_seg_head.pixel_decoder.input_proj.bias"] = model.input_projection.bias
    out["sem_seg_head.pixel_decoder.layer_4.weight"] = model.pixel_decoder.top[0].weight
    return model, {name: value.detach() for name, value in out.items()}


@pytest.mark.parametrize("version", [1, 2])
def test_with_an_encoder_the_projection_is_the_pixel_decoders(files, tmp_path, version):
    folder, state = files
    model, own = with_encoder(ofl.from_pretrained(folder).config)
    state = {name: value for name, value in state.items() if "predictor.input_proj" not in name} | own
    written(tmp_path / "model.pkl", first_version(state) if version == 1 else state, "4")
    ours = ofl.from_pretrained(tmp_path / "model.pkl")
    assert (ours.config.encoder_layers, ours.config.encoder_ffn) == (2, 48)
    found = ours.state_dict()
    assert found.keys() == model.state_dict().keys()
    for name, value in model.state_dict().items():
        if name.startswith(("encoder.", "input_projection.", "pixel_decoder.top.0.")):
            assert found[name].equal(value), name
    ours.save_pretrained(tmp_path / "saved")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = ofl.from_pretrained(tmp_path / "saved")
    assert again.config == ours.config and all(v.equal(again.state_dict()[n]) for n, v in found.items())


def test_what_is_no_array_is_refused(files, tmp_path):
    arrays = {name: value.numpy() for name, value in files[1].items()}
    path = tmp_path / "model.pkl"
    for odd in (print, np.random.default_rng(0), {1, 2}):
        path.write_bytes(pickle.dumps({"model": arrays | {"odd": odd}}))
        with pytest.raises(CheckpointError, match="nothing else in a pickle is read, because it could run as code"):
            ofl.from_pretrained(path)


def test_a_configuration_may_be_given_and_must_fit(files, tmp_path):
    folder, state = files
    written(tmp_path / "model.pkl", state, "4")
    config = dataclasses.replace(ofl.from_pretrained(folder).config, trained_task="semantic")
    assert ofl.from_pretrained(tmp_path / "model.pkl", config=config).config == config
    with pytest.raises(CheckpointError, match="num_queries is 14 in the file, 15 in config"):
        ofl.from_pretrained(tmp_path / "model.pkl", config=dataclasses.replace(config, num_queries=15))
    with pytest.raises(CheckpointError, match="holds a MaskFormer, but config is that of a mask2former"):
        ofl.from_pretrained(tmp_path / "model.pkl", config=ofl.config.mask2former_toytown())


@pytest.mark.parametrize("missing", ["class_embed", "predictor.input_proj"])
def test_a_file_that_lacks_a_weight(files, tmp_path, missing):
    state = {name: value for name, value in files[1].items() if missing not in name}
    written(tmp_path / "model.pkl", state, "4")
    with pytest.raises(CheckpointError, match="missing"):
        ofl.from_pretrained(tmp_path / "model.pkl")
