"""A study's runs: which are to be made, and what came out of those that are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from ..data.dataset import SegmentationDataset
from ..data.opening import open as open_dataset
from ..data.views import Given, as_dataset
from ..errors import ConfigError, OneFormerLiteError
from ..training.fingerprint import differences, fingerprint
from ..training.run import Run
from .definition import Definition, check_same
from .judging import judge, tidy
from .measures import check_given
from .results import Result, read_results, write_results
from .stored import STUDY, check_folder, read_definition, run_folder, write_definition
from .variants import Variant


class Work:
    """What the loops below share, here and in the background."""

    def __init__(
        self, folder: Path, definition: Definition, train_data: Given | None, val_data: Given | None
    ) -> None:
        if (folder / STUDY).exists():
            check_same(before := read_definition(folder), definition, folder)
        else:
            check_folder(folder)
            before = definition
        c = definition.reference.train_config
        self.given = train_data, val_data  # to train on, as ofl.train takes them
        learned = as_dataset(open_dataset(c.data, c.train_split) if train_data is None else train_data)
        self.val: SegmentationDataset = as_dataset(open_dataset(c.data, c.val_split) if val_data is None else val_data)
        check_given(definition.reference, definition.variants, definition.metrics, tuple(self.val.tasks))
        prints = fingerprint(learned), fingerprint(self.val)
        _check_pictures(before, prints, folder)
        self.folder, self.definition = folder, replace(definition, data=prints)
        write_definition(folder, self.definition)
        self.results = read_results(folder, self.definition)

    @property
    def pending(self) -> list[tuple[Variant, int]]:
        """The runs without a result, in their order."""
        done = {(result.variant, result.seed) for result in self.results}
        return [(variant, seed) for variant, seed in self.definition.runs if (variant.name, seed) not in done]

    def run_of(self, variant: Variant, seed: int) -> Run:
        return Run(run_folder(self.folder, variant, seed))

    def judge(self, variant: Variant, seed: int, run: Run) -> None:
        """Of a run that is finished: its result."""
        self._keep(judge(self.definition, variant, seed, run, self.val))
        tidy(run.folder)

    def note(self, variant: Variant, seed: int, why: str) -> None:
        """Of a run that has diverged, as it would again: that is its result."""
        history = self.run_of(variant, seed).history
        steps = max((record["step"] for record in history), default=0)
        self._keep(Result(variant.name, seed, steps=steps, failed=why))

    def ended(self, variant: Variant, seed: int, run: Run) -> None:
        """What becomes of a run in the background that does not run any more. Raises its error, unless it has
        diverged."""
        if run.status == "finished":
            return self.judge(variant, seed, run)
        reason = run.reason.split("\n\nThe end of ")[0]
        if diverged := re.match(r"(process \d+: )?DivergedError: ", reason):
            return self.note(variant, seed, reason[diverged.end() :])
        raise OneFormerLiteError(f"the run of {variant.name!r} with seed {seed} failed: {run.reason}")

    def _keep(self, result: Result) -> None:
        self.results = [*self.results, result]
        write_results(self.folder, self.definition, self.results)


def _check_pictures(before: Definition, now: tuple[dict, dict], folder: Path) -> None:
    for what, was, is_ in zip(("training", "validation"), before.data or now, now):
        if found := differences(was, is_):
            raise ConfigError(
                f"the {what} pictures are not those that the study in {folder} began with: {'; '.join(found)}. Put "
                "them back as they were, or choose another folder"
            )


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads of PyTorch in the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
