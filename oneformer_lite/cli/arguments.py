"""What the commands share: how a command is declared, and numbers that must be positive."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

TASKS = ("panoptic", "instance", "semantic")  # data.sample's, which imports numpy: too long for --help
DEVICES = "auto (a GPU where there is one), cuda, mps or cpu"
DATA = "panoptic annotations, outlines of objects or label maps (data/README.md)"
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".jp2", ".ppm", ".pgm")
MODEL = "a name that comes with the package, a folder, a weights file, or a hub id"


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Adds "(default: ...)" to the help of an option, unless it has none or says it itself."""

    def _get_help_string(self, action: argparse.Action) -> str:
        silent = action.default is None or "default:" in action.help
        return action.help if silent else super()._get_help_string(action)


def command(commands, name: str, run: Callable, help_: str) -> argparse.ArgumentParser:
    """A parser for ``oneformer-lite NAME``; the docstring of ``run`` is the head of its help."""
    parser = commands.add_parser(
        name, help=help_, description=run.__doc__, formatter_class=_Formatter
    )
    parser.set_defaults(run=run)
    return parser


def count(text: str) -> int:
    """A whole number from 0 from the command line."""
    value = _number(int, text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text}")
    return value


def share(text: str) -> float:
    """A number from 0 to 1 from the command line."""
    value = _number(float, text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text}")
    return value


def json_file(text: str) -> Path:
    """A file to write JSON to from the command line: neither a folder nor a picture, which it would replace."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder: expected the file to write, such as found.json")
    if path.suffix.lower() in PICTURES:
        raise argparse.ArgumentTypeError(f"{text} is called like a picture: expected the file to write, a found.json")
    return path


def html_file(text: str) -> Path:
    """A page to write from the command line, called .html as browsers expect it."""
    path = Path(text)
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not called like a page: expected a file such as errors.html")
    return path


def positive(kind: Callable) -> Callable:
    """``int`` or ``float`` from the command line, refused unless above zero."""

    def parse(text: str):
        value = _number(kind, text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"expected a positive number, got {text}")
        return value

    return parse


def _number(kind: Callable, text: str):
    """argparse itself would name the function that failed instead of what was expected."""
    try:
        return kind(text)
    except ValueError:
        number = "a whole number" if kind is int else "a number with a point for its decimals, such as 0.5"
        raise argparse.ArgumentTypeError(f"expected {number}, got {text!r}") from None
