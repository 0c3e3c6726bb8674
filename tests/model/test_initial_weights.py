"""Every tensor starts as in the official code: mean, standard deviation and largest value, over twenty seeds.

The distributions were read from the official modules and measured on them (SHI-Labs/OneFormer: ``msdeformattn.py``,
``ms_deform_attn.py``, ``oneformer_transformer_decoder.py``, ``transformer.py``, ``text_transformer.py``,
``oneformer_model.py``, ``backbone/``; detectron2's ``resnet.py``; fvcore's ``weight_init.py``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from oneformer_lite import OneFormer, config
from oneformer_lite.config import ModelConfig, presets
from oneformer_lite.model import Mask2Former, MaskFormer
from oneformer_lite.model.networks.backbone import Backbone
from oneformer_lite.model.networks.imagenet import bundled_state
from oneformer_lite.model.parts import text
from oneformer_lite.model.parts.fpn import FPNPixelDecoder

SEEDS = 20


@dataclass(frozen=True)
class Start:
    """What a tensor's values are drawn from; ``bound`` is infinite for normal distributions."""

    std: float
    bound: float
    mean: float = 0.0


Shape = tuple[int, ...]
Rule = Callable[[Shape, Shape, ModelConfig], Start]  # shape of the tensor and of the weight that it belongs to


def fan_in(shape: Shape) -> int:
    return math.prod(shape[1:])


def fan_out(shape: Shape) -> int:
    return shape[0] * math.prod(shape[2:])


def uniform(bound: float) -> Start:
    return Start(bound / math.sqrt(3), bound)


def constant(value: float) -> Rule:
    return lambda *_: Start(0.0, abs(value), value)


def normal(std: float) -> Rule:
    return lambda *_: Start(std, math.inf)


def default(_: Shape, weight: Shape, __: ModelConfig) -> Start:
    """PyTorch's own for linear layers and convolutions, weights and biases alike."""
    return uniform(1 / math.sqrt(fan_in(weight)))


def xavier(shape: Shape, *_: object) -> Start:
    return uniform(math.sqrt(6 / (fan_in(shape) + fan_out(shape))))


def xavier_of_thirds(shape: Shape, *_: object) -> Start:
    """One matrix [3C, C] for query, key and value."""
    return uniform(math.sqrt(6 / (fan_in(shape) + 3 * fan_out(shape))))


def c2_xavier(shape: Shape, *_: object) -> Start:
    return uniform(math.sqrt(3 / fan_in(shape)))


def c2_msra(shape: Shape, *_: object) -> Start:
    return Start(math.sqrt(2 / fan_out(shape)), math.inf)


def clip_input(_: Shape, __: Shape, c: ModelConfig) -> Start:
    return Start(c.text_width**-0.5, math.inf)


def clip_output(_: Shape, __: Shape, c: ModelConfig) -> Start:
    return Start(c.text_width**-0.5 * (2 * c.text_layers) ** -0.5, math.inf)


def clip_hidden(_: Shape, __: Shape, c: ModelConfig) -> Start:
    return Start((2 * c.text_width) ** -0.5, math.inf)


def ring(_: Shape, __: Shape, c: ModelConfig) -> Start:
    """Directions of the eight heads onto the unit square, (1, 0), (1, 1), (0, 1) ..., times 1 to P steps."""
    steps = [step**2 for step in range(1, c.sampling_points + 1)]
    return Start(math.sqrt(6 / 8 * sum(steps) / len(steps)), c.sampling_points)


def inverse_temperature(_: Shape, __: Shape, c: ModelConfig) -> Start:
    return constant(math.log(1 / c.temperature))()


# the first row that fits decides
PARTS: list[tuple[str, Rule]] = [
    (r"pixel_decoder\.level_embed", normal(1)),
    (r"pixel_decoder\.input_projections\.\d\.0\.weight", xavier),
    (r"pixel_decoder\.input_projections\.\d\.0\.bias", constant(0)),
    (r"pixel_decoder\.(input_projections\.\d|fpn\.lateral|fpn\.output|top|steps\.\d\.lateral|steps\.\d\.output)\.1"
     r"\.weight", constant(1)),
    (r"pixel_decoder\.(input_projections\.\d|fpn\.lateral|fpn\.output|top|steps\.\d\.lateral|steps\.\d\.output)\.1"
     r"\.bias", constant(0)),
    (r"pixel_decoder\.(fpn\.lateral|fpn\.output|top|steps\.\d\.lateral|steps\.\d\.output)\.0\.weight", c2_xavier),
    (r"pixel_decoder\.layers\.\d+\.attention\.sampling_offsets\.bias", ring),
    (r"pixel_decoder\.layers\.\d+\.attention\.(value|output)_proj\.weight", xavier),
    (r"pixel_decoder\.layers\.\d+\.attention\..*", constant(0)),
    (r"pixel_decoder\.mask_projection\.weight|query_transformer\.feature_projection\.weight", c2_xavier),
    (r"pixel_decoder\.mask_projection\.bias|query_transformer\.feature_projection\.bias", constant(0)),
    (r"input_projection\.weight", c2_xavier),
    (r"input_projection\.bias", constant(0)),
    (r".*\.feed_forward\.linear[12]\.weight", xavier),
    (r".*\.feed_forward\.linear[12]\.bias", default),
    (r"encoder\.layers\.\d+\.attention\.[qkv]_proj\.weight", xavier_of_thirds),
    (r"encoder\.layers\.\d+\.attention\.out_proj\.weight", xavier),
    (r"(query_transformer|decoder)\.layers\.\d+\.(self|cross)_attention\.[qkv]_proj\.weight", xavier_of_thirds),
    (r"(query_transformer|decoder)\.layers\.\d+\.(self|cross)_attention\.out_proj\.weight", xavier),
    (r".*attention\.(q|k|v|out)_proj\.bias", constant(0)),
    (r"task_encoder\.mlp\.layers\.\d\.(weight|bias)", default),
    (r"decoder\.class_head\.(weight|bias)|decoder\.mask_head\.layers\.\d\.(weight|bias)", default),
    (r"queries\.weight|query_positions\.weight|decoder\.level_embed\.weight|text_mapper\.context\.weight", normal(1)),
    (r"text_mapper\.encoder\.token_embedding\.weight", normal(0.02)),
    (r"text_mapper\.encoder\.positional_embedding", normal(0.01)),
    (r"text_mapper\.encoder\.layers\.\d+\.attention\.[qkv]_proj\.weight", clip_input),
    (r"text_mapper\.encoder\.layers\.\d+\.(attention\.out_proj|linear2)\.weight", clip_output),
    (r"text_mapper\.encoder\.layers\.\d+\.linear1\.weight", clip_hidden),
    (r"text_mapper\.encoder\.layers\.\d+\.linear[12]\.bias", default),
    (r"text_mapper\.projector\.layers\.\d\.(weight|bias)", default),
    (r"text_mapper\.logit_scale", inverse_temperature),
    (r"(?!backbone).*norm\d?\.weight", constant(1)),
    (r"(?!backbone).*norm\d?\.bias", constant(0)),
]  # fmt: skip

# As the official code builds them; trainings go on from ImageNet's weights, which have the closing norms of no network
BACKBONES: list[tuple[str, Rule]] = [
    (r"backbone\.norms\.\d\.weight", constant(1)),
    (r"backbone\.norms\.\d\.bias", constant(0)),
    # ResNet
    (r"backbone\.network\.(layer\d\.\d+\.)?(conv\d|downsample\.0)\.weight", c2_msra),
    (r"backbone\.network\.(layer\d\.\d+\.)?(bn\d|downsample\.1)\.(weight|running_var)", constant(1)),
    (r"backbone\.network\.(layer\d\.\d+\.)?(bn\d|downsample\.1)\.(bias|running_mean|num_batches_tracked)",
     constant(0)),
    # Swin and DiNAT
    (r"backbone\.network\.(layers|levels)\.\d\.blocks\.\d+\.attn\.(relative_position_bias_table|rpb)", normal(0.02)),
    (r"backbone\.network\.(layers|levels)\.\d\.blocks\.\d+\.(attn\.qkv|attn\.proj|mlp\.fc\d)\.(weight|bias)", default),
    (r"backbone\.network\.patch_embed\.proj(\.\d)?\.(weight|bias)", default),
    (r"backbone\.network\.(layers|levels)\.\d\.downsample\.reduction\.weight", default),
    (r"backbone\.network\.(patch_embed|(layers|levels)\.\d\.(blocks\.\d+|downsample))\.norm\d?\.weight", constant(1)),
    (r"backbone\.network\.(patch_embed|(layers|levels)\.\d\.(blocks\.\d+|downsample))\.norm\d?\.bias", constant(0)),
    # ConvNeXt comes from timm and starts as its own paper's: this alone differs from the official code, which leaves
    # convolutions and linear layers as PyTorch starts them
    (r"backbone\.network\.stages_\d\.blocks\.\d+\.gamma", constant(1e-6)),
    (r"backbone\.network\.(stem_0|stages_\d\.(blocks\.\d+\.(conv_dw|mlp\.fc\d)|downsample\.1))\.weight", normal(0.02)),
    (r"backbone\.network\.(stem_0|stages_\d\.(blocks\.\d+\.(conv_dw|mlp\.fc\d)|downsample\.1))\.bias", constant(0)),
    (r"backbone\.network\.(stem_1|stages_\d\.(blocks\.\d+\.norm|downsample\.0))\.weight", constant(1)),
    (r"backbone\.network\.(stem_1|stages_\d\.(blocks\.\d+\.norm|downsample\.0))\.bias", constant(0)),
]  # fmt: skip

RULES = [(re.compile(pattern), rule) for pattern, rule in PARTS + BACKBONES]

# standard deviations in coco_r50, measured on the official modules
COCO_R50 = {
    "pixel_decoder.level_embed": 1,
    "pixel_decoder.input_projections.0.0.weight": 0.0295,
    "pixel_decoder.input_projections.2.0.weight": 0.0510,
    "pixel_decoder.fpn.lateral.0.weight": 0.0625,
    "pixel_decoder.fpn.output.0.weight": 0.0208,
    "pixel_decoder.mask_projection.weight": 0.0625,
    "pixel_decoder.layers.5.attention.sampling_offsets.bias": 2.372,
    "pixel_decoder.layers.5.attention.value_proj.weight": 0.0625,
    "pixel_decoder.layers.5.feed_forward.linear1.weight": 0.0395,
    "pixel_decoder.layers.5.feed_forward.linear1.bias": 0.0361,
    "pixel_decoder.layers.5.feed_forward.linear2.bias": 0.0180,
    "task_encoder.mlp.layers.0.weight": 0.0658,
    "task_encoder.mlp.layers.1.weight": 0.0361,
    "query_transformer.feature_projection.weight": 0.0625,
    "query_transformer.layers.1.self_attention.q_proj.weight": 0.0442,
    "query_transformer.layers.1.cross_attention.k_proj.weight": 0.0442,
    "query_transformer.layers.1.cross_attention.out_proj.weight": 0.0625,
    "decoder.layers.8.cross_attention.v_proj.weight": 0.0442,
    "decoder.layers.8.self_attention.out_proj.weight": 0.0625,
    "decoder.layers.8.self_attention.v_proj.bias": 0,
    "decoder.layers.8.feed_forward.linear1.weight": 0.0295,
    "decoder.layers.8.feed_forward.linear2.bias": 0.0128,
    "decoder.class_head.weight": 0.0361,
    "decoder.mask_head.layers.2.bias": 0.0361,
    "query_positions.weight": 1,
    "text_mapper.encoder.token_embedding.weight": 0.02,
    "text_mapper.encoder.positional_embedding": 0.01,
    "text_mapper.encoder.layers.5.attention.q_proj.weight": 0.0625,
    "text_mapper.encoder.layers.5.attention.out_proj.weight": 0.0180,
    "text_mapper.encoder.layers.5.linear1.weight": 0.0442,
    "text_mapper.encoder.layers.5.linear2.weight": 0.0180,
    "text_mapper.encoder.layers.5.linear2.bias": 0.0180,
    "text_mapper.projector.layers.1.weight": 0.0361,
    "text_mapper.context.weight": 1,
}


def starts(state: dict[str, Tensor], c: ModelConfig) -> dict[str, Start]:
    """The rule of every tensor, applied to its shape; fails for a tensor without one."""
    found = {}
    for name, tensor in state.items():
        fitting = [rule for pattern, rule in RULES if pattern.fullmatch(name)]
        assert fitting, f"nothing is said about how {name} starts"
        weight = state.get(name.removesuffix("bias") + "weight", tensor)
        found[name] = fitting[0](tuple(tensor.shape), tuple(weight.shape), c)
    return found


def drawn(build: Callable[[], nn.Module], prefix: str = "") -> dict[str, Tensor]:
    """The tensors of twenty modules, each from its own seed, stacked."""
    states = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        states.append({prefix + name: tensor.clone() for name, tensor in build().state_dict().items()})
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


def check(values: Tensor, start: Start) -> None:
    """Mean and standard deviation within five standard errors, no value above the bound, one near it."""
    values, count = values.double(), values.numel()
    assert abs(values.mean() - start.mean) <= 5 * start.std / math.sqrt(count) + 1e-6 * abs(start.mean)
    assert values.std(correction=0) == pytest.approx(start.std, rel=5 * 0.71 / math.sqrt(count), abs=1e-7)
    largest = values.abs().max().item()
    if start.bound == math.inf:  # an even distribution ends at 1.7 standard deviations
        assert count < 1000 or 2.5 * start.std < largest < 7 * start.std
    else:
        assert 0.97 * start.bound <= largest <= start.bound * (1 + 1e-6)


def check_all(tensors: dict[str, Tensor], c: ModelConfig) -> None:
    for name, start in starts({name: values[0] for name, values in tensors.items()}, c).items():
        try:
            check(tensors[name], start)
        except AssertionError as error:
            raise AssertionError(f"{name} should start as {start}: {error}") from None


def different_networks() -> list[str]:
    """A preset of each backbone: those that share one differ in classes and queries alone."""
    chosen = {}
    for name in presets.__all__:
        c = getattr(config, name)()
        chosen.setdefault((c.backbone, c.backbone_options, c.hidden_dim), name)
    return list(chosen.values())


@pytest.mark.parametrize("name", different_networks())
def test_nothing_is_left_out(name: str) -> None:
    """Every tensor of every preset has a rule; what comes from the ImageNet file that is installed needs none."""
    c = replace(getattr(config, name)(), pretrained=False)
    with torch.device("meta"):
        state = OneFormer(c).state_dict()
    loaded = {f"backbone.network.{key}" for key in bundled_state()} if name == "toytown" else set()
    found = starts({key: value for key, value in state.items() if key not in loaded}, c)
    if name == "coco_r50":
        for key, std in COCO_R50.items():
            assert found[key].std == pytest.approx(std, rel=0.005), key
        assert found["text_mapper.logit_scale"].mean == pytest.approx(2.6593, abs=1e-4)
        assert len(state) - sum(key.endswith("num_batches_tracked") for key in state) == 794


RESNET = (("channels", (8, 12, 16, 20)), ("layers", (1, 1, 1, 1)))


@pytest.mark.parametrize("width", [256, 96], ids=["published", "toytown"])
def test_parts(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but the backbone: two layers of each kind, as any further one is built by the same lines."""
    monkeypatch.setattr(text, "vocabulary", lambda: (dict.fromkeys(range(400)), {}))  # half a second a seed else
    base = config.coco_r50() if width == 256 else config.toytown()
    c = replace(
        base, pretrained=False, backbone="resnet50", backbone_options=RESNET, encoder_layers=2, query_layers=2,
        decoder_layers=2, text_layers=2, encoder_ffn=128, query_ffn=160, decoder_ffn=192,
    )  # fmt: skip
    check_all({k: v for k, v in drawn(lambda: OneFormer(c)).items() if not k.startswith("backbone.network")}, c)


def test_parts_of_mask2former() -> None:
    """The same parts, and two tables for the queries (official ``mask2former_transformer_decoder.py``)."""
    c = replace(
        config.mask2former_toytown(), pretrained=False, backbone="resnet50", backbone_options=RESNET, decoder_layers=1,
        encoder_layers=1,
    )  # fmt: skip
    check_all({k: v for k, v in drawn(lambda: Mask2Former(c)).items() if not k.startswith("backbone.network")}, c)


def test_parts_of_maskformer() -> None:
    """With DETR's encoder and decoder (official ``transformer.py``, ``transformer_predictor.py``)."""
    c = replace(
        config.maskformer_toytown(), pretrained=False, backbone="resnet50", backbone_options=RESNET, decoder_layers=1,
        encoder_layers=1,
    )  # fmt: skip
    check_all({k: v for k, v in drawn(lambda: MaskFormer(c)).items() if not k.startswith("backbone.network")}, c)


def test_simple_pixel_decoder() -> None:
    """MaskFormer's, a convolution of 3 x 3 at the end (official ``pixel_decoder/fpn.py``)."""
    check_all(drawn(lambda: FPNPixelDecoder([8, 12, 16, 20], 64), "pixel_decoder."), config.coco_r50())


NETWORKS = {
    "resnet50": dict(RESNET),
    "swin_tiny_patch4_window7_224": {"embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 4, 8)},
    "dinat_large": {
        "embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 4, 8), "dilations": ((1,), (1,), (1, 2), (1,)),
    },
    "convnext_large": {"depths": (1, 1, 2, 1), "dims": (16, 24, 32, 40)},
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_backbones_without_weights(name: str) -> None:
    tensors = drawn(lambda: Backbone(name, pretrained=False, options=NETWORKS[name].items()), "backbone.")
    check_all(tensors, config.coco_r50())


def test_toytowns_backbone_comes_from_its_file() -> None:
    c = config.toytown()
    network = Backbone(c.backbone, c.pretrained, c.backbone_norm).network.state_dict()
    file = bundled_state()
    for key, value in network.items():
        assert torch.equal(value, file[key]), key
