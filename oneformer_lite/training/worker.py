"""One process of a launched run: ``python -m oneformer_lite.training.worker FOLDER``, as the supervisor starts it.

Several machines are several starts of ``torchrun`` by hand, on a folder that all share, with the address of the first:

    torchrun --nnodes 2 --node-rank 0 --nproc-per-node 8 --master-addr 10.0.0.1 --master-port 29500 \\
        -m oneformer_lite.cli train --out /shared/runs/coco ...

(on the second with ``--node-rank 1``). Only on a network that nobody else reaches: torchrun's ports ask for no
password, and some of what arrives there is unpickled. For restarts set ``TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1``,
without which torchrun 2.15 hands restarted processes the addresses of the dead ones.
"""

from __future__ import annotations

import sys

from torch.distributed.elastic.multiprocessing.errors import record

from .distributed import leave_processes
from .state import read_recipe
from .whole_run import train


@record  # who started it learns an error's words, not just that there was one
def main(folder: str) -> None:
    """Train what ``{folder}/run.json`` says, from the newest checkpoint in the folder on."""
    config, train_config, _ = read_recipe(folder)
    try:
        train(config, train_config)
    finally:
        leave_processes()


if __name__ == "__main__":
    main(sys.argv[1])
