"""Our backbones against transformers' own: the same weights give the same four feature maps."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn
from transformers import ConvNextBackbone, ConvNextConfig, ResNetBackbone, ResNetConfig, SwinBackbone, SwinConfig

from oneformer_lite.model.networks.backbone import Backbone

STAGES = ["stage1", "stage2", "stage3", "stage4"]
CLOSING = (r"^norms\.(\d)", lambda m: f"hidden_states_norms.stage{int(m[1]) + 1}")
SWIN_NAMES = [
    CLOSING,
    (r"^network\.patch_embed\.proj", "swin.embeddings.patch_embeddings.projection"),
    (r"^network\.patch_embed\.norm", "swin.embeddings.norm"),
    (r"^network\.layers", "swin.encoder.layers"),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.attn\.proj\.", ".attention.o_proj."),
    (r"\.attn\.relative", ".attention.relative_position_bias.relative"),
]
CONVNEXT_NAMES = [
    CLOSING,
    (r"^network\.stem_0", "embeddings.patch_embeddings"),
    (r"^network\.stem_1", "embeddings.layernorm"),
    (r"^network\.stages_", "encoder.stages."),
    (r"\.downsample\.", ".downsampling_layer."),
    (r"\.blocks\.", ".layers."),
    (r"\.gamma$", ".layer_scale_parameter"),
    (r"\.conv_dw\.", ".dwconv."),
    (r"\.norm\.", ".layernorm."),
    (r"\.mlp\.fc", ".pwconv"),
]
RESNET_NAMES = [
    (r"^network\.conv1", "embedder.embedder.convolution"),
    (r"^network\.bn1", "embedder.embedder.normalization"),
    (r"^network\.layer(\d)\.(\d+)", lambda m: f"encoder.stages.{int(m[1]) - 1}.layers.{m[2]}"),
    (r"\.conv(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.convolution."),
    (r"\.bn(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.normalization."),
    (r"\.downsample\.0\.", ".shortcut.convolution."),
    (r"\.downsample\.1\.", ".shortcut.normalization."),
]


def renamed(state: dict[str, Tensor], names: list[tuple]) -> dict[str, Tensor]:
    """Our tensors under transformers' names; a fused qkv becomes three."""
    result = {}
    for key, value in state.items():
        for pattern, replacement in names:
            key = re.sub(pattern, replacement, key)
        if ".attn.qkv." in key:
            for letter, part in zip("qkv", value.chunk(3)):
                result[key.replace(".attn.qkv.", f".attention.{letter}_proj.")] = part
        else:
            result[key] = value
    return result


@torch.no_grad()
def scrambled(module: nn.Module) -> nn.Module:
    """Weights far from their initialisation, so that no norm, bias or table is without effect."""
    torch.manual_seed(0)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif name.endswith("bias_table"):
            value.normal_()
        elif value.is_floating_point():
            noise = 0.3 if value.ndim == 1 else value[0].numel() ** -0.5
            value.normal_(std=noise).add_(float(value.ndim == 1 and not name.endswith(("bias", "mean"))))
    return module.eval()


def load(theirs: nn.Module, ours: Backbone, names: list[tuple]) -> nn.Module:
    result = theirs.load_state_dict(renamed(ours.state_dict(), names), strict=False)
    assert not result.unexpected_keys
    assert all(key.startswith("swin.layernorm.") for key in result.missing_keys)  # it makes no feature map
    return theirs.eval()


def assert_equal_features(ours: Backbone, theirs: nn.Module, height: int, width: int) -> None:
    images = torch.randn(2, 3, height, width)
    with torch.no_grad():
        features, expected = ours(images), theirs(images).feature_maps
    assert len(features) == 4
    for a, b in zip(features, expected, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() / b.abs().max() < 1e-5


def swin_pair(name: str, **sizes: object) -> tuple[Backbone, SwinBackbone]:
    ours = scrambled(Backbone(name, pretrained=False, options=sizes.items()))
    blocks = [stage.blocks for stage in ours.network.layers]
    config = SwinConfig(
        embed_dim=ours.channels[0],
        depths=[len(stage) for stage in blocks],
        num_heads=[stage[0].attn.num_heads for stage in blocks],
        window_size=ours.network.layers[0].window,
        out_features=STAGES,
    )
    return ours, load(SwinBackbone(config), ours, SWIN_NAMES)


@pytest.fixture(scope="module", params=[4, 7])
def small_swins(request: pytest.FixtureRequest) -> tuple[Backbone, SwinBackbone]:
    return swin_pair(
        "swin_tiny_patch4_window7_224",
        embed_dim=16, depths=(2, 3, 2, 2), num_heads=(1, 2, 4, 8), window_size=request.param,
    )


# 64: maps smaller than the windows; 100x132: no stage is tiled; 31x45: not even by patches
@pytest.mark.parametrize("size", [(64, 64), (96, 160), (100, 132), (31, 45), (224, 224)])
def test_swin_is_transformers_swin(small_swins: tuple, size: tuple[int, int]) -> None:
    assert_equal_features(*small_swins, *size)


@pytest.mark.parametrize(
    "name, embed_dim, depths, num_heads, window, millions",
    [
        ("swin_tiny_patch4_window7_224", 96, [2, 2, 6, 2], [3, 6, 12, 24], 7, 28.288354),
        ("swin_large_patch4_window12_384", 192, [2, 2, 18, 2], [6, 12, 24, 48], 12, 196.735516),
    ],
)
def test_published_swins(
    name: str, embed_dim: int, depths: list[int], num_heads: list[int], window: int, millions: float
) -> None:
    """Parameters: those of the published classifiers, but for head and last norm."""
    ours, theirs = swin_pair(name)
    config = theirs.config
    assert (config.embed_dim, config.depths, config.num_heads) == (embed_dim, depths, num_heads)
    assert config.window_size == window
    dim = ours.channels[-1]
    head = 2 * dim + 1000 * (dim + 1)
    assert sum(p.numel() for p in ours.network.parameters()) + head == round(millions * 1e6)
    assert_equal_features(ours, theirs, 96, 128)


def test_convnext_is_transformers_convnext() -> None:
    sizes = {"depths": (1, 2, 2, 1), "dims": (16, 32, 48, 64)}
    ours = scrambled(Backbone("convnext_large", pretrained=False, options=sizes.items()))
    config = ConvNextConfig(
        depths=list(sizes["depths"]), hidden_sizes=list(sizes["dims"]), out_features=STAGES
    )
    theirs = load(ConvNextBackbone(config), ours, CONVNEXT_NAMES)
    assert_equal_features(ours, theirs, 64, 96)
    assert_equal_features(ours, theirs, 100, 132)


def test_resnet_is_transformers_resnet() -> None:
    sizes = {"layers": (1, 2, 2, 1), "channels": (8, 16, 32, 64)}
    ours = scrambled(Backbone("resnet50", pretrained=False, options=sizes.items()))
    config = ResNetConfig(
        depths=list(sizes["layers"]), hidden_sizes=[4 * c for c in sizes["channels"]], out_features=STAGES
    )
    theirs = load(ResNetBackbone(config), ours, RESNET_NAMES)
    assert_equal_features(ours, theirs, 64, 96)
    assert_equal_features(ours, theirs, 75, 101)
