"""``oneformer-lite convert-data``: data sets in their authors' layouts."""

from __future__ import annotations

from pathlib import Path

from .arguments import command

FORMATS = {
    "kitti": "KITTI's semantic segmentation: FOLDER holds training/image_2 and training/instance",
    "kitti-step": "KITTI-STEP: FOLDER holds images/SPLIT/SSSS and panoptic_maps/SPLIT/SSSS",
    "voc": "Pascal VOC: FOLDER holds JPEGImages, SegmentationClass, SegmentationObject and ImageSets/Segmentation",
    "mapillary": "Mapillary Vistas 1.2 (of the archive 2.0 too): FOLDER holds training and validation",
    "camvid": "CamVid: FOLDER holds train and trainannot (SegNet), train and train_labels, or LabeledApproved_full",
    "cityscapes-pairs": "Cityscapes Image Pairs: FOLDER holds train/*.jpg and val/*.jpg, photograph and colours in one",
}


def add(commands) -> None:
    p = command(commands, "convert-data", run, "rewrite a data set that you have: KITTI, Pascal VOC, ...")
    formats = p.add_subparsers(title="formats", required=True, metavar="FORMAT", dest="format")
    for name, help_ in FORMATS.items():
        form = command(formats, name, run, help_)
        form.description = f"{help_}. {run.__doc__}"
        form.add_argument("folder", type=Path, metavar="FOLDER", help="the data set as its archives unpack")
        form.add_argument("out", type=Path, metavar="OUT", help="folder to write; a new one")


def run(args) -> None:
    """Rewrite a data set in its authors' layout as a folder to train with: COCO's panoptic layout, or label maps.
    Pictures become links where the disk has them. Nothing is there until all is."""
    from ..data.converting.convert import convert_data

    counts = convert_data(args.format, args.folder, args.out)
    pictures = ", ".join(f"{split} {count}" for split, count in counts.items())
    print(f"{args.out} is ready (pictures: {pictures}): oneformer-lite train --data {args.out} ...")
