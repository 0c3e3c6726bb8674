"""What the commands share: how a command is declared, and numbers that must be positive."""

from __future__ import annotations

import argparse
from collections.abc import Callable

TASKS = ("panoptic", "instance", "semantic")


def command(commands, name: str, run: Callable, help_: str) -> argparse.ArgumentParser:
    """A parser for ``oneformer-lite NAME``; the docstring of ``run`` is the head of its help."""
    parser = commands.add_parser(
        name, help=help_, description=run.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.set_defaults(run=run)
    return parser


def positive(kind: Callable) -> Callable:
    """``int`` or ``float`` from the command line, refused unless above zero."""

    def parse(text: str):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"expected a positive number, got {text}")
        return value

    return parse
