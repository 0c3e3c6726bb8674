"""transformers' DETR with random weights, and all that it predicts."""

from __future__ import annotations

import torch
from transformers import DetrConfig, DetrForSegmentation, ResNetConfig

STAGES = ["stage1", "stage2", "stage3", "stage4"]
RESNET = ResNetConfig(hidden_sizes=[64, 128, 128, 256], depths=[1, 2, 1, 1], out_features=STAGES)


def small_detr(seed: int = 0, backbone_config=RESNET, **fields) -> DetrForSegmentation:
    """At small widths, with every parameter, frozen norm and statistic random."""
    sizes = {
        "num_labels": 6, "num_queries": 14, "d_model": 64, "encoder_layers": 2, "decoder_layers": 3,
        "encoder_ffn_dim": 96, "decoder_ffn_dim": 128, "encoder_attention_heads": 8, "decoder_attention_heads": 8,
    }  # fmt: skip
    torch.manual_seed(seed)
    return randomise(DetrForSegmentation(DetrConfig(backbone_config=backbone_config, **sizes | fields)).eval())


@torch.no_grad()
def randomise(model: DetrForSegmentation) -> DetrForSegmentation:
    """Nothing at the value it starts with, so that no weight can be ignored or swapped unseen; of a dilated network
    too, masks are on here and off there."""
    for name, value in model.state_dict().items():
        if "query_position" in name:
            value.normal_()
        elif value.ndim > 1:
            value.normal_(std=1.4 * value[0].numel() ** -0.5)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith("weight"):
            value.uniform_(0.6, 1.4)
        else:
            value.copy_(torch.randn(value.shape) / 4)
    return model


@torch.no_grad()
def all_predictions(theirs: DetrForSegmentation, images, valid=None) -> list[tuple]:
    """(Class logits, boxes) after each decoder layer, the last one with masks.

    By way of the hidden states and without ``auxiliary_loss``, which feeds each layer the normed queries of the one
    before.
    """
    found = theirs(images, pixel_mask=valid, output_hidden_states=True)
    decoder = theirs.detr.model.decoder
    normed = [decoder.layernorm(x) for x in found.decoder_hidden_states[1:]]
    readings = [(theirs.detr.class_labels_classifier(x), theirs.detr.bbox_predictor(x).sigmoid()) for x in normed]
    return [*readings[:-1], (found.logits, found.pred_boxes, found.pred_masks)]
