"""``from_pretrained``: a name, a folder or a hub id to a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CheckpointError
from .folder import CONFIG, from_folder

if TYPE_CHECKING:
    from ..model import OneFormer

SHIPPED = Path(__file__).parent.parent / "checkpoints"


def from_pretrained(source: str | Path) -> OneFormer:
    """A trained model, in evaluation mode.

    ``source``: the name of a checkpoint that comes with the package ("toytown"), or a folder written
    by ``model.save_pretrained``.
    """
    for folder in (Path(source), SHIPPED / str(source)):
        if (folder / CONFIG).is_file():
            return from_folder(folder)
    shipped = sorted(p.parent.name for p in SHIPPED.glob(f"*/{CONFIG}"))
    raise CheckpointError(
        f"no model {str(source)!r}: expected a folder with {CONFIG}, or a name that comes with the package "
        f"({', '.join(shipped) or 'none installed'})"
    )
