"""The command line: ``oneformer-lite demo | train | study | eval | predict | download | convert | convert-data
| lessons | course | doctor``.

One module for each command; each declares its options (``add``) and does its work (``run``). What a
command needs is imported when it runs, so that ``--help`` is there at once.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings

from ..errors import OneFormerLiteError
from . import convert, convert_data, course, demo, doctor, download, eval, lessons, predict, study, train

COMMANDS = (demo, train, study, eval, predict, download, convert, convert_data, lessons, course, doctor)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors a user can act on are one sentence on stderr and exit status 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names that its encoding lacks, as stderr shows them
        sys.stdout.reconfigure(errors="backslashreplace")
    args = build_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _Notes().say  # catch_warnings puts the old one back
            args.run(args)
    except OneFormerLiteError as error:
        print(f"oneformer-lite: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("oneformer-lite: interrupted", file=sys.stderr)
        return 130
    return 0


class _Notes:
    """Warnings, each once in a command, without the line of code that gave them, which says nothing to a command-line
    user."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, message: Warning, category: type[Warning], *place) -> None:
        if str(message) not in self._said:
            self._said.add(str(message))
            print(f"oneformer-lite: note: {message}", file=sys.stderr)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="oneformer-lite",
        description="OneFormer: one model for panoptic, instance and semantic segmentation.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
    return parser
