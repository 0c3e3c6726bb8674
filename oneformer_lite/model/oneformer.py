"""OneFormer, whole: picture and task in, classes and masks out.

Jain et al., "OneFormer: One Transformer to Rule Universal Image Segmentation" (CVPR 2023), figure 2;
official ``oneformer/oneformer_model.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..config import ModelConfig
from ..data.batch import pad_to, padded_size
from ..data.sample import check_task
from ..errors import ConfigError
from .backbone import Backbone
from .decoder import MaskedDecoder
from .fpn import FPNPixelDecoder
from .networks import STRIDES
from .output import OneFormerOutput, Predictions, Trace
from .pixel_decoder import DeformablePixelDecoder
from .query import QueryTransformer
from .task import TaskEncoder
from .text import TextMapper


class OneFormer(nn.Module):
    """One model, one training, three tasks.

    ``text_mapper`` is needed in training only and may be ``None`` in a loaded model (the published
    Hugging Face files do not contain it).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = self.config = config
        self.backbone = Backbone(c.backbone, c.pretrained, c.backbone_norm, c.backbone_options)
        self.pixel_decoder = _pixel_decoder(c, self.backbone.channels)
        self.task_encoder = TaskEncoder(c.text_length, c.hidden_dim)
        self.query_positions = nn.Embedding(c.num_queries, c.hidden_dim)
        self.query_transformer = QueryTransformer(
            c.hidden_dim, c.num_heads, c.query_layers, c.query_ffn, c.query_dropout, c.query_values
        )
        self.decoder = MaskedDecoder(
            c.hidden_dim, c.num_heads, c.decoder_layers, c.decoder_ffn, c.num_classes
        )
        self.text_mapper: TextMapper | None = None
        self.add_text_mapper()

    def add_text_mapper(self) -> None:
        """A new text mapper with random weights: what a model that came without one needs to train."""
        c = self.config
        self.text_mapper = TextMapper(
            dim=c.hidden_dim, num_texts=c.num_texts, num_context=c.text_context,
            width=c.text_width, heads=c.text_heads, layers=c.text_layers, length=c.text_length,
            causal=c.text_causal, temperature=c.temperature,
        )

    def forward(
        self,
        images: Float[Tensor, "B 3 H W"],
        task: str | Sequence[str],
        texts: Sequence[Sequence[str]] | None = None,
        trace: bool = False,
    ) -> OneFormerOutput:
        """Segment normalised ``images`` for ``task`` (one name, or one per image).

        H and W are padded with zeros to multiples of 32; outputs have the padded size. ``texts``: one
        list of sentences per image (padded here to N_text); with them the output carries what the
        losses need. ``trace=True`` collects every intermediate in ``output.trace``.
        """
        tasks = [task] * len(images) if isinstance(task, str) else list(task)
        self._check(images, tasks, texts)
        record = Trace() if trace else None
        mask_features, maps = self.encode(images, record)
        token = self.task_token(tasks)
        _record(record, "task.{}", ("token",), [token])
        queries, predictions = self.read(token, mask_features, maps, texts is not None, record)
        final = predictions.pop()
        masks = final.mask_logits if texts is None else final.masks  # the losses do not read them whole
        output = OneFormerOutput(final.class_logits, masks, predictions, trace=record)
        if texts is not None:
            output.object_queries = queries
            output.text_queries = self.text_mapper(texts, tasks)
            output.logit_scale = self.text_mapper.logit_scale
            _record(record, "text.{}", ("text_queries",), [output.text_queries])
        return output

    def encode(
        self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None
    ) -> tuple[Float[Tensor, "B C h w"], list[Float[Tensor, "B C _h _w"]]]:
        """The half that knows no task: features for masks (stride 4) and maps for the decoder (32, 16, 8)."""
        images = images.to(self.query_positions.weight.dtype)  # a model in bfloat16 takes the same pictures
        images = pad_to(images, padded_size([tuple(images.shape[-2:])]))
        features = self.backbone(images)
        _record(trace, "backbone.stride{}", STRIDES, features)
        with torch.autocast(images.device.type, enabled=False):  # in the weights' precision, as published
            features = [feature.to(self.query_positions.weight.dtype) for feature in features]
            mask_features, maps = self.pixel_decoder(features, trace)
        _record(trace, "pixel_decoder.stride{}", (32, 16, 8), maps)
        _record(trace, "pixel_decoder.{}", ("mask_features",), [mask_features])
        return mask_features, maps

    def task_token(self, tasks: Sequence[str]) -> Float[Tensor, "B C"]:
        """The normalised token of each task."""
        return self.decoder.norm(self.task_encoder(tasks))

    def read(
        self,
        token: Float[Tensor, "B C"],
        mask_features: Float[Tensor, "B C h w"],
        maps: list[Float[Tensor, "B C _h _w"]],
        all_predictions: bool = False,
        trace: Trace | None = None,
    ) -> tuple[Float[Tensor, "B Q C"], list[Predictions]]:
        """The half that the task steers: object queries and predictions (the last one is the result) of what
        :meth:`encode` found, for any ``token``: those of :meth:`task_token`, or what lies between them."""
        positions = self.query_positions.weight
        queries = self.query_transformer(token, positions, mask_features, trace)
        _record(trace, "query.{}", ("object_queries",), [queries])
        predictions = self.decoder(
            queries, positions, maps, mask_features, all_predictions=all_predictions, trace=trace
        )
        return queries, predictions

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype | None = None) -> Path:
        """Write ``config.json`` and ``model.safetensors``; ``ofl.from_pretrained(folder)`` reads them."""
        from ..weights import save_pretrained

        return save_pretrained(self, folder, dtype)

    def _check(self, images: Tensor, tasks: list[str], texts: Sequence | None) -> None:
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
        one_a_group = self.config.hidden_dim == math.gcd(32, self.config.hidden_dim)  # of ConvNorm
        if len(images) == 1 and max(images.shape[-2:]) <= STRIDES[-1] and one_a_group:
            raise ConfigError(
                f"one picture of {list(images.shape[-2:])} is a single position at stride {STRIDES[-1]}, for which the "
                f"norm of hidden_dim {self.config.hidden_dim} has nothing to compare: take larger pictures"
            )
        for what, given in (("tasks", tasks), ("text lists", texts)):
            if given is not None and len(given) != len(images):
                raise ValueError(f"{len(images)} images but {len(given)} {what}: give one per image")
        for task in tasks:
            check_task(task)
        if texts is not None and any(isinstance(list_, str) for list_ in texts):
            raise ValueError("texts must be a list of sentences per image, got a sentence: write [[...], ...]")
        if texts is not None and self.text_mapper is None:
            raise ConfigError(
                "this model was loaded without a text mapper, which training needs: "
                "model.add_text_mapper() adds a new one, with random weights"
            )


def _pixel_decoder(c: ModelConfig, channels: list[int]) -> nn.Module:
    if c.pixel_decoder == "fpn":
        return FPNPixelDecoder(channels, c.hidden_dim)
    return DeformablePixelDecoder(
        channels, c.hidden_dim, c.num_heads, c.encoder_layers, c.sampling_points, c.encoder_ffn,
        c.encoder_dropout,
    )


def _record(trace: Trace | None, name: str, keys: Sequence, values: Sequence[Tensor]) -> None:
    """Note what one part hands to the next, under the names that lessons and widgets use."""
    if trace is not None:
        for key, value in zip(keys, values, strict=True):
            trace.record(name.format(key), value)
