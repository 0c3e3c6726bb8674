"""The models that QueryInspector compares, and what their queries say of one picture, read when first asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...data.sample import Sample
from ...errors import ConfigError
from ...model import MaskModel
from ...weights import from_pretrained
from ..traced import EncodedPicture, encode_picture
from .claims import Standing, standings
from .reading import QueryReading, read_queries

OWN = "this model"

Source = MaskModel | str | Path


class QueryModels:
    """States of one training by name, the newest last as OWN; ``image`` uint8 [H, W, 3], ``sample`` its ground truth.

    Raises :class:`ConfigError` if they have other queries or classes.
    """

    def __init__(
        self,
        model: MaskModel,
        checkpoints: Mapping[str, Source] | Sequence[Source],
        image: np.ndarray,
        sample: Sample | None,
    ) -> None:
        self.models, self.image, self.sample = _named(checkpoints) | {OWN: model}, image, sample
        self._check(model)
        self._encoded: dict[str, EncodedPicture] = {}
        self._readings: dict[tuple[str, str], QueryReading] = {}
        self._standings: dict[tuple[str, str, int], list[Standing]] = {}

    def _check(self, own: MaskModel) -> None:
        queries, classes = own.config.num_queries, own.config.num_classes
        if self.sample and len(self.sample.categories) != classes:
            raise ConfigError(
                f"the sample has {len(self.sample.categories)} classes, the model {classes}: its ground truth cannot "
                "be compared; pass sample.image to look at the queries alone"
            )
        for name, model in self.models.items():
            c = model.config
            if (c.num_queries, c.num_classes) != (queries, classes):
                raise ConfigError(
                    f"{name} has {c.num_queries} queries and {c.num_classes} classes, the model {queries} and "
                    f"{classes}: give states of one training"
                )

    @property
    def names(self) -> list[str]:
        """First to last."""
        return list(self.models)

    @property
    def layers(self) -> int:
        """Decoder layers that all models have: as many as :data:`OWN` of those with its configuration."""
        own = self.models[OWN].config
        others = [name for name, model in self.models.items() if model.config != own]
        return min(self.reading("panoptic", name).num_layers for name in (OWN, *others))

    def is_read(self, task: str, name: str) -> bool:
        """Whether :meth:`reading` has its answer at hand."""
        return (name, task) in self._readings

    def reading(self, task: str, name: str) -> QueryReading:
        """What the queries of a model say: the first time its second half runs, before that once the first."""
        if (name, task) not in self._readings:
            model = self.models[name]
            if name not in self._encoded:
                self._encoded[name] = encode_picture(model, self.image)
            self._readings[name, task] = read_queries(model, self.image, task, self.sample, self._encoded[name])
        return self._readings[name, task]

    def standings(self, task: str, layer: int, name: str) -> list[Standing]:
        """How its queries fare in the task's post-processing, if the decoder ended after ``layer``."""
        key = name, task, layer
        if key not in self._standings:
            self._standings[key] = standings(self.reading(task, name), layer, self.models[name].config)
        return self._standings[key]


def _named(checkpoints: Mapping[str, Source] | Sequence[Source]) -> dict[str, MaskModel]:
    """Models by name; those of folders are called like them."""
    if not isinstance(checkpoints, Mapping):
        checkpoints = {
            f"{i}: {Path(source).name}" if isinstance(source, (str, Path)) else f"state {i}": source
            for i, source in enumerate(checkpoints, start=1)
        }
    return {
        name: from_pretrained(source) if isinstance(source, (str, Path)) else source
        for name, source in checkpoints.items()
    }
