"""Writing data sets in COCO's instance format, which ``instance.py`` reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..checks import only_known_names
from ..files import all_to_disk, make_folder, path_of, write_json
from .image import write_image
from .instance import encode_mask
from .panoptic_writing import check_info, named, segment_entry
from .sample import Category, Sample


@only_known_names
def write_instances(
    image_dir: str | Path, instance_json: str | Path, samples: Iterable[Sample], info: dict | None = None
) -> None:
    """Write the things of samples as a data set that :class:`~.instance.InstanceDataset` reads, in COCO's layout.

    Masks may overlap. The JSON comes last and appears only when complete. Files are named after ``sample.file_name``
    (``.png`` keeps every pixel), else ``.png`` after the image id.
    """
    images, objects = [], []
    json_path = path_of(instance_json, "the annotation file to write")
    check_info(info)
    make_folder(image_dir)
    for name, sample in named(samples, lambda s: Path(s.file_name).name or f"{s.image_id:012d}.png", instance_json):
        height, width = sample.size
        images.append({"id": sample.image_id, "file_name": name, "height": height, "width": width})
        objects += object_entries(sample, len(objects) + 1)
        write_image(Path(image_dir) / name, sample.image)
    all_to_disk()
    content = {"images": images, "annotations": objects, "categories": _category_entries(sample.categories)}
    write_json(json_path, {"info": info or {}, "licenses": [], **content})


def object_entries(sample: Sample, first_id: int) -> list[dict]:
    """COCO's ``annotations`` of a sample's things, with compressed run-length codes; those without pixels are left
    out."""
    entries = []
    for segment, mask in zip(sample.segments, sample.segment_masks()):
        category = sample.categories[segment.class_id]
        if category.is_thing and mask.any():
            entry = segment_entry(mask, first_id + len(entries), category.id, segment.is_crowd)
            entries.append(entry | {"image_id": sample.image_id, "segmentation": encode_mask(mask)})
    return entries


def _category_entries(categories: Sequence[Category]) -> list[dict]:
    things = [category for category in categories if category.is_thing]
    return [{"id": c.id, "name": c.name, "color": list(c.color), "supercategory": "thing"} for c in things]
