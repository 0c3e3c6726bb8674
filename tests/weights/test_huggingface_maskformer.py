"""Our MaskFormer computes what transformers' computes; its folders, in every spelling, are read whole."""

from __future__ import annotations

import dataclasses
import re
import warnings

import pytest
import torch
from reference import FULL_SIZE, picture, randomise, small_maskformer
from safetensors.torch import load_file, save_file
from transformers import DetrConfig, MaskFormerConfig, MaskFormerForInstanceSegmentation

import oneformer_lite as ofl
from oneformer_lite.config import class_list
from oneformer_lite.data.batch import pad_to, padded_size
from oneformer_lite.errors import CheckpointError
from oneformer_lite.model import MaskFormer, build
from oneformer_lite.weights.huggingface import from_huggingface_state
from oneformer_lite.weights.maskformer.huggingface import from_huggingface_maskformer

pytestmark = pytest.mark.filterwarnings("ignore:.*(are things|for which task)")


@pytest.fixture(scope="module", params=["swin", "resnet"])
def folder_and_theirs(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    theirs = small_maskformer(request.param)
    theirs.save_pretrained(folder)
    return folder, theirs


@pytest.fixture(scope="module")
def pair(folder_and_theirs):
    """transformers' model with random weights, and ours read from the folder that it saves."""
    folder, theirs = folder_and_theirs
    return theirs, ofl.from_pretrained(folder)


@torch.no_grad()
def every_prediction(theirs, images):
    """(Class logits, mask logits) of transformers' model after each decoder layer.

    Its own auxiliary predictions start from the zeros before the first layer and lack the norm; so these are made here
    of its decoder's hidden states, the last of which comes normed.
    """
    found = theirs(images, output_hidden_states=True)
    decoder = theirs.model.transformer_module.decoder
    states = [decoder.layernorm(state) for state in found.transformer_decoder_hidden_states[1:-1]]
    features = found.pixel_decoder_last_hidden_state
    made = [
        (theirs.class_predictor(state), torch.einsum("bqc,bchw->bqhw", theirs.mask_embedder(state), features))
        for state in states
    ]
    return [*made, (found.class_queries_logits, found.masks_queries_logits)]


@torch.no_grad()
def assert_same(theirs, ours, images, tolerance):
    """All predictions, relative to the largest logit of each; masks that are on here and off there."""
    padded = pad_to(images, padded_size([tuple(images.shape[-2:])], ours.config.padding_multiple))
    expected, found = every_prediction(theirs, padded), ours(images, trace=True).predictions
    assert len(found) == len(expected) == ours.config.decoder_layers
    alone = ours(images)  # without a trace the last is all that is made
    torch.testing.assert_close(alone.class_logits, found[-1].class_logits, rtol=1e-4, atol=1e-4)
    assert not alone.auxiliary
    for (classes, masks), p in zip(expected, found):
        assert 0.02 < (masks > 0).float().mean() < 0.98 and classes.std(dim=1).max() > 0.01
        for a, b in ((classes, p.class_logits), (masks, p.mask_logits)):
            assert a.shape == b.shape and float((a - b).abs().max() / a.abs().max()) < tolerance


SIZES = [(2, 256, 256, 32), (2, 192, 352, 32), (2, 230, 317, 32), (1, 230, 317, 1), (1, 97, 161, 1)]


@pytest.mark.parametrize("batch, height, width, multiple", SIZES)
def test_the_same_predictions_at_every_size(pair, batch, height, width, multiple):
    """Also at sizes that are not square, and not multiples of 32, padded or as they are."""
    theirs, ours = pair
    torch.manual_seed(2)
    images = picture(batch, height, width)
    ours.config = dataclasses.replace(ours.config, padding_multiple=multiple)
    assert type(ours) is MaskFormer
    assert_same(theirs, ours, images, 1e-4)
    if batch == 2 and multiple == 32:
        theirs, ours = theirs.double(), ours.double()
        assert_same(theirs, ours, images.double(), 1e-6)
        theirs.float(), ours.float()


@pytest.mark.parametrize("preset, backbone, labels", [("coco_swin_t", "ade20k_swin_t", "coco")])
def test_the_published_sizes(preset, backbone, labels):
    """By way of the names that transformers has in memory."""
    torch.manual_seed(3)
    expected = getattr(ofl.config, f"maskformer_{preset}")()
    names = {"id2label": dict(enumerate(expected.class_names)), "name_or_path": f"facebook/maskformer-x-{labels}"}
    config = MaskFormerConfig(backbone_config=FULL_SIZE[backbone](), decoder_config=DetrConfig(), **names)
    theirs = randomise(MaskFormerForInstanceSegmentation(config).eval())
    ours = from_huggingface_state(theirs.state_dict(), config.to_dict(), {}, f"facebook/maskformer-x-{labels}")
    plain = dataclasses.replace(expected, backbone=expected.backbone.split(".")[0])  # without ImageNet weights' name
    assert ours.config == plain
    assert_same(theirs, ours, picture(1, 160, 224), 2e-5)


def test_the_hubs_older_names(folder_and_theirs, pair, tmp_path):
    """``fc1`` for ``mlp.fc1``, ``out_proj`` for ``o_proj``."""
    folder, _ = folder_and_theirs
    state = load_file(folder / "model.safetensors")
    decoder = re.compile(r"(transformer_module\.decoder\.layers\.\d+\.)(.*)")
    older = {}
    for name, value in state.items():
        if match := decoder.search(name):
            name = name[: match.start()] + match[1] + match[2].replace("mlp.", "").replace(".o_proj", ".out_proj")
        older[name] = value.clone()
    assert older.keys() != state.keys() or not any("mlp.fc1" in name for name in state)
    newer = {name.replace(".out_proj", ".o_proj") if decoder.search(name) else name: v for name, v in older.items()}
    for i, spelled in enumerate((older, newer)):
        (tmp_path / str(i)).mkdir()
        save_file(spelled, tmp_path / str(i) / "model.safetensors")
        (tmp_path / str(i) / "config.json").write_bytes((folder / "config.json").read_bytes())
        ours = ofl.from_pretrained(tmp_path / str(i))
        assert all(value.equal(pair[1].state_dict()[name]) for name, value in ours.state_dict().items())


def test_it_is_saved_and_loaded_bit_equal(pair, tmp_path):
    ours = pair[1]
    ours.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = ofl.from_pretrained(tmp_path)
    assert again.config == ours.config and type(again) is MaskFormer
    assert list(again.state_dict()) == list(ours.state_dict())
    assert all(value.equal(again.state_dict()[name]) for name, value in ours.state_dict().items())


def named(classes) -> dict:
    return {"model_type": "maskformer", "id2label": {str(i): c.name for i, c in enumerate(classes)}}


@pytest.mark.parametrize(
    "classes, source, task, data_set, multiple",
    [
        ("coco", "facebook/maskformer-swin-tiny-coco", "panoptic", "coco", 1),
        ("ade20k", "facebook/maskformer-swin-large-ade", "semantic", "ade20k", 32),
        ("ade20k", "facebook/maskformer-resnet50-ade", "semantic", "ade20k", 32),
        ("cityscapes", "facebook/maskformer-resnet101-cityscapes", "semantic", "cityscapes", 32),
        ("mapillary", "facebook/maskformer-resnet50-vistas", "semantic", "mapillary", 32),
        (None, "facebook/maskformer-resnet101-coco-stuff", "semantic", "", 32),
        (None, "facebook/maskformer-resnet50-ade20k-full", "semantic", "", 32),
    ],
)  # fmt: skip
def test_the_name_tells_the_task_and_the_classes_the_data_set(classes, source, task, data_set, multiple):
    classes = class_list(classes) if classes else [ofl.data.Category(i, f"kind {i}", False) for i in range(1, 172)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*are things")  # of unknown classes
        c = from_huggingface_maskformer(named(classes), {}, source)
    assert (c.trained_task, c.data_set, c.padding_multiple) == (task, data_set, multiple)
    assert (c.num_queries, c.encoder_layers, c.decoder_layers, c.decoder_ffn, c.dropout) == (100, 0, 6, 2048, 0.1)
    assert (c.class_weight, c.mask_weight, c.dice_weight, c.mask_loss) == (1, 20, 1, "focal")
    assert c.backbone == "swin_base_patch4_window12_384"  # what transformers builds where the file names none


def test_without_a_name_the_task_is_assumed_with_a_warning():
    with pytest.warns(UserWarning, match="does not say for which task.*taken for panoptic"):
        assert from_huggingface_maskformer(named(class_list("coco")), {}, "folder").trained_task == "panoptic"


@pytest.mark.parametrize(
    "change, words",
    [
        ({"fpn_feature_size": 128}, "fpn_feature_size 128, not the decoder's d_model 256"),
        ({"mask_feature_size": 64}, "mask_feature_size 64, not the decoder's d_model 256"),
        ({"decoder_config": {"auxiliary_loss": True}}, "auxiliary_loss = True; this package has only False"),
        ({"decoder_config": {"position_embedding_type": "learned"}}, "position_embedding_type = learned"),
        ({"decoder_config": {"model_type": "bert"}}, "the decoder of folder has model_type = bert"),
        ({"backbone_config": {"model_type": "dinov2"}}, "backbone of type 'dinov2'"),
    ],
)
def test_variants_that_are_not_here(change, words):
    with pytest.raises(CheckpointError, match=words):
        from_huggingface_maskformer(named(class_list("coco")) | change, {}, "folder")


@pytest.mark.parametrize("missing", ["class_predictor.bias", "model.transformer_module.input_projection.weight"])
def test_a_folder_that_lacks_a_weight(missing):
    theirs = small_maskformer("swin")
    state = {name: value for name, value in theirs.state_dict().items() if name != missing}
    with pytest.raises(CheckpointError, match="missing"):
        from_huggingface_state(state, theirs.config.to_dict(), {}, "the file")


@torch.no_grad()
def test_with_an_encoder_all_is_as_without_but_the_map(pair):
    """The one part that transformers lacks is compared with PyTorch's own encoder; then the rest, which reads its map,
    is the model without an encoder whose projection is that map."""
    plain = pair[1]
    config = dataclasses.replace(plain.config, encoder_layers=2, encoder_ffn=96, padding_multiple=32)
    torch.manual_seed(5)
    ours = build(config).eval()
    for p in ours.parameters():
        p.copy_(torch.randn(p.shape) * (p[0].numel() ** -0.5 if p.ndim > 1 else 0.25) + (p.ndim == 1))
    layer = torch.nn.TransformerEncoderLayer(64, 4, 96, dropout=0.0, batch_first=True)
    images = picture(2, 96, 160)
    trace = ours(images, trace=True).trace
    x = ours.input_projection(trace["backbone.stride32"])
    from oneformer_lite.model.parts.encoder import tokens

    x, positions = tokens(x)
    for mine in ours.encoder.layers:
        y = x + positions
        a = mine.attention
        layer.self_attn.in_proj_weight.copy_(torch.cat([a.q_proj.weight, a.k_proj.weight, a.v_proj.weight]))
        layer.self_attn.in_proj_bias.copy_(torch.cat([a.q_proj.bias, a.k_proj.bias, a.v_proj.bias]))
        for theirs, own in ((layer.self_attn.out_proj, a.out_proj), (layer.norm1, mine.norm),
                            (layer.linear1, mine.feed_forward.linear1), (layer.linear2, mine.feed_forward.linear2),
                            (layer.norm2, mine.feed_forward.norm)):  # fmt: skip
            theirs.load_state_dict(own.state_dict())
        x = layer.norm1(x + layer.self_attn(y, y, x, need_weights=False)[0])
        x = layer.norm2(x + layer.linear2(layer.linear1(x).relu()))
    memory = x.transpose(1, 2).unflatten(2, (3, 5))
    torch.testing.assert_close(trace["decoder.memory"], memory, rtol=1e-4, atol=1e-5)
    finer = [trace[f"backbone.stride{s}"] for s in (4, 8, 16)]
    expected = ours.pixel_decoder([*finer, memory]).masks
    torch.testing.assert_close(trace["pixel_decoder.mask_features"], expected, rtol=1e-4, atol=1e-4)
    last = ours.decoder(ours.query_positions.weight, memory, expected, False)[-1]
    torch.testing.assert_close(trace["prediction2.class_logits"], last.class_logits, rtol=1e-4, atol=1e-4)
