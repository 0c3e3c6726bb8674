"""MaskFormer's official files: detectron2's ``.pkl``, with an encoder and without, and names of its first version."""

from __future__ import annotations

import dataclasses
import pickle
import re
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from official_names import MASKFORMER, official_state, written
from reference import small_maskformer
from safetensors.torch import load

import oneformer_lite as ofl
from oneformer_lite.errors import CheckpointError
from oneformer_lite.model import MaskFormer, build
from oneformer_lite.weights.official import _config_from
from oneformer_lite.weights.shapes import Shapes

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


def with_a_deep_stem(state: dict) -> dict:
    """DeepLab's three convolutions in the place of the first one, as detectron2 names them."""
    torch.manual_seed(4)
    out = {name: value for name, value in state.items() if "stem" not in name}
    for i, (made, seen) in enumerate([(32, 3), (32, 32), (64, 32)], 1):
        norm = {"weight": torch.rand(made) + 0.5, "bias": torch.randn(made) / 4, "running_mean": torch.randn(made) / 5,
                "running_var": torch.rand(made) + 0.5}  # fmt: skip
        out |= {f"backbone.stem.conv{i}.norm.{kind}": value for kind, value in norm.items()}
        out[f"backbone.stem.conv{i}.weight"] = torch.randn(made, seen, 3, 3) / (9 * seen) ** 0.5
    return out


def deeplabs_maps(state: dict, images: torch.Tensor, multi_grid: tuple[int, ...]) -> list[torch.Tensor]:
    """What detectron2's ``build_resnet_deeplab_backbone`` computes, written here once more."""

    def convolved(x, name, stride=1, rate=1):
        weight, norm = state[f"{name}.weight"], f"{name}.norm."
        x = F.conv2d(x, weight, stride=stride, padding=rate * (weight.shape[-1] // 2), dilation=rate)
        return F.batch_norm(x, *(state[norm + kind] for kind in ("running_mean", "running_var", "weight", "bias")))

    x = images
    for i in (1, 2, 3):
        x = convolved(x, f"backbone.stem.conv{i}", stride=2 if i == 1 else 1).relu()
    x, maps = F.max_pool2d(x, 3, 2, 1), []
    for stage in (2, 3, 4, 5):
        block = 0
        while f"backbone.res{stage}.{block}.conv1.weight" in state:
            name, stride = f"backbone.res{stage}.{block}", 2 if stage > 2 and block == 0 else 1
            y = convolved(x, f"{name}.conv1").relu()
            y = convolved(y, f"{name}.conv2", stride, multi_grid[block] if stage == 5 else 1).relu()
            y = convolved(y, f"{name}.conv3")
            x = (y + (convolved(x, f"{name}.shortcut", stride) if f"{name}.shortcut.weight" in state else x)).relu()
            block += 1
        maps.append(x)
    return maps


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A file with a deep stem, its weights, and a configuration that says its dilation."""
    folder = tmp_path_factory.mktemp("deep")
    theirs = small_maskformer("resnet", decoder_attention_heads=8, encoder_attention_heads=8)
    theirs.save_pretrained(folder)
    state = official_state(load((folder / "model.safetensors").read_bytes()), "resnet", MASKFORMER)
    state = with_a_deep_stem(state)
    written(folder / "model.pkl", state, "4")
    options = {"layers": (1, 2, 1, 1), "channels": (16, 32, 32, 64), "stem_width": 32, "multi_grid": (3,)}
    config = dataclasses.replace(
        ofl.from_pretrained(folder).config, backbone="resnet101s", backbone_options=options
    )
    return folder / "model.pkl", state, config


@torch.no_grad()
def test_deeplabs_resnet_computes_as_in_detectron2(deep):
    path, state, config = deep
    ours = ofl.from_pretrained(path, config=config)
    images = torch.randn(2, 3, 193, 160)
    expected = deeplabs_maps({n: torch.as_tensor(v) for n, v in state.items()}, images, (3,))
    for theirs, own in zip(expected, ours.backbone(images), strict=True):
        assert theirs.shape == own.shape and float((theirs - own).abs().max() / theirs.abs().max()) < 1e-5
    undilated = deeplabs_maps(state, images, (1,))
    assert float((undilated[3] - expected[3]).abs().max() / expected[3].abs().max()) > 0.01


def test_the_dilation_of_deeplabs_resnet_must_be_said(deep):
    path, _, config = deep
    with pytest.raises(CheckpointError, match=r"deep stem \(R101c\) of unpublished sizes or classes, whose dilations"):
        ofl.from_pretrained(path)
    other = dataclasses.replace(config, backbone_options=dict(config.backbone_options) | {"stem_width": 64})
    with pytest.raises(CheckpointError, match="misshapen"):
        ofl.from_pretrained(path, config=other)
    with pytest.raises(CheckpointError, match="missing|unexpected|misshapen"):
        ofl.from_pretrained(path, config=dataclasses.replace(config, backbone="resnet101", backbone_options=()))


@pytest.mark.parametrize("data_set", ["ade20k", "ade20k_full", "coco_stuff", "cityscapes"])
def test_published_files_with_a_deep_stem_are_the_presets(data_set):
    """By the shapes of their weights, without the numbers."""
    expected = getattr(ofl.config, f"maskformer_{data_set}_r101c")()
    with torch.device("meta"):
        shapes = Shapes(build(dataclasses.replace(expected, pretrained=False)).state_dict(), "file")
    assert _config_from(shapes) == expected
