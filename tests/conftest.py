"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# the shapes and types in the signatures of models and losses are checked at every call of every test
install_import_hook(("oneformer_lite.model", "oneformer_lite.losses"), "beartype.beartype")


# files that take minutes, or wait for other processes: they begin, so that none of several workers is left alone with
# one of them at the end
LONGEST = (
    "training/test_launch.py", "training/test_sockets.py", "training/test_trainer.py", "training/test_endings.py",
    "test_cli.py", "training/test_unreadable.py", "training/test_processes.py", "inspectors/test_in_jupyterlab.py",
    "training/test_resume.py", "model/test_made_up_member.py", "notebooks/test_lab_builder.py", "labs/test_result.py",
    "notebooks/test_builder.py", "course/test_grade.py", "inspectors/test_masks_inspector.py", "weights/test_onnx.py",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # pytest-xdist's own order: the files with the most tests begin


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="module", autouse=True)
def _module_folders(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a file's own fixtures wrote goes when the file has passed, as pytest does with each test's ``tmp_path``.

    pytest itself would keep it to the end of the run: gigabytes of checkpoints, more than some disks have.
    """
    root, failed = tmp_path_factory.getbasetemp(), request.session.testsfailed
    before = set(root.iterdir())
    yield
    if request.session.testsfailed == failed:
        for path in set(root.iterdir()) - before:
            shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data for tests: $OFL_SHARED_DATA, else shared/data beside the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("OFL_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}: set OFL_SHARED_DATA to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def coco_sample(shared_data: Path) -> Path:
    """120 COCO pictures with panoptic annotations, laid out as COCO itself."""
    folder = shared_data / "coco-sample"
    if not folder.is_dir():
        pytest.skip(f"no COCO sample at {folder}: set OFL_SHARED_DATA to the folder that holds it")
    return folder


@pytest.fixture(scope="module")
def model():
    """The trained model that comes with the package. (Files that need another have a fixture of this name.)"""
    import oneformer_lite as ofl

    return ofl.from_pretrained("toytown")


@pytest.fixture(scope="session")
def sample():
    """A Toytown scene that the model is right and wrong about."""
    import oneformer_lite as ofl

    return ofl.data.Toytown("val", 128, 8)[3]
