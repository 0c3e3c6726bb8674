"""Matching and the four losses."""

from .contrastive import contrastive_loss
from .criterion import LOSSES, Criterion
from .masks import bce_loss, dice_loss, focal_loss
from .matching import Matcher

__all__ = ["LOSSES", "Criterion", "Matcher", "bce_loss", "contrastive_loss", "dice_loss", "focal_loss"]
