"""``ofl.doctor``: what is wrong with a model, a data set or a run, in words, with evidence and cure.

To be read in this order: ``doctor.py`` asks all checks that fit what it is given. Those of data lie in
``dataset_checks/``; ``examination.py`` runs one batch through the model, which ``learning.py`` and ``behaviour.py``
look at; ``folder.py`` and ``history.py`` read a run, ``sense.py`` asks whether its losses can mean anything, ``fit.py``
whether it has learned its own pictures. ``pictures.py`` shows what was found.
"""

from ..dataset_checks.findings import Diagnosis, Finding
from .doctor import doctor

__all__ = ["Diagnosis", "Finding", "doctor"]
