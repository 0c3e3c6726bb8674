"""The backbones' parameter names: the official code's and transformers', beside ours.

Ours are the official ones for Swin and DiNAT, and timm's for ResNet and ConvNeXt.
"""

from __future__ import annotations

from ..names import Table, below

_QKV = ("query", "key", "value")

# ---------------------------------------------------------------- official, below "backbone."

OFFICIAL: Table = below("backbone.", "backbone.", [
    # Swin and DiNAT
    ("patch_embed", "network.patch_embed"),
    ("layers", "network.layers"),
    ("levels", "network.levels"),
    # ConvNeXt: the stem is the first of four downsamplings
    ("downsample_layers.0.{}", "network.stem_{}"),
    ("downsample_layers.{}.{}", "network.stages_{}.downsample.{}"),
    ("stages.{}.{}.gamma", "network.stages_{}.blocks.{}.gamma"),
    ("stages.{}.{}.dwconv", "network.stages_{}.blocks.{}.conv_dw"),
    ("stages.{}.{}.norm", "network.stages_{}.blocks.{}.norm"),
    ("stages.{}.{}.pwconv1", "network.stages_{}.blocks.{}.mlp.fc1"),
    ("stages.{}.{}.pwconv2", "network.stages_{}.blocks.{}.mlp.fc2"),
    # each stage of these three is closed by a LayerNorm
    ("norm{}", "norms.{}"),
    # ResNet in detectron2: the norms belong to their convolutions, stages are res2 to res5
    ("stem.conv1.norm", "network.bn1"),
    ("stem.conv1", "network.conv1"),
    *(
        row
        for stage in range(1, 5)
        for row in [
            (f"res{stage + 1}.{{}}.conv{{}}.norm", f"network.layer{stage}.{{}}.bn{{}}"),
            (f"res{stage + 1}.{{}}.conv{{}}", f"network.layer{stage}.{{}}.conv{{}}"),
            (f"res{stage + 1}.{{}}.shortcut.norm", f"network.layer{stage}.{{}}.downsample.1"),
            (f"res{stage + 1}.{{}}.shortcut", f"network.layer{stage}.{{}}.downsample.0"),
        ]
    ),
])  # fmt: skip

# DeepLab's ResNet begins with three convolutions; where there is but one, the same name is that one's
DEEP_STEM: Table = below("backbone.stem.", "backbone.network.", [
    ("conv1.norm", "conv1.1"),
    ("conv1", "conv1.0"),
    ("conv2.norm", "conv1.4"),
    ("conv2", "conv1.3"),
    ("conv3.norm", "bn1"),
    ("conv3", "conv1.6"),
])  # fmt: skip

# ---------------------------------------------------------------- transformers, by kind of backbone


def _transformer_block(theirs: str, ours: str) -> Table:
    """What the blocks of Swin and DiNAT have in common."""
    return below(theirs, ours, [
        ("layernorm_before", "norm1"),
        (tuple(f"attention.self.{x}" for x in _QKV), "attn.qkv"),
        ("attention.output.dense", "attn.proj"),
        ("layernorm_after", "norm2"),
        ("intermediate.dense", "mlp.fc1"),
        ("output.dense", "mlp.fc2"),
    ])  # fmt: skip


_STAGE_NORMS: Table = [(f"hidden_states_norms.stage{i + 1}", f"norms.{i}") for i in range(4)]

_SWIN: Table = [
    ("embeddings.patch_embeddings.projection", "network.patch_embed.proj"),
    ("embeddings.norm", "network.patch_embed.norm"),
    *_transformer_block("encoder.layers.{}.blocks.{}.", "network.layers.{}.blocks.{}."),
    (
        "encoder.layers.{}.blocks.{}.attention.self.relative_position_bias_table",
        "network.layers.{}.blocks.{}.attn.relative_position_bias_table",
    ),
    ("encoder.layers.{}.downsample", "network.layers.{}.downsample"),
    *_STAGE_NORMS,
]

# What transformers 5 calls the same weights in memory (its files keep the names above)
_SWIN_IN_MEMORY: Table = below("swin.", "", [
    *_SWIN,
    *below("encoder.layers.{}.blocks.{}.", "network.layers.{}.blocks.{}.", [
        (tuple(f"attention.{x}_proj" for x in "qkv"), "attn.qkv"),
        ("attention.o_proj", "attn.proj"),
        ("attention.relative_position_bias", "attn"),
        ("mlp", "mlp"),
    ]),
])  # fmt: skip

# MaskFormer's Swin: a network of its own in transformers, with the names of its files in memory too
MASKFORMER_SWIN: Table = below("model.pixel_level_module.encoder.", "backbone.", [
    *below("model.", "", [row for row in _SWIN if row not in _STAGE_NORMS]),
    *((f"hidden_states_norms.{i}", f"norms.{i}") for i in range(4)),
])  # fmt: skip

_DINAT: Table = [
    ("embeddings.patch_embeddings.projection", "network.patch_embed.proj"),
    ("embeddings.norm", "network.patch_embed.norm"),
    *_transformer_block("encoder.levels.{}.layers.{}.", "network.levels.{}.blocks.{}."),
    ("encoder.levels.{}.layers.{}.attention.self.rpb", "network.levels.{}.blocks.{}.attn.rpb"),
    ("encoder.levels.{}.downsample", "network.levels.{}.downsample"),
    *_STAGE_NORMS,
]

_CONVNEXT: Table = [
    ("embeddings.patch_embeddings", "network.stem_0"),
    ("embeddings.layernorm", "network.stem_1"),
    ("encoder.stages.{}.downsampling_layer", "network.stages_{}.downsample"),
    *below("encoder.stages.{}.layers.{}.", "network.stages_{}.blocks.{}.", [
        ("layer_scale_parameter", "gamma"),
        ("dwconv", "conv_dw"),
        ("layernorm", "norm"),
        ("pwconv1", "mlp.fc1"),
        ("pwconv2", "mlp.fc2"),
    ]),
    *_STAGE_NORMS,
]  # fmt: skip

RESNET: Table = [
    ("embedder.embedder.convolution", "network.conv1"),
    ("embedder.embedder.normalization", "network.bn1"),
    *(
        row
        for stage in range(4)
        for row in below(f"encoder.stages.{stage}.layers.{{}}.", f"network.layer{stage + 1}.{{}}.", [
            ("shortcut.convolution", "downsample.0"),
            ("shortcut.normalization", "downsample.1"),
            *((f"layer.{i}.convolution", f"conv{i + 1}") for i in range(3)),
            *((f"layer.{i}.normalization", f"bn{i + 1}") for i in range(3)),
        ])
    ),
]  # fmt: skip

HUGGINGFACE: dict[str, Table] = {
    kind: below("model.pixel_level_module.encoder.", "backbone.", table)
    for kind, table in {
        "swin": _SWIN + _SWIN_IN_MEMORY,
        "dinat": _DINAT,
        "convnext": _CONVNEXT,
        "resnet": RESNET,
        "timm_backbone": [("_backbone.", "network.")],
    }.items()
}
