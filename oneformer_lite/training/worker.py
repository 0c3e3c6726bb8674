"""One process of a launched run: ``torchrun ... -m oneformer_lite.training.worker FOLDER``.

Several nodes: the same command on each of them, with torchrun's options for nodes, on a folder that all share, and
with ``TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1`` in its environment, without which torchrun 2.15 hands processes that it
has started anew the addresses of the dead ones.
"""

from __future__ import annotations

import dataclasses
import sys

from torch.distributed.elastic.multiprocessing.errors import record

from .distributed import leave_processes
from .state import read_recipe
from .trainer import train


@record  # torchrun learns an error's words, not just that there was one
def main(folder: str) -> None:
    """Train what ``{folder}/run.json`` says, from the newest checkpoint in the folder on."""
    config, train_config, _ = read_recipe(folder)
    try:
        train(config, dataclasses.replace(train_config, out=folder))
    finally:
        leave_processes()


if __name__ == "__main__":
    main(sys.argv[1])
