"""The lines that ``benchmarks/broken_parts.py`` breaks are still there: it takes minutes and is run by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))
from broken_parts import ROOT, SABOTAGES, Sabotage, break_part  # noqa: E402


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda s: f"{s.lesson} {s.part}")
def test_a_line_to_break_stands_once(sabotage: Sabotage, tmp_path) -> None:
    copy = tmp_path / sabotage.file
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text((ROOT / "oneformer_lite" / sabotage.file).read_text())
    break_part(tmp_path, sabotage)
    assert sabotage.after in copy.read_text()


def test_a_line_that_is_gone_is_told(tmp_path) -> None:
    (tmp_path / "part.py").write_text("x = 1")
    with pytest.raises(SystemExit, match="part.py holds 'y = 2' 0 times, not once"):
        break_part(tmp_path, Sabotage("00", "none", "part.py", "y = 2", "y = 3"))
