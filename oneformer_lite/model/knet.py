"""K-Net, whole: a picture in, classes and masks out. Its queries are kernels; it is not told its task.

Zhang et al., "K-Net: Towards Unified Image Segmentation" (NeurIPS 2021), figures 1 and 2; official
``knet/det/knet.py``, ``kernel_head.py`` and ``kernel_iter_head.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..config import KNetConfig
from ..data.batch import Batch
from .base import MaskModel
from .networks.backbone import Backbone
from .output import Features, KNetOutput, Predictions, Trace, record
from .parts.fpn import LocalisationFPN, PlainFPN, double
from .parts.kernels import CLASS_PRIOR, KernelStage, pooled

_NEVER = -1e4  # whose sigmoid is 0, exactly


class KNet(MaskModel):
    """A kernel for each thing and each class of stuff; its product with every pixel is a mask.

    Nothing looks anywhere: what a kernel learns of the picture are the features under its own mask, from which each
    stage makes it anew. Kernels of things are learned and matched; those of stuff are rows of the layer that gives each
    pixel its class, and stand for that class.

    The first prediction is of masks alone: all classes are as unlikely as they can be before anybody has looked. A
    query has no opinion on classes that it does not answer for.

    Lesson 17.
    """

    output_type = KNetOutput

    def __init__(self, config: KNetConfig) -> None:
        super().__init__(config)
        c = config
        self.backbone = Backbone(c.backbone, c.pretrained, c.backbone_norm, c.backbone_options)
        self.fpn = PlainFPN(self.backbone.channels, c.hidden_dim)
        self.localisation = LocalisationFPN(c.hidden_dim, c.feature_stride)
        self.queries = nn.Embedding(c.thing_kernels, c.hidden_dim)
        self.class_head = nn.Conv2d(c.hidden_dim, c.num_classes, 1)  # of pixels
        self.stages = nn.ModuleList(
            KernelStage(c.hidden_dim, c.num_heads, c.stage_ffn, c.num_classes, c.pooling) for _ in range(c.stages)
        )
        nn.init.normal_(self.class_head.weight, std=0.01)
        nn.init.constant_(self.class_head.bias, CLASS_PRIOR)
        self.register_buffer("stuff", torch.tensor(list(c.fixed_queries), dtype=torch.int64), persistent=False)
        self.register_buffer("answered", answered_classes(c), persistent=False)
        if not c.early_layers_learn:
            self.backbone.freeze_early_layers()

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Features:
        """The features that kernels are multiplied with; those of the first things, and the logits of each pixel's
        class."""
        location, semantic = self.localisation(self.fpn(self.backbone(images, trace)))
        features = location + semantic
        record(trace, "pixel_decoder.{}", ("mask_features",), [features])
        return Features(features, [location, self.class_head(semantic)])

    def read(
        self, features: Features, token: Tensor | None = None, *, every: bool = False, trace: Trace | None = None
    ) -> list[Predictions]:
        """Kernels and masks, stage by stage; before the first masks alone."""
        kernels, masks = self.start(features)
        record(trace, "query.{}", ("object_queries",), [kernels])
        found = [(kernels.new_full((*kernels.shape[:2], self.config.num_classes), CLASS_PRIOR), masks)]
        for i, stage in enumerate(self.stages):
            record(trace, "decoder.layer{}.attention_region", (i,), [masks > 0])
            kernels, classes, masks = stage(kernels, features.masks, masks)
            record(trace, "decoder.layer{}.queries", (i,), [kernels])
            found.append((classes, masks))
        wanted = found if every or trace is not None else found[-1:]
        return [self._predict(classes, masks) for classes, masks in wanted]

    def start(self, features: Features) -> tuple[Float[Tensor, "B Q C"], Float[Tensor, "B Q h w"]]:
        """The first kernels and their masks: of things already with what these hold, of stuff as they are."""
        location, semantic = features.maps
        things = torch.einsum("qc,bchw->bqhw", self.queries.weight, location)
        kernels = self.queries.weight + pooled(features.masks, things, self.config.pooling)
        stuff = self.class_head.weight[self.stuff].flatten(1).expand(kernels.shape[0], -1, -1)
        return torch.cat([kernels, stuff], dim=1), torch.cat([things, semantic[:, self.stuff]], dim=1)

    def learn(self, batch: Batch, trace: bool = False) -> KNetOutput:
        """With each pixel's class, which the losses need too."""
        features, token, found = self.begin(batch.images, batch.tasks, batch.texts, trace)
        output = self.output(self.read(features, token, every=True, trace=found), found)
        output.semantic_logits = self._at_mask_stride(features.maps[1])
        return output

    def _predict(self, classes: Float[Tensor, "B Q K"], masks: Float[Tensor, "B Q h w"]) -> Predictions:
        return Predictions(
            classes.masked_fill(~self.answered, _NEVER), self._at_mask_stride(masks), no_object=False
        )

    def _at_mask_stride(self, maps: Float[Tensor, "B N h w"]) -> Float[Tensor, "B N h4 w4"]:
        return double(maps) if self.config.feature_stride == 8 else maps

    def idle(self, images: int) -> Iterator[nn.Module]:
        """A single kernel has nobody to attend to. The classes of pixels hold the kernels of stuff."""
        yield from (module for module in super().idle(images) if module is not self.class_head)
        if self.config.num_queries == 1:
            for stage in self.stages:
                yield from (stage.attention.q_proj, stage.attention.k_proj)


def answered_classes(config: KNetConfig) -> Tensor:
    """bool [Q, K]: kernels of things answer for all classes of no kernel's own, those of stuff for their own alone."""
    fixed = config.fixed_queries
    answered = torch.zeros(config.num_queries, config.num_classes, dtype=torch.bool)
    answered[: config.thing_kernels] = torch.tensor([label not in fixed for label in range(config.num_classes)])
    for label, query in fixed.items():
        answered[query, label] = True
    return answered
