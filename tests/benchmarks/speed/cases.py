"""What is timed: the same work by transformers' OneFormer and by ours. Each function builds the programs of one case.

Both models of a case have one set of weights and get the same tensors; ``only`` builds a single side, for memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import torch
import torch._inductor.config
from material import Material, output_of, picture, round_masks, round_targets
from models import SIDES, Models, published, shipped, task_inputs, text_inputs, their_labels
from references import reference_quality
from transformers import OneFormerImageProcessor

from oneformer_lite.data.batch import collate
from oneformer_lite.inference import panoptic_inference, raw_predictions
from oneformer_lite.losses import Criterion
from oneformer_lite.metrics import PanopticMetric
from oneformer_lite.model.output import Features, OneFormerOutput

Programs = dict[str, Callable[[], object]]


@dataclass(frozen=True)
class Case:
    """One line of the table. ``wanted``: how many times faster ours is to be; ``memory``: its share of their peak."""

    name: str
    build: Callable[[Material, Iterable[str]], Programs]
    wanted: float | None = None
    memory: float | None = None
    measures_memory: bool = False


def inference(preset: str, images: int, side: int, compiled: bool = False, half: bool = False) -> Callable:
    """Logits of a batch for the panoptic task. ``compiled`` is ours alone: compiled, transformers' takes longer.

    ``half``: both in bfloat16.
    """

    def build(material: Material, sides: Iterable[str]) -> Programs:
        models = shipped() if preset == "toytown" else published(preset)
        ours, theirs = only(models, sides)
        pixels, tasks = picture(images, side, side), ["panoptic"] * images
        tokens = task_inputs(tasks)
        if half:
            ours, theirs = (model and model.bfloat16() for model in (ours, theirs))
            pixels, tokens = pixels.bfloat16(), tokens.bfloat16()
        if compiled:
            torch._inductor.config.freezing = True  # weights are packed once; as an option of compile it had no effect
            ours = torch.compile(ours)

        @torch.inference_mode()
        def run_theirs():
            return theirs(pixels, tokens, output_auxiliary_logits=False)

        @torch.inference_mode()
        def run_ours():
            return ours(pixels, tasks)

        return chosen(sides, run_ours, run_theirs)

    return build


def training(preset: str, images: int, side: int) -> Callable:
    """Forward, matching, losses and backward of a batch. The optimiser is the same for both and left out."""

    def build(material: Material, sides: Iterable[str]) -> Programs:
        ours, theirs = only(published(preset, training=True), sides)
        batch = material.batch(images, side)
        tokens, labels = task_inputs(batch.tasks), their_labels(batch)

        def run_theirs():
            texts = text_inputs(batch, theirs.config.num_queries - theirs.config.text_encoder_n_ctx)
            theirs(batch.images, tokens, texts, **labels).loss.backward()
            theirs.zero_grad(set_to_none=True)

        def run_ours():
            criterion(ours(batch.images, batch.tasks, texts=batch.texts), batch.targets)["total"].backward()
            ours.zero_grad(set_to_none=True)

        criterion = ours and Criterion(ours.config)
        return chosen(sides, run_ours, run_theirs)

    return build


def text_mapper(material: Material, sides: Iterable[str]) -> Programs:
    """Text lists of two pictures to text queries; ids are made beforehand for theirs, by ours itself."""
    ours, theirs = only(published("coco_swin_t", training=True), sides)
    batch = material.batch(2, 512)
    ids = text_inputs(batch, 134)
    return chosen(
        sides,
        without_gradient(lambda: ours.text_mapper(batch.texts, batch.tasks)),
        without_gradient(lambda: theirs.model.text_mapper(ids)),
    )


def pixel_decoder(material: Material, sides: Iterable[str]) -> Programs:
    """Backbone maps of a picture of 512 x 512 to mask features and three maps."""
    ours, theirs = only(published("coco_swin_t"), sides)
    maps = [torch.randn(1, 96 * 2**level, 128 >> level, 128 >> level) for level in range(4)]
    return chosen(
        sides,
        without_gradient(lambda: ours.pixel_decoder(maps)),
        without_gradient(lambda: theirs.model.pixel_level_module.decoder(maps)),
    )


def query_transformer(material: Material, sides: Iterable[str]) -> Programs:
    """Task token and mask features of a picture of 512 x 512 to object queries."""
    ours, theirs = only(published("coco_swin_t"), sides)
    token, features = torch.randn(1, 256), torch.randn(1, 256, 128, 128)

    def run_theirs():
        module = theirs.model.transformer_module
        decoder, positions = module.decoder, module.position_embedder(features.shape, features.device, features.dtype)
        return decoder.query_transformer(
            positions, None, module.queries_embedder.weight[:-1], decoder.query_input_projection(features),
            token[None],
        )  # fmt: skip

    def run_ours():
        return ours.query_transformer(token, ours.query_positions.weight, features)

    return chosen(sides, without_gradient(run_ours), without_gradient(run_theirs))


def transformer(material: Material, sides: Iterable[str]) -> Programs:
    """Query transformer and masked decoder: maps of a picture of 512 x 512 to classes and masks."""
    ours, theirs = only(published("coco_swin_t"), sides)
    token, features = torch.randn(1, 256), torch.randn(1, 256, 128, 128)
    maps = [torch.randn(1, 256, side, side) for side in (16, 32, 64)]
    return chosen(
        sides,
        without_gradient(lambda: ours.read(Features(features, maps), token)),
        without_gradient(lambda: theirs.model.transformer_module(maps, features, token)),
    )


def criterion(whole: bool) -> Callable:
    """Matching, losses and their gradient: two images of 1024 x 1024 with 20 masks, ten predictions.

    Both get the embeddings of the queries and the mask features, and give their gradients; transformers makes whole
    masks of them, as its decoder does. ``whole``: both get whole masks.
    """

    def build(material: Material, sides: Iterable[str]) -> Programs:
        models = published("coco_swin_t", training=True)
        output, targets = output_of(10, 2, 150, 133, 1024), round_targets(2, 20, 133, 1024)
        labels = {"mask_labels": [t.masks.float() for t in targets], "class_labels": [t.labels for t in targets]}
        ours, predictions = Criterion(models.ours.config), output.predictions
        leaves = [output.object_queries, output.text_queries, output.logit_scale]
        leaves += [p.class_logits for p in predictions]
        if whole:
            for prediction in predictions:
                prediction.masks = prediction.masks.whole().detach().requires_grad_()
            leaves += [p.masks for p in predictions]
        else:
            leaves += [output.masks.features, *(p.masks.embeddings for p in predictions)]

        def run_theirs():
            masks = [p.masks if whole else replace(p.masks).whole() for p in predictions]  # anew: a product is kept
            *others, last = [
                {"class_queries_logits": p.class_logits, "masks_queries_logits": m} for p, m in zip(predictions, masks)
            ]
            losses = models.theirs.get_loss_dict(
                *reversed(last.values()), output.object_queries, text_queries=output.text_queries,
                auxiliary_predictions=others, calculate_contrastive_loss=True, **labels,
            )  # fmt: skip
            torch.autograd.grad(models.theirs.get_loss(losses), leaves, allow_unused=True)

        def run_ours():
            torch.autograd.grad(ours(output, targets)["total"], leaves)

        return chosen(sides, run_ours, run_theirs)

    return build


def post_processing(material: Material, sides: Iterable[str]) -> Programs:
    """Logits to panoptic segments at 480 x 640: 20 of 150 queries are sure of something."""
    classes, queries, masks = 133, 150, round_masks(20, 128)
    class_logits, mask_logits = torch.zeros(1, queries, classes + 1), torch.full((1, queries, 128, 128), -6.0)
    class_logits[..., -1] = 9.0
    class_logits[0, torch.arange(20), torch.arange(20)] = 20.0
    mask_logits[0, :20] += 12.0 * masks
    things = tuple(index < 80 for index in range(classes))
    processor = OneFormerImageProcessor(num_text=134, metadata={"thing_ids": [], "class_names": []})
    theirs = SimpleNamespace(class_queries_logits=class_logits, masks_queries_logits=mask_logits)
    ours = OneFormerOutput(class_logits, mask_logits, [])

    def run_theirs():
        stuff = {index for index in range(classes) if not things[index]}
        return processor.post_process_panoptic_segmentation(
            theirs, threshold=0.8, label_ids_to_fuse=stuff, target_sizes=[(480, 640)]
        )

    def run_ours():
        return panoptic_inference(raw_predictions(ours, [(512, 512)], [(480, 640)])[0], things, 0.8, 0.8)

    return chosen(sides, without_gradient(run_ours), without_gradient(run_theirs))


def panoptic_quality(material: Material, sides: Iterable[str]) -> Programs:
    """PQ of 100 pictures, of predictions that are the annotations moved by eight pixels."""
    dataset = material.dataset(512)
    samples = [dataset[i] for i in range(len(dataset))]
    moved = [np.roll(sample.segment_map, (8, 8), (0, 1)) for sample in samples]
    found = [[s for s in sample.segments if not s.is_crowd] for sample in samples]
    moved = [np.where(np.isin(map_, [s.id for s in kept]), map_, 0) for map_, kept in zip(moved, found)]

    def run_ours():
        metric = PanopticMetric(dataset.categories)
        for sample, map_, kept in zip(samples, moved, found):
            metric.update(map_, kept, sample.segment_map, sample.segments)
        return metric.compute().pq

    def run_theirs():
        pictures = zip(moved, found, (s.segment_map for s in samples), (s.segments for s in samples))
        return reference_quality(pictures, dataset.categories)["pq"]

    assert abs(run_ours() - run_theirs()) < 1e-10, "both must measure the same"
    return chosen(sides, run_ours, run_theirs)


def preparation(material: Material, sides: Iterable[str]) -> Programs:
    """Eight augmented pictures of 1024 x 1024 to normalised batches with masks, labels and texts."""
    from data_throughput import Roads

    pairs = material.pairs(8, 1024)
    roads = Roads(material.dataset(1024), 1024)

    def run_theirs():
        return roads.process([sample for sample, _ in pairs], [task for _, task in pairs], do_resize=False)

    return chosen(sides, lambda: collate(pairs), run_theirs)


def only(models: Models, sides: Iterable[str]) -> tuple:
    """Both models, the one that is not timed as ``None``, so that its memory is given back."""
    return tuple(getattr(models, side) if side in sides else None for side in SIDES)


def chosen(sides: Iterable[str], ours: Callable, theirs: Callable) -> Programs:
    return {side: program for side, program in zip(SIDES, (ours, theirs)) if side in sides}


def without_gradient(program: Callable) -> Callable:
    return torch.inference_mode()(program)
