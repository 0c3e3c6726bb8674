"""Every piece's gradient against central differences, in double precision: inputs and parameters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch.func import functional_call

from oneformer_lite.config import ModelConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import Criterion, contrastive_loss, terms
from oneformer_lite.losses import pairs as pairs_module
from oneformer_lite.losses.points import PointSource
from oneformer_lite.model.output import OneFormerOutput, Predictions
from oneformer_lite.model.parts import deformable_attention
from oneformer_lite.model.parts.deformable_attention import DeformableAttention, sample_by_bag, sample_by_grid
from oneformer_lite.model.parts.fpn import FPNPixelDecoder, FPNStep
from oneformer_lite.model.parts.layers import MLP, Attention, ConvNorm, FeedForward
from oneformer_lite.model.parts.masked_decoder import DecoderLayer, MaskedDecoder
from oneformer_lite.model.parts.pixel_decoder import DeformableEncoderLayer, DeformablePixelDecoder
from oneformer_lite.model.parts.query import QueryLayer, QueryTransformer
from oneformer_lite.model.parts.task import TaskEncoder
from oneformer_lite.model.parts.text import TextEncoder, TextLayer

C = 4  # channels
SHAPES = [(1, 1), (1, 2), (2, 3)]  # three levels, 9 positions
PYRAMID = [(4, 6), *SHAPES[::-1]]  # as a backbone returns them, finest first


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def check(
    module: nn.Module, call: Callable[..., object], *inputs: Tensor,
    fixed: tuple[str, ...] = (), projected: bool = False,
) -> None:
    """``call(run, *inputs)`` gives the tensors to differentiate, where ``run`` calls the module.

    All parameters are drawn again (zeros and ones would hide mistakes) and all but ``fixed`` varied:
    one by one or, with ``projected``, together in a random direction.
    """
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    varied = {k: p.detach().requires_grad_() for k, p in module.named_parameters() if k not in fixed}

    def function(*tensors: Tensor):
        given, parameters = tensors[: len(inputs)], dict(zip(varied, tensors[len(inputs) :]))
        return call(lambda *args, **options: functional_call(module, parameters, args, options), *given)

    assert gradcheck(function, [*(x.requires_grad_() for x in inputs), *varied.values()], fast_mode=projected)


# -- small parts


def test_mlp() -> None:
    check(MLP(3, 5, 2, num_layers=3), lambda run, x: run(x), draw(4, 3))


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_attention(need_weights: bool, masked: bool) -> None:
    allowed = torch.tensor([[[True, False, True], [False, True, False]]]) if masked else None
    check(
        Attention(C, 2), lambda run, q, k, v: run(q, k, v, allowed, need_weights)[0],
        draw(1, 2, C), draw(1, 3, C), draw(1, 3, C),
    )


def test_feed_forward() -> None:
    check(FeedForward(C, 6), lambda run, x: run(x), draw(2, 3, C))


def test_conv_norm() -> None:
    check(ConvNorm(3, C, kernel=3, relu=True, bias=True), lambda run, x: run(x), draw(1, 3, 3, 4))


# -- pixel decoder


def maps_of_decoder(run: Callable, *features: Tensor) -> list[Tensor]:
    mask_features, maps = run(list(features))
    return [mask_features, *maps]


def test_fpn_step() -> None:
    check(FPNStep(3, C), lambda run, fine, coarse: run(fine, coarse), draw(1, 3, 4, 4), draw(1, C, 2, 2))


def test_fpn_pixel_decoder() -> None:
    maps = [draw(1, 2, 2 * h, 2 * w) for h, w in PYRAMID]
    check(FPNPixelDecoder([2] * 4, C), maps_of_decoder, *maps, projected=True)


@pytest.mark.parametrize("form", [sample_by_grid, sample_by_bag])
def test_deformable_attention(form: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deformable_attention, "sample", form)
    check(
        DeformableAttention(C, num_heads=2, num_levels=3, num_points=2),
        lambda run, query, reference, memory: run(query, reference, memory, SHAPES),
        draw(1, 2, C), torch.rand(2, 2, dtype=torch.float64), draw(1, 9, C),
    )


def test_deformable_encoder_layer() -> None:
    reference = torch.rand(9, 2, dtype=torch.float64)
    check(
        DeformableEncoderLayer(C, 2, 3, 1, 6, 0.0),
        lambda run, x, positions: run(x, positions, reference, SHAPES), draw(1, 9, C), draw(9, C),
    )


def test_deformable_pixel_decoder() -> None:
    maps = [draw(2, 2, 2 * h, 2 * w) for h, w in PYRAMID]
    module = DeformablePixelDecoder([2] * 4, C, heads=1, layers=1, points=1, ffn=3, dropout=0.0)
    check(module, maps_of_decoder, *maps, projected=True)


# -- queries and masked decoder


def test_query_layer() -> None:
    check(
        QueryLayer(C, 2, 5, 0.0), lambda run, *inputs: run(*inputs, need_weights=False)[0],
        draw(1, 2, C), draw(2, C), draw(1, 3, C), draw(1, 3, C),
    )


@pytest.mark.parametrize("values", ["positions", "positions+features"])
def test_query_transformer(values: str) -> None:
    check(
        QueryTransformer(C, 2, 1, 5, 0.0, values), lambda run, *inputs: run(*inputs),
        draw(2, C), draw(3, C), draw(2, C, 2, 2),
    )


def test_decoder_layer() -> None:
    allowed = torch.tensor([[[True, False, True], [False, True, False]]])
    check(
        DecoderLayer(C, 2, 5), lambda run, *inputs: run(*inputs, allowed, need_weights=False)[0],
        draw(1, 2, C), draw(2, C), draw(1, 3, C), draw(1, 3, C),
    )


def test_masked_decoder() -> None:
    """The regions are no part of the gradient; far from their edge they do not move either."""

    def call(run, queries: Tensor, positions: Tensor, mask_features: Tensor, *maps: Tensor) -> list[Tensor]:
        predictions = run(queries, positions, list(maps), mask_features, all_predictions=True)
        return [t for p in predictions for t in (p.class_logits, p.mask_logits)]

    maps = [draw(1, C, h, w) for h, w in SHAPES]
    inputs = draw(1, 2, C), draw(2, C), draw(1, C, 2, 3), *maps
    check(MaskedDecoder(C, 2, 2, 3, num_classes=1), call, *inputs, projected=True)


# -- words


def test_text_layer() -> None:
    allowed = torch.ones(3, 3, dtype=torch.bool).tril()[None]
    check(TextLayer(C, 2), lambda run, x: run(x, allowed), draw(2, 3, C))


@pytest.mark.parametrize("causal", [True, False])
def test_text_encoder(causal: bool) -> None:
    ids = torch.tensor([[49406, 7, 49407, 0], [49406, 49407, 0, 0]])
    module = TextEncoder(C, 2, 1, 4, causal)
    check(module, lambda run: run(ids), fixed=("token_embedding.weight",))  # 49408 rows


def test_task_encoder() -> None:
    check(TaskEncoder(8, 3), lambda run: run(["semantic", "panoptic"]) / 49407)


# -- losses


def test_contrastive_loss() -> None:
    scale = torch.tensor(2.6593, dtype=torch.float64, requires_grad=True)
    assert gradcheck(contrastive_loss, (*(draw(3, 2, C).requires_grad_() for _ in range(2)), scale))


def scene() -> list[Targets]:
    masks = torch.rand(3, 5, 6) < 0.5
    labels = torch.tensor([0, 1, 1])
    return [Targets(masks[:2], labels[:2], ["", ""]), Targets(masks[2:], labels[2:], [""])]


def criterion(mask_loss: str = "bce") -> Criterion:
    return Criterion(ModelConfig(num_classes=2, num_queries=3, text_context=1, num_points=6, mask_loss=mask_loss))


def test_class_loss() -> None:
    targets, assigned = scene(), [torch.tensor([2, 0]), torch.tensor([1])]
    masks = draw(2, 3, 2, 2)
    call = lambda x: terms.class_loss(Predictions(x, masks), targets, assigned, criterion().config)  # noqa: E731
    assert gradcheck(call, draw(2, 3, 3).requires_grad_())


@pytest.mark.parametrize("mask_loss", ["bce", "focal"])
def test_mask_losses(mask_loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two predictions with different matchings, on fixed points."""
    points = torch.rand(6, 6, 2, dtype=torch.float64)
    monkeypatch.setattr(pairs_module, "uncertain_points", lambda *_: points)
    targets, module, classes = scene(), criterion(mask_loss), draw(2, 3, 3)
    assigned = [[torch.tensor([2, 0]), torch.tensor([1])], [torch.tensor([0, 1]), torch.tensor([2])]]

    def call(*masks: Tensor) -> tuple[Tensor, Tensor]:
        predictions = [Predictions(classes, m) for m in masks]
        pairs = terms.Pairs(predictions, targets, assigned, PointSource(torch.device("cpu")), module.config)
        output = OneFormerOutput(classes, masks[-1], predictions[:-1])
        return terms.mask_term(output, pairs, module.config), terms.dice_term(output, pairs, module.config)

    assert gradcheck(call, [draw(2, 3, 3, 4).requires_grad_() for _ in range(2)])


def test_whole_criterion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Matching and choice of points included: they are constants between their jumps."""
    table = torch.rand(18, 2, dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda n, count, *_, **__: table[:count].expand(n, -1, -1))
    targets, module = scene(), criterion()

    def call(*tensors: Tensor) -> Tensor:
        classes, masks, first_classes, first_masks, *queries = tensors
        output = OneFormerOutput(classes, masks, [Predictions(first_classes, first_masks)], *queries)
        return module(output, targets)["total"]

    shapes = [(2, 3, 3), (2, 3, 3, 4)] * 2 + [(2, 3, C)] * 2 + [()]
    assert gradcheck(call, [draw(*shape).requires_grad_() for shape in shapes])
