"""``ofl.doctor``: what is wrong with a model, a data set or a run, in words, with evidence and cure."""

from ..dataset_checks.findings import Diagnosis, Finding
from .doctor import doctor

__all__ = ["Diagnosis", "Finding", "doctor"]
