"""Panoptic SegFormer, whole: a picture in; things found by where they are, stuff by what it is, and where each of both
looks is its mask. It is not told its task.

Li et al., "Panoptic SegFormer" (CVPR 2022), figures 2 and 3; official ``easymd/models/panformer/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..config import PanopticSegFormerConfig
from ..data.batch import Batch
from ..errors import ConfigError
from .base import MaskModel
from .networks.backbone import Backbone
from .networks.by_name import STRIDES
from .output import DeferredMasks, Features, Predictions, SplitOutput, Trace, logits_of_values
from .parts.attention_masks import AttentionMaskDecoder, DecodedMasks
from .parts.deformable_attention import Shapes
from .parts.location_decoder import Located, LocationDecoder, prior_classes
from .parts.multiscale_encoder import MultiScaleEncoder, Neck
from .parts.pixel_decoder import tokens_of

_NEVER = -100.0  # the logit of a class that a query does not know
Value = TypeVar("Value")


class PanopticSegFormer(MaskModel):
    """Backbone maps and a coarser one through a deformable encoder. Thing queries find boxes in it, layer by layer, and
    then their masks; each class of stuff has a query that looks for it alone.

    The readings of a picture are as many as the longest of the three decoders has; what a shorter one says comes last,
    and before that its first is repeated. Masks are numbers from 0 on (:func:`logits_of_values`).

    The published model sees one picture at a time, without padding; in a batch of several sizes padding counts as
    picture here. Its branches for things' classes and boxes after their mask decoder (``cls_thing_branches``,
    ``reg_branches2``) are asked by nobody and have losses multiplied by 0: they are left out.

    Lesson 17.
    """

    output_type = SplitOutput
    slow_parts = ("sampling_offsets", "reference_points")
    first_prediction = 1

    def __init__(self, config: PanopticSegFormerConfig) -> None:
        super().__init__(config)
        c, dim, heads = config, config.hidden_dim, config.num_heads
        if not c.things:
            raise ConfigError("none of the classes is a thing, and a panoptic_segformer finds things first")
        self.backbone = Backbone(c.backbone, c.pretrained, c.backbone_norm, c.backbone_options)
        self.unseen = STRIDES.index(c.mask_stride)  # how many of the finest maps nobody looks at
        for i, _ in enumerate(self.backbone.norms[: self.unseen]):
            self.backbone.norms[i] = nn.Identity()
        maps = len(channels := self.backbone.channels[self.unseen :])
        self.neck = Neck(channels, dim)
        self.encoder = MultiScaleEncoder(
            dim, heads, maps + 1, c.encoder_layers, c.sampling_points, c.encoder_ffn, c.dropout, c.mask_stride
        )
        # position and content of things, content and position of stuff: as they lie in the published files
        self.queries = nn.Embedding(c.thing_queries, 2 * dim)
        self.stuff_queries = nn.Embedding(len(c.stuff), 2 * dim)
        self.location = LocationDecoder(
            dim, heads, c.decoder_layers, maps + 1, c.sampling_points, c.decoder_ffn, c.dropout, len(c.things)
        )
        self.thing_masks = AttentionMaskDecoder(dim, heads, c.thing_blocks, maps)
        self.stuff_masks = AttentionMaskDecoder(dim, heads, c.stuff_blocks, maps, self_attention=True)
        self.presence_heads = nn.ModuleList(prior_classes(dim, 1) for _ in range(c.stuff_blocks))
        self.register_buffer("things", torch.tensor(c.things), persistent=False)
        self.register_buffer("stuff", torch.tensor(c.stuff, dtype=torch.int64), persistent=False)
        if not c.early_layers_learn:
            self.backbone.freeze_early_layers()

    @property
    def readings(self) -> int:
        """How many there are of a picture."""
        return max(len(self.location.layers), len(self.thing_masks.blocks) + 1, len(self.stuff_masks.blocks) + 1)

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Features:
        """The encoder's maps, finest first; that one is what masks are as large as."""
        maps = self.backbone(images, trace)[self.unseen :]
        with self._in_weights_precision():
            finest, *coarser = self.encoder(self.neck([m.to(self.dtype) for m in maps]), trace)
        return Features(finest, coarser)

    def read(
        self, features: Features, token: Tensor | None = None, *, every: bool = False, trace: Trace | None = None
    ) -> list[Predictions]:
        """Where things are and of which class, then the masks of all of them, and of stuff."""
        return self._readings(self._see(features, trace))[0 if every or trace is not None else -1 :]

    def learn(self, batch: Batch, trace: bool = False) -> SplitOutput:
        """Things and stuff apart as well. Of things, the losses ask for the masks of few of hundreds of queries; each
        is on its own in that decoder, so its mask is the same."""
        features, _, found = self.begin(batch.images, batch.tasks, batch.texts, trace)
        seen = self._see(features, found)
        output = self.output(self._readings(seen), found)
        none = features.masks.new_zeros(0)
        output.things = [Predictions(self._known(p), none, no_object=False, boxes=p.boxes) for p in seen.located]
        output.masks_of, output.stuff_masks = partial(self._masks_of, seen), seen.stuff.masks
        output.presence = seen.presence
        return output

    def _see(self, features: Features, trace: Trace | None) -> Seen:
        c = self.config.hidden_dim
        tokens, shapes = tokens_of([features.masks, *features.maps])
        with self._in_weights_precision():
            positions, content = self.queries.weight.split(c, dim=1)
            located = self.location(content, positions, tokens.to(self.dtype), shapes, trace)
            *levels, _ = shapes  # the coarsest level has no part in masks
            memory = tokens[:, : sum(h * w for h, w in levels)].to(self.dtype)
            stuff = self._stuff(memory, levels)
            presence = [head(x)[..., 0] for head, x in zip(self.presence_heads, stuff.queries)]
        seen = Seen(located, memory, levels, stuff, presence)
        if trace is not None:
            self._record(seen, trace)
        return seen

    def _stuff(self, memory: Float[Tensor, "B S C"], shapes: Shapes, with_scores: bool = False) -> DecodedMasks:
        content, positions = self.stuff_queries.weight.split(self.config.hidden_dim, dim=1)
        return self.stuff_masks(content.expand(memory.shape[0], -1, -1), memory, shapes, positions, with_scores)

    def _masks_of(self, seen: Seen, queries: Int[Tensor, "B n"] | None = None) -> list[Float[Tensor, "B n h w"]]:
        """Of some thing queries, or of all, after each block and at the end."""
        x = seen.located[-1].queries
        with self._in_weights_precision():
            chosen = x if queries is None else x.take_along_dim(queries[..., None], dim=1)
            return self.thing_masks(chosen, seen.memory, seen.shapes).masks

    def _readings(self, seen: Seen) -> list[Predictions]:
        of_things = cache(partial(self._masks_of, seen))  # once for all readings

        def masks(reading: int) -> Tensor:
            both = [last(self.readings, found)[reading] for found in (of_things(), seen.stuff.masks)]
            return logits_of_values(torch.cat(both, dim=1))

        said = zip(last(self.readings, seen.located), last(self.readings, seen.presence))
        return [self._both(*both, DeferredMasks(partial(masks, reading))) for reading, both in enumerate(said)]

    def _both(self, place: Located, presence: Float[Tensor, "B S"], masks: DeferredMasks) -> Predictions:
        """Things first. Each knows its classes alone; stuff is anywhere, so its box is the picture's."""
        own = torch.eye(len(self.stuff), dtype=torch.bool, device=presence.device)
        of_stuff = self._columns(presence[..., None].where(own, _NEVER), self.stuff)
        everywhere = presence.new_tensor([0.5, 0.5, 1.0, 1.0]).expand(*presence.shape, -1)
        classes = torch.cat([self._known(place), of_stuff], dim=1)
        return Predictions(classes, masks, no_object=False, boxes=torch.cat([place.boxes, everywhere], dim=1))

    def _known(self, place: Located) -> Float[Tensor, "B T K"]:
        return self._columns(place.class_logits, self.things)

    def _columns(self, logits: Float[Tensor, "B N k"], classes: Int[Tensor, "k"]) -> Float[Tensor, "B N K"]:
        """Those of some of all classes, among all."""
        every = logits.new_full((*logits.shape[:2], self.config.num_classes), _NEVER)
        return every.index_copy(2, classes, logits)

    def _record(self, seen: Seen, trace: Trace) -> None:
        """Of each reading where all queries look on the finest map, as shares of all places, and what they are."""
        count, (height, width) = self.readings, seen.shapes[0]
        things = self.thing_masks(seen.located[-1].queries, seen.memory, seen.shapes, with_scores=True)
        stuff = self._stuff(seen.memory, seen.shapes, with_scores=True)
        kept = zip(*(last(count, values) for both in (things, stuff) for values in (both.scores, both.queries)))
        for i, (of_things, x, of_stuff, y) in enumerate(kept):
            attention = torch.cat([s.softmax(-1)[..., : height * width] for s in (of_things, of_stuff)], dim=2)
            trace.record(f"decoder.layer{i}.attention", attention.unflatten(-1, (height, width)))
            trace.record(f"decoder.layer{i}.queries", torch.cat([x, y], dim=1))

    def _in_weights_precision(self) -> torch.autocast:
        """As published, whatever the rest computes in: attention scores are masks."""
        return torch.autocast(self.device.type, enabled=False)

    def parts_of_fixed_shapes(self) -> list[nn.Module]:
        return [self.backbone, self.neck, self.encoder, self.location, self.stuff_masks]

    def idle(self, images: int) -> Iterator[nn.Module]:
        yield from super().idle(images)
        if not len(self.stuff):
            yield from (self.stuff_masks, self.presence_heads)


class Seen(NamedTuple):
    """What the queries make of a picture: of things where they are, after each layer; of stuff what is seen of it in
    each block, and whether it is there. ``memory``: the levels of which masks are made, of ``shapes``."""

    located: list[Located]
    memory: Float[Tensor, "B S C"]
    shapes: Shapes
    stuff: DecodedMasks
    presence: list[Float[Tensor, "B S"]]


def last(count: int, found: Sequence[Value]) -> list[Value]:
    """The last ``count`` of them; of fewer, the first comes several times."""
    return [*[found[0]] * (count - len(found)), *found][-count:]
