"""A long round of spoiled inputs against everything that reads files:

    python tests/fuzz --inputs 100000 --seed 0 --processes 1
    python tests/fuzz --reader instance_json --seed 1234        # one input again, with its traceback
    python tests/fuzz --reader instance_json --seed 1234 --keep folder

prints a table by reader and exits with 1 if an input ended in anything but acceptance or a refusal in words. An input
is told by its reader and its seed alone. A round that is ended early (--minutes, Ctrl-C, SIGTERM) reports what it has
tried until then, of all readers alike. --findings FILE groups what went wrong, with a command for each.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "agg")

import argparse  # noqa: E402
import math  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

import torch  # noqa: E402
from outcomes import findings, table  # noqa: E402
from reader import READERS, Reader, write  # noqa: E402
from rounds import by_name, long_round  # noqa: E402
from trying import BAD, folder_of  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=0, help="how many in all, shared out among the readers")
    parser.add_argument("--seed", type=int, default=0, help="where the seeds begin; without --inputs: the one input")
    parser.add_argument("--minutes", type=float, default=math.inf, help="end then, whatever is left")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--reader", nargs="*", default=[], choices=list(READERS), metavar="NAME", help="which (all)")
    parser.add_argument("--findings", type=Path, metavar="FILE", help="write what went wrong, grouped")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the one input there and do nothing else")
    args = parser.parse_args()
    torch.set_num_threads(1)
    readers = by_name(args.reader)
    if not args.inputs:
        again(readers[0], args.seed, args.keep)
        return 0
    found = long_round(readers, args.inputs, args.seed, args.processes, args.minutes)
    print(table(found))
    if args.findings:
        args.findings.write_text(findings(found), encoding="utf-8")
    print(findings(found))
    return int(any(outcome.end in BAD for outcomes in found.values() for outcome in outcomes))


def again(reader: Reader, seed: int, keep: Path | None) -> None:
    """One input in this process: an exception is raised, a crash is a crash."""
    if keep:
        write(reader.input(seed), keep)
        return
    with tempfile.TemporaryDirectory() as folder, folder_of(reader, seed, Path(folder)):
        print(reader.read(Path(folder)) or "accepted")


if __name__ == "__main__":
    sys.exit(main())
