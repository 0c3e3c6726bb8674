"""Noised truth: where it stands, what it says, and where it looks, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from oneformer_lite.data.targets import Targets
from oneformer_lite.model.parts.denoising import MaskDenoising, NoisedMasks, Places
from oneformer_lite.model.parts.masked_decoder import or_everywhere


def wanted(*masks: Tensor, size: tuple[int, int] = (8, 8)) -> Targets:
    whole = torch.stack(masks) if masks else torch.zeros(0, *size, dtype=torch.bool)
    return Targets(whole, torch.arange(len(masks)), [""] * len(masks))


def square(rows: slice, columns: slice, size: tuple[int, int] = (8, 8)) -> Tensor:
    mask = torch.zeros(size, dtype=torch.bool)
    mask[rows, columns] = True
    return mask


CORNER, STRIPE, PIXEL = square(slice(4), slice(4)), square(slice(2, 3), slice(None)), square(slice(7, 8), slice(7, 8))


def places_of_two_groups() -> Places:
    """Of an image with masks 0 and 1 and one with mask 2."""
    return Places(torch.tensor([0, 0, 1, 0, 0, 1]), torch.tensor([0, 1, 0, 2, 3, 2]), images=2, groups=2, most=2)


def test_where_masks_stand() -> None:
    """Group by group, as many groups as fit; what a smaller image lacks stays empty."""
    denoising = MaskDenoising(4, 3, queries=5, noise=0.0)
    targets = [wanted(CORNER, STRIPE), wanted(PIXEL)]
    assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(
        denoising.places(targets), places_of_two_groups()
    ))  # fmt: skip
    noised, table = denoising(targets), denoising.class_table.weight
    assert noised.content.shape == (2, 4, 4) and noised.slices() == [slice(0, 2), slice(2, 4)]
    expected = torch.stack([table[[0, 1, 0, 1]], torch.stack([table[0], table[0] * 0, table[0], table[0] * 0])])
    assert noised.content.equal(expected) and noised.box_logits is None


@pytest.mark.parametrize(
    "counts, groups", [((0, 0), 0), ((6, 1), 0), ((5, 0), 1), ((2, 2), 2), ((1, 0), 5)]
)
def test_how_many_groups_there_are(counts, groups) -> None:
    noised = MaskDenoising(4, 9, 5, 0.2)([wanted(*[CORNER] * n) for n in counts])
    assert (0 if noised is None else noised.groups) == groups
    assert noised is None or noised.count <= 5


def test_who_sees_whom() -> None:
    """Two groups of one, then two others."""
    allowed = MaskDenoising(4, 3, 2, 0.0)([wanted(CORNER)]).allowed(2)
    assert allowed.int().tolist() == [[1, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]


def test_where_they_look_without_noise() -> None:
    """A cell of which anything is inside is inside; the same for both groups; queries of no mask look nowhere, and then
    everywhere."""
    masks = NoisedMasks(torch.stack([CORNER, STRIPE, PIXEL]), places_of_two_groups(), noise=0.0)
    found = masks.at((2, 2)).int().tolist()
    corner, stripe, pixel, nothing = [1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]
    assert found == [[corner, stripe, corner, stripe], [pixel, nothing, pixel, nothing]]
    assert masks.at((4, 4))[0, 0].view(4, 4).int().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0] * 4, [0] * 4]
    assert masks.at((1, 3))[0, 1].tolist() == [True] * 3  # maps of which a pixel is in two cells
    assert or_everywhere(masks.at((2, 2)))[1, 1].all()


def test_exchanged_cells(monkeypatch) -> None:
    """A cell changes sides where the random number is below noise x the mask's share of the map, whichever side it is
    on: half of the four cells at noise 0.8 gives 0.4."""
    numbers = torch.tensor([[0.3, 0.5, 0.39, 0.41], [0.0, 0.9, 0.9, 0.9]])
    monkeypatch.setattr(torch, "rand", lambda shape, device: numbers.reshape(shape))
    masks = NoisedMasks(STRIPE[None], Places(torch.tensor([0, 0]), torch.tensor([0, 1]), 1, 2, 1), noise=0.8)
    assert masks.at((2, 2)).int().tolist() == [[[0, 1, 1, 0], [0, 1, 0, 0]]]


def test_as_many_cells_change_as_the_noise_says() -> None:
    torch.manual_seed(0)
    mask = square(slice(32), slice(16), (64, 64))
    masks = NoisedMasks(mask[None], Places(torch.zeros(50).long(), torch.arange(50), 1, 50, 1), noise=0.2)
    changed = masks.at((64, 64)).view(50, 64, 64) ^ mask
    assert changed.sum((1, 2)).float().mean().item() == pytest.approx(0.2 * 32 * 16, rel=0.03)
    assert changed.float().mean(0).std() < 0.06  # no place more than others
    assert not masks.at((64, 64))[0, 0].equal(masks.at((64, 64))[0, 0])


def test_labels_are_exchanged_with_the_probability_of_the_noise() -> None:
    torch.manual_seed(0)
    labels = torch.zeros(20_000, dtype=torch.int64)
    found = MaskDenoising(4, 5, 10, 0.2)._exchanged(labels)
    assert (found != labels).float().mean().item() == pytest.approx(0.2 * 4 / 5, abs=0.01)
    assert found.bincount(minlength=5)[1:].float().std() < 60
    assert MaskDenoising(4, 5, 10, 0.0)._exchanged(labels).equal(labels)
