"""A run's processes in the background: started, restarted from the last checkpoint, and how they ended written down.

``python -m oneformer_lite.training.supervisor FOLDER PROCESSES RESTARTS``, all on this machine. torchrun does the same,
but its processes meet at a port that is open on every network interface, and unpickle what they find there: whoever
reaches the port runs code as this user. Here they meet through a file in a folder that nobody else may enter, and talk
on loopback; one process alone opens no network socket.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from .failures import Failure, cause, failure, for_good
from .state import UNFINISHED, read_state, write_state

MEETING = ".processes-"  # a folder of its own for each start: the addresses of dead processes must not be read again
# environment: the file in which the processes of one machine read each other's addresses, in a folder of this user
MEETING_FILE = "ONEFORMER_LITE_MEETING_FILE"
PATIENCE = 30.0  # seconds that the others have to end in when one process has failed


def main(folder: str, processes: str, restarts: str) -> int:
    """Train until the end, or until the processes have failed more often than ``restarts`` times, or for good."""
    asked = threading.Event()  # to end, by whoever shuts the machine down: the processes save and stop
    signal.signal(signal.SIGTERM, lambda number, frame: asked.set())
    try:
        reason = supervise(Path(folder), int(processes), int(restarts), asked)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    if not reason:
        return 0
    write_state(folder, "failed", reason)
    return 1


def supervise(folder: Path, processes: int, restarts: int, asked: threading.Event) -> str:
    """Why the run failed; empty if it did not."""
    for leftover in folder.glob(f"{MEETING}*"):  # of a supervisor that was killed
        rmtree(leftover, ignore_errors=True)
    for left in range(restarts, -1, -1):
        if asked.is_set() or not (failures := attempt(folder, processes, asked)):
            break
        reason = cause(failures)
        print(f"oneformer_lite: {reason}", file=sys.stderr, flush=True)
        if not left or asked.is_set() or for_good(failures):
            return reason
    if asked.is_set() and read_state(folder).get("state") == "running":  # ended before it could say so itself
        write_state(folder, "stopped", f"the training was stopped before it could save: {UNFINISHED}")
    return ""


def attempt(folder: Path, count: int, asked: threading.Event) -> dict[int, Failure]:
    """Run ``count`` processes until all have ended, one has failed, or they are ``asked`` to stop; the failures by
    rank, without those of processes that were ended from here."""
    with TemporaryDirectory(prefix=MEETING, dir=folder, ignore_cleanup_errors=True) as meeting:  # its mode is 0700
        workers = [start_worker(folder, Path(meeting), rank, count) for rank in range(count)]
        while any(worker.poll() is None for worker in workers) and _all_well(workers) and not asked.wait(0.05):
            pass
        asked.wait(0.2)  # a signal to all of them, or a failure of one that is others' as well, is not seen at once
        ended = end(workers, None if asked.is_set() else PATIENCE)
        if asked.is_set():
            ended += [worker for worker in workers if worker.returncode == -signal.SIGTERM]
        return {
            rank: failure(worker.returncode, words_file(Path(meeting), rank))
            for rank, worker in enumerate(workers)
            if worker.returncode and worker not in ended
        }


def start_worker(folder: Path, meeting: Path, rank: int, count: int) -> subprocess.Popen:
    """Process ``rank`` of ``count`` on this machine."""
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")
    environment = {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count),
        MEETING_FILE: str(meeting / "store"), "MASTER_ADDR": "127.0.0.1",
        "GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": f"={loopback}",
        "TORCHELASTIC_ERROR_FILE": str(words_file(meeting, rank)),
    }  # fmt: skip
    if count > 1:
        environment["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")  # the processes share the cores
    command = [sys.executable, "-m", f"{__package__}.worker", str(folder)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=os.environ | environment)


def words_file(meeting: Path, rank: int) -> Path:
    """Where PyTorch's ``record`` writes down the error of a process."""
    return meeting / f"error_{rank}.json"


def end(workers: list[subprocess.Popen], patience: float | None) -> list[subprocess.Popen]:
    """Ask those that are left to end (SIGTERM), and kill them after ``patience`` seconds (None: wait, they save);
    those that died of it."""
    left = [worker for worker in workers if worker.poll() is None]
    for worker in left:
        worker.terminate()
    deadline = None if patience is None else time.monotonic() + patience
    killed = []
    for worker in left:
        try:
            worker.wait(deadline and max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
            killed.append(worker)
    return killed + [worker for worker in left if worker.returncode == -signal.SIGTERM]


def _all_well(workers: list[subprocess.Popen]) -> bool:
    return all(worker.poll() in (None, 0) for worker in workers)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
