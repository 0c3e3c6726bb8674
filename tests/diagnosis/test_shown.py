"""The page of findings shows what they are about: samples, predictions, and the course of a run."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import Changed, found, fresh_model, losses, run_folder

import oneformer_lite as ofl
from oneformer_lite.cli import main
from oneformer_lite.training.pictures import write_pictures


def pictures(page: str) -> list[Image.Image]:
    content = re.findall(r'<img src="data:image/\w+;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB") for text in content]


def painted(finding) -> np.ndarray:
    picture = finding.picture() if callable(finding.picture) else finding.picture
    assert picture.dtype == np.uint8 and picture.ndim == 3 and np.ptp(picture) > 100
    return picture


def test_the_pictures_of_a_healthy_data_set_are_shown_on_its_page() -> None:
    page = ofl.doctor(dataset=Changed()).to_html()
    (sheet,) = pictures(page)
    assert sheet.width > 4 * 288 and sheet.height > 2 * 288 and 'alt="segments"' in page


def darkened(sample):
    return sample.replace(image=(sample.image > 127).astype(np.uint8))


def cropped(sample):
    return sample.replace(segment_map=sample.segment_map[::2, ::2])


def as_float(sample):
    return sample.replace(image=sample.image / np.float32(255))


@pytest.mark.parametrize(
    ("change", "check"), [(darkened, "brightness"), (cropped, "pictures and maps"), (as_float, "pictures and maps")]
)
def test_a_fault_shows_the_samples_concerned(change, check: str) -> None:
    odd = Changed(lambda s: change(s) if s.image_id % 2 else s)
    finding = found(ofl.doctor(dataset=Changed(change) if check == "brightness" else odd), check)
    assert finding.verdict == "fault"
    painted(finding)


def test_class_ids_that_do_not_exist_are_shown_as_pictures_alone() -> None:
    shift = Changed(lambda s: s.replace(segments=tuple(dataclasses.replace(g, class_id=99) for g in s.segments)))
    painted(found(ofl.doctor(dataset=shift), "class ids"))


def test_a_model_is_shown_with_what_it_sees_and_a_run_with_its_losses_and_newest_picture(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, [losses(step) for step in range(1, 50)] + [{"kind": "eval", "PQ": 20.0}])
    write_pictures(fresh_model(), ofl.data.Toytown("val", 64, 1), folder, 50)
    diagnosis = ofl.doctor(fresh_model(), Changed(), run=folder)
    for check in ("predicted classes", "segments", "progress", "scores"):
        painted(found(diagnosis, check))
    assert len(pictures(diagnosis.to_html())) == 4 == len(pictures(diagnosis._repr_html_()))


def test_a_strangers_picture_is_no_way_out_of_the_run(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", [losses(1), {"kind": "eval", "PQ": 20.0}])
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.webp")
    (folder / "pictures").mkdir()
    for link in (True, False):
        path = folder / "pictures" / "step_0000001.webp"
        path.unlink(missing_ok=True)
        path.symlink_to(tmp_path / "secret.webp") if link else path.write_bytes(b"no picture")
        assert found(ofl.doctor(run=folder), "scores").picture is None


def test_the_command_writes_the_page_that_it_promises(tmp_path: Path, capsys) -> None:
    sample = Path(__file__).parents[2] / "data" / "sample"
    page = tmp_path / "page.html"
    main(["doctor", "--data", str(sample), "--split", "val", "--images", "3", "--html", str(page)])
    assert f"with pictures: {page}" in capsys.readouterr().out and len(pictures(page.read_text())) >= 1
