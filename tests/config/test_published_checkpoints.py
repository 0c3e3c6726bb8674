"""Every checkpoint of the members on the hub has a preset of its classes, task, backbone and size."""

from __future__ import annotations

import pytest

from oneformer_lite import config
from oneformer_lite.config import BaseConfig
from oneformer_lite.weights.published_members import OTHERS

SIZES = {"tiny": "swin_t", "small": "swin_s", "base": "swin_b", "base-IN21k": "swin_b_21k", "large": "swin_l"}
CLASSES = {"coco": 133, "ade": 150, "ade20k": 150, "cityscapes": 19, "mapillary": 65}


def mask2former() -> dict[str, BaseConfig]:
    tasks = [*(f"{data}-{task}" for data, task in (("coco", "panoptic"), ("coco", "instance"), ("ade", "semantic")))]
    found = {(size, rest): SIZES[size] for size in SIZES for rest in tasks}
    found |= {(size, f"cityscapes-{task}"): SIZES[size] for size in ("tiny", "small", "base-IN21k", "large")
              for task in ("panoptic", "instance", "semantic")}  # fmt: skip
    found |= {("large", rest): "swin_l" for rest in (
        "ade-panoptic", "mapillary-vistas-panoptic", "mapillary-vistas-semantic")}  # fmt: skip
    names = {"ade": "ade20k"}
    return {
        f"facebook/mask2former-swin-{size}-{rest}": getattr(
            config, f"mask2former_{names.get(data := rest.split('-')[0], data)}_{network}")(rest.split("-")[-1])
        for (size, rest), network in found.items()
    }  # fmt: skip


def maskformer() -> dict[str, BaseConfig]:
    swin = {"tiny": "swin_t", "small": "swin_s", "base": "swin_b_21k", "large": "swin_l"}
    calls = {f"swin-{size}-{data}": f"{own}_{network}" for size, network in swin.items()
             for data, own in (("coco", "coco"), ("ade", "ade20k"))}  # fmt: skip
    names = {"coco-stuff": "coco_stuff", "ade": "ade20k", "ade20k-full": "ade20k_full"}
    calls |= {f"resnet{depth}-{data}": f"{names[data]}_r{depth}" for depth in (50, 101) for data in names}
    calls |= {"resnet101-cityscapes": "cityscapes_r101", "resnet50-vistas": "mapillary_r50"}
    return {f"facebook/maskformer-{name}": getattr(config, f"maskformer_{call}")() for name, call in calls.items()}


def detr() -> dict[str, BaseConfig]:
    calls = {"50": "r50", "50-dc5": "r50_dc5", "101": "r101"}
    return {f"facebook/detr-resnet-{name}-panoptic": getattr(config, f"detr_coco_{c}")() for name, c in calls.items()}


def eomt() -> dict[str, BaseConfig]:
    c = config
    two = {
        "coco_panoptic_eomt_small_640_2x": c.eomt_coco_s(), "coco_panoptic_eomt_base_640_2x": c.eomt_coco_b(),
        "coco_panoptic_eomt_large_640": c.eomt_coco_l(), "coco_panoptic_eomt_large_1280": c.eomt_coco_l(side=1280),
        "coco_panoptic_eomt_giant_640": c.eomt_coco_g(), "coco_panoptic_eomt_giant_1280": c.eomt_coco_g(1280),
        "coco_instance_eomt_large_640": c.eomt_coco_l("instance"),
        "coco_instance_eomt_large_1280": c.eomt_coco_l("instance", 1280),
        "ade20k_semantic_eomt_large_512": c.eomt_ade20k_l("semantic"),
        "ade20k_panoptic_eomt_large_640": c.eomt_ade20k_l(),
        "ade20k_panoptic_eomt_large_1280": c.eomt_ade20k_l(side=1280),
        "ade20k_panoptic_eomt_giant_640": c.eomt_ade20k_g(), "ade20k_panoptic_eomt_giant_1280": c.eomt_ade20k_g(1280),
        "cityscapes_semantic_eomt_large_1024": c.eomt_cityscapes_l(),
    }  # fmt: skip
    three = {
        "coco-panoptic-small-640": c.eomt_dinov3_coco_s(), "coco-panoptic-base-640": c.eomt_dinov3_coco_b(),
        "coco-panoptic-large-640": c.eomt_dinov3_coco_l(), "coco-panoptic-large-1280": c.eomt_dinov3_coco_l(side=1280),
        "coco-instance-large-640": c.eomt_dinov3_coco_l("instance"),
        "coco-instance-large-1280": c.eomt_dinov3_coco_l("instance", 1280),
        "ade-semantic-large-512": c.eomt_dinov3_ade20k_l(),
    }  # fmt: skip
    # the authors' differences from DINOv3's weights are of the same models
    deltas = {f"{name.replace('-large', '_eomt_large').replace('-base', '_eomt_base').replace('-small', '_eomt_small')}"
              .replace("-", "_") + "_dinov3": of for name, of in three.items()}  # fmt: skip
    return {f"tue-mps/{name}": of for name, of in (two | deltas).items()} | {
        f"tue-mps/eomt-dinov3-{name}": of for name, of in three.items()
    }


CHECKPOINTS = mask2former() | maskformer() | detr() | eomt()


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_has_a_preset(name: str) -> None:
    c = CHECKPOINTS[name]
    words = name.partition("/")[2].replace("_", "-").lower().split("-")
    assert c.model_type in name
    for word in words:
        if word in ("panoptic", "instance", "semantic"):
            assert word == getattr(c, "trained_task", "panoptic")
        if word in ("tiny", "small", "base", "large", "giant"):
            assert word in c.backbone
        if word in ("512", "640", "1024", "1280"):
            assert c.image_size == int(word)
        if c.model_type == "mask2former" and word in CLASSES:
            things = sum(k.is_thing for k in config.class_list(c.data_set))
            assert c.num_classes == (things if c.trained_task == "instance" else CLASSES[word])
    assert ("in21k" in words) <= ("in22k" in c.backbone) and ("dinov3" in words) == ("dinov3" in c.backbone)
    assert c.model_type != "eomt" or any(c == of for of in config.eomt_presets.published().values())


def test_what_has_none_is_said() -> None:
    assert len(CHECKPOINTS) == 77 and "is not read: its transformer is Web-DINO" in OTHERS
