"""transformers' models with random weights, for the tests of this folder to compare with."""

import torch
from transformers import ConvNextConfig, OneFormerConfig, OneFormerForUniversalSegmentation, ResNetConfig, SwinConfig

from oneformer_lite.data.batch import pad_to, padded_size
from oneformer_lite.model.tokenizer import tokenize

TASKS = ("panoptic", "instance", "semantic")
STAGES = ["stage1", "stage2", "stage3", "stage4"]

SMALL_BACKBONES = {
    "swin": lambda: SwinConfig(
        embed_dim=24, depths=[2, 1, 2, 1], num_heads=[1, 2, 3, 4], window_size=5, out_features=STAGES
    ),
    "resnet": lambda: ResNetConfig(hidden_sizes=[64, 128, 128, 256], depths=[1, 2, 1, 1], out_features=STAGES),
    "convnext": lambda: ConvNextConfig(hidden_sizes=[24, 32, 48, 64], depths=[1, 2, 1, 1], out_features=STAGES),
}


def small_reference(kind: str, seed: int = 0, is_training: bool = False, **fields):
    """transformers' OneFormer at small widths, with every parameter and statistic random."""
    torch.manual_seed(seed)
    sizes = {
        "num_queries": 14, "text_encoder_n_ctx": 4, "num_labels": 6, "hidden_dim": 64, "conv_dim": 64, "mask_dim": 64,
        "encoder_layers": 2, "encoder_feedforward_dim": 96, "decoder_layers": 7, "dim_feedforward": 128,
        "query_dec_layers": 2, "text_encoder_width": 64, "text_encoder_num_layers": 2, "num_attention_heads": 4,
    }  # fmt: skip
    config = OneFormerConfig(backbone_config=SMALL_BACKBONES[kind](), is_training=is_training, **sizes | fields)
    return randomise(OneFormerForUniversalSegmentation(config).eval())


def picture(batch, height, width):
    """Normalised pixels: smooth patches and noise."""
    patches = torch.nn.functional.interpolate(torch.randn(batch, 3, 9, 9), size=(height, width), mode="bicubic")
    return patches + torch.randn(batch, 3, height, width) / 4


@torch.no_grad()
def randomise(model):
    """Nothing at the value it starts with, so that no weight can be ignored or swapped unseen.

    Mask features then get a mean of zero, so that masks are on here and off there and masked attention matters.
    """
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    for name, p in model.named_parameters():
        if id(p) in embeddings or "level_embed" in name:
            p.normal_()
        elif p.ndim > 1:
            p.normal_(std=1.4 * p[0].numel() ** -0.5)
        elif name.endswith(("weight", "layer_scale_parameter")):
            p.uniform_(0.6, 1.4)
        else:
            p.copy_(torch.randn(p.shape) / 4)  # also the float64 logit_scale: values that float32 holds
    for name, b in model.named_buffers():
        if name.endswith("running_mean"):
            b.normal_(std=0.2)
        elif name.endswith("running_var"):
            b.uniform_(0.5, 1.5)
    features = model.model.pixel_level_module(picture(1, 256, 256)).decoder_last_feature
    model.model.pixel_level_module.decoder.mask_projection.bias -= features.mean(dim=(0, 2, 3))
    return model


@torch.no_grad()
def assert_same_predictions(theirs, ours, images, tasks, tolerance=1e-4):
    """Class and mask logits of all predictions, relative to the largest logit.

    Masked attention cuts at mask logit 0: where a logit lies within rounding (1e-6) of it, the two may attend to
    different pixels and part for good. The seeds and sizes of these tests are such that none does; a test that fails
    in one layer and agrees to 1e-6 before it needs another seed, not another tolerance.
    """
    padded = pad_to(images, padded_size([tuple(images.shape[-2:])]))  # the official code pads the batch with zeros
    expected = theirs(padded, tokenize([f"the task is {task}" for task in tasks]).float())
    trace = ours(images, tasks, trace=True).trace
    predictions = [(p["class_queries_logits"], p["masks_queries_logits"]) for p in expected.auxiliary_predictions]
    predictions.append((expected.class_queries_logits, expected.masks_queries_logits))
    assert len(predictions) == ours.config.decoder_layers + 1 == sum("class_logits" in name for name in trace)
    for i, (classes, masks) in enumerate(predictions):
        inside = (masks > 0).float().mean()
        assert 0.02 < inside < 0.98, f"prediction {i}: {inside:.3f} of the masks is on, which shows nothing"
        assert classes.std(dim=1).max() > 0.01, "all queries are the same"
        for kind, a in (("class", classes), ("mask", masks)):
            b = trace[f"prediction{i}.{kind}_logits"]
            assert a.shape == b.shape
            assert (a - b).abs().max() < tolerance * a.abs().max(), f"{kind} logits of prediction {i}"
