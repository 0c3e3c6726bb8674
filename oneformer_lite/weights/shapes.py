"""What the shapes of the weights say about a model: all widths, depths and counts.

Names are ours (after :func:`.names.rename`). Dropout, dilations, thresholds and picture sizes leave no trace
in shapes.
"""

from __future__ import annotations

from ..errors import CheckpointError
from .names import State

QUERIES = "queries.weight"  # learned ones, which OneFormer has not
_MEMORY = "input_projection.weight"  # of the one map that MaskFormer's queries look at


class Shapes(dict[str, tuple[int, ...]]):
    """Shape by name; a name that is not there is an error in words."""

    def __init__(self, state: State, source: str, owner: str = "") -> None:
        super().__init__((name, tuple(tensor.shape)) for name, tensor in state.items())
        self.source, self._owner = source, owner

    def __missing__(self, name: str) -> tuple[int, ...]:
        raise CheckpointError(f"{self.source} does not fit the model (missing: {name}): it is no whole {self.owner}")

    @property
    def owner(self) -> str:
        """Whose weights they are."""
        known = "MaskFormer" if _MEMORY in self else "Mask2Former" if QUERIES in self else "OneFormer"
        return self._owner or known

    def count(self, name: str, start: int = 0) -> int:
        """How many parts a list of modules has; ``name`` has a place for their numbers, which begin at ``start``."""
        number = start
        while name.format(number) in self:
            number += 1
        return number - start


def measure(shapes: Shapes, num_heads: int = 8) -> dict:
    """The fields of the configuration that shapes tell, save the backbone's; a Mask2Former has no more than those that
    it shares with OneFormer.

    ``num_heads`` itself they do not tell, but the sampling points per head with it.
    """
    fields = {
        "num_classes": shapes["decoder.class_head.weight"][0] - 1,
        "num_queries": shapes["query_positions.weight"][0],
        "hidden_dim": shapes["query_positions.weight"][1],
        "decoder_layers": shapes.count("decoder.layers.{}.norm1.weight"),
        "decoder_ffn": shapes["decoder.layers.0.feed_forward.linear1.weight"][0],
    }
    if shapes.owner == "MaskFormer":
        return fields | _measure_encoder(shapes, "encoder")
    # attention weights [heads * 3 levels * points, C]
    points = shapes["pixel_decoder.layers.0.attention.attention_weights.weight"][0] // (3 * num_heads)
    fields |= {**_measure_encoder(shapes, "pixel_decoder"), "sampling_points": points}
    return fields if QUERIES in shapes else fields | _measure_task_and_text(shapes)


def _measure_encoder(shapes: Shapes, part: str) -> dict:
    """Layers, and if there are any how wide they are."""
    layers = shapes.count(f"{part}.layers.{{}}.norm.weight")
    width = {"encoder_ffn": shapes[f"{part}.layers.0.feed_forward.linear1.weight"][0]} if layers else {}
    return {"encoder_layers": layers} | width


def _measure_task_and_text(shapes: Shapes) -> dict:
    """What OneFormer has besides."""
    fields = {
        "query_layers": shapes.count("query_transformer.layers.{}.norm1.weight"),
        "query_ffn": shapes["query_transformer.layers.0.feed_forward.linear1.weight"][0],
        "text_length": shapes["task_encoder.mlp.layers.0.weight"][1],
    }
    if "text_mapper.context.weight" in shapes:
        length, width = shapes["text_mapper.encoder.positional_embedding"]
        fields |= {
            "text_context": shapes["text_mapper.context.weight"][0],
            "text_width": width,
            "text_heads": max(1, width // 64),  # CLIP's rule, in the official code as well
            "text_layers": shapes.count("text_mapper.encoder.layers.{}.norm1.weight"),
        }
    return fields


def backbone_kind(shapes: Shapes) -> str:
    """Which of the published kinds of backbone this is: a key of ``networks.NETWORKS``."""
    for kind, name in {
        "swin": "layers.0.blocks.0.attn.relative_position_bias_table",
        "dinat": "levels.0.blocks.0.attn.rpb",
        "convnext": "stages_0.blocks.0.conv_dw.weight",
        "resnet with a deep stem": "conv1.6.weight",
        "resnet bottleneck": "layer1.0.conv3.weight",
        "resnet basic": "layer1.0.conv2.weight",
    }.items():
        if f"backbone.network.{name}" in shapes:
            return kind
    raise CheckpointError(f"{shapes.source} holds no Swin, DiNAT, ConvNeXt or ResNet backbone that is known here")


def measure_backbone(kind: str, shapes: Shapes) -> dict:
    """The sizes of a backbone of ``kind`` by the names of its constructor's arguments."""
    if kind in ("swin", "dinat"):
        return _transformer(kind, shapes)
    if kind == "convnext":
        block, first = "backbone.network.stages_{}.blocks.{}.conv_dw.weight", 0
    else:
        block, first = "backbone.network.layer{}.{}.conv1.weight", 1
    stages = range(first, first + 4)
    depths = tuple(shapes.count(block.format(stage, "{}")) for stage in stages)
    widths = tuple(shapes[block.format(stage, 0)][0] for stage in stages)
    if kind == "convnext":
        return {"depths": depths, "dims": widths}
    sizes: dict = {"layers": depths, "channels": widths}
    if (deep := "backbone.network.conv1.0.weight") in shapes:
        sizes["stem_width"] = shapes[deep][0]
    offsets = "backbone.network.layer{}.0.conv2.conv_offset.weight"
    if any(deformable := tuple(int(offsets.format(stage) in shapes) for stage in stages)):
        sizes["deformable"] = deformable
    return sizes


def _transformer(kind: str, shapes: Shapes) -> dict:
    """Swin's bias table is [(2 window - 1)^2, heads], DiNAT's [heads, 2 kernel - 1, 2 kernel - 1]."""
    stage_name = "backbone.network." + ("layers.{}.blocks.{}." if kind == "swin" else "levels.{}.blocks.{}.")
    first_blocks = [stage_name.format(stage, 0) for stage in range(4)]
    dim = shapes["backbone.network.patch_embed.norm.weight"][0]
    sizes = {
        "embed_dim": dim,
        "depths": tuple(shapes.count(stage_name.format(stage, "{}") + "norm1.weight") for stage in range(4)),
        "mlp_ratio": shapes[first_blocks[0] + "mlp.fc1.weight"][0] / dim,
    }
    if kind == "dinat":
        tables = [shapes[block + "attn.rpb"] for block in first_blocks]
        return sizes | {"num_heads": tuple(t[0] for t in tables), "kernel_size": (tables[0][1] + 1) // 2}
    tables = [shapes[block + "attn.relative_position_bias_table"] for block in first_blocks]
    return sizes | {"num_heads": tuple(t[1] for t in tables), "window_size": (round(tables[0][0] ** 0.5) + 1) // 2}
