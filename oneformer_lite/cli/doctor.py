"""``oneformer-lite doctor``: is everything there?"""

from __future__ import annotations

from ..errors import OneFormerLiteError
from .arguments import command


def add(commands) -> None:
    command(commands, "doctor", run, "check the installation")


def run(args) -> None:
    """Check what the package needs: Python, packages, disk, processors. Then let the model that comes with
    the package segment one scene. Exits with status 2 if something is missing."""
    from ..doctor import examine

    if not examine():
        raise OneFormerLiteError("something is missing: see the lines marked with a cross")
