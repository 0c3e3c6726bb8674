"""Nobody but this machine can reach a run: not at its start, not while it trains, not after a restart."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from sockets import PROC, beyond_loopback, internet_sockets, supervisor, tree
from test_launch import data, recipe, small_config, wait_for_steps, worker  # noqa: F401

import oneformer_lite as ofl
from oneformer_lite.training import distributed
from oneformer_lite.training.supervisor import MEETING

pytestmark = pytest.mark.skipif(not PROC.joinpath("self/fd").exists(), reason="reads Linux's account in /proc")


class Lookout(threading.Thread):
    """Looks at all sockets of a run again and again, from its first moment on."""

    def __init__(self, run: ofl.Run) -> None:
        super().__init__(daemon=True)
        self.run_, self.done = run, threading.Event()
        self.processes, self.open, self.reachable = set(), set(), set()

    def run(self) -> None:
        root = supervisor(self.run_.folder)
        while not self.done.wait(0.1):  # what a process listens at stays open, and each look reads all of /proc
            for process in tree(root):
                self.processes.add(process)
                self.open |= set(internet_sockets(process))
                self.reachable |= set(beyond_loopback(process))

    def __enter__(self) -> Lookout:
        self.start()
        return self

    def __exit__(self, *exception) -> None:
        self.done.set()
        self.join()


def test_the_lookout_sees_a_port_that_is_open_to_all() -> None:
    with socket.create_server(("0.0.0.0", 0)):
        assert beyond_loopback(os.getpid()) == [("tcp", "0.0.0.0")]
    with socket.create_server(("127.0.0.1", 0)):
        assert ("tcp", "127.0.0.1") in internet_sockets(os.getpid()) and not beyond_loopback(os.getpid())


@pytest.mark.parametrize("count", (1, 2))
def test_no_socket_beyond_loopback_at_start_while_training_and_after_a_restart(
    data: Path, tmp_path: Path, count: int  # noqa: F811
) -> None:
    settings = recipe(data, tmp_path / "a run", steps=10_000, save_steps=2, workers=1)
    run = ofl.launch(small_config(), settings, devices=f"cpu:{count}", restarts=1)
    with Lookout(run) as seen:
        wait_for_steps(run, 4)
        meeting = next(run.folder.glob(f"{MEETING}*"))
        assert meeting.stat().st_mode & 0o777 == 0o700
        killed = worker(run, count - 1)
        os.kill(killed, signal.SIGKILL)
        wait_for_steps(run, run.history[-1]["step"] + 4)
        assert worker(run, count - 1) != killed and not meeting.exists()
        assert run.stop() == "stopped", run.reason
    assert len(seen.processes) >= 1 + 2 * 2 * count  # supervisor, workers and their data loaders, twice
    assert not seen.reachable
    assert bool(seen.open) == (count > 1)  # one process alone opens none at all
    assert not list(run.folder.glob(f"{MEETING}*"))


def test_what_another_process_sends_is_not_unpickled(tmp_path: Path) -> None:
    program = (
        "import pickle, sys, torch.distributed as dist\n"
        "from oneformer_lite.errors import DataError\n"
        "from oneformer_lite.training.distributed import join_processes, leave_processes\n"
        "def refuse(*a, **k): raise AssertionError('pickle')\n"
        "processes = join_processes()\n"
        "pickle.loads = pickle.Unpickler = dist.all_gather_object = refuse\n"
        "print(processes.gather([processes.rank, 'ä' * (1 + 9 * processes.rank), None]))\n"
        "processes.raise_together(None)\n"
        "try: processes.raise_together(DataError('no pictures') if processes.is_first else None)\n"
        "except DataError as error: print(error)\n"
        "leave_processes()\n"
    )
    environments = [
        os.environ | {"RANK": str(rank), "WORLD_SIZE": "2", "CUDA_VISIBLE_DEVICES": "",
                      distributed.MEETING_FILE: str(tmp_path / "a file")}
        for rank in range(2)
    ]  # fmt: skip
    started = [subprocess.Popen([sys.executable, "-c", program], env=e, stdout=subprocess.PIPE) for e in environments]
    told = [process.communicate(timeout=120)[0].decode().splitlines() for process in started]
    told = [[line for line in lines if not line.startswith("[Gloo]")] for lines in told]  # as PyTorch 2.10 greets
    assert told == [[f"{[[0, 'ä', None], [1, 'ä' * 10, None]]}", "no pictures"]] * 2


def test_torchrun_of_ones_own_is_warned_about(monkeypatch) -> None:
    joined = []
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *a, **k: joined.append(k["store"]))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "7"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(distributed.MEETING_FILE, raising=False)
    with pytest.warns(UserWarning, match=r"meet at 10.0.0.1:7, on ports that are open .* can run code as you"):
        distributed.join_processes()
    assert joined == [None]
