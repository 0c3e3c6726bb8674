"""Checkpoints that are damaged are noticed; the one before is there until the next is proved whole."""

from __future__ import annotations

import dataclasses
import os
import warnings
import zipfile
from pathlib import Path

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.errors import CheckpointError, DataError
from oneformer_lite.training import checkpoint
from oneformer_lite.training.checkpoint import DAMAGED, PREVIOUS, load_checkpoint, save_checkpoint, saved_model, tidy
from oneformer_lite.training.checksum import is_whole, seal
from oneformer_lite.training.optim import load_averages

CONFIG = ofl.config.toytown()


def save(folder: Path, step: int) -> Path:
    """A checkpoint as large as a few pages of a disk."""
    generator = torch.Generator().manual_seed(step)
    weights = {"weight": torch.rand(3000, generator=generator)}
    save_checkpoint(folder, CONFIG, step=step, seconds=1.0 * step, best=-1.0, model=weights, optimizer={})
    return folder / "checkpoint.pt"


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_the_newest_and_the_one_before_are_kept_and_read_by_anybody(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        path = save(tmp_path, step)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_checkpoint(tmp_path, CONFIG)["step"] == 3
    assert [torch.load(tmp_path / name, weights_only=True)["step"] for name in (path.name, PREVIOUS)] == [3, 2]
    assert zipfile.ZipFile(path).testzip() is None
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, PREVIOUS])


@pytest.mark.parametrize("place", (0.0, 0.1, 0.37, 0.5, 0.77, 0.93, 0.99, 0.9999))
def test_any_flipped_bit_is_noticed_and_the_one_before_taken(tmp_path: Path, place: float) -> None:
    save(tmp_path, 1)
    path = save(tmp_path, 2)
    flip(path, int(place * 8 * path.stat().st_size))
    with pytest.warns(UserWarning, match=r"pt cannot be read .*: the run resumes from .*previous.pt, step 1"):
        assert load_checkpoint(tmp_path, CONFIG)["step"] == 1


def test_every_bit_of_the_end_counts(tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    size = path.stat().st_size
    for bit in range(8 * (size - 120), 8 * size):
        flip(path, bit)
        with path.open("rb") as file:
            assert is_whole(file) is False, bit
        flip(path, bit)
    with path.open("rb") as file:
        assert is_whole(file) and file.tell() == 0


@pytest.mark.parametrize("left", (0, 1, 21, 22, 0.3, 0.7, -1, -73, -74, -100))
def test_a_truncated_one_falls_back_too(tmp_path: Path, left: float) -> None:
    save(tmp_path, 1)
    path = save(tmp_path, 2)
    content = path.read_bytes()
    path.write_bytes(content[: left if isinstance(left, int) else int(left * len(content))])
    with pytest.warns(UserWarning, match="resumes from checkpoint.previous.pt, step 1"):
        assert load_checkpoint(tmp_path, CONFIG)["step"] == 1


def test_one_that_is_gone_and_two_that_are_damaged(tmp_path: Path) -> None:
    save(tmp_path, 1)
    path = save(tmp_path, 2)
    path.unlink()
    with pytest.warns(UserWarning, match=r"checkpoint.pt is missing: the run resumes from .*, step 1"):
        assert load_checkpoint(tmp_path, CONFIG)["step"] == 1
    path.write_bytes(b"torn")
    flip(tmp_path / PREVIOUS, 5000)
    with pytest.raises(CheckpointError, match=r"checkpoint.pt cannot be read .*delete it and checkpoint.previous.pt"):
        load_checkpoint(tmp_path, CONFIG)


def test_a_damaged_one_never_takes_the_place_of_a_good_one(tmp_path: Path) -> None:
    save(tmp_path, 1)
    path = save(tmp_path, 2)
    flip(path, 4000)
    tidy(tmp_path, PREVIOUS)  # what a run does when it has resumed from step 1
    assert (tmp_path / DAMAGED).exists() and not path.exists()
    save(tmp_path, 2)
    assert torch.load(tmp_path / PREVIOUS, weights_only=True)["step"] == 1
    assert load_checkpoint(tmp_path, CONFIG)["step"] == 2
    tidy(tmp_path, path.name)
    assert path.exists()


def test_a_disk_that_returns_something_else_leaves_the_old_one(tmp_path: Path, monkeypatch) -> None:
    save(tmp_path, 1)
    written = checkpoint.to_disk

    def to_a_bad_disk(path: Path, **options) -> None:
        written(path, **options)
        flip(path, 9999)

    monkeypatch.setattr(checkpoint, "to_disk", to_a_bad_disk)
    with pytest.raises(DataError, match="the disk does not return what was written"):
        save(tmp_path, 2)
    assert load_checkpoint(tmp_path, CONFIG)["step"] == 1 and os.listdir(tmp_path) == ["checkpoint.pt"]


def test_without_links_the_one_before_is_kept_as_well(tmp_path: Path, monkeypatch) -> None:
    def refuse(*paths) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "link", refuse)
    for step in (1, 2):
        path = save(tmp_path, step)
    assert [torch.load(tmp_path / name)["step"] for name in (path.name, PREVIOUS)] == [2, 1]


def test_one_of_an_older_version_is_taken_with_a_warning(tmp_path: Path) -> None:
    state = {"config": dataclasses.asdict(CONFIG), "step": 7, "seconds": 1.0, "model": {}}
    torch.save(state, tmp_path / "checkpoint.pt")
    with pytest.warns(UserWarning, match="of an older version and has no checksum"):
        assert load_checkpoint(tmp_path, CONFIG)["step"] == 7


@pytest.mark.parametrize(
    "changes",
    (
        {"step": "3"}, {"step": -1}, {"step": 1.5}, {"step": True}, {"step": None}, {"seconds": float("nan")},
        {"seconds": [1]}, {"best": "high"}, {"model": 3}, {"config": []}, {"config": {"hidden_dim": "wide"}},
        {"config": {"colour": 1}}, {"recipe": 5}, {"optimizer": [1]}, {"average": 2},
    ),
    ids=str,
)  # fmt: skip
def test_whole_files_of_other_content_are_refused_in_words(tmp_path: Path, changes: dict) -> None:
    state = {"config": dataclasses.asdict(CONFIG), "step": 7, "seconds": 1.0, "model": {}, "optimizer": {}}
    torch.save(state | changes, tmp_path / "checkpoint.pt")
    seal(tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="checkpoint.pt does not hold what a run saves"):
        load_checkpoint(tmp_path, CONFIG)


def doubled(tensor: torch.Tensor, times: int = 60) -> list:
    """A list that holds itself too, and the same list twice, sixty times over."""
    held: list = [tensor]
    held.append(held)
    for _ in range(times):
        held = [held, held]
    return held


@pytest.mark.parametrize(
    "changes, words",
    (
        ({"model": {"queries": torch.zeros(1).expand(10_000, 1000)}}, "its weights claim 40000000"),
        ({"model": dict.fromkeys(map(str, range(1000)), torch.zeros(9000))}, "its weights claim 36000000"),
        ({"optimizer": {"state": {0: {"exp_avg": torch.zeros(1).expand(10**9)}}}}, "its weights claim 4000036000"),
        ({"average": {"state": doubled(torch.zeros(1).expand(10**9))}}, "its weights claim 4000036000"),
        ({"model": {"a": torch.empty(10**6, device="meta")}}, "a tensor that is not plain"),
        ({"model": {"a": torch.sparse_coo_tensor([[0]], [1.0], (10**9,))}}, "a tensor that is not plain"),
    ),
    ids=("expanded", "shared", "moments", "doubled", "empty", "sparse"),
)
def test_tensors_that_claim_more_than_the_file_holds(tmp_path: Path, changes: dict, words: str) -> None:
    state = {"config": dataclasses.asdict(CONFIG), "step": 7, "model": {"a": torch.zeros(9000)}}
    torch.save(state | changes, tmp_path / "checkpoint.pt")
    assert (tmp_path / "checkpoint.pt").stat().st_size < 200_000
    seal(tmp_path / "checkpoint.pt")
    for read in (load_checkpoint, saved_model):
        with pytest.raises(CheckpointError, match=rf"checkpoint.pt cannot be read \(it .*{words}"):
            read(tmp_path, CONFIG)


def test_a_compressed_archive_is_not_inflated(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain.pt", tmp_path / "checkpoint.pt"
    torch.save({"config": dataclasses.asdict(CONFIG), "step": 7, "model": {"a": torch.zeros(10**6)}}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    seal(path)
    with pytest.raises(CheckpointError, match="cannot be read .compressed, or larger than its archive"):
        saved_model(tmp_path, CONFIG)


def test_a_file_that_is_no_state_at_all(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="it holds a list, not the state of a run"):
        load_checkpoint(tmp_path, CONFIG)


def test_an_optimiser_takes_over_averages_of_its_own_shapes_and_keeps_its_settings() -> None:
    def optimizer(lr: float) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        model = torch.nn.Linear(3, 2)
        made = torch.optim.AdamW(model.parameters(), lr=lr)
        made.param_groups[0]["peak_lr"] = lr
        return model, made

    model, first = optimizer(0.1)
    model(torch.ones(1, 3)).sum().backward()
    first.step()
    second = optimizer(0.5)[1]
    load_averages(second, first.state_dict())
    assert second.param_groups[0]["peak_lr"] == 0.5
    for one, other in zip(first.state.values(), second.state.values()):
        assert all(torch.equal(one[name], other[name]) for name in ("step", "exp_avg", "exp_avg_sq"))
    for wrong in (torch.zeros(3, 2), torch.zeros(1).expand(2, 3, 4), "text"):
        saved = first.state_dict()
        saved["state"][0] = saved["state"][0] | {"exp_avg": wrong}
        with pytest.raises(ValueError, match=r"exp_avg of a parameter of shape \(2, 3\) is"):
            load_averages(optimizer(0.1)[1], saved)
