"""``ofl.doctor``: what is wrong with a model, a data set or a run, in words, with evidence and cure."""

from .examine import doctor
from .findings import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "doctor"]
