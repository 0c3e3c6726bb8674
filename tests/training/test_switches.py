"""Activation checkpointing and torch.compile: other costs, the same numbers."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.errors import ConfigError
from oneformer_lite.losses import Criterion
from oneformer_lite.training import toytown_training
from oneformer_lite.training.distributed import ALONE
from oneformer_lite.training.step import Optimization
from oneformer_lite.training.switches import repeated_blocks

SWIN = {
    "backbone": "swin_tiny_patch4_window7_224",
    "backbone_options": {"drop_path_rate": 0.5, "embed_dim": 8, "depths": (1, 1, 2, 1), "num_heads": (1, 1, 2, 2)},
    "pretrained": False,
}


def small_config(**changes) -> ofl.ModelConfig:
    sizes = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "decoder_layers": 2, "encoder_dropout": 0.5}
    return dataclasses.replace(ofl.config.toytown(), **sizes | changes)


def optimization(config: ofl.ModelConfig, **changes) -> Optimization:
    torch.manual_seed(0)
    model = ofl.OneFormer(config).train()
    settings = {"steps": 100, "batch_size": 4, "accumulate": 2} | changes
    return Optimization(model, Criterion(config), toytown_training(**settings), ALONE)


def parts() -> list[ofl.data.Batch]:
    scenes = Toytown("train", 64)
    pairs = [(scenes[i], ofl.data.TASKS[i % 3]) for i in range(4)]
    return [ofl.data.collate(pairs[:2]), ofl.data.collate(pairs[2:])]


@pytest.mark.parametrize("changes", [{}, {"backbone_norm": "batch"}, SWIN], ids=["dropout", "BatchNorm", "drop path"])
def test_checkpointed_activations_change_no_bit(changes: dict) -> None:
    """Losses, gradients, weights, running statistics and averaged weights after two steps of two micro-batches."""
    plain, saving = (optimization(small_config(**changes), checkpoint_activations=on) for on in (False, True))
    for step in range(2):
        losses = [run.step(step, 0.0, parts())[0] for run in (plain, saving)]
        assert losses[0] == losses[1]
    gradients = [{name: p.grad for name, p in run.model.named_parameters()} for run in (plain, saving)]
    for ours, theirs in (
        gradients,
        [run.model.state_dict() for run in (plain, saving)],
        [run.average.state for run in (plain, saving)],
    ):
        assert list(ours) == list(theirs)
        for name, value in ours.items():
            assert value is None and theirs[name] is None or torch.equal(value, theirs[name]), name


def held_after_forward(run: Optimization, batch: ofl.data.Batch) -> int:
    """Bytes of the tensors that wait for the backward pass: saved by operations, or inputs of checkpointed blocks."""
    storages: dict[int, torch.UntypedStorage] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    def note_inputs(module, inputs) -> None:
        for tensor in inputs:
            if isinstance(tensor, torch.Tensor):
                note(tensor)

    hooks = [block.register_forward_pre_hook(note_inputs) for block in repeated_blocks(run.model)]
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        losses = run.objective(batch, [(0, i) for i in range(len(batch.images))])
    for hook in hooks:
        hook.remove()
    parameters = {p.untyped_storage().data_ptr() for p in run.model.parameters()}
    assert losses["total"].requires_grad
    return sum(storage.nbytes() for pointer, storage in storages.items() if pointer not in parameters)


def test_checkpointed_activations_take_less_memory() -> None:
    config, batch = small_config(num_points=16), parts()[0]
    plain, saving = (held_after_forward(optimization(config, checkpoint_activations=on), batch) for on in (False, True))
    assert saving < plain / 3


@pytest.mark.parametrize("name, blocks", [("coco_r50", 16), ("coco_swin_t", 12), ("ade20k_dinat_l", 30)])
def test_blocks_of_the_published_backbones(name: str, blocks: int) -> None:
    config = dataclasses.replace(getattr(ofl.config, name)(), pretrained=False)
    with torch.device("meta"):
        model = ofl.OneFormer(config)
    found = set(repeated_blocks(model))
    names = [name for name, module in model.named_modules() if module in found]
    assert sum(name.startswith("backbone.") for name in names) == blocks
    for part, count in {"pixel_decoder.layers": 6, "query_transformer": 2, "decoder.layers": 9}.items():
        assert sum(name.startswith(part) for name in names) == count


def test_kept_and_judged_models_are_plain(tmp_path) -> None:
    scenes = Toytown("train", 64, 4)
    recipe = toytown_training(
        steps=1, batch_size=2, out=str(tmp_path), workers=0, evaluations=0, ema_decay=None, checkpoint_activations=True
    )
    model = ofl.train(small_config(), recipe, scenes).model
    assert all("forward" not in vars(module) for module in model.modules())
    assert list(model.state_dict()) == list(ofl.from_pretrained(tmp_path / "model").state_dict())


def test_the_switches_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="checkpoint_activations and compile do not go together"):
        toytown_training(steps=1, checkpoint_activations=True, compile=True)


# in a process of its own: shape checks, which the tests switch on, cannot be compiled. Without a backend the parts are
# traced and run as they are, so the numbers are the same to the bit
COMPILED = """
import dataclasses, sys
from functools import partialmethod
import torch, torch._dynamo
import oneformer_lite as ofl
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.training import toytown_training

torch.nn.Module.compile = partialmethod(torch.nn.Module.compile, backend="eager")
config = dataclasses.replace(
    ofl.config.toytown(), image_size=64, num_points=64, hidden_dim=32, encoder_layers=1, decoder_layers=1,
    backbone="swin_tiny_patch4_window7_224", pretrained=False,
    backbone_options={"embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2)},
)
def trained(out, compiled):
    for steps in (2, 3):  # the second time it is resumed, not compiled
        recipe = toytown_training(
            steps=steps, batch_size=2, out=f"{sys.argv[1]}/{out}", workers=0, evaluations=0, lr=1e-3,
            compile=compiled and steps == 2,
        )
        result = ofl.train(config, recipe, Toytown("train", 64, 6))
    return result.model.state_dict()

plain, compiled = trained("plain", False), trained("compiled", True)
assert list(plain) == list(compiled)
assert all(torch.equal(plain[name], compiled[name]) for name in plain)
kept = ofl.from_pretrained(f"{sys.argv[1]}/compiled/model").state_dict()
assert all(torch.equal(plain[name], kept[name]) for name in plain)
graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
breaks = dict(torch._dynamo.utils.counters["graph_break"])
assert graphs == 4 and not breaks, f"{graphs} graphs for 4 parts, broken at {breaks}"
"""


def test_compiled_parts_train_and_resume_as_plain_ones(tmp_path) -> None:
    """Each of the four parts is one whole graph, the same in all steps; checkpoints know nothing of it."""
    result = subprocess.run(
        [sys.executable, "-c", COMPILED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "lru_cache" not in result.stderr
