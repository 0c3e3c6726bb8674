"""What all models of the package are: pictures in; Q queries, each with a class and a mask, out.

A member is one file that reads like the figure of its paper, top to bottom: its parts in ``__init__``, the picture in
``encode``, the queries in ``read``. What is the same for all stands here. ``model.build(config)`` makes any of them.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..config import BaseConfig
from ..config.base import check_config
from ..data.batch import Batch, pad_to, padded_size
from ..data.sample import check_task
from ..errors import ConfigError
from .networks.by_name import STRIDES
from .output import Output, Predictions, Trace, record
from .parts.layers import ConvNorm


class MaskModel(nn.Module):
    """Pictures in; Q queries, each with a class and a mask, out. A member defines :meth:`encode` and :meth:`read`.

    Layers whose rows are classes are called ``class_head`` (others: ``config.rows_of_classes``), those that make mask
    embeddings ``mask_head``, tables whose rows are queries ``queries``, ``query_positions`` and ``query_boxes``, the
    network that ImageNet's weights are for ``backbone``: fine-tuning, optimiser and doctor find them by these names.

    Lesson 00b.
    """

    output_type: type[Output] = Output
    # parts that learning alone needs, and the loss that needs each: files may lack them, and a loaded model then has
    # None in their place
    training_only: Mapping[str, str] = {}
    # by name what learns at the backbone's rate besides it
    slow_parts: tuple[str, ...] = ()
    # how many decoder layers come before the first prediction
    first_prediction: int = 0

    def __init__(self, config: BaseConfig) -> None:
        super().__init__()
        check_config(config)
        self.config = config

    # -- what a member defines

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Any:
        """The half that knows no task, of :meth:`padded` pictures: what :meth:`read` takes, mostly ``Features``."""
        raise NotImplementedError(f"{type(self).__name__} defines no encode")

    def read(
        self, features: Any, token: Tensor | None = None, *, every: bool = False, trace: Trace | None = None
    ) -> list[Predictions]:
        """What the queries make of ``features``: the result last, and before it, with ``every`` or a ``trace``, the
        predictions of all layers."""
        raise NotImplementedError(f"{type(self).__name__} defines no read")

    def task_token(self, tasks: Sequence[str]) -> Float[Tensor, "B C"] | None:
        """What tells :meth:`read` its task, for each picture; None: this model is not told its task."""
        return None

    def anneal(self, progress: float) -> None:
        """Called before each training step with the used share of the budget, 0 to 1."""

    @property
    def start_needed(self) -> str:
        """Why a training makes sense from a trained model alone; empty where it does without."""
        return ""

    def layers_above(self, parameter: str) -> int:
        """How many blocks of the backbone come after a parameter, for recipes with layer-wise decay of the rate."""
        return 0

    def add_missing_parts(self) -> None:
        """New parts with random weights in place of those of :attr:`training_only` that a file lacked."""

    # -- what all have

    def forward(
        self,
        images: Float[Tensor, "B 3 H W"],
        task: str | Sequence[str] = "panoptic",
        texts: Sequence[Sequence[str]] | None = None,
        trace: bool = False,
    ) -> Output:
        """Segment normalised ``images`` for ``task`` (one name, or one per image).

        H and W are padded with zeros to multiples of 32; outputs have the padded size. ``texts``: one list of
        sentences per image; with them this is :meth:`learn`. ``trace=True`` collects every intermediate in
        ``output.trace``.
        """
        alike = isinstance(task, str) and isinstance(images, Tensor)
        tasks = [task] * len(images) if alike else list(task) if isinstance(task, Iterable) else task
        if texts is not None:
            return self.learn(Batch(images, tasks, [], texts, [], []), trace)
        features, token, found = self.begin(images, tasks, None, trace)
        output = self.output(self.read(features, token, every=trace, trace=found), found)
        output.masks = output.mask_logits  # the losses do not read them whole, everybody else does
        return output

    def learn(self, batch: Batch, trace: bool = False) -> Output:
        """All predictions of a batch, and what else the losses need. A member may look at targets and texts."""
        features, token, found = self.begin(batch.images, batch.tasks, batch.texts, trace)
        return self.output(self.read(features, token, every=True, trace=found), found)

    def begin(
        self, images: Tensor, tasks: Sequence[str], texts: Sequence | None, trace: bool
    ) -> tuple[Any, Tensor | None, Trace | None]:
        """The first half of every forward pass, after a check of what came in: features, task token, trace."""
        self._check(images, tasks, texts)
        tasks = list(tasks)
        found = Trace() if trace else None
        features = self.encode(self.padded(images), found)
        token = self.task_token(tasks)
        record(found, "task.{}", ("token",), [token])
        return features, token, found

    def output(self, predictions: list[Predictions], trace: Trace | None) -> Output:
        """The last prediction is the result."""
        if trace is not None:
            trace.record_predictions(predictions)
        *auxiliary, final = predictions
        return self.output_type(
            final.class_logits, final.masks, auxiliary, no_object=final.no_object, boxes=final.boxes, trace=trace
        )

    def padded(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 h w"]:
        """As :meth:`encode` takes them: in the weights' precision (a model in bfloat16 takes the same pictures), with
        zeros at the bottom and the right up to ``config.padding_multiple``."""
        images = images.to(self.dtype)
        return pad_to(images, padded_size([tuple(images.shape[-2:])], self.config.padding_multiple))

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def missing_parts(self) -> list[str]:
        """Those of :attr:`training_only` that this model came without."""
        return [name for name in self.training_only if getattr(self, name) is None]

    @property
    def inference_parameters(self) -> int:
        """How many there are without those of :attr:`training_only`."""
        learning = tuple(f"{part}." for part in self.training_only)
        return sum(p.numel() for name, p in self.named_parameters() if not name.startswith(learning))

    def parts_of_fixed_shapes(self) -> list[nn.Module]:
        """Parts whose tensors have the same shapes in every step of a training, which ``torch.compile`` is for."""
        return [part for name, part in self.named_children() if name not in self.training_only]

    def idle(self, images: int) -> Iterator[nn.Module]:
        """Parts that the configuration, or a batch of so many images, leaves nothing to learn from."""
        c = self.config
        by_name = {"class_head": c.class_weight == 0, "mask_head": c.mask_weight == c.dice_weight == 0}
        for name, module in self.named_modules():
            if by_name.get(name.split(".")[-1]):
                yield module

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype | None = None) -> Path:
        """Write ``config.json`` and ``model.safetensors``; ``ofl.from_pretrained(folder)`` reads them."""
        from ..weights import save_pretrained

        return save_pretrained(self, folder, dtype)

    def _check(self, images: Tensor, tasks: Sequence[str], texts: Sequence | None) -> None:
        if not isinstance(images, Tensor):
            raise ValueError(
                f"images must be one tensor [B, 3, H, W], got a {type(images).__name__}: ofl.data.collate pads "
                "pictures of several sizes into one"
            )
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be [B, 3, H, W], got {list(images.shape)}")
        if not images.is_floating_point():
            raise ValueError(
                f"images must be normalised floats, got {images.dtype}: ofl.data.collate or ofl.data.normalise "
                "makes them"
            )
        if len(images) == 1 and max(images.shape[-2:]) <= STRIDES[-1]:
            self._check_single_position(images)
        for what, given in (("tasks", tasks), ("text lists", texts)):
            if given is not None and not isinstance(given, Sized):
                raise ValueError(f"expected a list of {what}, one per image, got {reprlib.repr(given)}")
            if given is not None and len(given) != len(images):
                raise ValueError(f"{len(images)} images but {len(given)} {what}: give one per image")
        for task in tasks if tasks is not None else [None]:
            check_task(task)
        if texts is not None and any(isinstance(list_, str) for list_ in texts):
            raise ValueError("texts must be a list of sentences per image, got a sentence: write [[...], ...]")

    def _check_single_position(self, images: Tensor) -> None:
        dim = self.config.hidden_dim
        one_a_group = dim == math.gcd(32, dim) and any(isinstance(m, ConvNorm) for m in self.modules())
        if one_a_group:
            raise ConfigError(
                f"one picture of {list(images.shape[-2:])} is a single position at stride {STRIDES[-1]}, for which the "
                f"norm of hidden_dim {dim} has nothing to compare: take larger pictures"
            )
