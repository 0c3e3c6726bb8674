"""The published checkpoints as a table: where they are, which preset they fit, what they score.

``README.md`` beside this file is made of it: ``python -m oneformer_lite.weights.published > README.md``.
Source: the README and file names of SHI-Labs/OneFormer, and its organisation on the Hugging Face hub.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..config import ModelConfig, presets

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

That our models compute what these compute is tested against transformers' with random weights. The tests download
nothing, so no score below has been measured with this package yet.

This page is made by `python -m oneformer_lite.weights.published`.
"""


def page() -> str:
    """The page in Markdown that lists every checkpoint."""
    return "\n".join([_INTRODUCTION, *(_section(data_set) for data_set in FOLDERS)])


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
