"""Data, models and runs that the tests plant faults in."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

import oneformer_lite as ofl
from oneformer_lite.training import toytown_training
from oneformer_lite.training.log import Log
from oneformer_lite.training.state import write_recipe, write_state


class Changed:
    """Toytown with every sample changed."""

    def __init__(self, change=lambda sample: sample, length: int = 12, categories=None) -> None:
        self.dataset, self.change, self.length = ofl.data.Toytown("val", 96, 12), change, length
        self.categories, self.tasks = categories or self.dataset.categories, self.dataset.tasks

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int):
        return self.change(self.dataset[index])


def fresh_model() -> ofl.OneFormer:
    torch.manual_seed(0)
    config = dataclasses.replace(ofl.config.toytown(), image_size=96, hidden_dim=32, decoder_layers=3, num_points=128)
    return ofl.OneFormer(config)


def found(diagnosis: ofl.Diagnosis, check: str):
    return next(finding for finding in diagnosis.findings if finding.check == check)


def assert_fault(diagnosis: ofl.Diagnosis, check: str, *words: str) -> None:
    finding = found(diagnosis, check)
    assert finding.verdict == "fault" and finding.cure, diagnosis
    for word in words:
        assert word in finding.evidence + finding.cure, finding
    assert not diagnosis.healthy and diagnosis.findings[0].verdict == "fault"


def run_folder(folder: Path, records: list[dict], **settings) -> Path:
    recipe = toytown_training(out=str(folder), data="nowhere", minutes=1, **settings)
    write_recipe(fresh_model().config, recipe, "cpu:1")
    log = Log(folder)
    for step, record in enumerate(records, start=1):
        log.write(record.pop("kind", "train"), step, float(step), **record)
    write_state(folder, "finished")
    return folder


def losses(step: int, **changes) -> dict:
    shares = {"class": 9, "mask": 2, "dice": 3, "contrastive": 1, "total": 40}
    return {name: share / step for name, share in shares.items()} | changes
