"""Our DETR computes what transformers' computes; its folders, in every spelling, and official files are whole."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import warnings

import pytest
import torch
from detr_reference import all_predictions, small_detr
from safetensors.torch import load_file

import oneformer_lite as ofl
from oneformer_lite.config import class_list
from oneformer_lite.errors import CheckpointError, ConfigError
from oneformer_lite.model import Detr, build
from oneformer_lite.weights.detr.huggingface import from_huggingface_detr
from oneformer_lite.weights.detr.official import config_from_shapes, measure
from oneformer_lite.weights.huggingface import from_huggingface_state
from oneformer_lite.weights.shapes import Shapes

pytestmark = pytest.mark.filterwarnings("ignore:.*(are things|which is not COCO's|last stage is not dilated)")
# transformers' ResNet; timm's in a file, whose last stage has stride 16
BACKBONES = {"resnet": {}, "dc5": {"backbone_config": None, "backbone": "resnet18", "dilation": True}}


@pytest.fixture(scope="module", params=BACKBONES)
def pair(request, tmp_path_factory):
    """transformers' model with random weights, and ours read from the folder that it saves."""
    folder = tmp_path_factory.mktemp(request.param)
    theirs = small_detr(**BACKBONES[request.param])
    theirs.save_pretrained(folder)
    return theirs, ofl.from_pretrained(folder)


def assert_same_predictions(theirs, ours, images, valid=None, tolerance=1e-4) -> None:
    """Class logits and boxes of all layers and the mask logits of the last."""
    expected = all_predictions(theirs, images, valid)
    with torch.no_grad():
        output = ours(images, trace=True)
    assert len(expected) == len(output.predictions) == ours.config.decoder_layers
    for theirs_say, ours_say in zip(expected, output.predictions):
        kinds = (ours_say.class_logits, ours_say.boxes, ours_say.mask_logits)
        for a, b in zip(theirs_say, kinds):
            assert a.shape == b.shape
            assert float((a - b).abs().max()) < tolerance
    assert 0.02 < (output.mask_logits > 0).float().mean() < 0.98
    assert output.class_logits.std(dim=1).max() > 1e-3, "all queries are the same"


@pytest.mark.parametrize("batch, height, width", [(2, 256, 256), (2, 230, 317), (1, 97, 160)])
def test_the_same_predictions_at_every_size(pair, batch, height, width):
    """Pictures are not padded: sizes that are odd, and no multiples of 32."""
    torch.manual_seed(2)
    images = torch.randn(batch, 3, height, width)
    assert_same_predictions(*pair, images)
    quarter = tuple(-(-side // 4) for side in (height, width))
    assert pair[1](images).mask_logits.shape[-2:] == quarter


@pytest.mark.parametrize("sizes", [((224, 256), (256, 320)), ((200, 320), (256, 131)), ((256, 320), (33, 40))])
def test_the_same_predictions_of_padded_batches(pair, sizes):
    """What is padding nobody is told: it is 0 in all channels. A picture may hold such a pixel, or be nothing else.

    In float64: few cells of a small picture make much of rounding.
    """
    torch.manual_seed(3)
    theirs, ours = (copy.deepcopy(model).double() for model in pair)
    valid = torch.zeros(2, 256, 320).double()
    for place, (height, width) in zip(valid, sizes):
        place[:height, :width] = 1
    images = torch.randn(2, 3, 256, 320).double() * valid[:, None]
    images[0, :, 100] = 0  # a line of it
    assert_same_predictions(theirs, ours, images, valid, 1e-5)
    assert_same_predictions(theirs, ours, torch.zeros(1, 3, 64, 96).double(), torch.ones(1, 64, 96).double(), 1e-5)


def test_the_published_size():
    """By way of the names that transformers has in memory."""
    expected = ofl.config.detr_coco_r50()
    theirs = small_detr(
        backbone_config=None, num_labels=250, num_queries=100, d_model=256, encoder_layers=6, decoder_layers=6,
        encoder_ffn_dim=2048, decoder_ffn_dim=2048,
    )  # fmt: skip
    ours = from_huggingface_state(theirs.state_dict(), theirs.config.to_dict(), {}, "the model in memory")
    assert ours.config == dataclasses.replace(expected, backbone="resnet50")  # without ImageNet weights' name
    torch.manual_seed(4)
    assert_same_predictions(theirs, ours, torch.randn(1, 3, 131, 160))


def test_every_spelling_holds_the_same(pair, tmp_path):
    """transformers' names in memory, in its files, and the authors', with query, key and value in one matrix."""
    theirs, ours = pair
    in_memory = from_huggingface_state(theirs.state_dict(), theirs.config.to_dict(), {}, "the model in memory")
    path = tmp_path / ("detr-r50-dc5.pth" if theirs.config.dilation else "detr.pth")
    torch.save({"model": official_names(theirs), "epoch": 24}, path)
    official = ofl.from_pretrained(path)
    for other in (in_memory, official):
        assert type(other) is Detr and list(other.state_dict()) == list(ours.state_dict())
        assert all(value.equal(other.state_dict()[name]) for name, value in ours.state_dict().items())
    assert in_memory.config == ours.config and official.config.num_heads == 8
    same = ("backbone", "backbone_options", "num_classes", "num_queries", "encoder_ffn", "decoder_ffn")
    assert all(getattr(official.config, field) == getattr(ours.config, field) for field in same)


RULES = [
    (r"^detr\.model\.backbone\.model", "detr.backbone.0.body"),
    (r"^detr\.model\.input_projection", "detr.input_proj"),
    (r"^detr\.model\.query_position_embeddings", "detr.query_embed"),
    (r"^detr\.model\.decoder\.layernorm", "detr.transformer.decoder.norm"),
    (r"^detr\.model\.", "detr.transformer."),
    (r"self_attn_layer_norm", "norm1"),
    (r"encoder_attn_layer_norm", "norm2"),
    (r"(decoder\.layers\.\d+)\.final_layer_norm", r"\1.norm3"),
    (r"final_layer_norm", "norm2"),
    (r"encoder_attn", "multihead_attn"),
    (r"o_proj", "out_proj"),
    (r"mlp\.fc(\d)", r"linear\1"),
    (r"class_labels_classifier", "class_embed"),
    (r"bbox_predictor", "bbox_embed"),
    (r"(q|k)_proj", r"\1_linear"),
    (r"mask_head\.conv(\d)\.conv", r"mask_head.lay\1"),
    (r"mask_head\.conv(\d)\.norm", r"mask_head.gn\1"),
    (r"fpn_stages\.(\d)\.fpn_adapter", lambda m: f"adapter{int(m[1]) + 1}"),
    (r"fpn_stages\.(\d)\.refine\.conv", lambda m: f"lay{int(m[1]) + 3}"),
    (r"fpn_stages\.(\d)\.refine\.norm", lambda m: f"gn{int(m[1]) + 3}"),
    (r"output_conv", "out_lay"),
    # torchvision's ResNet in transformers' names
    (r"body\.embedder\.embedder\.convolution", "body.conv1"),
    (r"body\.embedder\.embedder\.normalization", "body.bn1"),
    (r"body\.encoder\.stages\.(\d)\.layers\.(\d+)\.", lambda m: f"body.layer{int(m[1]) + 1}.{m[2]}."),
    (r"layer\.(\d)\.convolution", lambda m: f"conv{int(m[1]) + 1}"),
    (r"layer\.(\d)\.normalization", lambda m: f"bn{int(m[1]) + 1}"),
    (r"shortcut\.convolution", "downsample.0"),
    (r"shortcut\.normalization", "downsample.1"),
]


def official_names(theirs) -> dict[str, torch.Tensor]:
    """The weights under the names (and in the joined matrices) of the authors' file; written apart from the tables."""
    state, out = theirs.state_dict(), {}
    for name, tensor in state.items():
        if joined := re.search(r"(self|encoder)_attn\.([qkv])_proj", name):
            if joined[2] != "q":
                continue
            tensor = torch.cat([state[name.replace("q_proj", f"{x}_proj")] for x in "qkv"])
            name = name.replace("q_proj.", "in_proj_")
        for pattern, replacement in RULES:
            name = re.sub(pattern, replacement, name)
        out[name] = tensor.clone()
    return out


def test_it_is_saved_and_loaded_bit_equal(pair, tmp_path):
    ours = pair[1]
    ours.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = ofl.from_pretrained(tmp_path)
    assert again.config == ours.config and type(again) is Detr
    saved = load_file(tmp_path / "model.safetensors")
    assert all(value.equal(again.state_dict()[name]) and value.equal(saved[name]) for name, value in
               ours.state_dict().items())  # fmt: skip


@pytest.mark.parametrize(
    "name, words, stride",
    [("detr-r50-panoptic.pth", None, None), ("detr-r50-dc5-panoptic.pth", None, 16), ("mine.pth", "dilated", None)],
)
def test_a_file_does_not_tell_whether_its_network_is_dilated(name, words, stride):
    published = dataclasses.replace(ofl.config.detr_coco_r50(), pretrained=False)
    with torch.device("meta"):
        shapes = Shapes(build(published).state_dict(), name, "DETR")
    with warnings.catch_warnings(record=True) as met:
        warnings.simplefilter("always")
        c = config_from_shapes(shapes, measure(shapes), name)
    assert [("dilated" in str(w.message)) for w in met] == [True] * bool(words)
    options = {"output_stride": stride} if stride else {}
    assert c == dataclasses.replace(published, pretrained=True, backbone_options=options)


def test_a_configuration_may_be_given_and_must_fit(tmp_path):
    theirs = small_detr()
    torch.save({"model": official_names(theirs)}, tmp_path / "model.pth")
    own = dataclasses.replace(ofl.from_pretrained(tmp_path / "model.pth").config, stage="joint")
    assert ofl.from_pretrained(tmp_path / "model.pth", config=own).config == own
    for config, words in (
        (dataclasses.replace(own, num_queries=15), "num_queries is 14 in the file, 15 in config"),
        (ofl.config.toytown(), "holds a DETR, but config is that of a oneformer"),
    ):
        with pytest.raises(CheckpointError, match=words):
            ofl.from_pretrained(tmp_path / "model.pth", config=config)
    state = {name: value for name, value in official_names(theirs).items() if "mask_head" not in name}
    torch.save({"model": state}, tmp_path / "boxes.pth")
    with pytest.raises(CheckpointError, match="missing: mask_head.*no whole DETR"):
        ofl.from_pretrained(tmp_path / "boxes.pth")


@pytest.mark.parametrize("missing", ["detr.class_labels_classifier.bias", "mask_head.output_conv.weight"])
def test_a_folder_that_lacks_a_weight(missing):
    theirs = small_detr()
    state = {name: value for name, value in theirs.state_dict().items() if name != missing}
    with pytest.raises(CheckpointError, match="missing"):
        from_huggingface_state(state, theirs.config.to_dict(), {}, "the file")


KNOWN = {category.id: category.name for category in class_list("coco")}
LABELS = {"names": {i: KNOWN.get(i, "N/A") for i in range(250)}, "numbers": {i: f"LABEL_{i}" for i in range(250)}}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(
    "says, backbone, stride",
    [
        ({"backbone": "resnet50", "use_timm_backbone": True}, "resnet50", None),
        ({"backbone": "resnet101", "dilation": False}, "resnet101", None),
        ({"backbone": "resnet50", "dilation": True}, "resnet50", 16),
        ({"backbone_config": {"model_type": "timm_backbone", "backbone": "resnet50", "output_stride": 16}},
         "resnet50", 16),
    ],
)  # fmt: skip
def test_what_the_hubs_files_say(labels, says, backbone, stride):
    content = {"model_type": "detr", "id2label": {str(i): name for i, name in LABELS[labels].items()}, **says}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        c = from_huggingface_detr(json.loads(json.dumps(content)), {"size": 800, "max_size": 1333}, "folder")
    published = ofl.config.detr_coco_r50()
    options = {"output_stride": stride} if stride else {}
    assert c == dataclasses.replace(published, backbone=backbone, backbone_options=options)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"position_embedding_type": "learned"}, "position_embedding_type = learned; this package has only sine"),
        ({"activation_function": "gelu"}, "activation_function = gelu"),
        ({"encoder_layerdrop": 0.1}, "encoder_layerdrop = 0.1"),
        ({"bbox_cost": 4}, "two values for box_weight"),
        ({"decoder_attention_heads": 4}, "two values for num_heads"),
    ],
)
def test_variants_that_are_not_here(change, words):
    with pytest.raises(CheckpointError, match=words):
        from_huggingface_detr({"model_type": "detr"} | change, {}, "folder")


def test_it_is_not_written_for_transformers(pair, tmp_path):
    with pytest.raises(ConfigError, match="OneFormers, not a detr"):
        ofl.weights.save_huggingface(pair[1], tmp_path)
