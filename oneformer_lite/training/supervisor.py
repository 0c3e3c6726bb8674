"""torchrun in the background: it starts a run's processes, starts them anew, and how it ended is written down.

``python -m oneformer_lite.training.supervisor FOLDER PROCESSES RESTARTS`` is ``torchrun --standalone
--nproc-per-node PROCESSES --max-restarts RESTARTS -m oneformer_lite.training.worker FOLDER``, called from Python so
that the cause of a failure does not have to be fished out of its output.
"""

from __future__ import annotations

import os
import re
import signal
import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.run import parse_args, run

from .state import write_state


def main(folder: str, processes: str, restarts: str) -> int:
    """Train until the end, or until the processes have failed more often than ``restarts`` times."""
    # processes started anew must not read the addresses of the dead ones, which torchrun's own store would keep
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    options = ["--standalone", "--nproc-per-node", processes, "--max-restarts", restarts]
    try:
        run(parse_args([*options, "-m", "oneformer_lite.training.worker", folder]))
    except ChildFailedError as error:
        reason = cause(error.failures)
        write_state(folder, "failed", reason)
        print(f"oneformer_lite: {reason}", file=sys.stderr)
        return 1
    except SignalException as error:  # the machine shuts down; the trainer has saved
        print(f"oneformer_lite: ended by {error.sigval.name}", file=sys.stderr)
        return 1
    return 0


def cause(failures: dict[int, ProcessFailure]) -> str:
    """Why a run failed, of the processes (by rank) that failed with it.

    The others lose their connection when one dies, often in the same instant, and torchrun ends those that
    are left (SIGTERM): a process that was killed is the cause, then one with an error of ours, then the first.
    """
    rank, failure = min(failures.items(), key=lambda item: (_order(item[1]), item[1].timestamp, item[0]))
    if failure.exitcode < 0:
        memory = ", perhaps for want of memory" if failure.signal_name() == "SIGKILL" else ""
        return f"process {rank} was killed ({failure.signal_name()}){memory}"
    return f"process {rank}: {_words(failure)}"


def _order(failure: ProcessFailure) -> int:
    if failure.exitcode < 0:
        return 3 if failure.exitcode == -signal.SIGTERM else 0
    return 1 if re.match(r"(Data|Config|Checkpoint|OneFormerLite)Error", _words(failure)) else 2


def _words(failure: ProcessFailure) -> str:
    """The error's kind and message; torchrun hands on what the process wrote down, with or without the traceback."""
    message = failure.message
    return str(message["message"] if isinstance(message, dict) else message)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
