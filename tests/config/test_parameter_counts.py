"""Parameters of the published models: counted on the meta device, where weights take no memory."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from oneformer_lite import OneFormer, config

# millions at inference, as transformers builds the same models; the paper says 47, 219, 220, 372 and 223
MILLIONS = {
    "coco_r50": 47.33,
    "coco_swin_t": 50.73,
    "coco_swin_l": 218.78,
    "ade20k_convnext_l": 219.84,
    "ade20k_convnext_xl": 372.01,
    "coco_dinat_l": 223.19,
}


def counts(name: str) -> tuple[int, int]:
    """Parameters of a preset: at inference, and those of the text mapper."""
    with torch.device("meta"):
        model = OneFormer(dataclasses.replace(getattr(config, name)(), pretrained=False))
    everything = sum(p.numel() for p in model.parameters())
    text = sum(p.numel() for p in model.text_mapper.parameters())
    return everything - text, text


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters_at_inference(name: str) -> None:
    inference, text = counts(name)
    assert round(inference / 1e6, 2) == MILLIONS[name]
    assert round(text / 1e6, 2) == 17.54


def test_data_sets_differ_by_kernel_classes_and_queries() -> None:
    """Cityscapes' DiNAT-L beside COCO's: kernel 7 instead of 11, 19 classes instead of 133, 100 queries more."""
    heads = 3 * 6 + 4 * 12 + 18 * 24 + 5 * 48  # blocks x heads, each with a table of (2 x kernel - 1) squared
    difference = heads * (13**2 - 21**2) + (19 - 133) * 257 + 100 * 256
    assert counts("cityscapes_dinat_l")[0] - counts("coco_dinat_l")[0] == difference
