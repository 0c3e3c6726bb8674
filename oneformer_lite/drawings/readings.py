"""What the map shows of each part: a small picture of its real output, its shape, a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..data.batch import Batch, collate
from ..data.sample import Sample
from ..inference import predict
from ..inspectors.features.pictures import paint_components, paint_values
from ..inspectors.features.reading import principal_components
from ..inspectors.queries.pictures import attention_over, mask_over
from ..losses.criterion import Criterion
from ..losses.points import PointSource
from ..model.oneformer import OneFormer
from ..model.output import OneFormerOutput, Trace
from ..render.colors import label_colors
from ..render.grid import png_bytes
from ..render.prediction import render_prediction, render_truth

SIDE, COLORS = 88, 48  # pixels of a picture, twice as many as it has units; colours of its palette
SEEDS = [(0, 0)]  # of the points at which masks are compared


@dataclass(frozen=True)
class Reading:
    """What a box holds besides its title: a picture or none, and lines of words, of which the first is a shape."""

    picture: np.ndarray | None = None
    lines: tuple[str, ...] = ()

    @property
    def png(self) -> bytes | None:
        """The picture, small."""
        return None if self.picture is None else png_bytes(thumbnail(self.picture), COLORS)


@dataclass(frozen=True)
class Pass:
    """One scene through the model, with its truth: everything that is read below."""

    model: OneFormer
    sample: Sample
    task: str
    batch: Batch
    output: OneFormerOutput
    trace: Trace
    queries: Tensor  # [Q, C]: the object queries and the text queries, which the contrastive loss compares as lists
    texts: Tensor
    assigned: Tensor  # [G]: the query of each mask
    costs: Tensor  # [Q, G]
    losses: dict[str, float]
    query: int  # the one that is surest of a thing

    def traced(self, name: str) -> Tensor:
        """An intermediate of the one picture."""
        return self.trace[name][0]


def readings(model: OneFormer, sample: Sample, task: str = "panoptic") -> dict[str, Reading]:
    """By the names of the map's parts."""
    run = forward(model, sample, task)
    return {name: read(run) for name, read in READ.items()}


@torch.no_grad()
def forward(model: OneFormer, sample: Sample, task: str) -> Pass:
    """The scene through model, matching and criterion, in inference mode and with fixed points."""
    batch = collate([(sample, task)])
    output = model(batch.images, batch.tasks, texts=batch.texts, trace=True)
    trace, queries, texts = output.trace, output.object_queries, output.text_queries
    assert trace is not None and queries is not None and texts is not None  # all three were asked for
    criterion = Criterion(model.config)
    pairs = criterion.match(output, batch.targets, SEEDS)
    losses = {name: float(term(output, pairs, model.config))
              for name, term in criterion.terms.items() if name != "contrastive"}  # fmt: skip
    losses["total"] = sum(criterion.weights[name] * loss for name, loss in losses.items())
    source = PointSource(output.class_logits.device, SEEDS)
    costs = criterion.matcher.cost_table(output.predictions[-1:], pairs.targets, source)
    things = torch.tensor(model.config.is_thing)
    query = int(output.class_logits[0].softmax(-1)[:, :-1][:, things].amax(-1).argmax())
    lists, assigned = (queries[0], texts[0]), pairs.assigned[-1][0]
    return Pass(model, sample, task, batch, output, trace, *lists, assigned, costs, losses, query)


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """uint8 [SIDE, SIDE, 3] of any [h, w, 3]: few cells stay cells, many pixels are averaged."""
    few = max(picture.shape[:2]) < SIDE
    how = Image.Resampling.NEAREST if few else Image.Resampling.BOX
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), how))


def shape(tensor: Tensor) -> str:
    """ "96 × 32 × 32", without the batch."""
    return " × ".join(map(str, tensor.shape))


def heat(table: Tensor) -> np.ndarray:
    """A table [n, m] of any numbers on a ramp."""
    values = table.float().numpy()
    return paint_values(values, float(values.min()), float(values.max()))


def components(features: Tensor) -> np.ndarray:
    """A feature map [C, h, w] in three colours: its principal components."""
    return paint_components(principal_components(features.permute(1, 2, 0).float().numpy())[0])


def _backbone(run: Pass) -> Reading:
    return Reading(components(run.traced("backbone.stride8")), (shape(run.traced("backbone.stride8")),))


def _pixel(run: Pass) -> Reading:
    features = run.traced("pixel_decoder.mask_features")
    return Reading(components(features), (shape(features),))


def _token(run: Pass) -> Reading:
    token = run.traced("task.token")
    return Reading(heat(token.view(8, -1)), (shape(token),))


def _queries(run: Pass) -> Reading:
    queries = run.traced("query.object_queries")
    return Reading(heat(queries), (shape(queries),))


def _decoder(run: Pass) -> Reading:
    """Where one query looks in the last layer."""
    last = run.trace.count("decoder.layer{}.attention") - 1
    weights = run.traced(f"decoder.layer{last}.attention").mean(0)[run.query]
    region = run.traced(f"decoder.layer{last}.attention_region")[run.query]
    height, width = region.shape
    picture = attention_over(run.sample.image, weights.numpy(), region.numpy(), (height, width))
    return Reading(picture, (f"query {run.query}",))


def _heads(run: Pass) -> Reading:
    """The mask and the class of the same query."""
    c, logits = run.model.config, run.output.mask_logits[:, [run.query]]
    label = int(run.output.class_logits[0, run.query, :-1].argmax())
    large = F.interpolate(logits, size=run.sample.image.shape[:2], mode="bilinear")[0, 0]
    picture = mask_over(run.sample.image, large.numpy(), label_colors(c.categories)[label])
    return Reading(picture, (f"a {c.class_names[label]}",))


def _merge(run: Pass) -> Reading:
    prediction = predict(run.model, run.sample.image, run.task)
    picture = render_prediction(prediction.image, prediction, prediction.categories, labels=False)
    return Reading(picture, (f"{len(prediction.segments)} found",))


def _matching(run: Pass) -> Reading:
    """The costs of all queries (rows) with all masks; white: who answers."""
    picture = heat(-run.costs)
    picture[run.assigned.numpy(), np.arange(len(run.assigned))] = 255
    return Reading(picture, (shape(run.costs),))


def _losses(run: Pass) -> Reading:
    return Reading(None, (", ".join(f"{run.losses[name]:.1f}" for name in ("class", "mask", "dice")),))


def _truth(run: Pass) -> Reading:
    return Reading(render_truth(run.sample, run.task, labels=False), (f"{len(run.batch.targets[0])} masks",))


def _texts(run: Pass) -> Reading:
    texts = run.batch.texts[0]
    return Reading(None, (f"{len(texts)}: {texts[0].removeprefix('a photo with ')}, …",))


def _mapper(run: Pass) -> Reading:
    return Reading(heat(run.texts), (shape(run.texts),))


def _contrast(run: Pass) -> Reading:
    """Each query with each text: the cosines that the loss compares as lists."""
    queries, texts = (F.normalize(vectors, dim=-1) for vectors in (run.queries, run.texts))
    return Reading(heat(queries @ texts.T))


READ: dict[str, Callable[[Pass], Reading]] = {
    "image": lambda run: Reading(run.sample.image, (" × ".join(map(str, run.sample.image.shape[:2])),)),
    "task": lambda run: Reading(None, (f"the task is {run.task}",)),
    "metrics": lambda run: Reading(None, ("found and true",)),
    "training": lambda run: Reading(None, (f"{run.losses['total']:.1f} for this scene",)),
    "backbone": _backbone, "pixel": _pixel, "token": _token, "queries": _queries, "decoder": _decoder,
    "heads": _heads, "merge": _merge, "matching": _matching, "losses": _losses, "truth": _truth, "texts": _texts,
    "mapper": _mapper, "contrast": _contrast,
}  # fmt: skip
