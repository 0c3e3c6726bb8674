"""The models on three floors. To be read in this order:

``oneformer.py`` is a whole model as the figure of its paper shows it; ``base.py`` says what all models share, and
``output.py`` what they return; ``mask2former.py`` is OneFormer before it was told its task, ``maskformer.py`` what came
before that, and ``detr.py`` what all of them come from; ``panoptic_segformer.py`` tells things from stuff and takes
where they look for their masks; ``mask_dino.py`` gives Mask2Former's queries boxes, ``eomt.py`` takes most of it away,
and ``knet.py`` is the other root: kernels instead of queries that look. ``denoised.py`` is what those share that may
learn from noised truth. ``unet.py`` and
``seq2seg.py`` are older: a mask for each class, and no queries; ``query_seq2seg.py`` and ``hungarian_unet.py`` give
them some. Below them ``parts/`` holds what they are built of, ``networks/`` the backbones, and ``fast/`` what gives the
same results faster on CPUs.
"""

from ..config import BaseConfig
from ..errors import ConfigError
from .base import MaskModel
from .detr import Detr
from .eomt import EoMT
from .hungarian_unet import HungarianUNet
from .knet import KNet
from .mask2former import Mask2Former
from .mask_dino import MaskDino
from .maskformer import MaskFormer
from .oneformer import OneFormer
from .output import Features, KNetOutput, OneFormerOutput, Output, Predictions, Trace
from .panoptic_segformer import PanopticSegFormer
from .query_seq2seg import QuerySeq2Seg
from .seq2seg import Seq2Seg
from .unet import UNet

__all__ = [
    "MEMBERS", "Detr", "EoMT", "Features", "HungarianUNet", "KNet", "KNetOutput", "Mask2Former", "MaskDino",
    "MaskFormer", "MaskModel", "OneFormer", "OneFormerOutput", "Output", "PanopticSegFormer", "Predictions",
    "QuerySeq2Seg", "Seq2Seg", "Trace", "UNet", "build",
]  # fmt: skip


# the members, by the model_type of their configuration
MEMBERS: dict[str, type[MaskModel]] = {
    "oneformer": OneFormer,
    "mask2former": Mask2Former,
    "maskformer": MaskFormer,
    "eomt": EoMT,
    "detr": Detr,
    "knet": KNet,
    "mask_dino": MaskDino,
    "panoptic_segformer": PanopticSegFormer,
    "unet": UNet,
    "seq2seg": Seq2Seg,
    "query_seq2seg": QuerySeq2Seg,
    "hungarian_unet": HungarianUNet,
}


def build(config: BaseConfig) -> MaskModel:
    """The model that ``config`` describes, with random weights (and its backbone's ImageNet weights, if a package
    carries them and ``config.pretrained`` asks for them)."""
    for kind in type(config).__mro__:  # a configuration that adds fields to a member's builds that member
        if member := MEMBERS.get(getattr(kind, "model_type", "")):
            return member(config)
    raise ConfigError(
        f"a {type(config).__name__} describes no model; there are {', '.join(sorted(MEMBERS))}, and MEMBERS in "
        "oneformer_lite/model/__init__.py lists them"
    )
