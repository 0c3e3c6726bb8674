"""Two real processes (gloo) with half of a batch each against one process with all of it."""

from __future__ import annotations

import math
import socket
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch import Tensor

from oneformer_lite import config
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import Criterion, contrastive_loss
from oneformer_lite.losses import pairs as module
from oneformer_lite.model.mask_dino import MaskDinoOutput
from oneformer_lite.model.output import MaskProduct, OneFormerOutput, Output, Predictions


def queries(seed: int) -> Tensor:
    """Of four images."""
    return torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(seed))


def contrastive_gradients(part: slice) -> list[Tensor]:
    """Loss of some of the images and its gradients: image queries, text queries, scale."""
    leaves = [queries(0)[part].clone(), queries(1)[part].clone(), torch.tensor(math.log(1 / 0.07))]
    for leaf in leaves:
        leaf.requires_grad_()
    loss = contrastive_loss(*leaves)
    loss.backward()
    return [loss.detach(), *(leaf.grad for leaf in leaves)]


def in_the_middle(settings: config.BaseConfig, output: Output, targets: list[Targets]) -> dict[str, Tensor]:
    """All losses, with one place for all points: nothing depends on chance."""
    centre = torch.full((1, 16, 2), 0.5)
    with mock.patch.object(module, "uncertain_points", lambda logits, *_: centre.expand(len(logits), -1, -1)):
        return Criterion(settings)(output, targets)


def criterion_losses(part: slice, masks: tuple[int, ...]) -> dict[str, Tensor]:
    """All losses of some of the images, which have so many masks each; all masks of an image cost alike."""
    settings = config.ModelConfig(num_classes=3, num_queries=6, text_context=1, num_points=16)
    mask_logits = torch.linspace(-1, 1, 4)[part].view(-1, 1, 1, 1).repeat(1, 6, 8, 8).requires_grad_()
    output = OneFormerOutput(
        queries(2)[part, :, :4].requires_grad_(), mask_logits, object_queries=queries(0)[part],
        text_queries=queries(1)[part], logit_scale=torch.tensor(2.0),
    )
    targets = [
        Targets(torch.ones(n, 8, 8, dtype=torch.bool), torch.zeros(n, dtype=torch.int64), [""] * n)
        for n in masks[part]
    ]
    losses = in_the_middle(settings, output, targets)
    losses["total"].backward()
    return {name: loss.detach() for name, loss in losses.items()}


def mask_dino_losses(part: slice, masks: tuple[int, ...]) -> dict[str, Tensor]:
    """The same of Mask DINO, whose selection and two groups of three noised queries have losses as well; every query of
    an image says the same, so that it does not matter which of them answers."""
    settings = replace(config.mask_dino_toytown(), num_points=16, denoising_queries=6)
    said = torch.linspace(-1, 1, 4)[part].view(-1, 1, 1)

    def says(queries: int, shift: float) -> Predictions:
        of_each = (said + shift).repeat(1, queries, 1)
        boxes = torch.cat([of_each.new_full((len(said), queries, 2), 0.4), of_each.sigmoid().expand(-1, -1, 2)], -1)
        masks = MaskProduct(of_each, said.new_ones(len(said), 1, 8, 8))
        return Predictions(of_each.repeat(1, 1, 14), masks, no_object=False, boxes=boxes)

    last = says(6, 0.0)
    output = MaskDinoOutput(last.class_logits, last.masks, [says(6, 0.5)], no_object=False, boxes=last.boxes)
    output.selection, output.denoising = says(6, 0.2), [[says(3, 0.1), says(3, 0.3)], [says(3, -0.1), says(3, -0.2)]]
    targets = [
        Targets(torch.ones(n, 8, 8, dtype=torch.bool), torch.zeros(n, dtype=torch.int64), [""] * n)
        for n in masks[part]
    ]
    return in_the_middle(settings, output, targets)


MASKS = {"unequal": (3, 1, 1, 0), "a process without masks": (2, 2, 0, 0)}


def one_of_two(rank: int, port: int, folder: Path) -> None:
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    half = slice(2 * rank, 2 * rank + 2)
    results = {"contrastive": contrastive_gradients(half)}
    for name, masks in MASKS.items():
        results[name] = criterion_losses(half, masks)
        results[f"mask_dino, {name}"] = mask_dino_losses(half, masks)
    torch.save(results, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What the two processes found; a process that waits for ever fails after a while."""
    folder = tmp_path_factory.mktemp("halves")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    context = multiprocessing.spawn(one_of_two, (port, folder), nprocs=2, join=False)
    if not context.join(timeout=120) and not context.join(timeout=120):
        for process in context.processes:
            process.kill()
        pytest.fail("the processes wait for each other")
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


def test_contrastive_loss_and_gradients(halves: list[dict]) -> None:
    whole = contrastive_gradients(slice(0, 4))
    first, second = (half["contrastive"] for half in halves)
    # each process takes the mean over its share; DDP averages gradients over the processes
    assert ((first[0] + second[0]) / 2).item() == pytest.approx(whole[0].item(), rel=1e-5)
    assert not torch.isclose(first[0], second[0])
    for i in (1, 2):
        assert torch.allclose(torch.cat([first[i], second[i]]) / 2, whole[i], atol=1e-6)
    assert torch.allclose((first[3] + second[3]) / 2, whole[3], atol=1e-6)


@pytest.mark.parametrize("name", MASKS)
def test_mask_losses_are_divided_by_the_average_number_of_masks(halves: list[dict], name: str) -> None:
    whole = criterion_losses(slice(0, 4), MASKS[name])
    first, second = (half[name] for half in halves)
    for loss in ("mask", "dice"):
        assert ((first[loss] + second[loss]) / 2).item() == pytest.approx(whole[loss].item(), rel=1e-5)
    if name == "a process without masks":
        assert second["mask"] == 0 and second["class"] > 0


@pytest.mark.parametrize("name", MASKS)
def test_the_class_loss_is_divided_by_the_weights_of_all_processes(halves: list[dict], name: str) -> None:
    """Not, as in the published criterion, by those of its own queries: that is another loss."""
    first, second = (half[name]["class"] for half in halves)
    together = criterion_losses(slice(0, 4), MASKS[name])["class"]
    assert ((first + second) / 2).item() == pytest.approx(together.item(), rel=1e-6)
    alone = [criterion_losses(part, MASKS[name])["class"] for part in (slice(0, 2), slice(2, 4))]
    assert not torch.isclose(sum(alone) / 2, together, rtol=1e-4)  # so it matters


@pytest.mark.parametrize("name", MASKS)
def test_losses_of_selection_and_of_noised_queries_are_divided_alike(halves: list[dict], name: str) -> None:
    """All fifteen terms, boxes among them, by the number of masks in the batch of all processes."""
    first, second = (half[f"mask_dino, {name}"] for half in halves)
    together = mask_dino_losses(slice(0, 4), MASKS[name])
    assert len(together) == 16
    for loss, whole in together.items():
        assert ((first[loss] + second[loss]) / 2).item() == pytest.approx(whole.item(), rel=1e-5), loss
        assert whole > 0 and (name == "a process without masks" or first[loss] != second[loss])
    if name == "a process without masks":
        assert second["selection_box"] == second["denoising_giou"] == 0 < second["denoising_class"]
