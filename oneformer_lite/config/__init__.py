"""Configurations. To be read in this order:

``base.py`` is what all models share (with ``traits.py``, in which they differ), ``model.py`` (with ``ablated.py``) what
OneFormer adds and ``family.py`` (with ``eomt.py``, ``knet.py``, ``mask_dino.py``, ``roots.py`` and
``root_queries.py``) the other members; ``presets.py``, ``mask2former.py``, ``maskformer.py``, ``detr.py``,
``eomt_presets.py``, ``knet_presets.py``, ``mask_dino_presets.py``, ``roots_presets.py`` and ``photographs.py`` are the
named ones, ``panoptic_segformer.py`` is both. ``checks.py`` and ``backbone.py`` say what fields may hold, ``stored.py``
is the way into a file and back.
"""

from ..data.classes import class_list
from . import (
    detr,
    eomt_presets,
    knet_presets,
    mask2former,
    mask_dino_presets,
    maskformer,
    panoptic_segformer,
    photographs,
    presets,
    roots_presets,
)
from .base import BaseConfig, for_classes
from .detr import *  # noqa: F403
from .eomt import EomtConfig
from .eomt_presets import *  # noqa: F403  (the presets, as its __all__ lists them)
from .family import DetrConfig, Mask2FormerConfig, MaskFormerConfig
from .knet import KNetConfig
from .knet_presets import *  # noqa: F403
from .mask2former import *  # noqa: F403  (the presets, as its __all__ lists them)
from .mask_dino import MaskDinoConfig
from .mask_dino_presets import *  # noqa: F403
from .maskformer import *  # noqa: F403
from .model import ModelConfig
from .panoptic_segformer import *  # noqa: F403
from .panoptic_segformer import PanopticSegFormerConfig
from .photographs import *  # noqa: F403
from .presets import *  # noqa: F403
from .root_queries import HungarianUNetConfig, QuerySeq2SegConfig
from .roots import Seq2SegConfig, UNetConfig
from .roots_presets import *  # noqa: F403
from .stored import from_stored, stored

# of all members
PRESETS = (
    *presets.__all__, *mask2former.__all__, *maskformer.__all__, *eomt_presets.__all__, *detr.__all__,
    *knet_presets.__all__, *mask_dino_presets.__all__, *panoptic_segformer.__all__, *roots_presets.__all__,
    *photographs.__all__,
)  # fmt: skip

__all__ = [
    "PRESETS", "BaseConfig", "DetrConfig", "EomtConfig", "HungarianUNetConfig", "KNetConfig", "Mask2FormerConfig",
    "MaskDinoConfig", "MaskFormerConfig", "ModelConfig", "PanopticSegFormerConfig", "QuerySeq2SegConfig",
    "Seq2SegConfig", "UNetConfig",
    "class_list", "for_classes", "from_stored", "stored", *PRESETS,
]  # fmt: skip
