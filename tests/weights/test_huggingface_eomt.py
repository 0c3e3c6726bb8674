"""Our EoMT computes what transformers' computes, with DINOv2 and DINOv3, masks on and off; folders are read whole."""

from __future__ import annotations

import dataclasses
import json
import warnings
from unittest import mock

import pytest
import torch
from transformers import EomtConfig, EomtDinov3Config, EomtDinov3ForUniversalSegmentation, EomtForUniversalSegmentation

import oneformer_lite as ofl
from oneformer_lite.config import class_list
from oneformer_lite.errors import CheckpointError
from oneformer_lite.model import EoMT
from oneformer_lite.weights.eomt.huggingface import from_huggingface_eomt
from oneformer_lite.weights.huggingface import from_huggingface_state

pytestmark = pytest.mark.filterwarnings("ignore:.*(are things|for which task)")

SMALL = {
    "hidden_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4, "num_queries": 7, "num_blocks": 3,
    "num_labels": 6, "image_size": 96,
}  # fmt: skip
SMALLEST_PUBLISHED = SMALL | {
    "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "num_queries": 20, "image_size": 256,
}
KINDS = ["dinov2", "dinov3", "gated"]


def reference(kind: str, sizes: dict = SMALL, **fields):
    """transformers' EoMT, with every parameter random; masks are on here and off there."""
    torch.manual_seed(0)
    if kind == "dinov3":
        config = EomtDinov3Config(**sizes, intermediate_size=4 * sizes["hidden_size"], **fields)
        theirs = EomtDinov3ForUniversalSegmentation(config)
    else:
        theirs = EomtForUniversalSegmentation(EomtConfig(**sizes, use_swiglu_ffn=kind == "gated", **fields))
    with torch.no_grad():
        for name, p in theirs.named_parameters():
            if "norm" in name and name.endswith("weight") or "lambda1" in name:
                p.uniform_(0.6, 1.4)
            elif name.endswith(("_token", "_tokens", "position_embeddings.weight", "query.weight")):
                p.normal_()
            elif p.ndim > 1:
                p.normal_(std=1.4 * p[0].numel() ** -0.5)
            else:
                p.normal_(std=0.25)
    return theirs.eval()


def read(theirs) -> EoMT:
    return from_huggingface_state(theirs.state_dict(), theirs.config.to_dict(), {}, "the model in memory")


@torch.no_grad()
def predictions(theirs, images, shares) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(Class logits, mask logits) before each of the last blocks and after them. transformers' own loop keeps a mask
    for blocks whose share is 0, where the official code has none; so where that matters its blocks are run from here.
    """
    found, predict = [], theirs.predict

    def recording(states):
        masks, classes = predict(states)
        found.append((classes, masks))
        return masks, classes

    if list(shares) == sorted(shares):  # no block without a mask after one with
        theirs.attn_mask_probs.copy_(torch.tensor(shares))
        with mock.patch.object(theirs, "predict", recording):
            theirs(images)
        return found
    c, states = theirs.config, theirs.embeddings(images)
    places = {"position_embeddings": theirs.rope_embeddings(images)} if hasattr(theirs, "rope_embeddings") else {}
    side, first = c.image_size // 16, c.num_hidden_layers - c.num_blocks
    for i, layer in enumerate(theirs.layers):
        allowed = None
        if i == first:
            states = torch.cat([theirs.query.weight.expand(len(images), -1, -1), states], 1)
        if i >= first:
            masks, _ = recording(theirs.layernorm(states))
            if shares[i - first]:
                small = torch.nn.functional.interpolate(masks, (side, side), mode="bilinear").flatten(2)
                allowed = torch.zeros(len(images), 1, states.shape[1], states.shape[1])
                allowed[:, 0, : c.num_queries, -side * side :].masked_fill_(small <= 0, -1e9)
        states = layer(states, attention_mask=allowed, **places)
    recording(theirs.layernorm(states))
    return found


def assert_same(theirs, ours, images, shares, tolerance=1e-4) -> None:
    """Each prediction that theirs makes: all where masks are on, else those before blocks with one, and the last."""
    expected = predictions(theirs, images, shares)
    ours.set_shares([float(share) for share in shares])
    found = ours(images, trace=True).trace
    numbers = [i for i, share in enumerate(shares) if share] + [len(shares)]
    numbers = numbers if len(expected) == len(numbers) else list(range(len(shares) + 1))
    assert len(numbers) == len(expected)
    assert ours(images).mask_logits.equal(found[f"prediction{len(shares)}.mask_logits"])
    for i, (classes, masks) in zip(numbers, expected):
        assert 0.1 < (masks > 0).float().mean() < 0.9, "masks are all on or all off, which shows nothing"
        for name, a in (("class_logits", classes), ("mask_logits", masks)):
            b = found[f"prediction{i}.{name}"]
            assert a.shape == b.shape and (a - b).abs().max() < tolerance * a.abs().max(), (i, name)


@pytest.fixture(scope="module", params=KINDS)
def pair(request, tmp_path_factory):
    """transformers' model with random weights, and ours read from the folder that it saves."""
    folder = tmp_path_factory.mktemp(request.param)
    theirs = reference(request.param)
    theirs.save_pretrained(folder)
    return theirs, ofl.from_pretrained(folder)


@pytest.mark.parametrize("shares", [(1, 1, 1), (0, 0, 0), (0, 1, 1), (0, 0, 1), (1, 1, 0), (1, 0, 1), (1, 0, 0)])
def test_the_same_predictions_whichever_masks_have_faded(pair, shares) -> None:
    torch.manual_seed(1)
    assert type(pair[1]) is EoMT
    assert_same(*pair, torch.randn(2, 3, 96, 96), shares)


@pytest.mark.parametrize("kind, fields", [("dinov2", {}), ("dinov3", {"layer_norm_eps": 1e-5}), ("dinov3", {})])
def test_the_smallest_published_transformer(kind, fields) -> None:
    theirs = reference(kind, SMALLEST_PUBLISHED, **fields)
    ours, images = read(theirs), torch.randn(2, 3, 256, 256)
    assert ours.config.norm_eps == (fields.get("layer_norm_eps", 1e-6)) and not ours.config.backbone_options
    assert ours.config.backbone.startswith("vit_small_patch1")
    for shares in [(1, 1, 1), (0, 0, 0), (1, 0, 1)]:
        assert_same(theirs, ours, images, shares)


def test_padded_pictures_are_theirs_padded_with_black(pair) -> None:
    theirs, ours = pair
    ours.set_shares((0.0, 0.0, 0.0))
    images = torch.randn(1, 3, 64, 96)
    classes, masks = predictions(theirs, ours.padded(images), (0, 0, 0))[-1]
    out = ours(images)
    assert out.class_logits.allclose(classes, atol=1e-4) and out.mask_logits.allclose(masks, atol=1e-3)


def test_it_is_saved_and_loaded_bit_equal(pair, tmp_path) -> None:
    ours = pair[1]
    ours.set_shares((0.0, 0.5, 1.0))
    ours.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = ofl.from_pretrained(tmp_path)
    assert again.config == ours.config and type(again) is EoMT and again.shares == ours.shares
    assert list(again.state_dict()) == list(ours.state_dict())
    assert all(value.equal(again.state_dict()[name]) for name, value in ours.state_dict().items())


def test_older_names_of_gated_blocks() -> None:
    """Which transformers itself leaves random, with a warning."""
    theirs = reference("gated")
    state = dict(theirs.state_dict())
    if "layers.0.mlp.gate_proj.weight" not in state:
        pytest.skip("transformers 5.17 gives them itself")
    for i in range(4):
        for kind in ("weight", "bias"):
            block = f"layers.{i}.mlp."
            gate, up = (state.pop(f"{block}{part}_proj.{kind}") for part in ("gate", "up"))
            state[f"{block}weights_in.{kind}"] = torch.cat([gate, up])
            state[f"{block}weights_out.{kind}"] = state.pop(f"{block}down_proj.{kind}")
    ours = from_huggingface_state(state, theirs.config.to_dict(), {}, "the file")
    expected = read(theirs).state_dict()
    assert all(value.equal(expected[name]) for name, value in ours.state_dict().items())


COCO, COCO_THINGS = class_list("coco"), tuple(c for c in class_list("coco") if c.is_thing)


def named(classes, kind="eomt", **fields) -> dict:
    return {"model_type": kind, "id2label": {str(i): c.name for i, c in enumerate(classes)}} | fields


@pytest.mark.parametrize(
    "content, source, call",
    [
        (named(COCO), "tue-mps/coco_panoptic_eomt_large_640", "eomt_coco_l()"),
        (named(COCO_THINGS, image_size=1280), "tue-mps/coco_instance_eomt_large_1280", "eomt_coco_l('instance', 1280)"),
        (named(class_list("ade20k"), image_size=512, num_queries=100), "tue-mps/ade20k_semantic_eomt_large_512",
         "eomt_ade20k_l('semantic')"),
        (named(COCO, hidden_size=1536, num_hidden_layers=40, num_attention_heads=24, num_blocks=5, use_swiglu_ffn=True),
         "/models/coco_panoptic_eomt_giant_640", "eomt_coco_g()"),
        (named(COCO, "eomt_dinov3", hidden_size=384, num_hidden_layers=12, num_attention_heads=6, num_blocks=3,
               intermediate_size=1536, layer_norm_eps=1e-5), "tue-mps/eomt-dinov3-coco-panoptic-small-640",
         "eomt_dinov3_coco_s()"),
    ],
)  # fmt: skip
def test_published_folders_are_the_presets(content, source, call) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = from_huggingface_eomt(content, {}, source)
    expected = eval(call, vars(ofl.config))  # of the list above
    same = {"backbone": expected.backbone.split(".")[0], "anneal_starts": (), "anneal_ends": (), "data_set": "coco"}
    same["data_set"] = found.data_set
    assert found == dataclasses.replace(expected, **same) and found.data_set in (expected.data_set, "")


@pytest.mark.parametrize("classes, task", [(COCO, "panoptic"), (COCO_THINGS, "instance")])
def test_without_a_name_the_task_is_assumed_with_a_warning(classes, task) -> None:
    with pytest.warns(UserWarning, match=f"does not say for which task.*taken for {task}"):
        assert from_huggingface_eomt(named(classes), {}, "folder").trained_task == task


@pytest.mark.parametrize(
    "change, words",
    [
        ({"patch_size": 14}, "patch_size = 14; this package has only 16"),
        ({"num_upscale_blocks": 1}, "num_upscale_blocks = 1"),
        ({"num_register_tokens": 0}, "num_register_tokens = 0"),
        ({"model_type": "eomt_dinov3", "key_bias": True}, "key_bias = True"),
        ({"model_type": "eomt_dinov3", "rope_parameters": {"rope_theta": 10.0}}, "rope_theta = 10.0"),
        ({"model_type": "eomt_dinov3", "use_gated_mlp": True}, "use_gated_mlp = True"),
    ],
)
def test_variants_that_are_not_here(change, words) -> None:
    with pytest.raises(CheckpointError, match=words):
        from_huggingface_eomt(named(COCO) | change, {}, "folder")


@pytest.mark.parametrize(
    "missing, words",
    [("query.weight", "missing: queries.weight"), ("attn_mask_probs", "missing: mask_shares"),
     ("layers.1.attention.k_proj.bias", "query, key and value"),
     ("embeddings.position_embeddings.weight", "pos_embed")],
)  # fmt: skip
def test_a_folder_that_lacks_a_weight(missing, words) -> None:
    theirs = reference("dinov2")
    state = {name: value for name, value in theirs.state_dict().items() if name != missing}
    with pytest.raises(CheckpointError, match=words):
        from_huggingface_state(state, theirs.config.to_dict(), {}, "the file")


def test_a_folder_of_other_sizes(tmp_path) -> None:
    reference("dinov2").save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"image_size": 112}))
    with pytest.raises(CheckpointError, match="misshapen: backbone.network.pos_embed"):
        ofl.from_pretrained(tmp_path)
