"""One optimiser step: half precision where it may be, micro-batches, and what happens to numbers that are none."""

from __future__ import annotations

import dataclasses
import warnings

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.errors import ConfigError, OneFormerLiteError
from oneformer_lite.losses import Criterion
from oneformer_lite.training import toytown_training
from oneformer_lite.training.distributed import ALONE
from oneformer_lite.training.guard import first_bad_module, first_bad_parameter
from oneformer_lite.training.step import Optimization


def small_config(**changes) -> ofl.ModelConfig:
    sizes = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "decoder_layers": 2} | changes
    return dataclasses.replace(ofl.config.toytown(), **sizes)


def batch(*indices: int) -> ofl.data.Batch:
    scenes = Toytown("train", 64)
    return ofl.data.collate([(scenes[i], ofl.data.TASKS[i % 3]) for i in indices])


def optimization(config: ofl.ModelConfig | None = None, **changes) -> Optimization:
    torch.manual_seed(0)
    config = config or small_config()
    model = ofl.OneFormer(config).train()
    settings = {"steps": 100, "batch_size": 4, "clip_norm": None, "ema_decay": None} | changes
    return Optimization(model, Criterion(config), toytown_training(**settings), ALONE)


@pytest.mark.parametrize("precision, dtype", [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_half_precision_where_it_may_be(precision: str, dtype: torch.dtype) -> None:
    seen: dict[str, torch.dtype] = {}
    run = optimization(precision=precision)

    def note(name: str):
        def hook(module, inputs, output) -> None:
            seen[name] = output.dtype

        return hook

    for name, module in run.model.named_modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
            module.register_forward_hook(note(name))
    whole, _ = optimization().step(0, 0.0, [batch(0, 1, 2, 3)])
    losses, _ = run.step(0, 0.0, [batch(0, 1, 2, 3)])
    full = {name for name, kind in seen.items() if kind == torch.float32}
    assert full and all(name.startswith("pixel_decoder.") for name in full)
    assert {kind for name, kind in seen.items() if not name.startswith("pixel_decoder.")} == {dtype}
    for name in (*ofl.losses.LOSSES, "total"):
        assert losses[name].dtype == torch.float32
        assert losses[name].item() == pytest.approx(whole[name].item(), rel=0.1)
    assert all(p.dtype == torch.float32 and torch.isfinite(p).all() for p in run.model.parameters())


def test_float16_learns_with_scaled_losses() -> None:
    run, examples = optimization(precision="fp16", warmup_steps=0, lr=1e-3), batch(0, 1)
    totals = [run.step(i, 0.0, [examples])[0]["total"].item() for i in range(8)]
    assert run.scaler.get_scale() > 1 and min(totals[-3:]) < 0.9 * totals[0]
    assert run.state_dict()["scaler"]["scale"] == run.scaler.get_scale()


def test_precisions_are_named() -> None:
    with pytest.raises(ConfigError, match="precision is 'half'; expected one of"):
        toytown_training(steps=1, precision="half")


def gradients(run: Optimization) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in run.model.named_parameters() if p.grad is not None}


def test_micro_batches_give_the_mean_of_their_gradients() -> None:
    parts = [batch(0, 1), batch(2, 3)]
    both = optimization(accumulate=2)
    losses, _ = both.step(0, 0.0, parts)
    # each part alone, with the random points that it meets in second place too
    expected, totals = {}, []
    for i, part in enumerate(parts):
        alone = optimization()
        seeds = [(0, 2 * i), (0, 2 * i + 1)]
        own = alone.objective(part, seeds)
        own["total"].backward()
        totals.append(own["total"].item())
        for name, value in gradients(alone).items():
            expected[name] = expected.get(name, 0) + value / 2
    assert losses["total"].item() == pytest.approx(sum(totals) / 2, rel=1e-6)
    for name, value in gradients(both).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6, msg=name)


def test_dropout_follows_from_the_step_alone() -> None:
    config, examples = small_config(encoder_dropout=0.5), batch(0, 1)
    first = optimization(config).step(3, 0.0, [examples])[0]["total"]
    torch.rand(17)
    assert optimization(config).step(3, 0.0, [examples])[0]["total"] == first
    assert optimization(config, seed=1).step(3, 0.0, [examples])[0]["total"] != first


def spoil(parameter: torch.Tensor) -> None:
    with torch.no_grad():
        parameter.view(-1)[0] = float("nan")


def test_the_message_names_loss_layer_and_pictures() -> None:
    run = optimization()
    layer = run.model.decoder.class_head
    layer.register_forward_hook(lambda module, inputs, output: output * float("nan"))
    assert first_bad_module(run.model, batch(0)) == "decoder.class_head" and run.model.training
    with pytest.warns(UserWarning, match=r"step 7: the class.* loss is not finite \(images \[1, 2\]\).*r.class_head"):
        run.step(7, 0.0, [batch(0, 1)])


def test_the_message_names_the_parameter() -> None:
    run = optimization()
    spoil(run.model.decoder.class_head.bias)
    assert first_bad_parameter(run.model) == "decoder.class_head.bias"
    with pytest.warns(UserWarning, match=r"first parameter that is not finite is decoder.class_head.bias"):
        run.step(0, 0.0, [batch(0, 1)])


def test_clipping_scales_the_whole_gradient() -> None:
    free, clipped = optimization(), optimization(clip_norm=0.5)
    for run in (free, clipped):
        run.step(0, 0.0, [batch(0, 1)])
    torch.nn.utils.clip_grad_norm_(free.model.parameters(), 0.5)
    a, b = gradients(free), gradients(clipped)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert torch.cat([g.flatten() for g in b.values()]).norm().item() == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_that_is_no_number_changes_no_weight(clip: float | None) -> None:
    run = optimization(clip_norm=clip)
    run.model.decoder.class_head.bias.register_hook(lambda gradient: gradient * float("nan"))
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    with pytest.warns(UserWarning, match="gradient is not finite; the step is skipped .*decoder.class_head.bias"):
        run.step(0, 0.0, [batch(0, 1)])
    assert all(torch.equal(before[name], value) for name, value in run.model.state_dict().items())
    with pytest.raises(OneFormerLiteError, match="10th step in a row"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(10):
            run.step(0, 0.0, [batch(0, 1)])
