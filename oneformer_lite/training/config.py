"""How a model is trained: data, schedule, optimiser, and where the run lives on disk."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace

from ..config import BaseConfig
from ..data.augment import AUGMENTATIONS
from ..data.sample import TASKS
from ..errors import ConfigError
from .fields import check_kinds, check_range, only_known_fields

PRECISIONS = ("auto", "float32", "bf16", "fp16")
AUTO = "auto"
SCHEDULES = ("cosine", "multistep", "poly", "two-stage")
# the greatest values with which a run can learn, or end; what learns badly besides, rates.py says
MOST = {
    "steps": 10**9, "minutes": 10**7, "batch_size": 10**6, "accumulate": 10**6, "eval_images": 10**9,
    "evaluations": 10**6, "lr": 1e4, "weight_decay": 1e3, "backbone_lr_multiplier": 1e3, "warmup_steps": 10**9,
    "backbone_warmup_steps": 10**9, "full_rate_blocks": 10**4, "clip_norm": 1e9, "save_minutes": 10**7,
    "save_steps": 10**9, "log_steps": 10**9, "workers": 1024,
}  # fmt: skip
# what may change when a run is resumed: where it lies, how long it takes, how it is watched and saved
CHANGEABLE = {
    "out", "data", "val_split", "steps", "minutes", "evaluations", "eval_images", "keep_best", "save_minutes",
    "save_steps", "log_steps", "log_tensorboard", "workers", "checkpoint_activations", "compile", "look_first",
    "unreadable_share", "data_may_change",
}  # fmt: skip


@only_known_fields
@dataclass(frozen=True)
class TrainConfig:
    """A training run. Exactly one of ``steps`` and ``minutes`` bounds it.

    ``data`` is a folder that :func:`oneformer_lite.data.open` opens, as COCO's: pictures in ``{data}/{split}/``,
    annotations in ``{data}/annotations/panoptic_{split}.json`` and the folder of the same name; or outlines of objects,
    or label maps.
    """

    out: str = "runs/toytown"
    data: str = "data/toytown"
    train_split: str = "train"
    val_split: str = "val"
    augmentation: str = "flip"
    # a trained model to start from (fine-tuning): whatever ofl.from_pretrained reads; None: ImageNet's backbone, or
    # random weights, as ModelConfig.pretrained says. "auto": for classes of your own, the model that comes with the
    # package where it has the configuration's sizes (training/finetune.py); else as None
    start_from: str | None = AUTO
    # how often an image is given each of TASKS (panoptic, instance, semantic), as far as its annotation
    # supplies them; only the proportions count
    task_probabilities: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
    # leave out pictures without a thing (crowds do not count), whatever the task, as the official loader of COCO does
    only_with_things: bool = False
    # look at a sample of the data before the first step (training/preflight.py): what makes learning impossible is an
    # error, what is odd a warning. False starts in any case
    look_first: bool = True
    # pictures that cannot be read, or are missing, are left out with a warning: at most this share of each split, but
    # one in any case. 0: the first one ends the run
    unreadable_share: float = 0.01

    # -- budget: optimiser steps, or minutes of training (evaluation and saving do not count)
    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 8  # images a step, over all processes
    # micro-batches, one after the other, whose gradients are summed: less memory. Each is divided by its own
    # number of masks, and the contrastive loss finds its negatives in the micro-batch only
    accumulate: int = 1

    # -- AdamW with the published parameter groups (training/optim.py)
    lr: float = 1e-4
    weight_decay: float = 0.05
    backbone_lr_multiplier: float = 0.1  # 0 freezes the backbone, which makes steps faster
    # each block of a vision transformer learns at this share of the next one's rate, but for the last
    # full_rate_blocks, which learn at the full one (EoMT)
    layer_decay: float = 1.0
    full_rate_blocks: int = 0
    decay_all: bool = False  # weight decay for norms and embeddings too (EoMT)
    warmup_steps: int = 20
    # the rate over the budget: "cosine" down to final_lr of the peak, "multistep" a tenth from each of
    # lr_drops (shares of the budget) on, "poly" as (1 - share) ** 0.9; "two-stage" is EoMT's: the backbone waits for
    # the end of the warm-up, has one of backbone_warmup_steps, and each falls as "poly" does from the end of its own
    backbone_warmup_steps: int = 0
    schedule: str = "cosine"
    final_lr: float = 0.01
    lr_drops: tuple[float, ...] = ()
    # largest norm of the whole gradient. The official configurations say 0.01, but the released script
    # never clips (its iterator over the parameters is used up before): None is what it does in effect
    clip_norm: float | None = None  # 0 clips nothing either
    ema_decay: float | None = None  # average the weights over about 1 / (1 - decay) steps; 0 as None

    # "bf16" and "fp16": autocast; pixel decoder, losses and weights stay in float32. "auto": as published on a GPU,
    # float32 elsewhere (training/precision.py)
    precision: str = "float32"
    # less memory for a third more computation: the layers' inner values are computed again when gradients need
    # them (training/switches.py); the gradients stay the same. Not together with compile
    checkpoint_activations: bool = False
    # torch.compile: minutes at the start for faster steps; roundings differ, and what dropout draws
    compile: bool = False

    # -- looking at it
    evaluations: int = 4  # quick ones, evenly spread with the last at the end, on eval_images pictures
    eval_images: int = 48
    # also leave the model with the best PQ (else AP, else mIoU) of these evaluations, in {out}/best
    keep_best: bool = False
    save_minutes: float = 5.0
    save_steps: int | None = None  # also after every so many steps
    log_steps: int = 10
    log_tensorboard: bool = False  # besides metrics.jsonl, in {out}/tensorboard

    workers: int = 1
    seed: int = 0
    # resume although the training data are not those that the run began with: other pictures, order or classes
    data_may_change: bool = False

    def __post_init__(self) -> None:
        check_kinds(self)
        if (self.steps is None) == (self.minutes is None):
            raise ConfigError("give either steps or minutes, so that the run knows when to end")
        self._check_ranges()
        if self.schedule not in SCHEDULES:
            raise ConfigError(f"schedule is {self.schedule!r}; expected one of {SCHEDULES}")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision is {self.precision!r}; expected one of {PRECISIONS}")
        if self.augmentation not in AUGMENTATIONS:
            raise ConfigError(f"augmentation is {self.augmentation!r}; expected one of {', '.join(AUGMENTATIONS)}")
        if bool(self.lr_drops) != (self.schedule == "multistep"):
            raise ConfigError('lr_drops are what schedule="multistep" needs, and no other takes')
        if self.backbone_warmup_steps and self.schedule != "two-stage":
            raise ConfigError('backbone_warmup_steps are for schedule="two-stage", and no other has them')
        if list(self.lr_drops) != sorted(self.lr_drops) or not all(0 < drop < 1 for drop in self.lr_drops):
            raise ConfigError(f"lr_drops are {self.lr_drops}; expected rising shares of the budget between 0 and 1")
        if self.keep_best and not self.evaluations:
            raise ConfigError("keep_best keeps the best model of the evaluations, and evaluations is 0")
        if self.checkpoint_activations and self.compile:
            raise ConfigError(
                "checkpoint_activations and compile do not go together: PyTorch's compiled recomputation may draw "
                "other random numbers for dropout than the first pass did; choose one"
            )
        shares = self.task_probabilities
        if len(shares) != len(TASKS) or min(shares) < 0 or not sum(shares):
            raise ConfigError(f"task_probabilities are {shares}; expected a share of 0 or more for each of {TASKS}")

    def _check_ranges(self) -> None:
        if not self.out.strip():
            raise ConfigError("out is empty; expected the folder of the run, such as 'runs/mine'")
        if self.start_from is not None and not self.start_from.strip():
            raise ConfigError("start_from is empty; expected 'auto', a model's name or folder, or None for none")
        check_range(self, "positive", lambda value: value > 0, (
            "steps", "minutes", "batch_size", "accumulate", "lr", "eval_images", "save_minutes", "save_steps",
            "log_steps",
        ))  # fmt: skip
        check_range(self, "0 or more", lambda value: value >= 0, (
            "weight_decay", "backbone_lr_multiplier", "warmup_steps", "backbone_warmup_steps", "full_rate_blocks",
            "evaluations", "workers", "seed",
        ))  # fmt: skip
        check_range(self, "from 0 to 1", lambda value: 0 <= value <= 1, ("final_lr", "unreadable_share"))
        check_range(self, "above 0, at most 1", lambda value: 0 < value <= 1, ("layer_decay",))
        check_range(self, "positive, or None or 0 for no clipping", lambda value: value >= 0, ("clip_norm",))
        check_range(self, "from 0 to below 1, with None or 0 for no averaging", lambda v: 0 <= v < 1, ("ema_decay",))
        for name, most in MOST.items():
            check_range(self, f"at most {most:g}", lambda value, most=most: value <= most, (name,))
        check_range(self, "below 2^63", lambda value: value < 2**63, ("seed",))

    @property
    def images_at_once(self) -> int:
        """How many images of a step go through the model together, and are compared by the contrastive loss."""
        return self.batch_size // self.accumulate

    def drawn(self, tasks: Collection[str]) -> list[str]:
        """Those of ``tasks`` that ``task_probabilities`` ever draw."""
        return [task for task, share in zip(TASKS, self.task_probabilities) if share and task in tasks]

    def recipe(self) -> dict:
        """The settings on which it depends what a run learns."""
        return {name: value for name, value in asdict(self).items() if name not in CHANGEABLE}


def check_recipes(config: object, train_config: object) -> None:
    """Raises :class:`ConfigError` unless these are a model's configuration and a training's, in this order."""
    if not isinstance(config, BaseConfig) or not isinstance(train_config, TrainConfig):
        raise ConfigError(
            "expected the model's configuration (ofl.config.toytown() ...), then the training's (toytown_training(...) "
            f"...), got a {type(config).__name__} and a {type(train_config).__name__}"
        )


def for_learned_tasks(config: BaseConfig, c: TrainConfig) -> TrainConfig:
    """The recipe in which only those tasks are drawn that the model learns: one that is not told its task learns one.

    Raises :class:`ConfigError` if the recipe draws none of them.
    """
    shares = tuple(share * (task in config.learned_tasks) for task, share in zip(TASKS, c.task_probabilities))
    if not any(shares):
        raise ConfigError(
            f"task_probabilities {c.task_probabilities} (panoptic, instance, semantic) never draw "
            f"{' or '.join(config.learned_tasks)}, which is all that this {config.model_type} model learns"
        )
    return replace(c, task_probabilities=shares)
