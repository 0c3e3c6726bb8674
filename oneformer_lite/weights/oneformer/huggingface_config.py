"""transformers' ``config.json`` beside our configuration, both ways; of the processor's files, what is read.

Three kinds of fields: those that both have, those in which transformers offers a choice that the published
model does not take (and this package does not have), and those that transformers does not know, which our
folders carry along under the key "oneformer_lite".
"""

from __future__ import annotations

from ...config import ModelConfig, class_list, from_stored
from ...errors import CheckpointError, ConfigError
from ...notices import warn_user
from ..backbones.huggingface import backbone_from
from .huggingface_processor import PREPROCESSOR

EXTRA = "oneformer_lite"

# theirs, ours, theirs if the file does not say (transformers' defaults)
_SAME = [
    ("num_queries", "num_queries", 150),
    ("hidden_dim", "hidden_dim", 256),
    ("num_attention_heads", "num_heads", 8),
    ("encoder_layers", "encoder_layers", 6),
    ("encoder_feedforward_dim", "encoder_ffn", 1024),
    ("dropout", "encoder_dropout", 0.1),
    ("dropout", "query_dropout", 0.1),
    ("query_dec_layers", "query_layers", 2),
    ("dim_feedforward", "query_ffn", 2048),
    ("dim_feedforward", "decoder_ffn", 2048),
    ("text_encoder_n_ctx", "text_context", 16),
    ("text_encoder_width", "text_width", 256),
    ("text_encoder_num_layers", "text_layers", 6),
    ("text_encoder_context_length", "text_length", 77),
    ("task_seq_len", "text_length", 77),
    ("contrastive_temperature", "temperature", 0.07),
    ("class_weight", "class_weight", 2.0),
    ("mask_weight", "mask_weight", 5.0),
    ("dice_weight", "dice_weight", 5.0),
    ("contrastive_weight", "contrastive_weight", 0.5),
    ("no_object_weight", "no_object_weight", 0.1),
    ("train_num_points", "num_points", 12544),
    ("oversample_ratio", "oversample_ratio", 3.0),
    ("importance_sample_ratio", "importance_ratio", 0.75),
]

# choices of theirs that the published model does not take
_FIXED = {
    "norm": "GN",
    "pre_norm": False,
    "use_task_norm": True,
    "enforce_input_proj": False,
    "strides": [4, 8, 16, 32],
    "common_stride": 4,
    "layer_norm_eps": 1e-5,
    "text_encoder_proj_layers": 2,
    "text_encoder_vocab_size": 49408,
}

# ours that theirs does not have
_OURS = (
    "class_colors", "category_ids", "data_set", "image_size", "test_size", "test_max_size", "backbone",
    "backbone_options", "pretrained", "backbone_norm", "text_causal", "mask_loss", "dice_loss",
    "object_mask_threshold", "overlap_threshold", "merge_within_masks", "max_instances", "duplicate_iou",
    "objects_across", "mask_stride", "padding_multiple", "compared_on",
)  # fmt: skip

# the files that transformers' processors name, by data set
_CLASS_FILES = {
    "coco_panoptic.json": "coco", "ade20k_panoptic.json": "ade20k", "cityscapes_panoptic.json": "cityscapes",
}  # fmt: skip


# ------------------------------------------------------------------------------------------ reading


def from_huggingface(content: dict, processor: dict, source: str) -> ModelConfig:
    """Our configuration of a model in transformers' layout, from its two JSON files.

    Raises :class:`CheckpointError` for a variant that this package does not have. Warns where the files
    do not say something and a value is assumed.
    """
    fields = read_fields(content, _SAME, _FIXED, ("conv_dim", "mask_dim"), source)
    fields["text_heads"] = max(1, fields["text_width"] // 64)  # CLIP's rule, in transformers as well
    fields |= read_classes(content, processor, source) | read_sizes(processor)
    fields["object_mask_threshold"] = 0.5 if fields["num_classes"] == 150 else 0.8  # published for ADE20K, others
    return from_stored(fields | content.get(EXTRA, {}))


def read_fields(
    content: dict, same: list[tuple[str, str, object]], fixed: dict, widths: tuple[str, ...], source: str
) -> dict:
    """The fields ``same`` under our names, the decoder's depth and the backbone; ``fixed`` are choices of theirs that
    must be so, ``widths`` names that must say what hidden_dim says. Raises :class:`CheckpointError` otherwise."""
    check_fixed(content, fixed, source)
    fields = read_same(content, same, source)
    for width in widths:
        value = content.get(width, 256)
        if value != fields["hidden_dim"]:
            raise CheckpointError(f"{source} has {width} {value}, not the hidden_dim {fields['hidden_dim']}")
    fields["decoder_layers"] = content.get("decoder_layers", 10) - 1  # theirs counts the first prediction
    fields["backbone"], fields["backbone_options"] = backbone_from(content.get("backbone_config"), source)
    return fields


def check_fixed(content: dict, fixed: dict, source: str) -> None:
    """Raises :class:`CheckpointError` for another choice than those ``fixed``; what the file does not say is theirs."""
    for field, value in fixed.items():
        if content.get(field, value) != value:
            raise CheckpointError(f"{source} has {field} = {content[field]}; this package has only {value}")


def read_same(content: dict, same: list[tuple[str, str, object]], source: str) -> dict:
    """The fields ``same`` (theirs, ours, theirs if the file does not say) under our names."""
    fields: dict = {}
    for theirs, ours, default in same:
        value = content.get(theirs, default)
        if fields.setdefault(ours, value) != value:
            raise CheckpointError(f"{source} has two values for {ours}: {fields[ours]}, and {theirs} = {value}")
    return fields


def read_classes(content: dict, processor: dict, source: str) -> dict:
    """Class names and thing flags: the file's own, or those of the data set that its names belong to."""
    labels = {int(i): name for i, name in content.get("id2label", {0: "LABEL_0", 1: "LABEL_1"}).items()}
    if sorted(labels) != list(range(len(labels))):
        raise CheckpointError(f"{source}: id2label does not number its classes from 0 without gaps")
    names = tuple(labels[i] for i in range(len(labels)))
    metadata = processor.get("metadata") or {}
    fields: dict = {"num_classes": len(names), "class_names": names}
    known = _known_classes(names, processor)
    if known:
        fields["class_colors"] = tuple(c.color for c in known)
        fields["category_ids"] = tuple(c.id for c in known)
        if all(name.startswith("LABEL_") for name in names):
            fields["class_names"] = tuple(c.name for c in known)
    if "thing_ids" in metadata:
        things = set(metadata["thing_ids"])
        if not things <= set(range(len(names))):
            raise CheckpointError(f"{source}: the thing ids in {PREPROCESSOR} go beyond its {len(names)} classes")
        fields["is_thing"] = tuple(i in things for i in range(len(names)))
    elif known:
        fields["is_thing"] = tuple(c.is_thing for c in known)
    else:
        warn_user(
            f"{source} does not say which of its {len(names)} classes are things ({PREPROCESSOR} with metadata "
            "would): all are taken for things, so touching stuff is not merged in panoptic results."
        )
    return fields


def _known_classes(names: tuple[str, ...], processor: dict) -> tuple:
    """The classes of the published data set that the processor names, or that has exactly these names."""
    named = _CLASS_FILES.get(processor.get("class_info_file") or "")
    for data_set in [named] if named else ["coco", "ade20k", "cityscapes", "mapillary"]:
        everything = class_list(data_set)
        for classes in (everything, tuple(c for c in everything if c.is_thing)):  # instance models know things alone
            if len(classes) == len(names) and (named or tuple(c.name for c in classes) == names):
                return classes
    return ()


def read_sizes(processor: dict, crop: int = 1024) -> dict:
    """In transformers the size for inference is the processor's; it knows no training crop: ``crop`` is the published
    one of models for pictures of 800, others train at the size for inference."""
    size = processor.get("size", {"shortest_edge": 800, "longest_edge": 1333})
    if isinstance(size, int):  # as in files of 2022
        size = {"shortest_edge": size, "longest_edge": processor.get("max_size")}
    shortest = size.get("shortest_edge", 800)
    return {
        "test_size": shortest,
        "test_max_size": size.get("longest_edge"),
        "image_size": crop if shortest == 800 else shortest,
    }


# ------------------------------------------------------------------------------------------ writing


def to_huggingface(config: ModelConfig, backbone_config: dict) -> dict:
    """The content of transformers' ``config.json``.

    Raises :class:`ConfigError` for what transformers cannot express.
    """
    problems = _inexpressible(config)
    if problems:
        raise ConfigError(f"transformers has no OneFormer with {', '.join(problems)}")
    fields = {theirs: getattr(config, ours) for theirs, ours, _ in _SAME}
    names = {str(i): name for i, name in enumerate(config.class_names)}
    return {
        "architectures": ["OneFormerForUniversalSegmentation"],
        "model_type": "oneformer",
        **_FIXED,
        **fields,
        "conv_dim": config.hidden_dim,
        "mask_dim": config.hidden_dim,
        "decoder_layers": config.decoder_layers + 1,
        "dim_feedforward": feedforward_width(config),
        "backbone_config": backbone_config,
        "id2label": names,
        "label2id": {name: int(i) for i, name in names.items()},
        # their switch for dropout of the pixel decoder, which train() and eval() do not touch, and for the
        # text mapper: whoever trains with transformers sets it in from_pretrained
        "is_training": False,
        EXTRA: {name: getattr(config, name) for name in _OURS},
    }


def feedforward_width(c: ModelConfig) -> int:
    """transformers has one width for the query transformer and the decoder: the narrower gets idle units."""
    return max(c.query_ffn, c.decoder_ffn)


def _inexpressible(c: ModelConfig) -> list[str]:
    found = {
        f"pixel_decoder={c.pixel_decoder!r}": c.pixel_decoder != "deformable",
        f"query_values={c.query_values!r}": c.query_values != "positions",
        f"knows_task={c.knows_task}": not c.knows_task,
        f"query_start={c.query_start!r}": c.query_start != "task",
        f"masked_attention={c.masked_attention}": not c.masked_attention,
        f"rescue_empty_masks={c.rescue_empty_masks}": c.masked_attention and not c.rescue_empty_masks,
        f"sampling_points={c.sampling_points}": c.sampling_points != 4,
        f"equalize={c.equalize}": c.equalize,
        f"stretch={c.stretch}": c.stretch,
        f"query_dropout {c.query_dropout} beside encoder_dropout {c.encoder_dropout}": (
            c.query_dropout != c.encoder_dropout
        ),
        f"hidden_dim {c.hidden_dim} (not a multiple of 32)": c.hidden_dim % 32 != 0,
    }
    return [what for what, is_so in found.items() if is_so]


def misfit_of_text_mapper(c: ModelConfig) -> str | None:
    """Why transformers cannot have a text mapper of these sizes; None if it can."""
    if c.text_width != c.hidden_dim:
        return f"text_width {c.text_width} beside hidden_dim {c.hidden_dim}"
    if c.text_heads != max(1, c.text_width // 64):
        return f"{c.text_heads} text_heads for text_width {c.text_width}"
    return None
