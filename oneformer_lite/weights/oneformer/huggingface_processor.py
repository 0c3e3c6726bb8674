"""The files of a transformers model folder that its processors read: pictures, task sentences, classes.

transformers builds a processor from whatever it finds, and without a word: where no vocabulary lies in the folder,
its tokenizer knows two words, and the model answers under a nonsense task. So all of them are written, and with them
``AutoProcessor`` and ``pipeline("image-segmentation")`` work offline.
"""

from __future__ import annotations

from pathlib import Path

from ...config import BaseConfig
from ...files import replacing, write_json
from ...model.parts.tokenizer import END, START, vocabulary

PREPROCESSOR, CLASSES = "preprocessor_config.json", "class_info.json"


def write_processor(folder: Path, config: BaseConfig, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """``mean`` and ``std``: of the pixels that the network itself gets, 0 to 1."""
    lengths = {"max_seq_length": config.text_length, "task_seq_length": config.text_length}
    write_json(folder / PREPROCESSOR, preprocessor(config, mean, std), indent=2)
    write_json(folder / "processor_config.json", {"processor_class": "OneFormerProcessor", **lengths}, indent=2)
    write_json(folder / CLASSES, class_info(config), indent=2)
    write_tokenizer(folder, config.text_length)


def preprocessor(config: BaseConfig, mean: tuple[float, ...], std: tuple[float, ...]) -> dict:
    """The content of ``preprocessor_config.json``: size, normalisation, class names and things."""
    shortest = config.test_size or config.image_size
    metadata = {str(i): name for i, name in enumerate(config.class_names)}
    return {
        "processor_class": "OneFormerProcessor",
        "image_processor_type": "OneFormerImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": shortest, "longest_edge": config.test_max_size or 2 * shortest},
        "resample": 2,  # bilinear
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(mean),
        "image_std": list(std),
        "ignore_index": 255,
        "do_reduce_labels": False,
        "num_labels": config.num_classes,
        "num_text": config.num_texts,
        # a name here is looked for beside the program or on the hub, never in the folder: the metadata below stand
        # for it. CLASSES holds the same for transformers 4, which must be told where it is:
        # from_pretrained(folder, repo_path=folder, class_info_file="class_info.json")
        "class_info_file": "",
        "repo_path": None,
        "metadata": metadata
        | {
            "thing_ids": [i for i, thing in enumerate(config.is_thing) if thing],
            "class_names": list(config.class_names),
        },
    }


def class_info(config: BaseConfig) -> dict:
    """Names and things by class id, as in the files of transformers' own class lists."""
    return {str(i): {"name": c.name, "isthing": int(c.is_thing)} for i, c in enumerate(config.categories)}


def write_tokenizer(folder: Path, length: int) -> None:
    """CLIP's vocabulary and merges in the two files of a transformers tokenizer, and what it must be told.

    The published model's sentences are padded with 0, which is the id of "!". transformers pads CLIP's with the end
    token; its processor puts zeros there afterwards, its pipeline does not.
    """
    ids, ranks = vocabulary()
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": "!"}
    write_json(folder / "vocab.json", ids)
    with replacing(folder / "merges.txt") as draft:
        draft.write_text("\n".join(["#version: 0.2", *map(" ".join, ranks)]) + "\n", encoding="utf-8")
    tokenizer = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length, "do_lower_case": True, **special}
    write_json(folder / "tokenizer_config.json", tokenizer, indent=2)
    write_json(folder / "special_tokens_map.json", special, indent=2)
