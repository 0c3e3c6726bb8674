"""What is waited for until it is on the disk, and what is not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.data.image import write_image
from oneformer_lite.data.published.archive import staged
from oneformer_lite.errors import ConfigError
from oneformer_lite.files import replacing, write_json
from oneformer_lite.metrics.results import ResultFiles


@pytest.fixture
def waits(monkeypatch) -> list[str]:
    """What the system was asked to wait for, in order."""
    done = []
    for name, system in (("fsync", os.fsync), ("sync", lambda: None)):
        monkeypatch.setattr(os, name, lambda *a, name=name, system=system: (done.append(name), system(*a))[1])
    return done


pytestmark = pytest.mark.skipif(os.name == "nt", reason="has no such calls")


def test_a_file_and_its_folder_are_waited_for(tmp_path: Path, waits) -> None:
    write_json(tmp_path / "a.json", {})
    with replacing(tmp_path / "b.bin") as draft:
        draft.write_bytes(b"b")
    assert waits == ["fsync"] * 4


def test_pictures_are_not(tmp_path: Path, waits) -> None:
    for i in range(3):
        write_image(tmp_path / f"{i}.png", np.zeros((2, 2, 3), np.uint8))
    assert waits == [] and len(list(tmp_path.iterdir())) == 3


def test_a_data_set_waits_once_before_the_json_that_says_it_is_whole(tmp_path: Path, waits) -> None:
    data = ofl.data.Toytown("val", size=(64, 64), length=3)
    ofl.data.write_panoptic(tmp_path / "val", tmp_path / "val.json", tmp_path / "maps", [data[i] for i in range(3)])
    assert waits == ["sync", "fsync", "fsync"]


def test_results_wait_once_before_their_json(tmp_path: Path, waits) -> None:
    files, model = ResultFiles(tmp_path, ("panoptic",)), ofl.from_pretrained("toytown")
    waits.clear()
    for i in range(2):
        files.add(ofl.predict(model, np.zeros((32, 32, 3), np.uint8), "panoptic"), i, f"{i}.png")
    assert waits == []
    files.finish()
    assert waits == ["sync", "fsync", "fsync"]


def test_a_staged_folder_appears_once_it_is_on_the_disk(tmp_path: Path, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(os, "sync", lambda: seen.append((tmp_path / "a").exists()))
    with staged(tmp_path / "a") as draft:
        (draft / "x").write_text("x")
    assert seen == [False] and (tmp_path / "a" / "x").exists()


@pytest.mark.parametrize("folder", [None, 3, b"runs/one", ["runs/one"]], ids=str)
@pytest.mark.parametrize("kind", [ofl.Study, ofl.Run], ids=["study", "run"])
def test_what_is_no_folder_is_refused_in_a_sentence(kind, folder):
    for of in (kind.attach, kind):
        with pytest.raises(ConfigError, match=f"expected the folder of a {kind.__name__.lower()} as a text or a path"):
            of(folder)
