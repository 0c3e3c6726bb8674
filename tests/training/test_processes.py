"""Two real processes (torchrun, gloo) with half of each batch against one process with all of it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.batch import Batch
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.errors import ConfigError
from oneformer_lite.training import read_log, toytown_training, train
from oneformer_lite.training.distributed import ALONE, Processes
from oneformer_lite.training.loader import EndlessSampler

STEPS = {"oneformer": 20, "mask_dino": 2}


def run(data: str, out: str) -> None:
    """So many steps with a batch of four, of one member after the other.

    In float64, in which roundings cannot be taken for differences; with small steps; and with so many points that
    each mask is met: two masks of a class that no point meets cost the same, and a rounding decides which query
    takes which. Then the trainings part.
    """
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    sizes = {"image_size": 64, "num_points": 2048, "hidden_dim": 32, "encoder_layers": 1, "decoder_layers": 1}
    own = {"batch_size": 4, "lr": 1e-4, "warmup_steps": 0, "workers": 0, "evaluations": 0, "log_steps": 1}
    to = Batch.to

    def to_double(batch: Batch, device) -> Batch:
        return dataclasses.replace(to(batch, device), images=batch.images.double())

    with mock.patch.object(Batch, "to", to_double):
        for preset, (member, steps) in zip((ofl.config.toytown, ofl.config.mask_dino_toytown), STEPS.items()):
            config = dataclasses.replace(preset(), backbone="test_resnet", pretrained=False, **sizes)
            train(config, toytown_training(data=data, out=f"{out}/{member}", steps=steps, **own))


def start(*options, data: Path, out: Path) -> None:
    """This file as a program."""
    command = [sys.executable, *options, __file__, str(data), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toytown")
    write_toytown(folder, "train", 64, 24, workers=1)
    return folder


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory) -> tuple[Path, Path]:
    """Of one process and of two."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    start("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", data=data, out=two)
    start(data=data, out=one)
    return one, two


def test_two_processes_equal_one(runs: tuple[Path, Path]) -> None:
    folders = [run / "oneformer" for run in runs]
    one, two = (read_log(folder) for folder in folders)
    assert len(one) == len(two) == STEPS["oneformer"]
    for name in ofl.losses.LOSSES:  # of the whole batch; the log has six digits
        assert [record[name] for record in two] == pytest.approx([record[name] for record in one], rel=1e-5)
    models = [torch.load(folder / "checkpoint.pt")["model"] for folder in folders]
    moved = 0
    for name, value in models[0].items():
        torch.testing.assert_close(models[1][name], value, rtol=1e-7, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}")
        moved += value.is_floating_point()
    assert moved > 100


def test_two_processes_of_mask_dino_begin_as_one(runs: tuple[Path, Path]) -> None:
    """Their first step loses what one process loses, boxes and selection included. Noise, and how many groups there
    are, is each process's own, so noised queries lose about as much, and from there the trainings part."""
    one, two = (read_log(run / "mask_dino") for run in runs)
    assert len(one) == len(two) == STEPS["mask_dino"]
    terms = [prefix + name for prefix in ("", "selection_") for name in ("class", "mask", "dice", "box", "giou")]
    assert [two[0][name] for name in terms] == pytest.approx([one[0][name] for name in terms], rel=1e-5)
    noised = [[records[0][f"denoising_{name}"] for name in ("class", "mask", "box")] for records in (one, two)]
    assert noised[1] == pytest.approx(noised[0], rel=0.2) and noised[1] != noised[0]


def test_every_process_takes_its_part_of_the_same_batches() -> None:
    def take(n: int, **kw) -> list:
        return [address for address, _ in zip(EndlessSampler(7, 3, batch_size=6, **kw), range(n))]

    whole, parts = take(24), [take(8, rank=rank, count=3) for rank in range(3)]
    assert [a for step in range(4) for part in parts for a in part[2 * step : 2 * step + 2]] == whole
    assert take(4, start=12, rank=2, count=3) == parts[2][4:]  # resumed after two steps


def test_batches_that_cannot_be_shared_are_refused() -> None:
    processes = Processes(rank=1, count=2, device=torch.device("cpu"))
    assert processes.share(12, accumulate=3) == 2 and ALONE.share(5) == 5
    with pytest.raises(ConfigError, match=r"batch_size 6 .* multiple of 4 \(2 processes, accumulate 2\)"):
        processes.share(6, accumulate=2)


def test_norms_over_processes_are_synchronised_on_gpus_and_missed_aloud_on_cpus() -> None:
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(3))
    with pytest.warns(UserWarning, match="exists on GPUs only"):
        assert Processes(0, 2, torch.device("cpu")).synchronise_norms(model) is model
    synchronised = Processes(0, 2, torch.device("cuda")).synchronise_norms(model)
    assert isinstance(synchronised[0], torch.nn.SyncBatchNorm)


if __name__ == "__main__":
    run(*sys.argv[1:])
