"""What holds for every member alike: it trains, resumes, saves and loads."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

import torch

import oneformer_lite as ofl
from oneformer_lite.config import BaseConfig
from oneformer_lite.data.batch import Batch
from oneformer_lite.data.dataset import SegmentationDataset
from oneformer_lite.losses import Criterion
from oneformer_lite.model import MEMBERS, MaskModel
from oneformer_lite.training import TrainConfig, Trainer, toytown_training, train

# every member but OneFormer, by the name of its preset for Toytown
OTHERS = tuple(name.removesuffix("_toytown") for name in ofl.config.PRESETS if name.endswith("_toytown"))


def small(member: str) -> BaseConfig:
    """A member of 64 pixels with as much chance as it has, dropout or noise, whose steps take a tenth of a second."""
    preset = getattr(ofl.config, "toytown" if member == "oneformer" else f"{member}_toytown")()
    sizes = {
        "image_size": 64, "test_size": preset.test_size and 64, "num_points": 64, "hidden_dim": 32, "num_heads": 4,
        "num_queries": 20, "encoder_layers": 1, "decoder_layers": 1, "text_layers": 1, "encoder_dropout": 0.1,
        "query_dropout": 0.1, "dropout": 0.1,
    }  # fmt: skip
    if member == "eomt":  # the transformer is the network
        sizes |= {"backbone_options": {"depth": 3, "init_values": 1.0}, "query_blocks": 2, "rope_rescale": 2.0}
    elif preset.backbone == "tf_efficientnet_lite0":
        sizes |= {"backbone": "test_resnet", "pretrained": False}
    if member == "mask2former":
        sizes["denoising_queries"] = 20
    if member == "panoptic_segformer":  # whose GroupNorm has 32 groups, on a map of one place
        sizes["hidden_dim"] = 64
    return dataclasses.replace(preset, **{name: value for name, value in sizes.items() if hasattr(preset, name)})


def lost(model: MaskModel, batch: Batch, steps: int, lr: float, clip_norm: float) -> list[dict[str, float]]:
    """All losses before each of so many steps on one batch; the gradients of the last step are still there."""
    criterion, optimizer = Criterion(model.config), torch.optim.AdamW(model.parameters(), lr)
    history = []
    for _ in range(steps):
        losses = criterion(model.learn(batch), batch.targets)
        optimizer.zero_grad()
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        history.append({name: float(loss.detach()) for name, loss in losses.items()})
    return history


def recipe(out: Path, **changes) -> TrainConfig:
    settings = {"steps": 3, "batch_size": 2, "workers": 0, "evaluations": 0, "log_steps": 1, "look_first": False}
    return toytown_training(out=str(out), data="nowhere", **(settings | changes))


def trained(made: BaseConfig, data: SegmentationDataset, folder: Path) -> Path:
    """Three steps with an evaluation in between."""
    result = train(made, recipe(folder, evaluations=1, eval_images=2, look_first=True), data, data)
    assert result.finished and type(result.model) is MEMBERS[made.model_type]
    return folder


def assert_resumes_bit_equal(made: BaseConfig, data: SegmentationDataset, folder: Path, **changes) -> None:
    """Four steps at once, and two and two."""
    changes = {"steps": 4, "ema_decay": None} | changes
    whole = train(made, recipe(folder / "whole", **changes), data)
    trainer = Trainer(made, recipe(folder / "parts", **changes), data, None)
    step = trainer.train_step

    def stop_after_two(batches):
        trainer.stopping = trainer.step == 1
        return step(batches)

    trainer.train_step = stop_after_two
    assert not trainer.run().finished
    rest = train(made, recipe(folder / "parts", **changes), data)
    assert rest.finished and rest.steps == 4
    for name, value in whole.model.state_dict().items():
        assert value.equal(rest.model.state_dict()[name]), name


def assert_saves_and_loads_bit_equal(model: MaskModel, made: BaseConfig, run: Path, folder: Path) -> None:
    """Without a warning; and what its run has left is one of its kind."""
    model.save_pretrained(folder)
    content = json.loads((folder / "config.json").read_text())
    assert content["model_type"] == "oneformer_lite" and content.get("member", "oneformer") == made.model_type
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = ofl.from_pretrained(folder)
    assert type(loaded) is type(model) and loaded.config == made
    assert all(value.equal(loaded.state_dict()[name]) for name, value in model.state_dict().items())
    assert type(ofl.from_pretrained(run / "model")) is type(model)
