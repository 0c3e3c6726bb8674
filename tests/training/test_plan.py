"""What a run will cost: the arithmetic by hand, the measurement against what a run really leaves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.errors import ConfigError, OneFormerLiteError
from oneformer_lite.training import plan as plans
from oneformer_lite.training import toytown_training
from oneformer_lite.training.measure import Measurement, Synthetic, answer, measure, tensor_bytes
from oneformer_lite.training.plan import Plan, smaller


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch) -> None:
    monkeypatch.setattr(plans.os, "cpu_count", lambda: 8)


def made(processes: int = 1, workers: int = 2, device: str = "A GPU", recipe: dict | None = None, **measured) -> Plan:
    """4 s for a step of 16 images, 4 of them a second; 1000 images."""
    found = {
        "device": device, "step_seconds": 4.0, "peak_memory": 8_000_000_000, "free_memory": 16_000_000_000,
        "loaded_per_second": 10.0, "images": 1000, "weights_bytes": 10_000_000, "checkpoint_bytes": 30_000_000,
    }  # fmt: skip
    settings = {"steps": 900, "batch_size": 16, "workers": workers, "log_steps": 10, "evaluations": 10}
    c = toytown_training(**settings | (recipe or {}))
    return Plan(c, processes, Measurement(**found | measured))


def test_costs_by_hand() -> None:
    plan = made()
    assert (plan.images_per_second, plan.hours, plan.epochs) == (4.0, 1.0, 14.4)
    assert plan.disk == 3 * 30_000_000 + 10_000_000 + 100 * 1000  # 90 records of steps, 10 of evaluations
    assert plan.memory == 8_000_000_000 and plan.warnings == ()
    text = str(plan)
    for line in (
        "time      1 hours: 900 steps of 4 s",
        "images/s  4 (model 4, loader 10)",
        "memory    8 GB at the peak",
    ):
        assert line in text
    assert made(recipe={"keep_best": True}).disk == plan.disk + 10_000_000


def test_minutes_give_the_steps() -> None:
    plan = made(recipe={"steps": None, "minutes": 30})
    assert (plan.steps, plan.hours) == (450, 0.5)


def test_a_slow_loader_counts_and_is_told() -> None:
    plan = made(loaded_per_second=2.0)
    assert plan.images_per_second == 2.0 and plan.hours == 2.0
    assert "the model waits for data 50% of the time: workers=4 would keep it fed" in str(plan)
    assert "more cores" in made(loaded_per_second=0.5).warnings[0]  # 16 workers on 8 cores


def test_without_workers_an_image_takes_the_time_of_both() -> None:
    assert made(workers=0, loaded_per_second=4.0).images_per_second == 2.0


def test_on_a_cpu_the_workers_take_cores_from_the_model() -> None:
    # a quarter of a second for the model, a tenth of a second on 2 of 8 cores for the loader
    plan = made(device="CPU", processes=2)
    assert plan.images_per_second == pytest.approx(1 / (0.25 + 4 / 8 / 20))
    assert plan.memory == 16_000_000_000 and "16 of 16 GB" in plan.warnings[0]


def test_processes_share_the_cores() -> None:
    assert made(processes=4, workers=4).loader_images_per_second == 20.0  # of 16 workers 8 have a core


def test_full_memory_and_disk_are_told(monkeypatch) -> None:
    assert "15 of 16 GB: checkpoint_activations=True" in str(made(peak_memory=15_000_000_000))
    monkeypatch.setattr(plans.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 50_000_000}))
    assert "has 0.05 GB free, the run needs 0.1" in str(made())


def test_smaller_recipes_in_order() -> None:
    c, found = toytown_training(steps=1, batch_size=12), []
    with pytest.raises(OneFormerLiteError, match="not even 2 images at once fit"):
        while True:
            c, _ = smaller(c)
            found.append((c.checkpoint_activations, c.accumulate))
    assert found == [(True, 1), (True, 2), (True, 3), (True, 4), (True, 6)]
    assert smaller(toytown_training(steps=1, compile=True))[0].accumulate == 2  # not with checkpointing
    last, words = smaller(dataclasses.replace(c, accumulate=1), processes=4)
    assert last.accumulate == 3 and "compares 4 images at a time" in words  # one image in each process
    with pytest.raises(OneFormerLiteError, match="not even 1 images"):
        smaller(last, processes=4)


def test_what_does_not_fit_is_tried_again(monkeypatch) -> None:
    asked = []

    def ask(config, c, *rest) -> Measurement | None:
        asked.append((c.checkpoint_activations, c.accumulate))
        return None if c.accumulate < 4 else made().measured

    monkeypatch.setattr(plans, "_ask", ask)
    plan = ofl.plan(ofl.config.toytown(), toytown_training(steps=10, batch_size=8), devices="cpu:1")
    assert asked == [(False, 1), (True, 1), (True, 2), (True, 4)]
    assert plan.train_config == toytown_training(steps=10, batch_size=8, checkpoint_activations=True, accumulate=4)
    assert "! accumulate=4, or it does not fit into the memory" in str(plan)


def small_config() -> ofl.ModelConfig:
    sizes = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "decoder_layers": 1, "encoder_layers": 1}
    return dataclasses.replace(ofl.config.toytown(), **sizes)


def test_a_real_run_costs_what_the_plan_says(tmp_path: Path) -> None:
    """In a process of its own, on real pictures; the run's folder is not made."""
    write_toytown(tmp_path / "town", "train", length=6, size=64)
    recipe = toytown_training(
        data=str(tmp_path / "town"), out=str(tmp_path / "run"), steps=1, batch_size=4, accumulate=2, workers=1,
        evaluations=0,
    )  # fmt: skip
    plan = ofl.plan(small_config(), recipe, steps=1, devices="cpu:1")
    assert not (tmp_path / "run").exists()
    assert plan.measured.images == 6 and plan.epochs == pytest.approx(4 / 6) and plan.loader_images_per_second > 0
    ofl.train(small_config(), recipe)
    size = {path.name: path.stat().st_size for path in (tmp_path / "run").rglob("*.*")}
    assert size["checkpoint.pt"] == pytest.approx(plan.measured.checkpoint_bytes, rel=0.1)
    assert size["model.safetensors"] == pytest.approx(plan.measured.weights_bytes, rel=0.02)
    # weights, gradients, both moments and the average are held, and not more than the machine has
    assert 5 * plan.measured.weights_bytes < plan.memory < plan.measured.free_memory


def test_synthetic_scenes_where_there_are_no_data(tmp_path: Path) -> None:
    torch.manual_seed(5)
    recipe = toytown_training(data=str(tmp_path), out=str(tmp_path / "run"), steps=8, batch_size=4, workers=0)
    found = measure(small_config(), recipe, count=2, steps=1)
    assert found.images is found.loaded_per_second is None and found.step_seconds > 0
    assert "none in" in str(Plan(recipe, 2, found))
    sample = Synthetic(small_config())[3]
    assert sample.size == (64, 64) and len(sample.segments) == 12 and sample.segment_masks().any((1, 2)).all()


def test_errors_cross_the_process(tmp_path: Path) -> None:
    write_toytown(tmp_path, "train", length=1, size=64)
    config, recipe = ofl.config.coco_r50(), toytown_training(data=str(tmp_path), steps=1)
    question = {"config": dataclasses.asdict(config), "train_config": dataclasses.asdict(recipe)}
    kind, words = answer(question | {"processes": 1, "steps": 1})["error"]
    assert kind == "ConfigError" and "the configuration has 133 classes" in words
    with pytest.raises(ConfigError, match="must be a multiple of 3"):
        ofl.plan(config, dataclasses.replace(recipe, batch_size=4), devices="cpu:3")
    with pytest.raises(ConfigError, match="at least one step"):
        ofl.plan(config, recipe, steps=0, devices="cpu:1")


def test_bytes_of_nested_tensors() -> None:
    targets = ofl.data.Targets(torch.zeros(2, 3, 3, dtype=torch.bool), torch.zeros(2, dtype=torch.int64), ["", ""])
    assert tensor_bytes({"a": [torch.zeros(3)], "b": (targets, None, 1.0)}) == 12 + 18 + 16
