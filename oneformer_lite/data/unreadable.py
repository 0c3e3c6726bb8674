"""Pictures that cannot be read: left out, named once each, and only so many."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import DataError
from ..notices import warn_user
from .dataset import SegmentationDataset
from .sample import Sample
from .sample_fields import check_fields


def read(dataset: SegmentationDataset, index: int) -> Sample:
    """Picture ``index``; raises :class:`DataError` also where a data set of somebody else's raises an OSError,
    or does not find what it looks for."""
    try:
        sample = dataset[index]
        return sample.forwards() if isinstance(sample, Sample) else sample
    except OSError as error:
        raise DataError(f"picture {index}: {error}") from error
    except LookupError as error:
        raise DataError(f"picture {index}: the data set raised {type(error).__name__}: {error}") from error


def read_checked(dataset: SegmentationDataset, index: int) -> Sample:
    """:func:`read`; also raises :class:`DataError` for what :func:`check_fields` and :meth:`Sample.check` refuse."""
    sample = read(dataset, index)
    if not isinstance(sample, Sample):
        return sample
    check_fields(sample)
    return sample.check()


class Unreadable:
    """Those ``found`` so far among ``total`` pictures, by number, with the reason.

    ``share`` of them may be left out, but one in any case; none if it is 0.
    """

    def __init__(self, total: int, share: float, split: str = "", found: Mapping[int, str] | None = None) -> None:
        self.limit = max(1, int(share * total)) if share else 0
        self.total, self.split, self.found = total, split, dict(found or {})

    def note(self, pictures: Mapping[int, str]) -> None:
        """Warn of each that is new; raises :class:`DataError` as soon as there are too many."""
        for index, reason in pictures.items():
            if index in self.found:
                continue
            self.found[index] = reason
            if len(self.found) > self.limit:
                raise DataError(self._too_many(reason))
            warn_user(f"left out, as it cannot be read: {reason} ({self._count()})")

    def _count(self) -> str:
        left_out = f"{len(self.found)} of {self.total} {self.split} pictures".replace("  ", " ")
        return f"{left_out}, at most {self.limit} may be left out"

    def _too_many(self, reason: str) -> str:
        if not self.limit:
            return reason
        return f"too many pictures cannot be read ({self._count()}): {reason}"
