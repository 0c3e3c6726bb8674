"""Templates that several files of tests share: each takes part of a second to start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from answered import SEED

from oneformer_lite.course.template import Template, template_for
from oneformer_lite.course.walls import Limits
from oneformer_lite.labs.exercise import all_labs, find, of_lab


@pytest.fixture(scope="session")
def loss_template() -> Iterator[Template]:
    """Of exercise 07.2, the contrastive loss."""
    for lab in all_labs():
        of_lab(lab)
    hurried = replace(find("07.2"), seconds=2.0)
    template = template_for(hurried, SEED, Limits(seconds=20, processor=4, memory=1 << 29))
    yield template
    template.close()
