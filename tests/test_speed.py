"""``make benchmark`` measures what is there: each part that it times runs, ours alone and once."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")
SPEED = Path(__file__).parent / "benchmarks" / "speed"
PLACES = [SPEED, SPEED.parent, SPEED.parents[1] / "weights", SPEED.parents[1] / "metrics"]


@pytest.fixture
def cases(monkeypatch):
    # each is a script's neighbour, found as the script finds it
    for place in PLACES:
        monkeypatch.syspath_prepend(str(place))
    before = set(sys.modules)
    import cases

    yield cases
    for name in set(sys.modules) - before:  # its helpers have names of every day
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent in PLACES:
            del sys.modules[name]


@pytest.mark.parametrize("part", ["text_mapper", "pixel_decoder", "query_transformer", "transformer"])
def test_a_part_that_is_timed_runs(cases, part):
    programs = getattr(cases, part)(cases.Material(), ["ours"])
    assert list(programs) == ["ours"]
    programs["ours"]()
