"""OneFormer, whole: picture and task in, classes and masks out.

Jain et al., "OneFormer: One Transformer to Rule Universal Image Segmentation" (CVPR 2023), figure 2;
official ``oneformer/oneformer_model.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ..config import ModelConfig
from ..data.batch import Batch
from ..data.sample import TASKS
from ..data.targets import retold
from ..errors import ConfigError
from .denoised import MaskDenoisedModel
from .networks.backbone import Backbone
from .output import Features, OneFormerOutput, Predictions, Trace, record
from .parts.denoising import Noised
from .parts.fpn import FPNPixelDecoder
from .parts.masked_decoder import MaskedDecoder
from .parts.pixel_decoder import DeformablePixelDecoder
from .parts.query import QueryTransformer, idle_with_zeros
from .parts.task import TaskEncoder
from .parts.text import TextMapper


class OneFormer(MaskDenoisedModel):
    """One model, one training, three tasks.

    ``text_mapper`` is needed in training only and may be ``None`` in a loaded model (the published
    Hugging Face files do not contain it).
    """

    output_type = OneFormerOutput
    training_only = {"text_mapper": "contrastive"}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        c = config
        self.backbone = Backbone(c.backbone, c.pretrained, c.backbone_norm, c.backbone_options)
        self.pixel_decoder = _pixel_decoder(c, self.backbone.channels)
        self.task_encoder = TaskEncoder(c.text_length, c.hidden_dim)
        self.query_positions = nn.Embedding(c.num_queries, c.hidden_dim)
        self.query_transformer = QueryTransformer(
            c.hidden_dim, c.num_heads, c.query_layers, c.query_ffn, c.query_dropout, c.query_values, c.query_start
        )
        self.decoder = MaskedDecoder(
            c.hidden_dim, c.num_heads, c.decoder_layers, c.decoder_ffn, c.num_classes,
            masked=c.masked_attention, rescue=c.rescue_empty_masks,
        )
        self.text_mapper: TextMapper | None = None
        self.add_text_mapper()
        self.add_denoising()
        self.query_class_head: nn.Linear | None = None
        self.add_query_class_head()

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Features:
        """The half that knows no task: features for masks (stride 4) and maps for the decoder (32, 16, 8)."""
        return self.pixel_decoder(self.backbone(images, trace), trace)

    def task_token(self, tasks: Sequence[str]) -> Float[Tensor, "B C"]:
        """The normalised token of each task; of the same for all, where the model is not to know it."""
        tasks = tasks if self.config.knows_task else TASKS[:1] * len(tasks)
        return self.decoder.norm(self.task_encoder(tasks))

    def read(
        self,
        features: Features,
        token: Float[Tensor, "B C"],
        *,
        every: bool = False,
        trace: Trace | None = None,
    ) -> list[Predictions]:
        """The half that the task steers, for any ``token``: those of :meth:`task_token`, or what lies between them."""
        return self.decode(features, self.object_queries(features, token, trace), every=every, trace=trace)

    def object_queries(
        self, features: Features, token: Float[Tensor, "B C"], trace: Trace | None = None
    ) -> Float[Tensor, "B Q C"]:
        """Where the queries start: what the picture makes of the task token."""
        queries = self.query_transformer(token, self.query_positions.weight, features.masks, trace)
        record(trace, "query.{}", ("object_queries",), [queries])
        return queries

    def decode(
        self, features: Features, queries: Float[Tensor, "B Q C"], *, every: bool = False, trace: Trace | None = None,
        noised: Noised | None = None,
    ) -> list[Predictions]:  # fmt: skip
        """Queries read the maps, layer by layer; in training behind ``noised`` ones."""
        start = queries, self.query_positions.weight, features.maps, features.masks
        return self.decoder(*start, all_predictions=every, trace=trace, noised=noised)

    def learn(self, batch: Batch, trace: bool = False) -> OneFormerOutput:
        """All predictions, and for the contrastive loss the object queries beside the queries of the texts, which are
        padded here to N_text; of noised truth too, if the configuration has ``denoising_queries``: these know the task
        from its token, which is one of the queries that they look at. Raises :class:`ConfigError` for a model without
        text mapper."""
        if self.text_mapper is None:
            raise ConfigError(
                "this model was loaded without a text mapper, which training needs: "
                "model.add_text_mapper() adds a new one, with random weights"
            )
        features, token, found = self.begin(batch.images, batch.tasks, batch.texts, trace)
        queries = self.object_queries(features, token, found)
        noised = self.noised(batch)
        output = self.learned(self.decode(features, queries, every=True, trace=found, noised=noised), found, noised)
        output.object_queries, output.logit_scale = queries, self.text_mapper.logit_scale
        told = [retold(texts, task, self.config.text_template) for texts, task in zip(batch.texts, batch.tasks)]
        output.text_queries = self.text_mapper(told, batch.tasks)
        output.query_class_logits = None if self.query_class_head is None else self.query_class_head(queries)
        record(found, "text.{}", ("text_queries",), [output.text_queries])
        return output

    def parts_of_fixed_shapes(self) -> list[nn.Module]:
        others = self.task_encoder, self.query_positions
        return [part for part in super().parts_of_fixed_shapes() if part not in others]

    def add_text_mapper(self) -> None:
        """A new text mapper with random weights: what a model that came without one needs to train."""
        c = self.config
        self.text_mapper = TextMapper(
            dim=c.hidden_dim, num_texts=c.num_texts, num_context=c.text_context,
            width=c.text_width, heads=c.text_heads, layers=c.text_layers, length=c.text_length,
            causal=c.text_causal, temperature=c.temperature,
        )

    def add_query_class_head(self) -> None:
        """A new one, with random weights, if the configuration has a weight for its loss."""
        c = self.config
        if c.query_class_weight:
            self.query_class_head = nn.Linear(c.hidden_dim, c.num_classes + 1)
            self.training_only = {**self.training_only, "query_class_head": "query_class"}

    def add_missing_parts(self) -> None:
        super().add_missing_parts()
        if self.text_mapper is None:
            self.add_text_mapper()
        if self.query_class_head is None:
            self.add_query_class_head()

    def idle(self, images: int) -> Iterator[nn.Module]:
        """Also texts without a loss of theirs or of a single picture, and what a single query, which is the task token
        alone, has nobody to attend to with."""
        yield from super().idle(images)
        if (self.config.contrastive_weight == 0 or images == 1) and self.text_mapper is not None:
            yield self.text_mapper
        if self.config.query_start == "zeros":
            yield from idle_with_zeros(self.query_transformer.layers, self.config.num_queries)
        if self.config.num_queries == 1:
            yield self.query_transformer
            for layer in self.decoder.layers:
                yield from (layer.self_attention.q_proj, layer.self_attention.k_proj)


def _pixel_decoder(c: ModelConfig, channels: list[int]) -> nn.Module:
    if c.pixel_decoder == "fpn":
        return FPNPixelDecoder(channels, c.hidden_dim)
    return DeformablePixelDecoder(
        channels, c.hidden_dim, c.num_heads, c.encoder_layers, c.sampling_points, c.encoder_ffn,
        c.encoder_dropout,
    )
