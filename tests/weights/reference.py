"""transformers' models with random weights, for the tests of this folder to compare with."""

from dataclasses import dataclass, field
from unittest import mock

import torch
from transformers import (
    ConvNextConfig,
    DetrConfig,
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    MaskFormerConfig,
    MaskFormerForInstanceSegmentation,
    OneFormerConfig,
    OneFormerForUniversalSegmentation,
    ResNetConfig,
    SwinConfig,
)

import oneformer_lite as ofl
from oneformer_lite.data.batch import pad_to, padded_size
from oneformer_lite.model.parts.masked_decoder import attention_region
from oneformer_lite.model.parts.tokenizer import tokenize
from oneformer_lite.weights.huggingface import from_huggingface_state

TASKS = ("panoptic", "instance", "semantic")
STAGES = ["stage1", "stage2", "stage3", "stage4"]

SMALL_BACKBONES = {
    "swin": lambda: SwinConfig(
        embed_dim=24, depths=[2, 1, 2, 1], num_heads=[1, 2, 3, 4], window_size=5, out_features=STAGES
    ),
    "resnet": lambda: ResNetConfig(hidden_sizes=[64, 128, 128, 256], depths=[1, 2, 1, 1], out_features=STAGES),
    "convnext": lambda: ConvNextConfig(hidden_sizes=[24, 32, 48, 64], depths=[1, 2, 1, 1], out_features=STAGES),
}

# published presets and their backbones as transformers configures them
FULL_SIZE = {
    "coco_r50": lambda: ResNetConfig(
        hidden_sizes=[256, 512, 1024, 2048], depths=[3, 4, 6, 3], layer_type="bottleneck", out_features=STAGES
    ),
    "ade20k_swin_t": lambda: SwinConfig(
        embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24], window_size=7, drop_path_rate=0.3,
        out_features=STAGES,
    ),
    "coco_swin_l": lambda: SwinConfig(
        embed_dim=192, depths=[2, 2, 18, 2], num_heads=[6, 12, 24, 48], window_size=12, drop_path_rate=0.3,
        out_features=STAGES,
    ),
    "ade20k_convnext_l": lambda: ConvNextConfig(
        hidden_sizes=[192, 384, 768, 1536], depths=[3, 3, 27, 3], drop_path_rate=0.4, out_features=STAGES
    ),
}  # fmt: skip


def full_size(preset: str, seed: int = 3):
    """transformers' model of a preset's sizes with random weights, and ours with the same, read from its memory."""
    torch.manual_seed(seed)
    expected = getattr(ofl.config, preset)()
    config = OneFormerConfig(
        backbone_config=FULL_SIZE[preset](), num_labels=expected.num_classes, num_queries=expected.num_queries
    )
    theirs = randomise(OneFormerForUniversalSegmentation(config).eval())
    return theirs, from_huggingface_state(theirs.state_dict(), config.to_dict(), {}, "the model in memory")


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


def small_mask2former(kind: str, seed: int = 0, **fields):
    """transformers' Mask2Former at small widths, with every parameter and statistic random."""
    torch.manual_seed(seed)
    sizes = {
        "num_queries": 14, "num_labels": 6, "hidden_dim": 64, "feature_size": 64, "mask_feature_size": 64,
        "encoder_layers": 2, "encoder_feedforward_dim": 96, "decoder_layers": 7, "dim_feedforward": 128,
        "num_attention_heads": 4,
    }  # fmt: skip
    config = Mask2FormerConfig(backbone_config=SMALL_BACKBONES[kind](), **sizes | fields)
    return randomise(Mask2FormerForUniversalSegmentation(config).eval())


def small_maskformer(kind: str, seed: int = 0, **fields):
    """transformers' MaskFormer at small widths, with every parameter and statistic random."""
    torch.manual_seed(seed)
    sizes = {
        "d_model": 64, "num_queries": 14, "decoder_layers": 3, "decoder_attention_heads": 4, "decoder_ffn_dim": 96,
        "encoder_attention_heads": 4,
    }  # fmt: skip
    widths = {"num_labels": 6, "fpn_feature_size": 64, "mask_feature_size": 64}
    decoder = DetrConfig(**sizes | fields)
    config = MaskFormerConfig(backbone_config=SMALL_BACKBONES[kind](), decoder_config=decoder, **widths)
    return randomise(MaskFormerForInstanceSegmentation(config).eval())


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
    found = model.model.pixel_level_module(picture(1, 256, 256))
    features = found.get("decoder_last_feature", found.get("decoder_last_hidden_state"))  # OneFormer's, Mask2Former's
    model.model.pixel_level_module.decoder.mask_projection.bias -= features.mean(dim=(0, 2, 3))
    return model


@dataclass
class Comparison:
    """How far our predictions are from theirs, each relative to the largest logit of theirs.

    ``class_logits`` and ``mask_logits``: one number for each prediction, before the first layer to the last.
    ``regions``: pixels of attention regions compared; ``flipped``: how many differ; ``nearest``: the largest
    mask logit at one that differs.
    """

    class_logits: list[float] = field(default_factory=list)
    mask_logits: list[float] = field(default_factory=list)
    regions: int = 0
    flipped: int = 0
    nearest: float = 0.0


def opened(region):
    """Who sees nothing sees everything."""
    return region | ~region.any(dim=-1, keepdim=True)


def run_oneformer(theirs, images, tasks) -> tuple[list, list]:
    """(Class logits, mask logits) of all predictions of transformers' model, and before each where no query looks."""
    blocked = []
    decoder = theirs.model.transformer_module.decoder
    heads = decoder.forward_prediction_heads

    def recording(*args, **kwargs):
        classes, masks, mask = heads(*args, **kwargs)
        blocked.append(mask.unflatten(0, (len(images), -1))[:, 0].clone())  # the same for every attention head
        return classes, masks, mask

    with mock.patch.object(decoder, "forward_prediction_heads", recording):
        found = theirs(images, tokenize([f"the task is {task}" for task in tasks]).float())
    return [*map(logits, found.auxiliary_predictions), logits(found)], blocked


def run_mask2former(theirs, images, tasks) -> tuple[list, list]:
    """As :func:`run_oneformer`, of a model that is not told its task."""
    blocked = []
    predictor = theirs.model.transformer_module.decoder.mask_predictor
    forward = predictor.forward

    def recording(*args, **kwargs):
        masks, mask = forward(*args, **kwargs)
        blocked.append(mask.unflatten(0, (len(images), -1))[:, 0].clone())
        return masks, mask

    with mock.patch.object(predictor, "forward", recording):
        found = theirs(images, output_auxiliary_logits=True)
    return [*map(logits, found.auxiliary_logits), logits(found)], blocked


def logits(found) -> tuple[torch.Tensor, torch.Tensor]:
    return found["class_queries_logits"], found["masks_queries_logits"]


@torch.no_grad()
def compare(theirs, ours, images, tasks) -> Comparison:
    """Class and mask logits of all predictions of both models.

    Masked attention cuts at mask logit 0. Where a logit lies within rounding of it, two correct programs may
    attend to different pixels, and part for good: a difference of 1e-7 becomes one of 1e-3. So the attention
    regions are a result of their own here: ours are compared with theirs pixel by pixel, then both go on with
    theirs.
    """
    padded = pad_to(images, padded_size([tuple(images.shape[-2:])]))  # the official code pads the batch with zeros
    run = run_mask2former if theirs.config.model_type == "mask2former" else run_oneformer
    predictions, blocked = run(theirs, padded, tasks)
    result, left = Comparison(), iter(blocked)

    def imposed(mask_logits):
        region, their_region = mask_logits >= 0, ~next(left)
        assert torch.equal(attention_region(mask_logits), opened(region))
        differs = region != their_region
        result.regions += differs.numel()
        if differs.any():
            result.flipped += int(differs.sum())
            result.nearest = max(result.nearest, float(mask_logits[differs].abs().max() / mask_logits.abs().max()))
        return opened(their_region)

    with mock.patch("oneformer_lite.model.parts.masked_decoder.attention_region", imposed):
        trace = ours(images, tasks, trace=True).trace
    assert len(predictions) == ours.config.decoder_layers + 1 == sum("class_logits" in name for name in trace)
    for i, (classes, masks) in enumerate(predictions):
        inside = (masks > 0).float().mean()
        assert 0.02 < inside < 0.98, f"prediction {i}: {inside:.3f} of the masks is on, which shows nothing"
        assert classes.std(dim=1).max() > 0.01, "all queries are the same"
        for kind, a in (("class_logits", classes), ("mask_logits", masks)):
            b = trace[f"prediction{i}.{kind}"]
            assert a.shape == b.shape
            getattr(result, kind).append(float((a - b).abs().max() / a.abs().max()))
    return result


def assert_same_predictions(theirs, ours, images, tasks, tolerance=1e-4):
    """All logits within ``tolerance``; attention regions differ only where a mask logit is zero but for rounding."""
    found = compare(theirs, ours, images, tasks)
    assert max(found.class_logits) < tolerance and max(found.mask_logits) < tolerance, found
    assert found.nearest < 1e-5 and found.flipped <= 1e-5 * found.regions + 1, found
