"""Does the model do what its parts are for? Queries that differ, a task token with an effect, sane input statistics."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import torch
from torch import nn

from ..data.dataset import SegmentationDataset
from ..data.sample import TASKS
from ..dataset_checks.findings import Finding, not_examined
from ..evaluating import evaluating
from ..losses.contrastive import MAX_SCALE
from ..model import MaskModel
from ..model.output import Output
from .examination import Examination

SAME = 0.999  # median cosine between queries from which they count as one
EFFECT = 1e-4  # relative change of the class logits under another token, below which it counts as ignored
STRANGE = 3.0  # standard deviations between the statistics a network remembers and those it gets
MOST, SURE = 0.75, 0.9  # share of fitting masks that are called "no object", and their mean probability
ENOUGH = 10  # matched segments before classes are compared


def check_classes(model: MaskModel, dataset: SegmentationDataset) -> Finding:
    """The model's classes are those of the data set, in the same order."""
    name, config = "classes", model.config
    names = tuple(category.name for category in dataset.categories)
    if config.num_classes != len(names):
        return Finding(
            name, "fault", f"the model has {config.num_classes}, the data set {len(names)}",
            "ofl.config.for_classes(config, dataset.categories) gives the model those of the data set",
        )  # fmt: skip
    if sorted(config.class_names) == sorted(names) and tuple(config.class_names) != names:
        return Finding(
            name, "warning", "the same in model and data set, in another order: ofl.train and ofl.evaluate find them "
            "by name; here, and in loops of your own, labels are numbers",
            "ofl.config.for_classes(config, dataset.categories) for a new model, or bring the data set into its order",
        )  # fmt: skip
    if config.class_names and tuple(config.class_names) != names:
        i = next(i for i, (a, b) in enumerate(zip(config.class_names, names)) if a != b)
        return Finding(
            name, "fault", f"class {i} is {config.class_names[i]!r} for the model, {names[i]!r} in the data set",
            "bring them into one order, or ofl.config.for_classes(config, dataset.categories) and train",
        )  # fmt: skip
    things = [category.is_thing for category in dataset.categories]
    knows_stuff = "panoptic" in getattr(dataset, "tasks", TASKS)  # instance files call everything a thing
    differing = [i for i, (a, b) in enumerate(zip(config.is_thing, things)) if a != b]
    if differing and knows_stuff:
        first = differing[0]
        kinds = ("a thing", "stuff") if config.is_thing[first] else ("stuff", "a thing")
        return Finding(
            name, "fault", f"{names[first]!r} is {kinds[0]} for the model, {kinds[1]} in the data set "
            f"({len(differing)} of {len(names)} classes differ)",
            "set is_thing of the configuration, or of the data set's categories: things are told apart one by one, "
            "stuff is merged",
        )  # fmt: skip
    return Finding(name, "fine", f"{len(names)}, the same in model and data set")


def check_input(e: Examination) -> Finding:
    """The first BatchNorm gets what it remembers; without one, pictures with mean near 0 and deviation near 1."""
    name, seen = "normalisation", []
    norms = [m for m in e.model.backbone.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    mean, std = float(e.batch.images.mean()), float(e.batch.images.std())
    evidence = f"pictures have mean {mean:.2f} and deviation {std:.2f}"
    if norms and norms[0].running_mean.any():  # it has learned some
        handle = norms[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
        with handle, torch.no_grad():
            with evaluating(e.model.backbone):
                e.model.backbone(e.batch.images.to(e.model.dtype))
        away = (seen[0].float().mean((0, 2, 3)) - norms[0].running_mean) / norms[0].running_var.clamp(min=1e-6).sqrt()
        distance = float(away.square().mean().sqrt())
        evidence += f"; the first BatchNorm is {distance:.1f} deviations from what it remembers"
        if distance < STRANGE:
            return Finding(name, "fine", evidence)
    elif abs(mean) < STRANGE and 1 / STRANGE < std < STRANGE:
        return Finding(name, "fine", evidence)
    return Finding(
        name, "fault", f"{evidence}: wrong normalisation",
        "images are uint8 0 to 255, RGB, normalised once, by ofl.data.normalise; the backbone converts to its own",
    )  # fmt: skip


def check_queries(e: Examination) -> Finding:
    """The queries that leave the decoder differ from each other."""
    if e.output.class_logits.shape[1] < 2:
        return Finding("queries", "fine", "a single query")
    if e.model.config.learns_absence:
        return Finding("queries", "fine", "each is a class of its own")
    layers = e.output.trace.count(name := "decoder.layer{}.queries")
    if not layers:
        return not_examined("queries", "the model records none in its trace")
    queries = torch.nn.functional.normalize(e.output.trace[name.format(layers - 1)].float(), dim=-1)  # [B, Q, C]
    cosine = queries @ queries.transpose(1, 2)
    count = cosine.shape[1]
    # the median, as one query is the task token itself and differs from the others in any case
    median = float(cosine[:, *torch.triu_indices(count, count, offset=1)].median())
    evidence = f"median cosine between the {count} queries of a picture {median:.3f}"
    if median < SAME:
        return Finding("queries", "fine", evidence)
    shades = ((cosine[0].clamp(-1, 1) + 1) * 127.5).byte().cpu().numpy()
    picture = np.repeat(np.kron(shades, np.ones((8, 8), np.uint8))[..., None], 3, axis=2)
    return Finding(
        "queries", "fault", f"{evidence}: collapsed, all say the same",
        "look at query_positions (all rows alike?) and at the learning rate of the decoder", picture,
    )  # fmt: skip


@torch.no_grad()
def check_task_token(e: Examination) -> Finding:
    """Another task gives other classes; and of a model that is sure of some stuff, "instance" names none.
    Lesson 20."""
    name = "task token"
    if "task.token" not in e.output.trace:
        return Finding(name, "fine", "this model is not told its task")
    with evaluating(e.model):
        first, *others = answers = [e.model(e.batch.images, task) for task in TASKS]
    logits = first.class_logits
    change = max(float((other.class_logits - logits).norm() / logits.norm().clamp(min=1e-12)) for other in others)
    evidence = f"class logits change by {change:.2g} of their size with the task"
    if change <= EFFECT:
        return Finding(
            name, "fault", f"{evidence}: it has no influence",
            "look at task_encoder: its input (77 raw ids), its weights, and whether its output reaches the queries",
        )  # fmt: skip
    stuff = {task: _sure_of_stuff(answer, e.model) for task, answer in zip(TASKS, answers)}
    if stuff["panoptic"] >= ENOUGH and stuff["instance"] > stuff["panoptic"] / 2:
        counts = f"{stuff['instance']} queries name stuff under \"instance\", {stuff['panoptic']} under \"panoptic\""
        return Finding(
            name, "fault", f"{evidence}, yet {counts}: it was never told its task in training",
            "look at the tasks that reach the model beside its targets: learn(batch) takes batch.tasks",
        )  # fmt: skip
    return Finding(name, "fine", evidence)


def _sure_of_stuff(answer: Output, model: MaskModel) -> int:
    """How many queries are sure of a class that is stuff."""
    score, label = answer.probabilities.max(-1)  # [B, Q]
    is_stuff = ~torch.tensor(model.config.is_thing, device=label.device)
    return int((is_stuff[label] & (score > 0.5)).sum())


def check_temperature(model: MaskModel) -> Finding:
    """The learned scale of the contrastive loss is within its bounds."""
    name = "temperature"
    if model.text_mapper is None:
        evidence = "the model has no text mapper, so the contrastive loss is not examined"
        return Finding(name, "warning", evidence, "model.add_text_mapper() before training")
    scale = float(model.text_mapper.logit_scale.detach().exp())
    evidence = f"similarities are scaled by {scale:.3g} (1 / 0.07 at the start, clamped at {MAX_SCALE:g})"
    if math.isnan(scale):
        return Finding(name, "fault", evidence, "see the finding on numbers")
    if scale >= MAX_SCALE:
        return Finding(name, "fault", f"{evidence}: exploding", "beyond the clamp it cannot learn: lower lr, reset it")
    if scale < 1:
        return Finding(name, "warning", f"{evidence}: nearly flat", "the contrastive loss hardly compares any more")
    return Finding(name, "fine", evidence)


def check_predicted_classes(e: Examination) -> Finding:
    """Where a predicted mask fits a true one, it has a class, which is not off by a constant. Lesson 20."""
    pairs: Counter = Counter()
    absent: list[float] = []  # probability of "no object", of the queries whose masks fit
    size = e.batch.images.shape[2:]
    for b, target in enumerate(e.batch.targets):
        logits = torch.nn.functional.interpolate(e.output.mask_logits[b, None].detach(), size, mode="bilinear")[0]
        predicted, true = (logits > 0).flatten(1).float(), target.masks.flatten(1).float()
        shared = true @ predicted.T  # [G, Q]
        iou = shared / (true.sum(1)[:, None] + predicted.sum(1)[None] - shared).clamp(min=1)
        best, query = iou.max(1)
        classes = e.output.probabilities[b].argmax(-1)[query]
        pairs.update((classes - target.labels)[best > 0.5].tolist())
        if e.output.predictions[-1].no_object:
            absent += e.output.class_logits[b].softmax(-1)[query[best > 0.5], -1].tolist()
    fitting = sum(pairs.values())
    if fitting < ENOUGH:
        return Finding("predicted classes", "too little", f"only {fitting} masks fit yet: nothing to compare")
    offset, times = pairs.most_common(1)[0]
    evidence = f"{pairs[0]} of {fitting} fitting masks have their class"
    if (silent := sum(share > 0.5 for share in absent)) > MOST * fitting:
        return Finding(
            "predicted classes", "fault" if np.mean(absent) > SURE else "warning",
            f"{silent} of {fitting} fitting masks are called \"no object\", with {np.mean(absent):.0%} on average; if "
            f"each had to name a class, {pairs[0]} would be right",
            "look at the labels that reach the class loss, and at no_object_weight; early in a training, train longer",
        )  # fmt: skip
    if offset and times > fitting / 2:
        return Finding(
            "predicted classes", "fault", f"{evidence}, {times} are off by {offset:+d}",
            "the weights were trained with other class ids: compare the order of classes, and where it starts",
        )  # fmt: skip
    if pairs[0] < fitting / 4:
        return Finding("predicted classes", "warning", evidence, "compare the class names of model and data set")
    return Finding("predicted classes", "fine", evidence)
