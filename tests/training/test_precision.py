"""Half precision as published on a GPU, float32 elsewhere; the device is a pretended one."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.losses import Criterion
from oneformer_lite.training import ade20k_training, cityscapes_training, coco_training, mapillary_training
from oneformer_lite.training import toytown_training as toytown
from oneformer_lite.training.distributed import ALONE
from oneformer_lite.training.precision import precision_words, with_precision
from oneformer_lite.training.step import Optimization

GPU, CPU = torch.device("cuda"), torch.device("cpu")
PUBLISHED = {  # whether SOLVER.AMP.ENABLED of the official configuration
    ("coco_r50", coco_training): True, ("coco_swin_t", coco_training): True, ("coco_swin_l", coco_training): False,
    ("coco_dinat_l", coco_training): False, ("ade20k_r50", ade20k_training): True,
    ("ade20k_swin_l", ade20k_training): True, ("ade20k_convnext_xl", ade20k_training): True,
    ("ade20k_dinat_l", ade20k_training): False, ("cityscapes_r50", cityscapes_training): True,
    ("cityscapes_swin_l", cityscapes_training): True, ("cityscapes_dinat_l", cityscapes_training): False,
    ("mapillary_swin_l", mapillary_training): True, ("mapillary_dinat_l", mapillary_training): False,
}  # fmt: skip


@pytest.mark.parametrize(("preset", "recipe"), PUBLISHED)
def test_the_precision_of_the_official_configurations(preset: str, recipe) -> None:
    config, half = getattr(ofl.config, preset)(), PUBLISHED[preset, recipe]
    assert with_precision(config, recipe(), GPU).precision == ("fp16" if half else "float32")
    assert with_precision(config, recipe(), CPU).precision == "float32"
    assert with_precision(config, recipe(precision="bf16"), CPU).precision == "bf16"  # the caller has the last word


def test_it_is_said() -> None:
    config, c = ofl.config.coco_r50(), coco_training()
    assert "half precision as published" in precision_words(c, with_precision(config, c, GPU), GPU)
    assert precision_words(c, with_precision(config, c, CPU), CPU).startswith("float32, half precision as published is")
    assert precision_words(toytown(steps=1), toytown(steps=1), CPU) == "float32"


def test_a_step_resolves_it_and_a_run_goes_on_elsewhere(monkeypatch) -> None:
    """On a pretended GPU fp16 with a loss scale; its state loads into the float32 of a CPU, and back."""
    monkeypatch.setattr(
        "oneformer_lite.training.precision._published_in_half", lambda config, c: True, raising=True
    )
    sizes = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "decoder_layers": 1}
    config = dataclasses.replace(ofl.config.toytown(), **sizes)
    c = coco_training(steps=3, batch_size=2)

    def optimization(pretended: bool) -> Optimization:
        chosen = with_precision(config, c, GPU if pretended else CPU)
        return Optimization(ofl.OneFormer(config).train(), Criterion(config), chosen, ALONE)

    gpu, cpu = optimization(True), optimization(False)
    assert gpu.dtype == torch.float16 and gpu.scaler.is_enabled() and not cpu.scaler.is_enabled()
    batch = ofl.data.collate([(Toytown("train", 64)[i], "panoptic") for i in range(2)])
    gpu.step(0, 0.0, [batch])
    cpu.load_state_dict(gpu.state_dict())
    cpu.step(1, 0.5, [batch])
    gpu.load_state_dict(cpu.state_dict())
    assert "precision" in c.recipe()  # so another one is told when a run is resumed
