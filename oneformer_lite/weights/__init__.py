"""Models on disk. To be read in this order:

``hub.py`` finds what a name means, and who reads it: ``folder.py`` (ours), ``huggingface.py`` (transformers') or
``official.py`` (the published ``.pth``). They read files (``files.py``, ``pickled.py``, ``pickle_tuples.py``,
``arrays.py``: nothing is executed), see what model it is (``shapes.py``, ``normalisation.py``), rename their weights
(``names.py``) and put them into a model (``load.py``). ``backbones/`` and a folder for each member hold what differs
between models; ``onnx.py`` writes one for other programs. ``published.py`` and ``published_members.py`` are the table
of what can be had.
"""

from .folder import from_folder, save_pretrained
from .hub import from_pretrained
from .oneformer.huggingface import save_huggingface
from .onnx import save_onnx

__all__ = ["from_folder", "from_pretrained", "save_huggingface", "save_onnx", "save_pretrained"]
