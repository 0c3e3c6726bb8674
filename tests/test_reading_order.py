"""A folder that says in which order it is to be read names every file it has: nobody has to guess what one is for."""

from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "oneformer_lite"
GUIDES = {
    str(path.parent.relative_to(PACKAGE.parent)): path
    for path in sorted(PACKAGE.rglob("__init__.py"))
    if "To be read in this order" in path.read_text(encoding="utf-8")
}


@pytest.mark.parametrize("folder", GUIDES)
def test_every_file_is_named(folder):
    guide = GUIDES[folder].read_text(encoding="utf-8").split('"""')[1]
    files = {path.name for path in GUIDES[folder].parent.glob("*.py")} - {"__init__.py"}
    assert not (missing := {name for name in files if f"``{name}``" not in guide}), missing
    named = {word for word in guide.split("``")[1::2] if word.endswith(".py") and "/" not in word}
    assert not (gone := named - files - {"words.py", "reading.py", "pictures.py", "widget.py", "page.py"}), gone
