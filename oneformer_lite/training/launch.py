"""Training in the background: the notebook may go, the run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from numbers import Integral
from pathlib import Path

import torch

from ..checks import only_known_names
from ..config import BaseConfig
from ..errors import ConfigError
from .config import TrainConfig, check_recipes, for_learned_tasks
from .locks import LAUNCHER_LOCK, locked
from .moved import absolute
from .own_folder import run_folder
from .run import Run
from .state import OUTPUT, RECIPE, STOP, write_recipe, write_state

_EXPECTED = 'expected "auto", a number of GPUs, "cuda:0", or "cpu:2" and the like'


@only_known_names
def launch(
    config: BaseConfig, train_config: TrainConfig, devices: int | str = "auto", restarts: int = 3
) -> Run:
    """Start a training in the background and return at once. Lesson 14.

    ``devices``: "auto" (all GPUs, or the CPU in one process), a number of GPUs, "cuda:1" for the GPU of that number
    alone, or "cpu:2" for two processes on the CPU. It is ``ofl.train`` in processes of its own, which talk on loopback
    only: if one dies, all are restarted from the last checkpoint, at most ``restarts`` times. What they print goes to
    ``{out}/output.log``. A run that is in the folder already is resumed. ``ofl.Run.attach(out)`` finds it again from
    anywhere.

    Raises :class:`ConfigError` if the devices do not exist or somebody trains in the folder, and :class:`DataError` if
    files of the folder are links or pipes.
    """
    check_recipes(config, train_config)
    processes, environment = place(devices)
    train_config = absolute(for_learned_tasks(config, train_config))
    out = run_folder(train_config.out)
    run = Run(out)
    if (out / RECIPE).exists() and run.status == "running":
        raise ConfigError(f"a run goes on in {out}: ofl.Run.attach({str(out)!r}).stop() ends it")
    write_recipe(config, train_config, devices)
    (out / STOP).unlink(missing_ok=True)
    write_state(out, "running")
    start(out, processes, restarts, environment)
    return run


def start(folder: Path, processes: int, restarts: int, environment: dict[str, str]) -> None:
    """The supervisor as a process of its own session, which holds the folder's lock as long as it lives."""
    command = [sys.executable, "-m", f"{__package__}.supervisor", str(folder), str(processes), str(restarts)]
    with locked(folder / LAUNCHER_LOCK, patience=1, passed_on=True) as held, (folder / OUTPUT).open("ab") as output:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=os.environ | environment,
            start_new_session=True,  # Ctrl-C in the notebook is not meant for it
            pass_fds=[held.fileno()],
        )  # fmt: skip


def place(devices: int | str) -> tuple[int, dict[str, str]]:
    """Number of processes, and the environment that puts them on these devices."""
    environment = {"TQDM_MININTERVAL": "30"}  # seconds: the bar goes to a file
    gpus = torch.cuda.device_count()
    if devices == "auto":
        devices = gpus or "cpu:1"
    if isinstance(devices, str) and devices.startswith("cuda:"):
        return 1, environment | {"CUDA_VISIBLE_DEVICES": _visible(devices, gpus)}
    if isinstance(devices, str):
        kind, _, number = devices.partition(":") if ":" in devices else (devices, "", "1")
        if kind != "cpu" or not number.isdigit() or int(number) < 1:
            raise ConfigError(f"devices is {devices!r}; {_EXPECTED}")
        # as many threads in all as here: with one process the roundings are those of ofl.train
        threads = max(1, torch.get_num_threads() // int(number))
        return int(number), environment | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": str(threads)}
    if isinstance(devices, bool) or not isinstance(devices, Integral):
        raise ConfigError(f"devices is {devices!r}; {_EXPECTED}")
    if not 1 <= devices <= gpus:
        raise ConfigError(f'{devices} GPUs are asked for, {gpus} are there; devices="cpu:1" trains on the CPU')
    return devices, environment


def _visible(device: str, gpus: int) -> str:
    """The GPU "cuda:1", of those that this process sees, as another process is told of it."""
    number = device.partition(":")[2]
    if not number.isdigit() or int(number) >= gpus:
        raise ConfigError(f'devices is {device!r}; {gpus} GPUs are there, counted from 0. "cpu:1" trains on the CPU')
    return (os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(gpus)))).split(",")[int(number)]
