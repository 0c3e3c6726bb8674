"""transformers' folders, read and written: every spelling, every layout on disk, classes, round trips."""

import dataclasses
import json
import shutil
import warnings

import pytest
import torch
from reference import STAGES, assert_same_predictions, picture, randomise, small_reference
from safetensors.torch import load, save_file
from transformers import (
    DinatConfig,
    OneFormerConfig,
    OneFormerForUniversalSegmentation,
    OneFormerImageProcessor,
    SwinConfig,
    TimmBackboneConfig,
)

import oneformer_lite as ofl
from oneformer_lite.cli import main
from oneformer_lite.errors import CheckpointError, ConfigError
from oneformer_lite.model.parts.task import task_ids
from oneformer_lite.weights import save_huggingface
from oneformer_lite.weights.backbones.huggingface import backbone_from
from oneformer_lite.weights.backbones.sizes import NETWORKS
from oneformer_lite.weights.oneformer.huggingface_config import from_huggingface

pytestmark = pytest.mark.filterwarnings("ignore:.*(text mapper|are things)")


@pytest.fixture(scope="module", params=["swin", "resnet", "convnext"])
def saved(request, tmp_path_factory):
    """transformers' model with text mapper, and the folder it saved."""
    folder = tmp_path_factory.mktemp(request.param)
    theirs = small_reference(request.param, is_training=True)
    theirs.save_pretrained(folder)
    return theirs, folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of the folder that a test may change."""
    return shutil.copytree(saved[1], tmp_path / "model")


@pytest.fixture(scope="module")
def swin_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swin")
    small_reference("swin", num_queries=20).save_pretrained(folder)
    return folder


def same_weights(a, b):
    a, b = a.state_dict(), b.state_dict()
    assert list(a) == list(b)
    return all(torch.equal(x, y) for x, y in zip(a.values(), b.values()))


# ------------------------------------------------------------------------ layouts and spellings on disk


def test_pickled_and_divided_weights_are_the_same_model(saved, folder):
    expected = ofl.from_pretrained(folder)
    assert expected.text_mapper is not None and not expected.training
    state = load((folder / "model.safetensors").read_bytes())
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    assert same_weights(ofl.from_pretrained(folder), expected)
    (folder / "pytorch_model.bin").unlink()
    names = sorted(state)
    files = {name: f"model-{i % 2 + 1:05}-of-00002.safetensors" for i, name in enumerate(names)}
    for file in set(files.values()):
        save_file({name: state[name] for name in names if files[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    assert same_weights(ofl.from_pretrained(folder), expected)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="model-00002-of-00002.safetensors does not exist"):
        ofl.from_pretrained(folder)


def test_the_names_in_memory_are_read_as_well(saved, folder):
    theirs, _ = saved
    expected = ofl.from_pretrained(folder)
    save_file({k: v.clone() for k, v in theirs.state_dict().items()}, folder / "model.safetensors")
    assert same_weights(ofl.from_pretrained(folder), expected)


def test_a_timm_network_inside_transformers(tmp_path):
    torch.manual_seed(0)
    backbone = TimmBackboneConfig(backbone="mobilenetv3_small_050", out_indices=[1, 2, 3, 4])
    config = OneFormerConfig(
        backbone_config=backbone, num_queries=14, text_encoder_n_ctx=4, hidden_dim=64, conv_dim=64, mask_dim=64,
        num_attention_heads=4, encoder_layers=1, decoder_layers=4, text_encoder_width=64, num_labels=6,
    )  # fmt: skip
    theirs = randomise(OneFormerForUniversalSegmentation(config).eval())
    theirs.save_pretrained(tmp_path)
    ours = ofl.from_pretrained(tmp_path)
    assert ours.config.backbone == "mobilenetv3_small_050"
    assert_same_predictions(theirs, ours, picture(1, 128, 96), ["semantic"])
    save_huggingface(ours, tmp_path / "back")
    back = OneFormerForUniversalSegmentation.from_pretrained(tmp_path / "back")
    assert tuple(back.config.backbone_config.out_indices) == ours.backbone.network.feature_info.out_indices
    assert_same_predictions(back, ours, picture(1, 64, 96), ["panoptic"])


def test_old_buffers_are_dropped_and_new_weights_are_named(swin_folder, tmp_path):
    folder = shutil.copytree(swin_folder, tmp_path / "model")
    state = load((folder / "model.safetensors").read_bytes())
    start = "model.pixel_level_module.encoder."
    index = f"{start}encoder.layers.0.blocks.0.attention.self.relative_position_index"
    save_file({**state, index: torch.zeros(25, 25)}, folder / "model.safetensors")
    ofl.from_pretrained(folder)
    save_file({**state, f"{start}wings": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=f"unknown: {start}wings"):
        ofl.from_pretrained(folder)
    key = f"{start}encoder.layers.0.blocks.0.attention.self.key.bias"
    save_file({k: v for k, v in state.items() if k != key}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"attn.qkv.bias is made of query, key and value.*holds 2 of the three"):
        ofl.from_pretrained(folder)


# ------------------------------------------------------------------------ the configuration


def test_sizes_come_from_the_file(saved, folder):
    theirs, _ = saved
    c, t = ofl.from_pretrained(folder).config, theirs.config
    assert (c.num_queries, c.hidden_dim, c.num_heads) == (t.num_queries, t.hidden_dim, t.num_attention_heads)
    assert (c.encoder_layers, c.encoder_ffn) == (t.encoder_layers, t.encoder_feedforward_dim)
    assert (c.decoder_layers, c.decoder_ffn, c.query_layers) == (t.decoder_layers - 1, t.dim_feedforward, 2)
    assert (c.text_context, c.text_layers, c.text_heads) == (4, 2, 1)
    assert c.encoder_dropout == c.query_dropout == 0.1 and c.text_causal
    assert c.class_names == tuple(f"LABEL_{i}" for i in range(6))


def test_what_the_file_does_not_say_is_as_transformers_builds_it():
    with pytest.warns(UserWarning, match="does not say which of its 2 classes are things"):
        c = from_huggingface({"model_type": "oneformer"}, {}, "config.json")
    assert (c.backbone, c.backbone_options) == ("swin_tiny_patch4_window7_224", (("drop_path_rate", 0.3),))
    t = OneFormerConfig()
    assert (c.num_queries, c.num_classes, c.hidden_dim) == (t.num_queries, t.num_labels, t.hidden_dim)
    for kind, theirs in (("swin", SwinConfig()), ("dinat", DinatConfig())):
        name, options = backbone_from({"model_type": kind}, "config.json")
        sizes = NETWORKS[kind][name] | options
        for field in sizes.keys() & {"embed_dim", "depths", "num_heads", "window_size", "kernel_size", "mlp_ratio"}:
            value = getattr(theirs, field)
            assert sizes[field] == (tuple(value) if isinstance(value, list) else value), (kind, field)


@pytest.mark.parametrize("data_set, threshold", [("ade20k", 0.5), ("cityscapes", 0.8), ("coco", 0.8)])
def test_classes_and_sizes_of_the_published_files(data_set, threshold):
    """As the processors on the hub give them: with metadata, or with the name of a file that lists the classes."""
    classes = ofl.config.class_list(data_set)
    labels = {str(i): c.name for i, c in enumerate(classes)}
    content = {"model_type": "oneformer", "id2label": labels}
    metadata = labels | {"thing_ids": [i for i, c in enumerate(classes) if c.is_thing]}
    processors = [
        {"metadata": metadata, "size": {"shortest_edge": 640, "longest_edge": 2560}},
        {"class_info_file": f"{data_set}_panoptic.json", "size": 640, "max_size": 2560},
        {"size": {"shortest_edge": 640, "longest_edge": 2560}},
    ]
    for processor in processors:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            config = from_huggingface(content, processor, "folder")
        assert config.class_names == tuple(c.name for c in classes)
        assert config.is_thing == tuple(c.is_thing for c in classes)
        assert config.categories == tuple(classes)
        assert config.object_mask_threshold == threshold and config.overlap_threshold == 0.8
        assert config.inference_size(480, 640) == (640, 853) and config.inference_size(100, 900) == (284, 2560)


def test_the_published_dinat_folder_is_the_preset():
    """The hub's config.json of oneformer_ade20k_dinat_large, with what transformers 4 wrote besides."""
    preset = ofl.config.ade20k_dinat_l()
    dilations = [[1, 20, 1], [1, 5, 1, 10], [1, 2, 1, 3, 1, 4, 1, 5, 1, 2, 1, 3, 1, 4, 1, 5, 1, 5], [1, 2, 1, 2, 1]]
    content = {
        "model_type": "oneformer", "num_queries": 250, "num_classes": 150, "num_hidden_layers": 10, "max_seq_len": 77,
        "decoder_layers": 10, "output_attentions": True, "use_timm_backbone": False, "backbone": None,
        "id2label": {str(i): name for i, name in enumerate(preset.class_names)},
        "backbone_config": {
            "model_type": "dinat", "architectures": ["DinatForImageClassification"], "depths": [3, 4, 18, 5],
            "dilations": dilations, "drop_path_rate": 0.35, "embed_dim": 192, "hidden_size": 1536, "kernel_size": 11,
            "layer_scale_init_value": 0.0, "mlp_ratio": 2.0, "num_heads": [6, 12, 24, 48], "path_norm": True,
        },
    }  # fmt: skip
    config = from_huggingface(content, {"size": {"shortest_edge": 640, "longest_edge": 2560}}, "folder")
    options = dict(config.backbone_options) | {"kernel_size": 11, "drop_path_rate": 0.3}  # official: 0.3
    assert dataclasses.replace(config, backbone_options=options) == preset


def test_things_of_own_classes_come_from_the_processor():
    content = {"model_type": "oneformer", "id2label": {"0": "road", "1": "cow", "2": "sheep"}}
    config = from_huggingface(content, {"metadata": {"thing_ids": [1, 2]}}, "folder")
    assert config.is_thing == (False, True, True)
    with pytest.raises(CheckpointError, match="thing ids .* beyond its 3 classes"):
        from_huggingface(content, {"metadata": {"thing_ids": [3]}}, "folder")
    with pytest.raises(CheckpointError, match="without gaps"):
        from_huggingface(content | {"id2label": {"0": "road", "2": "cow"}}, {}, "folder")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"pre_norm": True}, "has pre_norm = True; this package has only False"),
        ({"mask_dim": 128}, "mask_dim 128, not the hidden_dim 256"),
        ({"task_seq_len": 50}, "two values for text_length: 77, and task_seq_len = 50"),
        ({"backbone_config": {"model_type": "focalnet"}}, "type 'focalnet'; known are swin"),
        ({"backbone_config": {"model_type": "swin", "qkv_bias": False}}, "the backbone has qkv_bias = False"),
        ({"backbone_config": {"model_type": "resnet", "downsample_in_bottleneck": True}}, "downsample_in_bottleneck"),
    ],
)
def test_variants_that_are_not_here_are_refused(change, words):
    with pytest.raises(CheckpointError, match=words):
        from_huggingface({"model_type": "oneformer"} | change, {}, "folder")


def test_pictures_must_be_normalised_as_the_network_gets_them(swin_folder, tmp_path):
    folder = shutil.copytree(swin_folder, tmp_path / "model")
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.485, 0.456, 0.406]}))
    ofl.from_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5, 0.5, 0.5]}))
    with pytest.raises(CheckpointError, match=r"normalises with image_mean \[0.5, 0.5, 0.5\]"):
        ofl.from_pretrained(folder)


# ------------------------------------------------------------------------ writing


def test_round_trips_lose_no_bit(saved, folder):
    theirs, _ = saved
    ours = ofl.from_pretrained(folder)
    save_huggingface(ours, folder / "back")
    before, after = (load((f / "model.safetensors").read_bytes()) for f in (folder, folder / "back"))
    assert before.keys() == after.keys()
    for name, value in before.items():
        # transformers builds this norm and never uses it
        assert "swin.layernorm" in name or torch.equal(value, after[name]), name
        assert value.dtype == after[name].dtype, name
    again = ofl.from_pretrained(folder / "back")
    assert same_weights(ours, again) and ours.config == again.config


def test_transformers_loads_all_of_what_is_written(saved, folder):
    theirs, _ = saved
    ours = ofl.from_pretrained(folder)
    save_huggingface(ours, folder / "back")
    load = OneFormerForUniversalSegmentation.from_pretrained
    whole, report = load(folder / "back", is_training=True, output_loading_info=True)
    assert not any(report.values()), report
    unused = "pixel_level_module.encoder.swin.layernorm"
    for (name, a), b in zip(theirs.state_dict().items(), whole.state_dict().values()):
        assert unused in name or torch.equal(a, b), name
    # without is_training it has no text mapper to load, and nothing else is left over
    plain, report = load(folder / "back", output_loading_info=True)
    assert all(name.startswith("model.text_mapper.") for name in report.pop("unexpected_keys"))
    assert not any(report.values()), report
    assert_same_predictions(plain, ours, picture(2, 128, 160), ["panoptic", "instance"])


def test_what_transformers_does_not_know_travels_along(tmp_path):
    theirs = small_reference("resnet", num_queries=20)
    theirs.save_pretrained(tmp_path)
    ours = ofl.from_pretrained(tmp_path)
    categories = [ofl.data.Category(i, f"class {i}", i % 2 == 0, (i, 2 * i, 3 * i)) for i in range(1, 7)]
    ours.config = dataclasses.replace(
        ofl.config.for_classes(ours.config, categories), image_size=320, test_size=300, test_max_size=700,
        object_mask_threshold=0.3, overlap_threshold=0.6, backbone="resnet50.tv_in1k", backbone_norm="batch",
    )  # fmt: skip
    save_huggingface(ours, tmp_path / "back")
    assert ofl.from_pretrained(tmp_path / "back").config == ours.config
    processor = OneFormerImageProcessor.from_pretrained(tmp_path / "back")
    assert processor.metadata["thing_ids"] == [1, 3, 5] and processor.metadata["2"] == "class 3"
    assert (processor.size.shortest_edge, processor.size.longest_edge) == (300, 700)
    # a folder that went through transformers' hands still says which classes are things
    content = json.loads((tmp_path / "back" / "config.json").read_text())
    content.pop("oneformer_lite")
    (tmp_path / "back" / "config.json").write_text(json.dumps(content))
    assert ofl.from_pretrained(tmp_path / "back").config.is_thing == ours.config.is_thing


@pytest.mark.parametrize(
    "change, words",
    [
        ({"pixel_decoder": "fpn"}, "no OneFormer with pixel_decoder='fpn'"),
        ({"query_values": "positions+features"}, r"query_values='positions\+features'"),
        ({"knows_task": False, "query_start": "zeros"}, "knows_task=False, query_start='zeros'"),
        ({"masked_attention": False}, "masked_attention=False"),
        ({"rescue_empty_masks": False}, "rescue_empty_masks=False"),
        ({"hidden_dim": 48, "text_width": 48}, "hidden_dim 48 .not a multiple of 32."),
        ({"backbone": "convnextv2_atto", "backbone_options": {}}, "not with its stages closed by LayerNorms"),
        ({"backbone": "resnet26d", "backbone_options": {"layers": (1, 1, 1, 1)}}, r"not with \['layers'\]"),
        ({"backbone_options": {"layers": (1, 1, 1, 1), "base_width": 32}}, "cannot be told base_width"),
    ],
)
def test_what_transformers_cannot_express_is_said(change, words, tmp_path):
    fields = {
        "num_classes": 3, "num_queries": 10, "text_context": 2, "hidden_dim": 64, "encoder_layers": 1,
        "decoder_layers": 1, "decoder_ffn": 128, "query_ffn": 128, "text_width": 64, "text_heads": 1, "text_layers": 1,
        "backbone_options": {"layers": (1, 1, 1, 1)}, "pretrained": False,
    }  # fmt: skip
    model = ofl.OneFormer(ofl.ModelConfig(**fields | change))
    with pytest.raises(ConfigError, match=words):
        save_huggingface(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_half_precision(swin_folder, tmp_path):
    ours = ofl.from_pretrained(swin_folder)
    save_huggingface(ours, tmp_path, torch.float16)
    back = OneFormerForUniversalSegmentation.from_pretrained(tmp_path)
    assert back.dtype == torch.float16
    weight = ofl.from_pretrained(tmp_path).decoder.class_head.weight
    assert torch.equal(weight, ours.decoder.class_head.weight.half().float())


# ------------------------------------------------------------------------ the command


def test_convert_goes_both_ways(swin_folder, tmp_path, capsys):
    ours, back = tmp_path / "ours", tmp_path / "back"
    assert main(["convert", str(swin_folder), str(ours)]) == 0
    assert f"{ours}: " in capsys.readouterr().out
    assert main(["convert", str(ours), str(back), "--to", "huggingface"]) == 0
    assert json.loads((back / "config.json").read_text())["backbone_config"]["out_features"] == STAGES
    assert same_weights(*(ofl.from_pretrained(f) for f in (swin_folder, back)))


def test_a_model_trained_here_runs_in_transformers(tmp_path):
    """The shipped checkpoint: narrow feed-forward blocks in its query transformer, a text mapper of its own width,
    a timm backbone with statistics of its own. transformers names no key missing, and predicts the same."""
    ours = ofl.from_pretrained("toytown")
    assert ours.config.query_ffn < ours.config.decoder_ffn
    with pytest.warns(UserWarning, match="text_width 64 beside hidden_dim 96"):
        save_huggingface(ours, tmp_path / "toytown")
    theirs, report = OneFormerForUniversalSegmentation.from_pretrained(tmp_path / "toytown", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no text mapper
        back = ofl.from_pretrained(tmp_path / "toytown")
    batch = ofl.data.collate([(scene, "panoptic") for scene in (ofl.data.Toytown("val", size=128)[i] for i in (0, 1))])
    with torch.no_grad():
        expected = ours(batch.images, "panoptic")
        again = back(batch.images, "panoptic")
        found = theirs.eval()(ours.backbone.rescale(batch.images), task_inputs=task_ids("panoptic").expand(2, -1))
    for mine, same, other in (
        (expected.class_logits, again.class_logits, found.class_queries_logits),
        (expected.mask_logits, again.mask_logits, found.masks_queries_logits),
    ):
        scale = mine.abs().max()
        assert (mine - other).abs().max() < 1e-4 * scale
        assert (mine - same).abs().max() < 1e-5 * scale
    assert again.class_logits.shape == found.class_queries_logits.shape


def test_a_text_mapper_that_transformers_cannot_have_is_left_out_aloud(tmp_path):
    fields = {
        "num_classes": 3, "num_queries": 10, "text_context": 2, "hidden_dim": 64, "encoder_layers": 1,
        "decoder_layers": 1, "decoder_ffn": 128, "query_ffn": 128, "text_width": 64, "text_heads": 2, "text_layers": 1,
        "backbone_options": {"layers": (1, 1, 1, 1)}, "pretrained": False,
    }  # fmt: skip
    model = ofl.OneFormer(ofl.ModelConfig(**fields, denoising_queries=20))
    with pytest.warns(UserWarning, match="2 text_heads for text_width 64"), pytest.warns(match="noised queries"):
        save_huggingface(model, tmp_path)
    with pytest.warns(UserWarning, match="no text mapper"):
        again = ofl.from_pretrained(tmp_path)
    assert again.text_mapper is None and again.denoising is None and again.config.denoising_queries == 0
