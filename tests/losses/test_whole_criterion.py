"""The whole criterion in double precision: against loops written from the definitions, and transformers."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from transformers.models.mask2former.configuration_mask2former import Mask2FormerConfig as TheirConfig
from transformers.models.mask2former.modeling_mask2former import Mask2FormerLoss
from transformers.models.maskformer.modeling_maskformer import MaskFormerHungarianMatcher, MaskFormerLoss
from transformers.models.oneformer.modeling_oneformer import OneFormerHungarianMatcher, OneFormerLoss

from oneformer_lite.config import Mask2FormerConfig, MaskFormerConfig, ModelConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import LOSSES, Criterion
from oneformer_lite.losses.contrastive import similarity
from oneformer_lite.losses.matching import Matcher
from oneformer_lite.losses.points import sample_points, uncertain_points
from oneformer_lite.model.output import MaskProduct, OneFormerOutput, Output, Predictions

QUERIES, CLASSES, POINTS = 5, 3, 8
CONFIG = ModelConfig(num_classes=CLASSES, num_queries=QUERIES, text_context=1, num_points=POINTS)
EXACT = 1e-12  # relative


def random_output(images: int, layers: int, scale: float = 2.0) -> OneFormerOutput:
    """Random predictions and queries in double precision; ``exp(scale)`` divides by the temperature."""
    generator = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    predictions = [
        Predictions(draw(images, QUERIES, CLASSES + 1), 2 * draw(images, QUERIES, 5, 7)) for _ in range(layers)
    ]
    final = predictions.pop()
    return OneFormerOutput(
        final.class_logits, final.mask_logits, predictions, draw(images, QUERIES, 4), draw(images, QUERIES, 4),
        torch.tensor(scale, dtype=torch.float64),
    )


def random_targets(*counts: int) -> list[Targets]:
    generator = torch.Generator().manual_seed(4)
    return [
        Targets(
            torch.rand(n, 10, 14, generator=generator) < 0.5,
            torch.randint(0, CLASSES, (n,), generator=generator), [""] * n,
        )
        for n in counts
    ]


# -- the definitions, in loops over plain numbers


def bilinear(image: np.ndarray, x: float, y: float) -> float:
    """The value at (x, y) in [0, 1]: pixel centres lie at half numbers, outside is zero."""
    height, width = image.shape
    row, column = y * height - 0.5, x * width - 0.5
    value = 0.0
    for r in (math.floor(row), math.floor(row) + 1):
        for c in (math.floor(column), math.floor(column) + 1):
            if 0 <= r < height and 0 <= c < width:
                value += (1 - abs(row - r)) * (1 - abs(column - c)) * float(image[r, c])
    return value


def read(image: np.ndarray, points: np.ndarray) -> list[float]:
    return [bilinear(image, x, y) for x, y in points.tolist()]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softmax(logits: list[float]) -> list[float]:
    return [math.exp(x) / sum(math.exp(y) for y in logits) for x in logits]


def bce(logits: list[float], labels: list[float]) -> float:
    terms = [-y * math.log(sigmoid(x)) - (1 - y) * math.log(1 - sigmoid(x)) for x, y in zip(logits, labels)]
    return sum(terms) / len(terms)


def focal(logits: list[float], labels: list[float]) -> float:
    terms = []
    for x, y in zip(logits, labels):
        wrongness = y * (1 - sigmoid(x)) + (1 - y) * sigmoid(x)
        terms.append((0.25 * y + 0.75 * (1 - y)) * wrongness**2 * bce([x], [y]))
    return sum(terms) / len(terms)


def focal_cost(logits: list[float], labels: list[float]) -> float:
    """As a cost the two ends are mixed; the loss differs where a label lies between 0 and 1."""
    ends = [(y * focal([x], [1]), (1 - y) * focal([x], [0])) for x, y in zip(logits, labels)]
    return sum(map(sum, ends)) / len(ends)


def dice(logits: list[float], labels: list[float]) -> float:
    probability = [sigmoid(x) for x in logits]
    overlap = sum(p * y for p, y in zip(probability, labels))
    return 1 - (2 * overlap + 1) / (sum(probability) + sum(labels) + 1)


MASK_TERMS = {"bce": (bce, bce), "focal": (focal_cost, focal)}


def best_queries(costs: list[list[float]]) -> tuple[int, ...]:
    """Of all ways to give each mask (column) a query (row) of its own, the cheapest."""
    orders = itertools.permutations(range(len(costs)), len(costs[0]) if costs else 0)
    return min(orders, key=lambda order: sum(costs[q][g] for g, q in enumerate(order)))


def hardest(image: np.ndarray, candidates: np.ndarray, count: int) -> np.ndarray:
    """The candidates whose logits are nearest to 0."""
    order = sorted(range(len(candidates)), key=lambda i: abs(read(image, candidates[i : i + 1])[0]))
    return candidates[order[:count]]


def expected_losses(
    output: OneFormerOutput, targets: list[Targets], draws: list[torch.Tensor], mask_loss: str
) -> tuple[dict[str, float], list]:
    """All losses, and the queries of all masks; ``draws`` are the random numbers in the order of use."""
    mask_cost, mask_term = MASK_TERMS[mask_loss]
    for_matching, candidates, anywhere = (d.double().numpy() for d in draws)
    losses, assigned, row = dict.fromkeys(LOSSES, 0.0), [], 0
    for prediction in output.predictions:
        assigned.append([])
        log_likelihood = weight = 0.0
        for b, target in enumerate(targets):
            masks, truth = prediction.mask_logits[b].numpy(), target.masks.numpy()
            probability = [softmax(logits) for logits in prediction.class_logits[b].tolist()]
            points = for_matching[b]
            costs = [[
                -2 * p[label] + 5 * mask_cost(read(m, points), read(t, points))
                + 5 * dice(read(m, points), read(t, points))
                for t, label in zip(truth, target.labels.tolist())
            ] for m, p in zip(masks, probability)]
            queries = best_queries(costs)
            assigned[-1].append(list(queries))
            classes = [CLASSES] * QUERIES
            for g, q in enumerate(queries):
                classes[q] = target.labels[g].item()
                points = np.concatenate([hardest(masks[q], candidates[row], 6), anywhere[row]])
                logits, labels = read(masks[q], points), read(truth[g], points)
                losses["mask"] += mask_term(logits, labels) / sum(map(len, targets))
                losses["dice"] += dice(logits, labels) / sum(map(len, targets))
                row += 1
            for p, c in zip(probability, classes):
                w = 0.1 if c == CLASSES else 1.0
                log_likelihood, weight = log_likelihood - w * math.log(p[c]), weight + w
        losses["class"] += log_likelihood / weight
    losses["contrastive"] = expected_contrastive(output)
    weights = {"class": 2, "mask": 5, "dice": 5, "contrastive": 0.5}
    return losses | {"total": sum(weights[name] * losses[name] for name in LOSSES)}, assigned


def expected_contrastive(output: OneFormerOutput) -> float:
    """One vector of length 1 for each image and each text list; rows plus columns."""
    images, texts = (q.flatten(1).tolist() for q in (output.object_queries, output.text_queries))
    length = lambda v: math.sqrt(sum(x * x for x in v))  # noqa: E731
    scale = min(math.exp(output.logit_scale.item()), 100)
    table = [[scale * sum(map(float.__mul__, i, t)) / length(i) / length(t) for t in texts] for i in images]
    columns = list(map(list, zip(*table)))
    terms = [-math.log(softmax(side[b])[b]) for side in (table, columns) for b in range(len(table))]
    return sum(terms) / len(table)


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Every result of torch.rand."""
    rand, drawn = torch.rand, []

    def remember(*shape, **options) -> torch.Tensor:
        drawn.append(rand(*shape, **options))
        return drawn[-1]

    monkeypatch.setattr(torch, "rand", remember)
    return drawn


@pytest.mark.parametrize("mask_loss", ["bce", "focal"])
@pytest.mark.parametrize("counts, scale", [((3, 2), 2.0), ((1, 0, 4), 9.0), ((5, 5), 0.0)])
def test_equals_the_definitions(mask_loss: str, counts: tuple, scale: float, draws: list) -> None:
    """Three predictions, each with a matching of its own; also an image without, and a full one."""
    output, targets = random_output(len(counts), 3, scale), random_targets(*counts)
    draws.clear()
    torch.manual_seed(0)
    config = dataclasses.replace(CONFIG, mask_loss=mask_loss)
    losses = Criterion(config)(output, targets)
    expected, assigned = expected_losses(output, targets, draws, mask_loss)
    for name in (*LOSSES, "total"):
        assert losses[name].dtype == torch.float64
        assert losses[name].item() == pytest.approx(expected[name], rel=EXACT), name
    torch.manual_seed(0)
    matcher = Matcher(ModelConfig(num_points=POINTS, mask_loss=mask_loss))
    assert [[q.tolist() for q in image] for image in matcher(output.predictions, targets)] == assigned
    assert len({str(a) for a in assigned}) > 1  # the predictions disagree: the test would see one matching


MASK2FORMER = Mask2FormerConfig(num_classes=CLASSES, num_queries=QUERIES, num_points=POINTS)


def without_texts(output: OneFormerOutput) -> Output:
    return Output(output.class_logits, output.mask_logits, output.auxiliary)


@pytest.mark.parametrize("counts", [(3, 2), (1, 0, 4)])
def test_mask2former_has_no_fourth_loss(counts: tuple, draws: list) -> None:
    output, targets = random_output(len(counts), 3), random_targets(*counts)
    draws.clear()
    torch.manual_seed(0)
    losses = Criterion(MASK2FORMER)(without_texts(output), targets)
    expected, _ = expected_losses(output, targets, draws, "bce")
    assert list(losses) == ["class", "mask", "dice", "total"]
    expected["total"] -= 0.5 * expected["contrastive"]
    for name, value in losses.items():
        assert value.item() == pytest.approx(expected[name], rel=EXACT), name


def test_mask2former_equals_transformers_on_the_same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    table = torch.rand(120, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    monkeypatch.setattr(torch, "rand", lambda n, count, *_, **__: table[:count].expand(n, -1, -1).contiguous())
    output, targets = random_output(3, 4), random_targets(3, 1, 5)
    ours = Criterion(dataclasses.replace(MASK2FORMER, num_points=40))(without_texts(output), targets)
    module = Mask2FormerLoss(TheirConfig(num_labels=CLASSES, train_num_points=40), {}).double()
    module.empty_weight[-1] = 0.1  # it and the number of masks are rounded to float32
    count = module.get_num_masks
    monkeypatch.setattr(module, "get_num_masks", lambda *args, **options: count(*args, **options).double())
    theirs = module(
        output.mask_logits, output.class_logits, [t.masks.double() for t in targets], [t.labels for t in targets],
        [{"masks_queries_logits": p.mask_logits, "class_queries_logits": p.class_logits} for p in output.auxiliary],
    )
    for name, key in (("class", "loss_cross_entropy"), ("mask", "loss_mask"), ("dice", "loss_dice")):
        values = [value.item() for k, value in theirs.items() if k.startswith(key)]
        assert len(values) == 4 and ours[name].item() == pytest.approx(sum(values), rel=EXACT), name


MASKFORMER = MaskFormerConfig(num_classes=CLASSES, num_queries=QUERIES)


def targets_of(height: int, width: int, *counts: int) -> list[Targets]:
    generator = torch.Generator().manual_seed(4)
    return [
        Targets(torch.rand(n, height, width, generator=generator) < 0.5,
                torch.randint(0, CLASSES, (n,), generator=generator), [""] * n)
        for n in counts
    ]  # fmt: skip


@pytest.mark.parametrize("height, width", [(20, 28), (18, 27), (5, 7), (23, 11)])
@pytest.mark.parametrize("counts", [(3, 1, 5), (0, 4)])
def test_maskformer_equals_transformers_on_all_pixels(height: int, width: int, counts: tuple, monkeypatch) -> None:
    """Also where the targets' size is no multiple of the masks'."""
    output, targets = random_output(len(counts), 4), targets_of(height, width, *counts)
    ours = Criterion(MASKFORMER)(without_texts(output), targets)
    matcher = MaskFormerHungarianMatcher(1.0, 20.0, 1.0)
    module = MaskFormerLoss(CLASSES, matcher, {}, 0.1).double()
    module.empty_weight[-1] = 0.1  # it and the number of masks are rounded to float32
    count = module.get_num_masks
    monkeypatch.setattr(module, "get_num_masks", lambda *args, **options: count(*args, **options).double())
    theirs = module(
        output.mask_logits, output.class_logits, [t.masks.double() for t in targets], [t.labels for t in targets],
        [{"masks_queries_logits": p.mask_logits, "class_queries_logits": p.class_logits} for p in output.auxiliary],
    )
    assert list(ours) == ["class", "mask", "dice", "total"]
    for name, key in (("class", "loss_cross_entropy"), ("mask", "loss_mask"), ("dice", "loss_dice")):
        values = [value.item() for k, value in theirs.items() if k.startswith(key)]
        assert len(values) == 4 and ours[name].item() == pytest.approx(sum(values), rel=1e-9), name
    total = ours["class"] + 20 * ours["mask"] + ours["dice"]
    assert ours["total"].item() == pytest.approx(total.item(), rel=EXACT)


@pytest.mark.parametrize("height, width", [(10, 14), (9, 16)])
def test_maskformer_equals_the_definitions(height: int, width: int) -> None:
    """Matched at the masks' size, each cell at the nearest pixel; learned at the targets', masks enlarged."""
    output, targets = random_output(2, 2), targets_of(height, width, 3, 2)
    losses = Criterion(MASKFORMER)(without_texts(output), targets)
    expected = dict.fromkeys(("class", "mask", "dice"), 0.0)
    rows, columns = [i * height // 5 for i in range(5)], [j * width // 7 for j in range(7)]
    # pixel centres, kept between the outermost cells' centres, beyond which a mask does not change
    at = [(min(max((x + 0.5) / width, 0.5 / 7), 1 - 0.5 / 7), min(max((y + 0.5) / height, 0.1), 0.9))
          for y in range(height) for x in range(width)]  # fmt: skip
    for prediction in output.predictions:
        log_likelihood = weight = 0.0
        for b, target in enumerate(targets):
            masks, truth = prediction.mask_logits[b].numpy(), target.masks.numpy().astype(float)
            probability = [softmax(logits) for logits in prediction.class_logits[b].tolist()]
            small = [t[np.ix_(rows, columns)].flatten().tolist() for t in truth]
            costs = [[
                -p[label] + 20 * focal_cost(m.flatten().tolist(), t) + dice(m.flatten().tolist(), t)
                for t, label in zip(small, target.labels.tolist())
            ] for m, p in zip(masks, probability)]
            classes = [CLASSES] * QUERIES
            for g, q in enumerate(best_queries(costs)):
                classes[q] = target.labels[g].item()
                wide = [bilinear(masks[q], x, y) for x, y in at]
                expected["mask"] += focal(wide, truth[g].flatten().tolist()) / 5
                expected["dice"] += dice(wide, truth[g].flatten().tolist()) / 5
            for p, c in zip(probability, classes):
                w = 0.1 if c == CLASSES else 1.0
                log_likelihood, weight = log_likelihood - w * math.log(p[c]), weight + w
        expected["class"] += log_likelihood / weight
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-9), name


def test_masks_on_all_pixels_as_products_or_whole_cost_the_same() -> None:
    """And no random number is drawn; a batch without masks has a gradient of zero; nobody pays for a query too few."""
    generator = torch.Generator().manual_seed(1)
    features, targets = torch.randn(2, 6, 5, 7, generator=generator, dtype=torch.float64), targets_of(20, 28, 3, 4)
    products, whole = [], []
    for _ in range(3):
        embeddings = torch.randn(2, QUERIES, 6, generator=generator, dtype=torch.float64, requires_grad=True)
        classes = torch.randn(2, QUERIES, CLASSES + 1, generator=generator, dtype=torch.float64)
        product = MaskProduct(embeddings, features)
        products.append(Predictions(classes, product))
        whole.append(Predictions(classes, product.whole().detach()))
    state = torch.get_rng_state()
    found = [Criterion(MASKFORMER)(Output(p[-1].class_logits, p[-1].masks, p[:-1]), targets) for p in (products, whole)]
    assert torch.get_rng_state().equal(state)
    for name in found[0]:
        assert found[0][name].item() == pytest.approx(found[1][name].item(), rel=1e-12)
    final = products[-1]
    nothing = Criterion(MASKFORMER)(Output(final.class_logits, final.masks, products[:-1]), targets_of(20, 28, 0, 0))
    nothing["total"].backward()
    assert nothing["mask"] == nothing["dice"] == 0 and not final.masks.embeddings.grad.any()


@pytest.mark.parametrize("config", [MASK2FORMER, CONFIG], ids=["mask2former", "oneformer"])
def test_any_model_may_compare_on_pixels(config) -> None:
    """With its own loss and weights: the mean over the pixels of every matched mask."""
    output, targets = random_output(2, 2), targets_of(5, 7, 3, 2)
    config = dataclasses.replace(config, compared_on="pixels")
    losses, expected = Criterion(config)(output, targets), 0.0
    for prediction, images in zip(output.predictions, Matcher(config)(output.predictions, targets)):
        for b, queries in enumerate(images):
            for mask, truth in zip(prediction.mask_logits[b, queries], targets[b].masks):
                expected += bce(mask.flatten().tolist(), truth.flatten().double().tolist()) / 5
    assert losses["mask"].item() == pytest.approx(expected, rel=1e-9)


def transformers_loss(scale: float) -> OneFormerLoss:
    weights = dict.fromkeys(("loss_cross_entropy", "loss_mask", "loss_dice", "loss_contrastive"), 1.0)
    matcher = OneFormerHungarianMatcher(2.0, 5.0, 5.0, num_points=40)
    module = OneFormerLoss(CLASSES, matcher, weights, 0.1, 40, 3.0, 0.75, contrastive_temperature=0.07).double()
    module.logit_scale.data.fill_(scale)
    module.empty_weight[-1] = 0.1  # it and the number of masks are rounded to float32
    count = module.get_num_masks
    module.get_num_masks = lambda *args, **options: count(*args, **options).double()
    return module


@pytest.mark.parametrize("scale", [2.6593, 5.0])
def test_equals_transformers_on_the_same_points(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mask meets the same random points in both, so the order of their use does not matter."""
    table = torch.rand(120, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # transformers' matcher goes to float32
    monkeypatch.setattr(torch, "rand", lambda n, count, *_, **__: table[:count].expand(n, -1, -1).contiguous())
    output, targets = random_output(3, 4, scale), random_targets(3, 1, 5)
    ours = Criterion(dataclasses.replace(CONFIG, num_points=40))(output, targets)
    theirs = transformers_loss(scale)(
        output.mask_logits, output.class_logits, output.object_queries,
        [t.masks.double() for t in targets], [t.labels for t in targets], output.text_queries,
        [{"masks_queries_logits": p.mask_logits, "class_queries_logits": p.class_logits} for p in output.auxiliary],
    )
    for name, key in zip(LOSSES, ("loss_cross_entropy", "loss_mask", "loss_dice", "loss_contrastive")):
        values = [value.item() for k, value in theirs.items() if k.startswith(key)]
        assert len(values) == (1 if name == "contrastive" else 4)
        assert ours[name].item() == pytest.approx(sum(values), rel=EXACT), name


def test_uncertain_points_equal_transformers_on_the_same_draws() -> None:
    logits = random_output(2, 1).mask_logits.flatten(0, 1)
    theirs = transformers_loss(0.0)
    torch.manual_seed(0)
    expected = theirs.sample_points_using_uncertainty(
        logits[:, None].float(), theirs.calculate_uncertainty, 12544, 3.0, 0.75
    )
    torch.manual_seed(0)
    points = uncertain_points(logits.float(), 12544, 3.0, 0.75)
    assert points.shape == (10, 12544, 2)
    assert points[:, 9408:].equal(expected[:, 9408:])  # 3136 anywhere
    for mine, theirs in zip(points[:, :9408], expected[:, :9408]):  # where the logit is nearest to 0, in any order
        assert mine.unique(dim=0).equal(theirs.unique(dim=0))


def test_bilinear_reading_equals_the_loop() -> None:
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    points = 1.4 * torch.rand(2, 20, 2, dtype=torch.float64) - 0.2  # also on and beyond the border
    values = sample_points(maps, points)
    for b, c in itertools.product(range(2), range(3)):
        expected = read(maps[b, c].numpy(), points[b].numpy())
        assert values[b, c].tolist() == pytest.approx(expected, rel=EXACT, abs=1e-14)


def test_the_scale_stops_growing_at_100() -> None:
    output = random_output(2, 1)
    table = similarity(output.object_queries, output.text_queries, torch.tensor(7.0, dtype=torch.float64))
    vectors = (q.flatten(1).numpy() for q in (output.object_queries, output.text_queries))
    images, texts = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors)
    assert np.allclose(table.numpy(), 100 * images @ texts.T, rtol=EXACT, atol=0)
