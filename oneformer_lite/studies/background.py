"""Several runs of a study at a time, each launched in a process of its own."""

from __future__ import annotations

import time

import torch

from ..errors import ConfigError
from ..training.launch import launch, place
from ..training.run import Run
from .study import STOP, Study
from .variants import Variant
from .work import Work, threads

MOST = 64  # processes
EVERY = 0.2  # seconds between two looks


def places(devices: int | str) -> list[str]:
    """Where runs are launched, one at a time at each. Raises :class:`ConfigError` for devices that are not there."""
    gpus = torch.cuda.device_count()
    if devices == "auto":
        devices = gpus or "cpu:1"
    if isinstance(devices, str):
        if devices.startswith("cuda:"):
            place(devices)
            return [devices]
        count, _ = place(devices)
        if count > MOST:
            raise ConfigError(f"devices is {devices!r}: at most {MOST} runs at a time")
        return ["cpu:1"] * count
    place(devices)
    return [f"cuda:{number}" for number in range(devices)]


def all_runs(work: Work, slots: list[str]) -> None:
    """Until all are done, one is stopped, or Ctrl-C, which stops them all. Raises the error of a run that fails, once
    the others have saved and stopped."""
    going: dict[int, tuple[Variant, int, Run]] = {}
    with Study(work.folder).progress(len(slots)) as progress:
        try:
            while (waiting := _waiting(work, going)) or going:
                if (work.folder / STOP).exists():
                    return _stop(going)
                for slot in range(len(slots)):
                    if slot not in going and waiting:
                        going[slot] = _start(work, *waiting.pop(0), slots[slot])
                for slot in [slot for slot, (_, _, run) in going.items() if run.status != "running"]:
                    variant, seed, run = going.pop(slot)
                    if run.status == "stopped":
                        return _stop(going)
                    work.ended(variant, seed, run)
                    progress.say(f"{variant.name}, seed {seed}: {'diverged' if work.results[-1].failed else 'done'}")
                time.sleep(EVERY)
        except BaseException as error:
            _stop(going)
            if not isinstance(error, KeyboardInterrupt):
                raise


def _waiting(work: Work, going: dict[int, tuple[Variant, int, Run]]) -> list[tuple[Variant, int]]:
    taken = [(variant.name, seed) for variant, seed, _ in going.values()]
    return [(variant, seed) for variant, seed in work.pending if (variant.name, seed) not in taken]


def _start(work: Work, variant: Variant, seed: int, devices: str) -> tuple[Variant, int, Run]:
    """Launched, unless a study that was killed has done so and it goes on, or it is finished."""
    run = work.run_of(variant, seed)
    if run.status not in ("running", "finished"):
        with threads(work.definition.threads):
            launch(variant.config, variant.run_config(str(run.folder), seed), devices)
    return variant, seed, run


def _stop(going: dict[int, tuple[Variant, int, Run]]) -> None:
    """All save and end."""
    for _, _, run in going.values():
        run.ask_to_stop()
    for _, _, run in going.values():
        run.stop()
