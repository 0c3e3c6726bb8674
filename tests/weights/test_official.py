"""Official weight files: every name is known, the model is that of transformers' file, sizes come from shapes."""

import dataclasses
import re
import warnings

import pytest
import torch
from official_names import official_state
from reference import picture, randomise, small_reference
from safetensors.torch import load, save_file

import oneformer_lite as ofl
from oneformer_lite.errors import CheckpointError
from oneformer_lite.model.networks.by_name import build_network
from oneformer_lite.weights import official, save_huggingface
from oneformer_lite.weights.backbones.sizes import NETWORKS
from oneformer_lite.weights.shapes import Shapes, backbone_kind, measure_backbone

pytestmark = pytest.mark.filterwarnings("ignore:.*(text mapper|are things|no published data set)")

DINAT = {"embed_dim": 16, "depths": (1, 2, 1, 1), "num_heads": (2, 4, 4, 8), "kernel_size": 3,
         "dilations": ((2,), (1, 3), (2,), (1,)), "mlp_ratio": 2.0}  # fmt: skip


def small_dinat():
    """Ours, since transformers builds DiNAT only with a compiled operator."""
    config = ofl.ModelConfig(
        num_classes=6, num_queries=14, text_context=4, hidden_dim=64, num_heads=4, encoder_layers=2, encoder_ffn=96,
        decoder_layers=3, decoder_ffn=128, query_ffn=128, text_width=64, text_heads=1, text_layers=1, pretrained=False,
        backbone="dinat_large", backbone_options=DINAT,
    )  # fmt: skip
    torch.manual_seed(5)
    return ofl.OneFormer(config).eval()


@pytest.fixture(scope="module", params=["swin", "resnet", "convnext", "dinat"])
def files(request, tmp_path_factory):
    """The same random weights twice: a folder of transformers, and an official file."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "dinat":
        save_huggingface(small_dinat(), folder)
    else:
        small_reference(request.param, is_training=True, num_attention_heads=8).save_pretrained(folder)
    state = official_state(load((folder / "model.safetensors").read_bytes()), request.param)
    path = folder / "official.pth"
    torch.save({"model": state, "iteration": 159999, "optimizer": {"param_groups": [{"lr": 1e-4}]}}, path)
    return request.param, folder, path, state


@pytest.fixture(scope="module")
def swin_state(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swin")
    small_reference("swin", is_training=True, num_attention_heads=8).save_pretrained(folder)
    return official_state(load((folder / "model.safetensors").read_bytes()), "swin")


def explicit(kind, folder):
    """The configuration where shapes alone are not enough."""
    return ofl.from_pretrained(folder).config if kind == "dinat" else None


def test_an_official_file_is_the_model_of_transformers_file(files):
    kind, folder, path, _ = files
    expected, ours = ofl.from_pretrained(folder), ofl.from_pretrained(path, explicit(kind, folder))
    assert ours.text_mapper is not None and list(ours.state_dict()) == list(expected.state_dict())
    for (name, a), b in zip(expected.state_dict().items(), ours.state_dict().values()):
        assert torch.equal(a, b), name
    images = picture(1, 64, 96)
    texts = [["a photo with a dog"]]
    with torch.inference_mode():
        a, b = (model(images, "instance", texts=texts) for model in (expected, ours))
    assert torch.equal(a.class_logits, b.class_logits) and torch.equal(a.mask_logits, b.mask_logits)
    assert torch.equal(a.text_queries, b.text_queries) and torch.equal(a.logit_scale, b.logit_scale)


def test_the_sizes_are_those_of_the_shapes(files):
    kind, folder, path, _ = files
    expected, ours = ofl.from_pretrained(folder).config, ofl.from_pretrained(path, explicit(kind, folder)).config
    told = ("num_classes", "num_queries", "hidden_dim", "encoder_layers", "encoder_ffn", "query_layers", "query_ffn",
            "decoder_layers", "decoder_ffn", "text_context", "text_width", "text_heads", "text_layers", "text_length",
            "backbone")  # fmt: skip
    assert {f: getattr(ours, f) for f in told} == {f: getattr(expected, f) for f in told}
    sizes = dict(expected.backbone_options)
    sizes.pop("drop_path_rate", None)
    assert sizes.items() <= dict(ours.backbone_options).items()


def test_a_safetensors_file_of_the_same_names_is_read_too(files, tmp_path):
    kind, folder, path, state = files
    save_file(state, tmp_path / "official.safetensors")
    a, b = (ofl.from_pretrained(p, explicit(kind, folder)) for p in (path, tmp_path / "official.safetensors"))
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


NAMES = {
    # as the official code and detectron2 name them: one of each kind
    "head": """
        sem_seg_head.pixel_decoder.input_proj.0.0.weight sem_seg_head.pixel_decoder.input_proj.2.1.bias
        sem_seg_head.pixel_decoder.transformer.level_embed
        sem_seg_head.pixel_decoder.transformer.encoder.layers.1.self_attn.sampling_offsets.weight
        sem_seg_head.pixel_decoder.transformer.encoder.layers.1.norm2.bias
        sem_seg_head.pixel_decoder.transformer.encoder.layers.0.linear1.weight
        sem_seg_head.pixel_decoder.adapter_1.weight sem_seg_head.pixel_decoder.adapter_1.norm.weight
        sem_seg_head.pixel_decoder.layer_1.norm.bias sem_seg_head.pixel_decoder.mask_features.weight
        sem_seg_head.predictor.query_embed.weight sem_seg_head.predictor.level_embed.weight
        sem_seg_head.predictor.class_transformer.decoder.layers.0.multihead_attn.in_proj_weight
        sem_seg_head.predictor.class_transformer.decoder.norm.weight
        sem_seg_head.predictor.transformer_self_attention_layers.0.self_attn.in_proj_bias
        sem_seg_head.predictor.transformer_self_attention_layers.0.norm.weight
        sem_seg_head.predictor.transformer_cross_attention_layers.0.multihead_attn.out_proj.weight
        sem_seg_head.predictor.transformer_ffn_layers.0.linear2.weight
        sem_seg_head.predictor.decoder_norm.weight sem_seg_head.predictor.class_embed.weight
        sem_seg_head.predictor.class_input_proj.weight sem_seg_head.predictor.mask_embed.layers.2.bias
        task_mlp.layers.0.weight text_encoder.positional_embedding text_encoder.token_embedding.weight
        text_encoder.transformer.resblocks.0.attn.in_proj_weight text_encoder.transformer.resblocks.0.ln_1.weight
        text_encoder.transformer.resblocks.0.mlp.c_fc.weight text_encoder.ln_final.weight
        text_projector.layers.1.weight prompt_ctx.weight criterion.logit_scale criterion.empty_weight""",
    "swin": """
        backbone.patch_embed.proj.weight backbone.layers.0.blocks.1.attn.qkv.weight backbone.norm0.weight
        backbone.layers.2.blocks.0.attn.relative_position_bias_table backbone.layers.0.downsample.norm.bias""",
    "resnet": """
        backbone.stem.conv1.weight backbone.stem.conv1.norm.running_var backbone.res2.0.conv3.norm.bias
        backbone.res5.0.shortcut.weight backbone.res5.0.shortcut.norm.weight""",
    "convnext": """
        backbone.downsample_layers.0.1.weight backbone.downsample_layers.3.1.bias backbone.norm3.bias
        backbone.stages.1.1.gamma backbone.stages.0.0.dwconv.weight backbone.stages.3.0.norm.bias""",
    "dinat": """
        backbone.patch_embed.proj.1.weight backbone.levels.1.blocks.1.attn.rpb backbone.norm2.weight
        backbone.levels.0.downsample.reduction.weight backbone.levels.0.blocks.0.attn.qkv.bias""",
}


def test_the_files_hold_the_official_names(files):
    kind, _, _, state = files
    assert not set((NAMES["head"] + NAMES[kind]).split()) - state.keys()


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda s: s.pop("sem_seg_head.predictor.decoder_norm.bias"), "missing: decoder.norm.bias"),
        (lambda s: s.pop("sem_seg_head.predictor.query_embed.weight"), "missing: query_positions.weight"),
        (
            lambda s: s.update({"sem_seg_head.predictor.query_embed.weight": torch.zeros(3)}),
            "the shapes of the weights in .*bad.pth are no OneFormer's",
        ),
        (
            lambda s: s.update({"prompt_ctx.weight": torch.zeros(30, 64)}),
            "no OneFormer's: num_queries 14 must exceed text_context 30",
        ),
        (lambda s: s.update({"sem_seg_head.wings": torch.zeros(1)}), "unknown: sem_seg_head.wings"),
        (lambda s: s.update({"task_mlp.layers.1.bias": torch.zeros(3)}), r"misshapen: task_encoder.mlp.layers.1.bias"),
        (
            lambda s: s.update({"text_encoder.transformer.resblocks.0.attn.in_proj_bias": torch.zeros(4)}),
            r"resblocks.0.attn.in_proj_bias is \[4\]",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_named(swin_state, tmp_path, change, words):
    state = dict(swin_state)
    change(state)
    torch.save({"model": state}, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match=words):
        ofl.from_pretrained(tmp_path / "bad.pth")


def test_buffers_that_are_made_of_sizes_are_dropped(swin_state, tmp_path):
    state = dict(swin_state)
    state["backbone.layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(25, 25, dtype=torch.int64)
    assert "criterion.empty_weight" in state
    torch.save({"model": state}, tmp_path / "official.pth")
    assert ofl.from_pretrained(tmp_path / "official.pth").text_mapper is not None


def test_a_file_without_texts_predicts_and_says_so(tmp_path):
    small_reference("resnet", num_attention_heads=8, num_queries=20).save_pretrained(tmp_path)
    state = official_state(load((tmp_path / "model.safetensors").read_bytes()), "resnet")
    torch.save({"model": state}, tmp_path / "official.pth")
    with pytest.warns(UserWarning, match=r"official.pth holds no text mapper.*add_text_mapper\(\)"):
        model = ofl.from_pretrained(tmp_path / "official.pth")
    assert model.text_mapper is None and model(picture(1, 64, 64), "panoptic").class_logits.shape == (1, 20, 7)


# ------------------------------------------------------------------------ what the shapes do not tell


@pytest.fixture(scope="module")
def shapes():
    """The shapes of the published ResNet-50 model with thin layers after the backbone."""
    thin = dict.fromkeys(("encoder_ffn", "decoder_ffn", "query_ffn"), 64) | dict.fromkeys(LAYERS, 1)
    config = dataclasses.replace(ofl.config.coco_r50(), pretrained=False, **thin)
    return Shapes(ofl.OneFormer(config).state_dict(), "file.pth")


LAYERS = ("encoder_layers", "decoder_layers", "query_layers", "text_layers")


@pytest.mark.parametrize("name", ["coco_r50", "ade20k_r50", "cityscapes_r50", "mapillary_r50"])
def test_the_number_of_classes_says_which_data_set(name, shapes):
    preset = getattr(ofl.config, name)()
    shapes["decoder.class_head.weight"] = (preset.num_classes + 1, 256)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = official._config_from(shapes)
    thin = ("encoder_ffn", "decoder_ffn", "query_ffn", *LAYERS)
    assert config == dataclasses.replace(preset, **{field: getattr(config, field) for field in thin})
    assert [getattr(config, field) for field in thin] == [64, 64, 64, 1, 1, 1, 1]


def test_an_unknown_number_of_classes_gets_generic_names(swin_state, tmp_path):
    torch.save({"model": swin_state}, tmp_path / "a.pth")
    with pytest.warns(UserWarning, match="6 classes, which is no published data set"):
        config = ofl.from_pretrained(tmp_path / "a.pth").config
    assert config.class_names[5] == "class 5" and config.object_mask_threshold == 0.8


def test_a_given_configuration_is_used_and_checked(tmp_path):
    save_huggingface(small_dinat(), tmp_path)
    path = tmp_path / "dinat.pth"
    torch.save({"model": official_state(load((tmp_path / "model.safetensors").read_bytes()), "dinat")}, path)
    with pytest.raises(CheckpointError, match="dilations are not in the file.*config="):
        ofl.from_pretrained(path)
    config = dataclasses.replace(small_dinat().config, object_mask_threshold=0.3)
    model = ofl.from_pretrained(path, config)
    assert model.config == config
    with pytest.raises(CheckpointError, match="num_queries is 14 in the file, 20 in config"):
        ofl.from_pretrained(path, dataclasses.replace(config, num_queries=20))
    with pytest.raises(ofl.errors.ConfigError, match="brings its own configuration"):
        ofl.from_pretrained("toytown", config)


def test_published_variants_of_the_same_shapes_are_pointed_out(monkeypatch):
    """DiNAT's dilations differ between crops, and the files do not say which they are."""
    preset = ofl.config.ade20k_dinat_l()
    found = {"num_classes": 150, "num_queries": 250, "encoder_layers": preset.encoder_layers}
    monkeypatch.setattr(official, "measure", lambda shapes: found)
    monkeypatch.setattr(official, "backbone_kind", lambda shapes: "dinat")
    monkeypatch.setattr(official, "measure_backbone", lambda kind, shapes: NETWORKS["dinat"]["dinat_large"])
    with pytest.warns(UserWarning, match=re.escape("config.ade20k_dinat_l(), of which there are variants")):
        assert official._config_from(Shapes({}, "file.pth")) == preset
    found["num_queries"] = 150
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert official._config_from(Shapes({}, "file.pth")) == ofl.config.ade20k_dinat_l_from_coco()


def test_the_named_networks_have_the_sizes_that_are_written_down():
    """The table of sizes against the networks themselves (the small ones; the others differ in numbers only)."""
    for name in ("swin_tiny_patch4_window7_224", "convnext_tiny", "resnet50", "resnet18"):
        module = build_network(name, {}).module
        shapes = Shapes({f"backbone.network.{k}": v for k, v in module.state_dict().items()}, name)
        kind = backbone_kind(shapes)
        assert measure_backbone(kind, shapes) == NETWORKS[kind][name]


def test_randomised_references_leave_nothing_at_its_start():
    """What the comparisons of this folder rest on."""
    model = small_reference("swin")
    before = [p.clone() for p in model.parameters()]
    randomise(model)
    assert not any(torch.equal(a, b) or bool((b == 0).all()) for a, b in zip(before, model.parameters()))
