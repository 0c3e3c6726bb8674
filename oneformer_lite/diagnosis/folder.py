"""A run's folder: what its files tell, and the model and the data that they lead to. Damage is a finding."""

from __future__ import annotations

import warnings
from pathlib import Path

from ..config import BaseConfig
from ..data.dataset import SegmentationDataset
from ..dataset_checks.findings import Finding, not_examined
from ..dataset_checks.texts import check_texts
from ..errors import CheckpointError, ConfigError, OneFormerLiteError
from ..files import path_of
from ..model import MaskModel
from ..training.checkpoint import CHECKPOINT, PREVIOUS, saved_model
from ..training.config import TrainConfig
from ..training.crops import check_crops
from ..training.finetune import chosen_start
from ..training.loader import run_split
from ..training.run import Run
from ..training.state import RECIPE, read_recipe
from ..weights import from_folder
from .history import check_log, check_recipe
from .sense import check_backbone

MODEL = "model"  # the folder of the weights alone, written when a run ends


def examine_run(
    folder: str | Path, model: MaskModel | None, dataset: SegmentationDataset | None, findings: list[Finding]
) -> tuple[MaskModel | None, object]:
    """Adds findings on recipe, state, log and weights; the model and the data set to examine next."""
    if path_of(folder, "the folder of a run").is_file():
        raise ConfigError(f"{folder} is a file: run= takes the folder that a run writes to")
    run = Run(folder)
    try:
        config, train_config, _ = read_recipe(run.folder)
    except CheckpointError as error:
        if not (run.folder / RECIPE).is_file():
            raise
        findings.append(Finding("recipe", "fault", str(error), f"write {RECIPE} again, or start another run"))
        findings += [*_check_state(run), *check_log(run)]
        findings.append(not_examined("data and weights of the run", "its recipe says which they are"))
        return model, dataset
    findings += [check_recipe(train_config, config), *_check_state(run), *check_log(run, train_config, config)]
    if backbone := check_backbone(config, train_config):
        findings.append(backbone)
    try:
        if dataset is None:
            dataset = run_split(run.folder, train_config)
        if len(dataset):
            findings.append(check_crops(dataset, train_config, config))
            findings += _check_texts(config, train_config, dataset)
    except OneFormerLiteError as error:
        findings.append(
            Finding("data of the run", "warning", str(error), "ofl.doctor(dataset=..., run=...) takes it, or another")
        )
    return model if model is not None else _model(run.folder, config, findings), dataset


def _check_texts(config: BaseConfig, c: TrainConfig, dataset: SegmentationDataset) -> list[Finding]:
    finding = check_texts(config, c.drawn({*config.learned_tasks} & {*dataset.tasks}), c.images_at_once)
    return [finding] if finding.verdict != "fine" else []


def went_on_from_a_model(folder: str | Path) -> bool:
    """Did a run start from trained weights for all of the model, as its recipe says?"""
    try:
        config, train_config, _ = read_recipe(Path(folder))
    except CheckpointError:
        return False
    return bool(chosen_start(config, train_config).start_from)


def _check_state(run: Run) -> list[Finding]:
    """Whether the run failed or was stopped, and why, or what it says itself of what it has learned."""
    reason = run.reason.split("\n")[0]
    if not reason:
        return []
    if run.status != "failed":
        return [Finding("state", "warning", f"finished, but {reason}" if run.status == "finished" else reason)]
    if any((run.folder / name).exists() for name in (CHECKPOINT, PREVIOUS)):
        cure = "mend what it says; run.resume() then resumes from the checkpoint"
    else:
        cure = "mend what it says and start the run again: it ended before its first checkpoint"
    return [Finding("state", "fault", reason, cure)]


def _model(folder: Path, config: BaseConfig, findings: list[Finding]) -> MaskModel | None:
    """The model of the checkpoint, or where there is none that can be read, of the folder with the weights."""
    path, cure = folder / CHECKPOINT, "put back a copy of the file, or delete it and train again"
    try:
        if path.is_file() and not path.stat().st_size:
            raise CheckpointError(f"{path} is empty")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            saved = saved_model(folder, config)
        findings += [Finding("weights", "warning", str(warning.message), cure) for warning in said]
        if saved:
            return saved[0]
    except CheckpointError as error:
        findings.append(_unreadable(error, cure))
    except (AttributeError, TypeError) as error:
        findings.append(Finding("weights", "fault", f"{path} does not hold what a run saves ({error})", cure))
    if (folder / MODEL).is_dir():
        try:
            return from_folder(folder / MODEL)
        except OneFormerLiteError as error:
            findings.append(_unreadable(error, f"write {MODEL} again from the checkpoint: model.save_pretrained(...)"))
    elif not path.is_file():
        findings.append(not_examined("weights", f"the run has neither {CHECKPOINT} nor {MODEL}"))
    return None


def _unreadable(error: Exception, cure: str) -> Finding:
    evidence, cause = str(error).split("\n")[0], error.__cause__
    if cause is not None and not str(cause):
        evidence = evidence.replace("()", f"({type(cause).__name__})")
    return Finding("weights", "fault", evidence, cure)
