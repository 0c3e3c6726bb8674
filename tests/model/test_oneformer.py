"""OneFormer as a whole: shapes, errors, gradients, sizes."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import jaxtyping
import pytest
import torch

from oneformer_lite import config
from oneformer_lite.config import ModelConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.errors import ConfigError
from oneformer_lite.losses import Criterion
from oneformer_lite.model import OneFormer, Trace
from oneformer_lite.model.output import MaskProduct

TEXTS = [["a photo with a car", "a photo with a tree"], ["a photo with a sky"]]


def tiny(**changes) -> ModelConfig:
    """Every part of OneFormer, as narrow as it goes."""
    settings = dict(
        pretrained=False, hidden_dim=48, num_heads=4, num_queries=10, encoder_ffn=32, query_ffn=32,
        decoder_ffn=32, text_width=16, num_points=64,
    )
    return dataclasses.replace(config.toytown(), **settings | changes)


@pytest.fixture(scope="module")
def model() -> OneFormer:
    torch.manual_seed(0)
    return OneFormer(tiny()).eval()


@pytest.fixture
def unchecked():
    """What a user sees: no shape checks before the model's own."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def images(batch: int = 2, height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


def targets() -> list[Targets]:
    """Two masks in the first picture, one in the second."""
    masks = torch.zeros(3, 64, 96, dtype=torch.bool)
    masks[0, :30, :40], masks[1, 30:, 50:], masks[2, 10:60, 20:90] = True, True, True
    return [
        Targets(masks[:2], torch.tensor([0, 3]), TEXTS[0]),
        Targets(masks[2:], torch.tensor([5]), TEXTS[1]),
    ]


@pytest.mark.parametrize("task", ["panoptic", ["semantic", "instance"]])
def test_output_without_texts(model: OneFormer, task) -> None:
    out = model(images(), task)
    assert isinstance(out.masks, torch.Tensor)
    assert out.class_logits.shape == (2, 10, model.config.num_classes + 1)
    assert out.mask_logits.shape == (2, 10, 16, 24)
    assert out.auxiliary == [] and out.trace is None
    assert out.object_queries is out.text_queries is out.logit_scale is None


@pytest.mark.parametrize("pixel_decoder", ["deformable", "fpn"])
def test_output_with_texts(pixel_decoder: str) -> None:
    model = OneFormer(tiny(pixel_decoder=pixel_decoder)).eval()
    out = model(images(), "panoptic", texts=TEXTS)
    assert len(out.predictions) == model.config.decoder_layers + 1
    assert all(isinstance(p.masks, MaskProduct) for p in out.predictions)  # the losses do not read them whole
    assert all(p.mask_logits.shape == (2, 10, 16, 24) for p in out.predictions)
    assert out.predictions[-1].mask_logits is out.mask_logits
    assert out.object_queries.shape == out.text_queries.shape == (2, 10, 48)
    assert out.logit_scale.shape == ()
    final = model(images(), "panoptic")
    assert final.mask_logits.equal(out.mask_logits) and final.class_logits.equal(out.class_logits)


@pytest.mark.parametrize("size", [(33, 50), (64, 65), (1, 31)])
def test_odd_sizes_are_padded_with_zeros(model: OneFormer, size: tuple[int, int]) -> None:
    height, width = size
    padded = torch.zeros(1, 3, -(-height // 32) * 32, -(-width // 32) * 32)
    padded[..., :height, :width] = images(1, height, width)
    out = model(padded[..., :height, :width], "semantic")
    assert out.mask_logits.shape[-2:] == (padded.shape[-2] // 4, padded.shape[-1] // 4)
    assert out.mask_logits.equal(model(padded, "semantic").mask_logits)


def test_task_steers_the_result(model: OneFormer) -> None:
    panoptic, semantic = (model(images(1), task).mask_logits for task in ("panoptic", "semantic"))
    assert not torch.allclose(panoptic, semantic, atol=1e-2)
    mixed = model(images(1).repeat(2, 1, 1, 1), ["panoptic", "semantic"]).mask_logits
    assert torch.allclose(mixed, torch.cat([panoptic, semantic]), atol=1e-3)


def test_a_batch_is_its_images_one_by_one(model: OneFormer) -> None:
    tasks = ["instance", "panoptic"]
    together = model(images(), tasks)
    for b, task in enumerate(tasks):
        alone = model(images()[b : b + 1], task)
        assert torch.allclose(alone.class_logits[0], together.class_logits[b], atol=1e-4)
        assert torch.allclose(alone.mask_logits[0], together.mask_logits[b], atol=1e-3)


def test_the_token_passes_the_decoders_norm_and_closes_the_queries(model: OneFormer) -> None:
    trace = model(images(), "panoptic", trace=True).trace
    expected = model.decoder.norm(model.task_encoder(["panoptic"] * 2))
    assert trace["task.token"].equal(expected)
    assert trace["query.object_queries"][:, -1].equal(expected)


def test_trace_changes_nothing_and_holds_every_part(model: OneFormer) -> None:
    plain, traced = model(images(), "panoptic"), model(images(), "panoptic", trace=True)
    assert torch.allclose(plain.class_logits, traced.class_logits, atol=1e-4)
    assert torch.allclose(plain.mask_logits, traced.mask_logits, atol=1e-3)
    shapes = {name: tuple(value.shape) for name, value in traced.trace.items()}
    assert shapes["backbone.stride32"] == (2, 320, 2, 3)
    assert shapes["pixel_decoder.stride8"] == (2, 48, 8, 12)
    assert shapes["pixel_decoder.mask_features"] == (2, 48, 16, 24)
    assert shapes["query.object_queries"] == (2, 10, 48)
    trained = model(images(), "panoptic", texts=TEXTS, trace=True)
    assert trained.trace["text.text_queries"].equal(trained.text_queries)
    assert len(trained.predictions) == model.config.decoder_layers + 1


@pytest.mark.parametrize("pixel_decoder", ["deformable", "fpn"])
def test_every_parameter_gets_a_gradient_and_every_loss_is_positive(pixel_decoder: str) -> None:
    torch.manual_seed(0)
    model = OneFormer(tiny(pixel_decoder=pixel_decoder)).train()
    losses = Criterion(model.config)(model(images(), "panoptic", texts=TEXTS), targets())
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())
    losses["total"].backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    # what is added to the queries of deformable attention counts from the second step on: at first
    # its offsets and weights are constants (zero matrices)
    waiting = ["pixel_decoder.level_embed"] if pixel_decoder == "deformable" else []
    assert [n for n, p in model.named_parameters() if not p.grad.any()] == waiting


def test_the_contrastive_loss_teaches_both_sides() -> None:
    model = OneFormer(tiny()).train()
    out = model(images(), ["panoptic", "semantic"], texts=TEXTS)
    Criterion(model.config)(out, targets())["contrastive"].backward()
    for part in ("backbone", "pixel_decoder", "query_transformer", "task_encoder", "text_mapper"):
        assert any(p.grad is not None and p.grad.any() for p in getattr(model, part).parameters()), part
    assert model.text_mapper.logit_scale.grad != 0
    assert all(p.grad is None for p in model.decoder.layers.parameters())  # read before the decoder


@pytest.mark.parametrize("heads", [4, 3])  # of 24 and of 32 channels: both forms of deformable sampling
@pytest.mark.parametrize("grad", [True, False])
def test_mixed_and_half_precision(heads: int, grad: bool) -> None:
    torch.manual_seed(0)
    model = OneFormer(tiny(hidden_dim=96, num_heads=heads)).eval()
    with torch.set_grad_enabled(grad):
        exact = model(images(), "panoptic").class_logits
        with torch.autocast("cpu", torch.bfloat16):
            mixed = model(images(), "panoptic", trace=True)
        half = model.bfloat16()(images().bfloat16(), "panoptic", trace=True)
    assert half.class_logits.dtype == torch.bfloat16 and half.class_logits.isfinite().all()
    assert (mixed.class_logits.float() - exact).abs().mean() < 0.1 * exact.abs().mean()
    for out in (mixed, half):  # half precision cannot tell neighbouring pixels apart
        assert out.trace["pixel_decoder.layer0.sampling_locations"].dtype == torch.float32


def test_prediction_first_and_training_later(model: OneFormer) -> None:
    """Position maps are cached: those made in inference mode must not break the backward pass."""
    picture = images(1, 32, 160)  # a size that no other test uses
    with torch.inference_mode():
        model(picture, "panoptic")
    model(picture, "panoptic", texts=[["a photo with a car"]]).mask_logits.sum().backward()
    model.zero_grad()


@pytest.mark.parametrize(
    "given, message",
    [
        ((torch.zeros(3, 32, 32), "panoptic"), r"\[B, 3, H, W\], got \[3, 32, 32\]"),
        ((torch.zeros(1, 4, 32, 32), "panoptic"), r"got \[1, 4, 32, 32\]"),
        ((torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "panoptic"), "normalised floats, got torch.uint8"),
        ((torch.zeros(2, 3, 32, 32), ["panoptic"]), "2 images but 1 tasks"),
        ((torch.zeros(2, 3, 32, 32), "panoptic", [["a"]]), "2 images but 1 text lists"),
        ((torch.zeros(1, 3, 32, 32), "depth"), "unknown task 'depth'"),
    ],
)
def test_errors_say_what_came(model: OneFormer, unchecked, given: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(*given)


def test_training_without_text_mapper() -> None:
    model = OneFormer(tiny())
    model.text_mapper = None
    model(images(1), "panoptic")
    with pytest.raises(ConfigError, match="add_text_mapper"):
        model(images(1), "panoptic", texts=[[]])
    model.add_text_mapper()
    assert model(images(1), "panoptic", texts=[[]]).text_queries.shape == (1, 10, 48)


def count(module: torch.nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


@pytest.mark.parametrize(
    "preset, inference, pixel_decoder",
    [("coco_r50", 47.33, 6.04), ("coco_swin_t", 50.73, 5.42), ("coco_swin_l", 218.78, 5.79)],
)
def test_published_sizes(preset: str, inference: float, pixel_decoder: float) -> None:
    """Millions of parameters of the released models, with and without the text mapper."""
    with torch.device("meta"):
        model = OneFormer(dataclasses.replace(getattr(config, preset)(), pretrained=False))
    text = count(model.text_mapper)
    assert text == pytest.approx(17.54, rel=0.005)
    assert count(model) - text == pytest.approx(inference, rel=0.005)
    assert count(model.pixel_decoder) == pytest.approx(pixel_decoder, rel=0.005)
    assert count(model.query_transformer) + count(model.decoder) + 0.0384 == pytest.approx(17.70, rel=0.005)
    assert count(model.decoder.layers) == pytest.approx(14.21, rel=0.005)
    assert count(model.task_encoder) == pytest.approx(0.086, abs=0.0005)


def test_a_list_of_pictures_is_refused_in_words() -> None:
    """In a process of its own, as users have it: without the run-time checks of shapes that the tests switch on."""
    code = """
import torch, oneformer_lite as ofl
try:
    ofl.from_pretrained("toytown")([torch.zeros(3, 64, 64), torch.zeros(3, 64, 96)], "panoptic")
except ValueError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert "must be one tensor" in run.stdout and "got a list: ofl.data.collate" in run.stdout, run.stderr


@pytest.mark.parametrize("trace", [False, True])
def test_the_two_halves_are_the_whole(model: OneFormer, trace: bool) -> None:
    whole = model(images(), ["panoptic", "semantic"], trace=trace)
    record = Trace() if trace else None
    encoded = model.encode(images(), record)
    predictions = model.read(encoded, model.task_token(["panoptic", "semantic"]), trace=record)
    assert predictions[-1].mask_logits.equal(whole.mask_logits)
    assert predictions[-1].class_logits.equal(whole.class_logits)
    if trace:
        assert record["query.object_queries"].equal(whole.trace["query.object_queries"])
        assert {*whole.trace} - {*record} == {"task.token"}
    else:
        assert len(predictions) == 1


@pytest.mark.parametrize("pixel_decoder, hidden_dim", [("deformable", 32), ("fpn", 32), ("fpn", 16), ("fpn", 8)])
def test_a_picture_too_small_for_a_narrow_model_is_refused_in_words(pixel_decoder, hidden_dim):
    sizes = {"hidden_dim": hidden_dim, "num_heads": 4, "pixel_decoder": pixel_decoder, "pretrained": False}
    model = OneFormer(dataclasses.replace(config.toytown(), **sizes)).eval()
    for height, width in ((32, 32), (1, 1), (7, 31)):
        with pytest.raises(ConfigError, match=f"single position at stride 32, .* the norm of hidden_dim {hidden_dim} "):
            model(torch.zeros(1, 3, height, width), "panoptic")
    for shape in ((2, 3, 32, 32), (1, 3, 33, 32)):
        assert model(torch.zeros(shape), "panoptic").class_logits.isfinite().all()


@pytest.mark.parametrize("hidden_dim", [12, 20, 24, 28, 64])
def test_a_single_position_is_enough_where_a_norm_has_several_channels_a_group(hidden_dim):
    sizes = {"hidden_dim": hidden_dim, "num_heads": 4, "pixel_decoder": "fpn", "pretrained": False}
    model = OneFormer(dataclasses.replace(config.toytown(), **sizes)).eval()
    assert model(torch.zeros(1, 3, 32, 32), "panoptic").class_logits.isfinite().all()
