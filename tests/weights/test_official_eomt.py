"""EoMT's official files: bare and as Lightning writes them, and DINOv3's differences with Meta's weights beside."""

from __future__ import annotations

import dataclasses
import re

import pytest
import torch
from test_huggingface_eomt import reference

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.errors import CheckpointError, ConfigError
from oneformer_lite.model import EoMT
from oneformer_lite.weights.huggingface import from_huggingface_state

pytestmark = pytest.mark.filterwarnings("ignore:.*(are things|for which task|no published EoMT|variants|are added to)")

# transformers' names -> the official ones, written apart from the package's tables
COMMON = [
    (r"^query\.", "q."), (r"^class_predictor", "class_head"), (r"^layernorm", "encoder.backbone.norm"),
    (r"^mask_head\.fc(\d)", lambda m: f"mask_head.{2 * int(m[1]) - 2}"),
    (r"^upscale_block\.block\.(\d)\.layernorm2d", r"upscale.\1.norm"), (r"^upscale_block\.block", "upscale"),
]  # fmt: skip
DINOV2 = [
    *COMMON, (r"^layers", "encoder.backbone.blocks"), (r"layer_scale(\d)\.lambda1", r"ls\1.gamma"),
    (r"attention\.out_proj", "attn.proj"), (r"^embeddings\.register_tokens", "encoder.backbone.reg_token"),
    (r"^embeddings\.position_embeddings\.weight", "encoder.backbone.pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection", "encoder.backbone.patch_embed.proj"),
    (r"^embeddings\.", "encoder.backbone."),
]  # fmt: skip
DINOV3 = [*COMMON, (r"^layers", "encoder.backbone.blocks"), (r"^embeddings", "encoder.backbone.patch_embed")]


def official_state(theirs: dict, rules: list) -> dict:
    out = {}
    for name, tensor in theirs.items():
        joined = re.search(r"attention\.([qkv])_proj\.(weight|bias)$", name)
        if joined and rules is DINOV2:
            if joined[1] != "q":
                continue
            tensor = torch.cat([theirs[name.replace("q_proj", f"{x}_proj")] for x in "qkv"])
            name = name.replace("attention.q_proj", "attn.qkv")
        if "position_embeddings" in name:
            tensor = tensor[None]
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        out[name if name.startswith("criterion") else f"network.{name}"] = tensor.clone()
    out["network.encoder.pixel_mean"] = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    out["network.encoder.pixel_std"] = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    return out


@pytest.fixture(scope="module")
def dinov2():
    theirs = reference("dinov2")
    return from_huggingface_state(theirs.state_dict(), theirs.config.to_dict(), {}, "m"), theirs.state_dict()


@pytest.fixture(scope="module")
def dinov3():
    theirs = reference("dinov3", layer_norm_eps=1e-5)
    theirs.attn_mask_probs.copy_(torch.tensor([0.0, 0.5, 1.0]))
    return from_huggingface_state(theirs.state_dict(), theirs.config.to_dict(), {}, "m"), theirs.state_dict()


def given(model: EoMT) -> config.EomtConfig:
    """The heads' width is no 64 here, which shapes do not tell."""
    return dataclasses.replace(model.config, trained_task="semantic")


def assert_equal(found: EoMT, expected: EoMT) -> None:
    assert type(found) is EoMT and list(found.state_dict()) == list(expected.state_dict())
    for name, value in expected.state_dict().items():
        assert found.state_dict()[name].allclose(value, atol=1e-6), name
    images = torch.randn(1, 3, 96, 96)
    assert found(images).mask_logits.allclose(expected(images).mask_logits, atol=1e-3)


WRAPPINGS = {
    "bare": lambda state: state,
    "lightning": lambda state: {"state_dict": state, "epoch": 3, "global_step": 10, "hyper_parameters": {"lr": 1e-4}},
    "model.": lambda state: {"state_dict": {f"model.{name}": value for name, value in state.items()}},
    "compiled": lambda state: {n.replace("network.", "network._orig_mod."): v for n, v in state.items()},
    "network": lambda state: {n.removeprefix("network."): v for n, v in state.items()},
    "under model": lambda state: {"model": state},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("suffix", ["bin", "ckpt"])
def test_an_official_file_is_the_model_of_transformers_folder(dinov2, tmp_path, wrapping, suffix) -> None:
    expected, theirs = dinov2
    torch.save(WRAPPINGS[wrapping](official_state(theirs, DINOV2)), tmp_path / f"model.{suffix}")
    found = ofl.from_pretrained(tmp_path / f"model.{suffix}", config=given(expected))
    assert found.config.trained_task == "semantic"
    assert_equal(found, expected)


def test_gated_blocks(tmp_path) -> None:
    theirs = reference("gated")
    if "layers.0.mlp.gate_proj.weight" not in theirs.state_dict():
        pytest.skip("transformers 5.17 gives gated blocks their older names")
    expected = from_huggingface_state(theirs.state_dict(), theirs.config.to_dict(), {}, "m")
    state = official_state(theirs.state_dict(), DINOV2)
    for name in [name for name in state if "gate_proj" in name]:
        up, down = (name.replace("gate_proj", other) for other in ("up_proj", "down_proj"))
        state[name.replace("gate_proj", "fc1")] = torch.cat([state.pop(name), state.pop(up)])
        state[name.replace("gate_proj", "fc2")] = state.pop(down)
    torch.save(state, tmp_path / "model.bin")
    assert_equal(ofl.from_pretrained(tmp_path / "model.bin", config=given(expected)), expected)


# -- DINOv3


def metas(state: dict, form: str) -> dict:
    """The transformer alone under the names of Meta's file, of transformers' (both spellings) or of timm's."""
    own = {n: v for n, v in state.items() if n.startswith(("embeddings", "layers", "layernorm"))}
    own = {n.replace("layernorm", "norm"): v for n, v in own.items()} | {"embeddings.mask_token": torch.zeros(1, 1, 48)}
    if form == "transformers":
        return {re.sub("^layers", "layer", n): v for n, v in own.items()}
    if form == "transformers 5":
        return {re.sub("^layers", "model.layer", n): v for n, v in own.items()}
    out = {"rope_embed.periods": torch.ones(3)}
    for name, value in own.items():
        if match := re.fullmatch(r"layers\.(\d+)\.attention\.([qkv])_proj\.(\w+)", name):
            block, x, kind = match.groups()
            if x == "q" and kind == "weight":
                weights = [own[name.replace("q_proj", f"{y}_proj")] for y in "qkv"]
                out[f"blocks.{block}.attn.qkv.weight"] = torch.cat(weights)
                biases = [own[name.replace("q_proj.weight", f"{y}_proj.bias")] for y in "qv"]
                out[f"blocks.{block}.attn.qkv.bias"] = torch.cat([biases[0], torch.full((48,), 7.0), biases[1]])
                out[f"blocks.{block}.attn.qkv.bias_mask"] = torch.cat([torch.ones(48), torch.zeros(48), torch.ones(48)])
            continue
        for pattern, replacement in [
            (r"^layers", "blocks"), (r"attention\.o_proj", "attn.proj"), (r"mlp\.up_proj", "mlp.fc1"),
            (r"mlp\.down_proj", "mlp.fc2"), (r"layer_scale(\d)\.lambda1", r"ls\1.gamma"),
            (r"embeddings\.register_tokens", "storage_tokens"), (r"embeddings\.patch_embeddings", "patch_embed.proj"),
            (r"embeddings\.", ""),
        ]:  # fmt: skip
            name = re.sub(pattern, replacement, name)
        out[name] = value
    return out


@pytest.fixture
def differences(dinov3, tmp_path):
    """A file of differences, and the weights that they are from."""
    expected, theirs = dinov3
    before = {n: torch.randn_like(v) for n, v in theirs.items() if n.startswith(("embeddings", "layers", "layernorm"))}
    state = official_state({n: v - before.get(n, 0) for n, v in theirs.items()}, DINOV3)
    state["network.encoder.pixel_mean"] *= 0
    state["network.encoder.pixel_std"] *= 0
    state["network.attn_mask_probs"] -= 1  # as the official loader has it: it adds the ones of a new model
    torch.save(state, tmp_path / "pytorch_model.bin")
    return tmp_path / "pytorch_model.bin", before, expected


@pytest.mark.parametrize("form", ["meta", "transformers", "transformers 5"])
def test_differences_are_added_to_metas_weights(differences, form) -> None:
    path, before, expected = differences
    torch.save(metas(before, form), path.parent / "dinov3_vits16_pretrain.pth")
    with pytest.warns(UserWarning, match="differences from DINOv3: they are added to .*dinov3_vits16_pretrain.pth"):
        found = ofl.from_pretrained(path, config=given(expected))
    assert_equal(found, expected)
    assert found.shares == expected.shares == (0.0, 0.5, 1.0)


def test_metas_weights_may_be_named(differences, tmp_path) -> None:
    from safetensors.torch import save_file

    path, before, expected = differences
    (tmp_path / "elsewhere").mkdir()
    state = {n: v.contiguous() for n, v in metas(before, "transformers").items()}
    save_file(state, tmp_path / "elsewhere" / "model.safetensors")
    for base in (tmp_path / "elsewhere", tmp_path / "elsewhere" / "model.safetensors"):
        assert_equal(ofl.from_pretrained(path, config=given(expected), base=base), expected)


def test_without_metas_weights_it_is_said_where_they_are(differences) -> None:
    path, before, expected = differences
    with pytest.raises(CheckpointError, match="differences from DINOv3's weights.*accept its licence.*base=...."):
        ofl.from_pretrained(path)
    for name in ("dinov3_a.pth", "dinov3_b.pth"):
        torch.save(metas(before, "meta"), path.parent / name)
    with pytest.raises(CheckpointError, match="dinov3_a.pth, dinov3_b.pth lie beside it"):
        ofl.from_pretrained(path, config=given(expected))


def test_differences_from_another_transformer(differences) -> None:
    path, before, expected = differences
    other = metas(before, "meta")
    other["norm.weight"] = torch.ones(64)
    torch.save(other, path.parent / "dinov3.pth")
    with pytest.raises(CheckpointError, match="differences from another DINOv3.*such as backbone.network.norm.weight"):
        ofl.from_pretrained(path, config=given(expected))


def test_whole_weights_of_dinov3(dinov3, tmp_path) -> None:
    expected, theirs = dinov3
    torch.save(official_state(theirs, DINOV3), tmp_path / "model.bin")
    assert_equal(ofl.from_pretrained(tmp_path / "model.bin", config=given(expected)), expected)
    with pytest.raises(CheckpointError, match="holds whole weights"):
        ofl.from_pretrained(tmp_path / "model.bin", config=given(expected), base=tmp_path)


# -- what the shapes say


def skeleton(call: str) -> dict:
    """Weights of a preset's shapes that take no memory, under the official names of DINOv2."""
    from oneformer_lite.model import build

    with torch.device("meta"):
        own = build(dataclasses.replace(config.eomt_presets.published()[call], pretrained=False)).state_dict()
    names = {"mask_shares": "attn_mask_probs", "queries.weight": "q.weight"}
    out = {}
    for name, value in own.items():
        name = names.get(name, name).replace("backbone.network.", "encoder.backbone.")
        name = re.sub(r"mask_head\.layers\.(\d)", lambda m: f"mask_head.{2 * int(m[1])}", name)
        out[f"network.{name}"] = torch.zeros(1).expand(value.shape)
    return out


@pytest.mark.parametrize(
    "call", ["eomt_coco_s()", "eomt_coco_l('instance', 640)", "eomt_coco_g(1280)", "eomt_ade20k_l('semantic')",
             "eomt_ade20k_l('panoptic', 1280)", "eomt_cityscapes_l()"],
)  # fmt: skip
def test_the_preset_is_found_by_the_shapes(call, tmp_path, monkeypatch) -> None:
    from oneformer_lite.weights.eomt import official as official_eomt

    monkeypatch.setattr(official_eomt, "build", lambda config, state, source: config)
    found = official_eomt.from_eomt_file(skeleton(call), tmp_path / "pytorch_model.bin")
    assert found == config.eomt_presets.published()[call]


def test_a_configuration_must_fit(dinov2, tmp_path) -> None:
    expected, theirs = dinov2
    path = tmp_path / "model.bin"
    torch.save(official_state(theirs, DINOV2), path)
    with pytest.raises(CheckpointError, match="num_queries is 7 in the file, 9 in config"):
        ofl.from_pretrained(path, config=dataclasses.replace(given(expected), num_queries=9))
    with pytest.raises(CheckpointError, match="holds an EoMT, but config is that of a mask2former"):
        ofl.from_pretrained(path, config=config.mask2former_toytown())
    with pytest.warns(UserWarning, match="is no published EoMT"):
        assert ofl.from_pretrained(path).config.num_classes == 6
    expected.save_pretrained(tmp_path / "ours")
    with pytest.raises(ConfigError, match="base is for a weights file of differences"):
        ofl.from_pretrained(tmp_path / "ours", base=path)


@pytest.mark.parametrize(
    "missing", ["network.attn_mask_probs", "network.class_head.weight", "network.mask_head.2.bias"]
)
def test_a_file_that_lacks_a_weight(dinov2, tmp_path, missing) -> None:
    expected, theirs = dinov2
    state = {n: v for n, v in official_state(theirs, DINOV2).items() if n != missing}
    torch.save(state, tmp_path / "model.bin")
    with pytest.raises(CheckpointError, match="no whole EoMT|missing: mask_head.layers.1.bias"):
        ofl.from_pretrained(tmp_path / "model.bin", config=given(expected))
