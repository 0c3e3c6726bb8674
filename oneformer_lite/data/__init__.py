"""Data sets, targets and batches: everything the model is fed with. To be read in this order:

``dataset.py`` says what a data set is, ``sample.py`` (``sample_fields.py``) what it gives; ``opening.py`` opens one
from disk (``layouts.py``: where its files lie), whether ``panoptic.py``, ``instance.py``, ``instance_map.py`` or
``semantic.py`` reads it. ``toytown/`` and ``digits/`` paint some, ``bundled.py`` has the one that comes along,
``views.py`` makes some of others. A sample then passes ``augment.py`` (with ``transforms.py``, ``color_jitter.py``,
``equalize.py``, ``stretch.py``, ``tones.py``, ``random_sizes.py``, ``object_squares.py``, ``quarter_turns.py``),
``targets.py`` (masks, and the texts that say what there is) and ``batch.py``. Its task is drawn in
``training/loader.py``.

What the readers share: of pictures ``image.py`` (``grey.py``, ``tiff.py``, ``orientation.py``), of annotations
``coco_json.py`` (``json_fields.py``, ``tools.py``, ``crowds.py``) and ``outlines.py`` (``outline_reading.py``,
``outline_frames.py``, ``run_lengths.py``, ``boxes.py``, ``rings.py``, ``repeated.py``), of maps ``label_map.py``
(``palette.py``, ``smoothed.py``), ``map_dataset.py`` and ``segment_ids.py`` (``segment_boxes.py``, ``wrong_ids.py``),
of names ``by_name.py`` (``unseen.py``) and ``class_file.py`` (``class_lines.py``), of folders ``folders.py`` and
``paired.py``; ``absent.py`` and ``unreadable.py`` for what is not there or damaged, ``parallel.py`` for many files.
``panoptic_writing.py`` and ``instance_writing.py`` write data sets, ``published/`` fetches what others have
published, ``converting/`` rewrites what was fetched by hand, ``classes.py`` has their classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

_NAMES = {
    "Batch": "batch",
    "Category": "sample",
    "Digits": "digits",
    "InstanceDataset": "instance",
    "InstanceMapDataset": "instance_map",
    "PanopticDataset": "panoptic",
    "Sample": "sample",
    "SegmentInfo": "sample",
    "SegmentationDataset": "dataset",
    "SemanticDataset": "semantic",
    "TASKS": "sample",
    "Targets": "targets",
    "Toytown": "toytown",
    "collate": "batch",
    "convert_data": "converting.convert",
    "download_ade20k": "published.ade20k",
    "download_coco": "published.coco",
    "normalise": "batch",
    "open": "opening",
    "open_image": "image",
    "prepare_cityscapes": "published.cityscapes",
    "read_image": "image",
    "sample_folder": "bundled",
    "targets_for": "targets",
    "write_digits": "digits",
    "write_instances": "instance_writing",
    "write_panoptic": "panoptic_writing",
    "write_toytown": "toytown",
}
__all__ = [*_NAMES]

if TYPE_CHECKING:  # the same names for editors and type checkers (a test compares)
    from .batch import Batch as Batch
    from .batch import collate as collate
    from .batch import normalise as normalise
    from .bundled import sample_folder as sample_folder
    from .converting.convert import convert_data as convert_data
    from .dataset import SegmentationDataset as SegmentationDataset
    from .digits import Digits as Digits
    from .digits import write_digits as write_digits
    from .image import open_image as open_image
    from .image import read_image as read_image
    from .instance import InstanceDataset as InstanceDataset
    from .instance_map import InstanceMapDataset as InstanceMapDataset
    from .instance_writing import write_instances as write_instances
    from .opening import open as open
    from .panoptic import PanopticDataset as PanopticDataset
    from .panoptic_writing import write_panoptic as write_panoptic
    from .published.ade20k import download_ade20k as download_ade20k
    from .published.cityscapes import prepare_cityscapes as prepare_cityscapes
    from .published.coco import download_coco as download_coco
    from .sample import TASKS as TASKS
    from .sample import Category as Category
    from .sample import Sample as Sample
    from .sample import SegmentInfo as SegmentInfo
    from .semantic import SemanticDataset as SemanticDataset
    from .targets import Targets as Targets
    from .targets import targets_for as targets_for
    from .toytown import Toytown as Toytown
    from .toytown import write_toytown as write_toytown
else:
    from ..on_demand import getter

    __getattr__ = getter(__name__, __name__, _NAMES)
