"""The published checkpoints as a table: where they are, which preset they fit, what they score.

``README.md`` beside this file is made of it: ``python -m oneformer_lite.weights.published > README.md``.
Source: the README and file names of SHI-Labs/OneFormer, and its organisation on the Hugging Face hub.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..config import ModelConfig, presets
from .published_members import OTHERS

FOLDERS = {"COCO": "coco", "ADE20K": "ade20k", "Cityscapes": "cityscapes", "Mapillary Vistas": "mapillary"}


@dataclass(frozen=True)
class Checkpoint:
    """One set of published weights. Scores in percent on the validation set; None: not published."""

    data_set: str
    backbone: str
    preset: str  # a function of oneformer_lite.config
    pq: float | None = None
    ap: float | None = None
    miou: float | None = None
    miou_ms: float | None = None  # over several scales, mirrored as well
    file: str | None = None  # the official .pth
    hub: str | None = None  # the same without text mapper, for transformers
    crop: int | None = None  # what the preset is called with
    note: str = ""

    @property
    def url(self) -> str | None:
        """Address of the official file."""
        place = "https://shi-labs.com/projects/oneformer"
        return f"{place}/{FOLDERS[self.data_set]}/{self.file}" if self.file else None

    @property
    def call(self) -> str:
        """The preset as one writes it."""
        return f"{self.preset}({f'crop={self.crop}' if self.crop else ''})"

    def config(self) -> ModelConfig:
        """The configuration that the weights fit."""
        return getattr(presets, self.preset)(**({"crop": self.crop} if self.crop else {}))

    def lines(self) -> str:
        """Two lines of Python that load the weights and segment a picture."""
        source = f'"{self.hub}"' if self.hub else f'"{self.file}", config=ofl.config.{self.call}'
        return (
            f"model = ofl.from_pretrained({source})\n"
            'ofl.predict(model, "picture.jpg", "panoptic").save("segments.png")'
        )


COCO, ADE, CITY, MAPILLARY = FOLDERS
PUBLISHED = (
    Checkpoint(COCO, "Swin-L", "coco_swin_l", 57.9, 49.0, 67.4,
               file="150_16_swin_l_oneformer_coco_100ep.pth", hub="shi-labs/oneformer_coco_swin_large"),
    Checkpoint(COCO, "DiNAT-L", "coco_dinat_l", 58.0, 49.2, 68.1,
               file="150_16_dinat_l_oneformer_coco_100ep.pth", hub="shi-labs/oneformer_coco_dinat_large"),
    Checkpoint(ADE, "Swin-T", "ade20k_swin_t", hub="shi-labs/oneformer_ade20k_swin_tiny"),
    Checkpoint(ADE, "Swin-L", "ade20k_swin_l", 49.8, 35.9, 57.0, 57.7,
               file="250_16_swin_l_oneformer_ade20k_160k.pth", hub="shi-labs/oneformer_ade20k_swin_large"),
    Checkpoint(ADE, "Swin-L", "ade20k_swin_l", 51.1, 37.6, 57.4, 58.3, crop=896,
               file="896x896_250_16_swin_l_oneformer_ade20k_160k.pth"),
    Checkpoint(ADE, "Swin-L", "ade20k_swin_l", 51.4, 37.8, 57.0, 57.7, crop=1280,
               file="1280x1280_250_16_swin_l_oneformer_ade20k_160k.pth"),
    Checkpoint(ADE, "ConvNeXt-L", "ade20k_convnext_l", 50.0, 36.2, 56.6, 57.4,
               file="250_16_convnext_l_oneformer_ade20k_160k.pth"),
    Checkpoint(ADE, "ConvNeXt-XL", "ade20k_convnext_xl", 50.1, 36.3, 57.4, 58.8,
               file="250_16_convnext_xl_oneformer_ade20k_160k.pth"),
    Checkpoint(ADE, "DiNAT-L", "ade20k_dinat_l", 50.5, 36.0, 58.3, 58.4,
               file="250_16_dinat_l_oneformer_ade20k_160k.pth", hub="shi-labs/oneformer_ade20k_dinat_large"),
    Checkpoint(ADE, "DiNAT-L", "ade20k_dinat_l", 51.2, 36.8, 58.1, 58.6, crop=896,
               file="896x896_250_16_dinat_l_oneformer_ade20k_160k.pth"),
    Checkpoint(ADE, "DiNAT-L", "ade20k_dinat_l", 51.5, 37.1, 58.3, 58.7, crop=1280,
               file="1280x1280_250_16_dinat_l_oneformer_ade20k_160k.pth"),
    Checkpoint(ADE, "DiNAT-L", "ade20k_dinat_l_from_coco", 53.4, 40.2, 58.4, 58.8, note="trained on COCO first",
               file="coco_pretrain_1280x1280_150_16_dinat_l_oneformer_ade20k_160k.pth"),
    Checkpoint(CITY, "Swin-L", "cityscapes_swin_l", 67.2, 45.6, 83.0, 84.4,
               file="250_16_swin_l_oneformer_cityscapes_90k.pth", hub="shi-labs/oneformer_cityscapes_swin_large"),
    Checkpoint(CITY, "ConvNeXt-L", "cityscapes_convnext_l", 68.5, 46.5, 83.0, 84.0,
               file="250_16_convnext_l_oneformer_cityscapes_90k.pth"),
    Checkpoint(CITY, "ConvNeXt-L", "cityscapes_convnext_l", 70.1, 48.7, 84.6, 85.2, note="trained on Mapillary first",
               file="mapillary_pretrain_250_16_convnext_l_oneformer_cityscapes_90k.pth"),
    Checkpoint(CITY, "DiNAT-L", "cityscapes_dinat_l", 67.6, 45.6, 83.1, 84.0,
               file="250_16_dinat_l_oneformer_cityscapes_90k.pth", hub="shi-labs/oneformer_cityscapes_dinat_large"),
    Checkpoint(CITY, "ConvNeXt-XL", "cityscapes_convnext_xl", 68.4, 46.7, 83.6, 84.6,
               file="250_16_convnext_xl_oneformer_cityscapes_90k.pth"),
    Checkpoint(CITY, "ConvNeXt-XL", "cityscapes_convnext_xl", 69.7, 48.9, 84.5, 85.8,
               note="trained on Mapillary first",
               file="mapillary_pretrain_250_16_convnext_xl_oneformer_cityscapes_90k.pth"),
    Checkpoint(MAPILLARY, "Swin-L", "mapillary_swin_l", 46.7, None, 62.9, 64.1,
               file="250_16_swin_l_oneformer_mapillary_300k.pth"),
    Checkpoint(MAPILLARY, "ConvNeXt-L", "mapillary_convnext_l", 47.9, None, 63.2, 63.8,
               file="250_16_convnext_l_oneformer_mapillary_300k.pth"),
    Checkpoint(MAPILLARY, "DiNAT-L", "mapillary_dinat_l", 47.8, None, 64.0, 64.9,
               file="250_16_dinat_l_oneformer_mapillary_300k.pth"),
    Checkpoint(MAPILLARY, "ConvNeXt-L", "mapillary_convnext_l", note="what a Cityscapes model started from",
               file="mapillary_pretrain_250_16_convnext_l_oneformer_mapillary_300k.pth"),
    Checkpoint(MAPILLARY, "ConvNeXt-XL", "mapillary_convnext_xl", note="what a Cityscapes model started from",
               file="mapillary_pretrain_250_16_convnext_xl_oneformer_mapillary_300k.pth"),
)  # fmt: skip

_INTRODUCTION = """\
# Published weights

The checkpoints that the authors of OneFormer have published, and the two lines that run each of them. Put
`import oneformer_lite as ofl` first; `"instance"` and `"semantic"` are the other two tasks. A model on the hub is
fetched by its name. An official file is downloaded by hand, from the link in the table.

The files hold the text mapper, which further training needs; the models on the hub, as far as their size tells, do
not. Those on the hub are under the MIT licence. Scores are the authors', in percent on the validation sets; *ms* is
over several scales, mirrored as well. There are no published weights with ResNet-50, and none with Swin-T but ADE20K's.

That our models compute what these compute is tested against transformers' with random weights (figures at the end).
The tests download nothing, so no score below has been measured with this package yet.

To train one of them further, say where to start: `TrainConfig(start_from="shi-labs/oneformer_coco_swin_large")`, or
`oneformer-lite train --start-from`. Classes are found again by their names, and what is new is said: classes that the
file does not know, and the text mapper where it holds none.

This page is made by `python -m oneformer_lite.weights.published`.
"""

# Measured by tests/benchmarks/parity_full_size.py: per preset and picture the largest over the three tasks
_EQUALITY = """\
## Switches

Where the paper, the official code and transformers differ, a named setting says which one you get. The presets and
the recipes (`ofl.training.coco_training()` and so on) have what the released weights were trained with.

* `ModelConfig.query_values`: `"positions"`, since the released code swaps two arguments, so that the values of the
  query transformer are the position map alone; `"positions+features"` is what the paper describes.
* `ModelConfig.text_causal`: `True`; `False` is what transformers does, which builds the mask and never applies it.
* `ModelConfig.backbone_norm`: ResNet-50's BatchNorm is `"frozen"`, on Cityscapes and Mapillary Vistas `"batch"`.
* `TrainConfig.clip_norm`: `None`, since the released script uses up its list of parameters before it clips; `0.01` is
  what its configuration says.

The contrastive loss has no setting: as released, an image is one vector of all its queries, the negatives are the
other images of the batch over all processes, and gradients flow through the gathering.

## Equal to transformers

Random weights, float32, one core, transformers 5.23 and torch 2.15; a batch of two under each of the three tasks; all
ten predictions (before the first decoder layer, and after each of the nine). The largest difference of a logit from
transformers', relative to the largest logit of that prediction:

| preset | picture | class logits | mask logits | pixels of attention regions that differ |
|---|---|---|---|---|
| `coco_r50` | 512 x 512 | 1.0e-06 | 3.3e-06 | 3 of 4.8 million |
| `coco_r50` | 427 x 640 | 9.8e-07 | 4.2e-06 | 1 of 5.3 million |
| `ade20k_swin_t` | 512 x 512 | 9.8e-07 | 2.4e-06 | 3 of 4.8 million |
| `ade20k_swin_t` | 427 x 640 | 1.1e-06 | 2.7e-06 | 3 of 5.3 million |
| `coco_swin_l` | 512 x 512 | 1.2e-06 | 2.6e-06 | 1 of 4.8 million |
| `coco_swin_l` | 427 x 640 | 1.2e-06 | 2.7e-06 | 2 of 5.3 million |
| `ade20k_convnext_l` | 512 x 512 | 1.0e-06 | 5.8e-06 | 13 of 8.1 million |
| `ade20k_convnext_l` | 427 x 640 | 1.2e-06 | 4.5e-06 | 4 of 8.8 million |

Attention regions part where a mask logit is zero but for rounding (a few millionths of the largest); both models
go on with the same regions there. `python tests/benchmarks/parity_full_size.py` measures this again, task by task.

What transformers does otherwise than the official code takes no part in the comparison, and is not copied: its
pixel decoder drops at random in evaluation as well if `config.is_training` is set; its text encoder lacks the causal
mask; its texts of one image are mixed with those of the next; its post-processing merges segments by other rules and
does not cut off the padding. DiNAT runs there only with an operator to be compiled, so it is compared module by
module, and with figures of that operator (`tests/model/networks/test_neighborhood_attention.py`).
"""

_CONVERTED = """
## A folder converted for transformers

`oneformer-lite convert MODEL FOLDER --to huggingface` writes the same model: given the same pixels, transformers has
the same logits (the table above). What it does before and after is its own, and no option of its processor changes it:

* It does not pad to multiples of 32, as the official code and this package do. So logits are equal where the sides of
  the resized picture are such multiples, and differ elsewhere, by 9 to 70 % of the largest (`toytown`, its scenes and
  photos of COCO).
* It rounds the resized size down, where the official code rounds to the nearest, and resizes by torchvision, not by
  Pillow.
* Its semantic map multiplies classes and masks at the size of the masks, a quarter of the picture, and enlarges
  the product; the official code enlarges the masks first. With equal logits, 97 % of the pixels of Toytown agree.
* Its instances exclude each other on one map, and its panoptic merge keeps other segments where they are unsure.

Together, the semantic maps of `toytown` agreed on 97.0 % of the pixels of its own scenes (256 x 256), and on 74 to 87 %
of six photos of COCO, of which it is sure of little. These lines give the map that is predicted here, at any size:

```python
import torch
from torch.nn.functional import interpolate
from transformers import AutoProcessor, OneFormerForUniversalSegmentation

processor = AutoProcessor.from_pretrained(FOLDER)
model = OneFormerForUniversalSegmentation.from_pretrained(FOLDER).eval()
inputs = processor(photo, ["semantic"], return_tensors="pt")       # photo: a PIL image
pixels, divide_by = inputs["pixel_values"], 32
height, width = pixels.shape[-2:]
mean, std = (torch.tensor(getattr(processor.image_processor, name)) for name in ("image_mean", "image_std"))
border = (torch.tensor([0.485, 0.456, 0.406]) - mean) / std         # ImageNet's mean colour
padded = border.view(1, 3, 1, 1).repeat(1, 1, height + -height % divide_by, width + -width % divide_by)
padded[..., :height, :width] = pixels
with torch.no_grad():
    outputs = model(pixel_values=padded, task_inputs=inputs["task_inputs"])
masks = interpolate(outputs.masks_queries_logits, padded.shape[-2:], mode="bilinear")[..., :height, :width]
masks = interpolate(masks, photo.size[::-1], mode="bilinear").sigmoid()
classes = outputs.class_queries_logits.softmax(-1)[..., :-1]
label_map = torch.einsum("bqk,bqhw->bkhw", classes, masks)[0].argmax(0)
```
"""


def page() -> str:
    """The page in Markdown that lists every checkpoint."""
    return "\n".join([_INTRODUCTION, *(_section(data_set) for data_set in FOLDERS), OTHERS + _EQUALITY]) + _CONVERTED


def _section(data_set: str) -> str:
    rows = [row for row in PUBLISHED if row.data_set == data_set]
    head = "| backbone | crop | PQ | AP | mIoU | mIoU ms | preset | official file | hub |\n|" + "---|" * 9
    parts = [f"## {data_set}\n", head, *map(_table_row, rows)]
    for row in rows:
        parts.append(f"\n{_title(row)}:\n\n```python\n{row.lines()}\n```")
    return "\n".join(parts) + "\n"


def _title(row: Checkpoint) -> str:
    return ", ".join(filter(None, [row.backbone, f"crop {row.crop}" if row.crop else "", row.note]))


def _table_row(row: Checkpoint) -> str:
    side = row.config().image_size
    cells = [
        f"{row.backbone}{f', {row.note}' if row.note else ''}",
        f"{side // 2 if row.data_set == CITY else side} x {side}",
        *("" if score is None else f"{score:.1f}" for score in (row.pq, row.ap, row.miou, row.miou_ms)),
        f"`{row.call}`",
        f"[.pth]({row.url})" if row.file else "",
        f"[hub](https://huggingface.co/{row.hub})" if row.hub else "",
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print(page(), end="")
