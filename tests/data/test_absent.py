"""A picture that is not there: what is there instead is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneformer_lite.data import read_image
from oneformer_lite.data.absent import why_absent
from oneformer_lite.errors import DataError


@pytest.mark.parametrize(
    ("there", "asked", "words"),
    [
        ("my photo.png", "my%20photo.png", "but 'my photo.png' does, a name that is written otherwise"),
        ("my%20photo.png", "my photo.png", "but 'my%20photo.png' does"),
        ("cafe\u0301.png", "caf\u00e9.png", "'cafe\\u0301.png', not 'caf\\xe9.png'"),
        ("caf\u00e9.png", "cafe\u0301.png", "'caf\\xe9.png', not 'cafe\\u0301.png'"),
        ("a.png", "a.png ", "but 'a.png' does"),
        ("0.jpg", "0.JPG", "but 0.jpg does (upper and lower case differ here)"),
        ("a.webp", "a.jpg", "but a.webp does, of another format"),
        ("A b.TIF", "a%20b.jpg", "but A b.TIF does, of another format"),
        ("a.json", "a.jpg", "does not exist: check"),
        ("b.png", "a.png", "does not exist: check"),
        ("a.png", "images/a.png", "(there is no folder "),
    ],
)
def test_another_spelling_is_told(tmp_path: Path, there: str, asked: str, words: str) -> None:
    (tmp_path / there).touch()
    if (tmp_path / asked).exists():
        pytest.skip("this file system takes the two for one name")
    assert words in why_absent(tmp_path / asked)


def test_a_link_into_nothing_is_told(tmp_path: Path) -> None:
    """As where links of git-annex or DVC were copied, and not the files that they point to."""
    picture = tmp_path / "a.png"
    picture.symlink_to(Path("..") / "objects" / "4f")
    with pytest.raises(DataError) as said:
        read_image(picture)
    assert f"{picture} is a link to {Path('..') / 'objects' / '4f'}, which does not exist" in str(said.value)
    assert "upper and lower case" not in str(said.value)
