"""What a data set is: the type of all that training, evaluation, doctor and inspectors take."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from .sample import Category, Sample


@runtime_checkable
class SegmentationDataset(Protocol):
    """Annotated pictures by number. Nothing need be inherited: a class of one's own that has these four is one.

    >>> class Mine:
    ...     categories = (Category(1, "ball", is_thing=True), Category(2, "grass", is_thing=False))
    ...     tasks = ofl.data.TASKS
    ...
    ...     def __len__(self):
    ...         return 100
    ...
    ...     def __getitem__(self, index):
    ...         image, segment_map, segments = read(index)  # yours
    ...         return Sample(image, segment_map, segments, self.categories)

    What a data set knows besides is asked for by name, and does without: ``paths(index)`` (the files of a picture),
    ``picture_names``, ``image_ids``, ``class_counts``, ``thing_counts``, ``segment_classes``.
    """

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes; the place of one is its class id."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those of panoptic, instance and semantic that the annotation can supply."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
