"""The first training steps: what should learn gets a gradient, what is frozen does not, nothing is silently 0."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from oneformer_lite import config
from oneformer_lite.config import ModelConfig, for_classes
from oneformer_lite.data import Toytown, collate
from oneformer_lite.data.batch import Batch
from oneformer_lite.data.sample import TASKS
from oneformer_lite.losses import LOSSES, Criterion, contrastive_loss
from oneformer_lite.model import OneFormer


def small(preset: ModelConfig, **options: object) -> ModelConfig:
    """A published configuration, narrow and shallow, for Toytown's classes; dropout as published."""
    narrow = replace(
        preset, pretrained=False, hidden_dim=32, num_heads=4, num_queries=24, encoder_layers=2, encoder_ffn=32,
        query_ffn=32, decoder_layers=4, decoder_ffn=32, text_width=32, text_layers=2, num_points=200,
        class_names=(), is_thing=(), class_colors=(), num_classes=1, backbone_options=options,
    )
    return for_classes(narrow, config.toytown().categories)


RESNET = {"layers": (1, 1, 1, 1), "channels": (8, 12, 16, 20)}
CONFIGS = {
    "toytown": config.toytown(),
    "ResNet, frozen norms": small(config.coco_r50(), **RESNET),
    "ResNet, learning norms": small(config.cityscapes_r50(), **RESNET),
    "Swin": small(
        config.coco_swin_l(), embed_dim=12, depths=(2, 2, 2, 2), num_heads=(1, 2, 2, 4), window_size=3,
        drop_path_rate=0.0,
    ),
    "ConvNeXt": small(
        config.ade20k_convnext_l(), depths=(1, 1, 1, 1), dims=(8, 12, 16, 20), drop_path_rate=0.0
    ),
    "DiNAT": small(
        config.coco_dinat_l(), embed_dim=8, depths=(2, 2, 2, 2), num_heads=(1, 2, 2, 4), kernel_size=3,
        dilations=((1, 2), (1, 2), (1, 1), (1, 1)), drop_path_rate=0.0,
    ),
}


def batch(*tasks: str) -> Batch:
    scenes = Toytown("train", size=96, length=3, seed=0)
    return collate([(scenes[i], task) for i, task in enumerate(tasks)])


def losses_of(model: OneFormer, given: Batch) -> dict[str, torch.Tensor]:
    return Criterion(model.config)(model(given.images, given.tasks, texts=given.texts), given.targets)


def without_gradient(model: OneFormer) -> list[str]:
    return [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]


@pytest.mark.parametrize("name", CONFIGS)
def test_everything_that_may_learn_does(name: str) -> None:
    torch.manual_seed(0)
    model, given = OneFormer(CONFIGS[name]).train(), batch(*TASKS)
    losses = losses_of(model, given)
    assert all(losses[loss] > 0.01 and losses[loss].isfinite() for loss in LOSSES)
    losses["total"].backward()
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    assert bool(frozen) == (name == "ResNet, frozen norms")
    assert all(n.startswith("backbone.network.") for n in frozen)
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)
    # what is added to the queries of deformable attention counts from the second step on: at first
    # its offsets and weights are constants (zero matrices)
    assert without_gradient(model) == ["pixel_decoder.level_embed"]
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-4).step()
    model.zero_grad()
    losses_of(model, given)["total"].backward()
    assert without_gradient(model) == []


def test_a_picture_without_things_under_the_instance_task() -> None:
    """Nothing to find in it: it teaches "no object", and its texts are all padding."""
    torch.manual_seed(0)
    model, scenes = OneFormer(small(config.coco_r50(), **RESNET)).train(), Toytown("train", size=96, length=2, seed=0)
    street, meadow = scenes[0], scenes[1]
    stuff = tuple(s for s in meadow.segments if not meadow.categories[s.class_id].is_thing)
    given = collate([(street, "instance"), (meadow.replace(segments=stuff), "instance")])
    assert [len(t) > 0 for t in given.targets] == [True, False] and given.texts[1] == []
    output = model(given.images, given.tasks, texts=given.texts)
    for prediction in output.predictions:
        prediction.masks = prediction.mask_logits  # whole, so that their gradient can be asked for
    logits = [output.mask_logits, output.class_logits]
    losses = Criterion(model.config)(output, given.targets)
    assert all(losses[loss] > 0.01 and losses[loss].isfinite() for loss in LOSSES)
    masks, classes = torch.autograd.grad(losses["total"], logits)
    assert masks[0].any() and not masks[1].any()
    assert (classes[1, :, -1] < 0).all()  # every query of the empty picture moves towards "no object"


def test_the_same_texts_twice_are_no_negatives() -> None:
    """Two pictures without things under the instance task have equal text queries: all that can be said
    then is that the two are alike, ln 2 in each direction, not 0."""
    torch.manual_seed(0)
    model = OneFormer(small(config.coco_r50(), **RESNET)).eval()
    with torch.no_grad():
        output = model(torch.randn(2, 3, 64, 64), "instance", texts=[[], []])
    assert output.text_queries[0].equal(output.text_queries[1])
    by_image = contrastive_loss(output.text_queries, output.text_queries, output.logit_scale)
    assert by_image.item() == pytest.approx(2 * torch.tensor(2.0).log().item(), rel=1e-5)
