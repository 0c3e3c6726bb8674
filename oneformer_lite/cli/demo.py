"""``oneformer-lite demo``: paint, train, judge, report."""

from __future__ import annotations

from pathlib import Path

from .arguments import command, positive


def add(commands) -> None:
    p = command(commands, "demo", run, "paint Toytown, train for some minutes, write a report")
    p.add_argument("--minutes", type=positive(float), default=10, help="of training; evaluations come on top")
    p.add_argument("--steps", type=positive(int), help="of training, instead of minutes")
    p.add_argument("--seed", type=int, default=0, help="of weights and batches")
    p.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for data, model, log and report")
    p.add_argument("--scenes", type=positive(int), default=6000, help="to paint for training")


def run(args) -> None:
    """Paint Toytown, train the laptop model, judge all three tasks on held-out scenes and write a report
    with pictures. Ctrl-C keeps what there is; the same command resumes it."""
    from ..demo import run_demo

    if not run_demo(args.minutes, args.seed, args.out, args.scenes, args.steps):
        raise KeyboardInterrupt  # so that a script goes no further
