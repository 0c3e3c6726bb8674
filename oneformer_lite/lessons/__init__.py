"""The lessons as pages that need no network and no kernel: ``oneformer-lite lessons --html``. To be read in this order:

``notebooks.py`` finds them, ``pages.py`` makes a page of each: ``execution.py`` runs it, ``cells.py`` turns it to HTML
(``markdown.py``; ``sanitize.py`` what strangers wrote), ``frames.py`` closes its inspectors off.

``proofs.py`` and ``versions.py`` are for the lessons: what is equal, in one line that opens; which lines are new in a
class that grows.
"""

from .proofs import Proof, proved
from .versions import Growth, grown

__all__ = ["Growth", "Proof", "grown", "proved"]
