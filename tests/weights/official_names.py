"""The official names of transformers' weights, as plain substitutions: written apart from the package's tables."""

import pickle
import re

import torch

HEAD = [
    # pixel decoder
    (r"^pixel_level_module\.decoder\.", "sem_seg_head.pixel_decoder."),
    (r"pixel_decoder\.input_projections", "pixel_decoder.input_proj"),
    (r"pixel_decoder\.level_embed", "pixel_decoder.transformer.level_embed"),
    (r"pixel_decoder\.encoder", "pixel_decoder.transformer.encoder"),
    (r"(encoder\.layers\.\d+)\.self_attn_layer_norm", r"\1.norm1"),
    (r"(encoder\.layers\.\d+)\.fc(\d)", r"\1.linear\2"),
    (r"(encoder\.layers\.\d+)\.final_layer_norm", r"\1.norm2"),
    (r"(adapter_1|layer_1)\.0\.", r"\1."),
    (r"(adapter_1|layer_1)\.1\.", r"\1.norm."),
    (r"mask_projection", "mask_features"),
    # predictor
    (r"^transformer_module\.queries_embedder", "sem_seg_head.predictor.query_embed"),
    (r"^transformer_module\.level_embed", "sem_seg_head.predictor.level_embed"),
    (r"^transformer_module\.decoder\.query_input_projection", "sem_seg_head.predictor.class_input_proj"),
    (r"^transformer_module\.decoder\.query_transformer", "sem_seg_head.predictor.class_transformer"),
    (r"^transformer_module\.decoder\.layers\.(\d+)\.(self|cross)_attn\.",
     r"sem_seg_head.predictor.transformer_\2_attention_layers.\1."),
    (r"^transformer_module\.decoder\.layers\.(\d+)\.ffn\.", r"sem_seg_head.predictor.transformer_ffn_layers.\1."),
    (r"^transformer_module\.decoder\.", "sem_seg_head.predictor."),
    (r"(mask_embed\.layers\.\d+)\.0", r"\1"),
    # task and texts
    (r"^task_encoder\.(task_mlp\.layers\.\d+)\.0", r"\1"),
    (r"^text_mapper\.", ""),
    (r"^(text_projector\.layers\.\d+)\.0", r"\1"),
    (r"transformer\.layers\.(\d+)\.self_attn", r"transformer.resblocks.\1.attn"),
    (r"transformer\.layers\.(\d+)\.layer_norm(\d)", r"transformer.resblocks.\1.ln_\2"),
    (r"transformer\.layers\.(\d+)\.mlp\.fc1", r"transformer.resblocks.\1.mlp.c_fc"),
    (r"transformer\.layers\.(\d+)\.mlp\.fc2", r"transformer.resblocks.\1.mlp.c_proj"),
]  # fmt: skip

MASK2FORMER = [
    *HEAD[:10],
    (r"^class_predictor", "sem_seg_head.predictor.class_embed"),
    (r"^transformer_module\.queries_embedder", "sem_seg_head.predictor.query_embed"),
    (r"^transformer_module\.queries_features", "sem_seg_head.predictor.query_feat"),
    (r"^transformer_module\.level_embed", "sem_seg_head.predictor.level_embed"),
    (r"^transformer_module\.decoder\.layernorm", "sem_seg_head.predictor.decoder_norm"),
    (r"^transformer_module\.decoder\.mask_predictor\.mask_embedder\.(\d)\.0",
     r"sem_seg_head.predictor.mask_embed.layers.\1"),
    (r"^transformer_module\.decoder\.layers\.(\d+)\.(self|cross)_attn_layer_norm\.",
     r"sem_seg_head.predictor.transformer_\2_attention_layers.\1.norm."),
    (r"^transformer_module\.decoder\.layers\.(\d+)\.cross_attn\.",
     r"sem_seg_head.predictor.transformer_cross_attention_layers.\1.multihead_attn."),
    (r"^transformer_module\.decoder\.layers\.(\d+)\.self_attn\.",
     r"sem_seg_head.predictor.transformer_self_attention_layers.\1.self_attn."),
    (r"^transformer_module\.decoder\.layers\.(\d+)\.fc(\d)",
     r"sem_seg_head.predictor.transformer_ffn_layers.\1.linear\2"),
    (r"^transformer_module\.decoder\.layers\.(\d+)\.final_layer_norm",
     r"sem_seg_head.predictor.transformer_ffn_layers.\1.norm"),
]  # fmt: skip

MASKFORMER = [
    (r"^pixel_level_module\.decoder\.fpn\.stem\.", "sem_seg_head.pixel_decoder.layer_4."),
    (r"^pixel_level_module\.decoder\.fpn\.layers\.(\d)\.proj\.",
     lambda m: f"sem_seg_head.pixel_decoder.adapter_{3 - int(m[1])}."),
    (r"^pixel_level_module\.decoder\.fpn\.layers\.(\d)\.block\.",
     lambda m: f"sem_seg_head.pixel_decoder.layer_{3 - int(m[1])}."),
    (r"(adapter_\d|layer_\d)\.0\.", r"\1."),
    (r"(adapter_\d|layer_\d)\.1\.", r"\1.norm."),
    (r"^pixel_level_module\.decoder\.mask_projection", "sem_seg_head.pixel_decoder.mask_features"),
    (r"^class_predictor", "sem_seg_head.predictor.class_embed"),
    (r"^mask_embedder\.(\d)\.0", r"sem_seg_head.predictor.mask_embed.layers.\1"),
    (r"^transformer_module\.queries_embedder", "sem_seg_head.predictor.query_embed"),
    (r"^transformer_module\.input_projection", "sem_seg_head.predictor.input_proj"),
    (r"^transformer_module\.decoder\.layernorm", "sem_seg_head.predictor.transformer.decoder.norm"),
    (r"^transformer_module\.decoder\.layers\.", "sem_seg_head.predictor.transformer.decoder.layers."),
    (r"encoder_attn\.", "multihead_attn."),
    (r"o(ut)?_proj", "out_proj"),
    (r"self_attn_layer_norm", "norm1"),
    (r"encoder_attn_layer_norm", "norm2"),
    (r"final_layer_norm", "norm3"),
    (r"(mlp\.)?fc(\d)", r"linear\2"),
]  # fmt: skip

BLOCK = [
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"attention\.self\.(relative_position_bias_table|rpb)", r"attn.\1"),
    (r"attention\.output\.dense", "attn.proj"),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"output\.dense", "mlp.fc2"),
]
TRANSFORMER = [
    (r"^embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"^embeddings\.norm", "patch_embed.norm"),
    *BLOCK,
]
BACKBONES = {
    "swin": [*TRANSFORMER, (r"^encoder\.", "")],
    "dinat": [*TRANSFORMER, (r"^encoder\.levels\.(\d)\.layers\.", r"levels.\1.blocks."), (r"^encoder\.", "")],
    "convnext": [
        (r"^embeddings\.patch_embeddings", "downsample_layers.0.0"),
        (r"^embeddings\.layernorm", "downsample_layers.0.1"),
        (r"^encoder\.stages\.(\d)\.downsampling_layer", r"downsample_layers.\1"),
        (r"^encoder\.stages\.(\d)\.layers\.", r"stages.\1."),
        (r"layernorm", "norm"),
        (r"layer_scale_parameter", "gamma"),
    ],
    "resnet": [
        (r"^embedder\.embedder\.convolution", "stem.conv1"),
        (r"^embedder\.embedder\.normalization", "stem.conv1.norm"),
        (r"^encoder\.stages\.(\d)\.layers\.(\d+)\.", lambda m: f"res{int(m[1]) + 2}.{m[2]}."),
        (r"layer\.(\d)\.convolution", lambda m: f"conv{int(m[1]) + 1}"),
        (r"layer\.(\d)\.normalization", lambda m: f"conv{int(m[1]) + 1}.norm"),
        (r"shortcut\.convolution", "shortcut"),
        (r"shortcut\.normalization", "shortcut.norm"),
    ],
}
STAGE_NORM = (r"^hidden_states_norms\.(stage)?(\d)", lambda m: f"norm{int(m[2]) - bool(m[1])}")


def official_state(theirs, kind, head=HEAD):
    """The weights of transformers' file under the names (and joined matrices) of the official ``.pth``."""
    out = {}
    for name, tensor in theirs.items():
        if re.search(r"(swin|encoder\.model)\.layernorm", name) or name.endswith("num_batches_tracked"):
            continue  # the official Swin has no such norm, detectron2's frozen BatchNorm no counter
        joined = re.search(r"\.(q_proj|query|[kv]_proj|key|value)\.(weight|bias)$", name)
        if joined and joined[1] not in ("q_proj", "query"):
            continue
        if joined and joined[1] == "q_proj":
            tensor = torch.cat([theirs[name.replace("q_proj", f"{x}_proj")] for x in "qkv"])
            name = name.replace("q_proj.", "in_proj_")
        elif joined:
            tensor = torch.cat([theirs[name.replace(".query.", f".{x}.")] for x in ("query", "key", "value")])
            name = name.replace("attention.self.query", "attn.qkv")
        name = name.removeprefix("model.")
        start = "pixel_level_module.encoder."
        rules, before = (head, "") if not name.startswith(start) else ([*BACKBONES[kind], STAGE_NORM], "backbone.")
        name = name.removeprefix(start).removeprefix("model.")  # of MaskFormer's own Swin
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        out[before + name] = tensor.clone()
    return out


def written(path, state: dict, form: str) -> None:
    """``state`` as a ``.pth``, or as detectron2's pickle of that protocol."""
    if form == "pth":
        return torch.save({"model": state, "iteration": 1}, path)
    arrays = {name: value.numpy() for name, value in state.items()}
    content = {"model": arrays, "__author__": "third_party", "matching_heuristics": True}
    path.write_bytes(pickle.dumps(content, protocol=int(form)))
