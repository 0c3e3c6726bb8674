"""For a block whose subject is not the shapes in signatures, and that calls models under a tracer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping


@contextmanager
def unchecked() -> Iterator[None]:
    """The checks that ``conftest.py`` switches on are off within the block: exporters would trace each of them, which
    takes a minute a model."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)
