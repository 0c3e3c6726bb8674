"""MaskFormer's official names beside ours: detectron2's ``.pkl`` of its zoo.

Source: ``mask_former/modeling/heads/pixel_decoder.py`` and ``transformer/transformer_predictor.py``. With an encoder
the projection of the coarsest map belongs to the pixel decoder, without one to the predictor: ours is one layer.
"""

from __future__ import annotations

from ..backbones.names import OFFICIAL as BACKBONES
from ..names import DECODER_LAYER, ENCODER_LAYER, State, Table, below

_MARK = "sem_seg_head.predictor.transformer.decoder."  # DETR's decoder, which its successors have not

TABLE: Table = [
    *BACKBONES,
    *below("sem_seg_head.pixel_decoder.", "", [
        ("input_proj", "input_projection"),
        *below("transformer.encoder.layers.{}.", "encoder.layers.{}.", ENCODER_LAYER),
        # detectron2's convolutions own the norm that follows them, and are counted from the finest map
        *(
            row
            for level in (1, 2, 3)
            for theirs, ours in ((f"adapter_{level}", "lateral"), (f"layer_{level}", "output"))
            for row in (
                (f"{theirs}.norm", f"pixel_decoder.steps.{3 - level}.{ours}.1"),
                (theirs, f"pixel_decoder.steps.{3 - level}.{ours}.0"),
            )
        ),
        ("layer_4.norm", "pixel_decoder.top.1"),
        ("layer_4", "pixel_decoder.top.0"),
        ("mask_features", "pixel_decoder.mask_projection"),
    ]),
    *below("sem_seg_head.predictor.", "", [
        ("input_proj", "input_projection"),
        ("query_embed", "query_positions"),
        *below("transformer.decoder.layers.{}.", "decoder.layers.{}.", DECODER_LAYER),
        ("transformer.decoder.norm", "decoder.norm"),
        ("class_embed", "decoder.class_head"),
        ("mask_embed", "decoder.mask_head"),
    ]),
]  # fmt: skip


def is_maskformer(state: State) -> bool:
    """Whether these are the official names of a MaskFormer."""
    return any(name.startswith(_MARK) for name in state)
