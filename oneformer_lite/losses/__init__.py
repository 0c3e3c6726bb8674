"""Matching, the terms of the loss by name, and the criterion that weighs them."""

from .contrastive import contrastive_loss
from .criterion import Criterion
from .masks import bce_loss, dice_loss, focal_loss
from .matching import Matcher
from .terms import LOSSES, TERMS

__all__ = ["LOSSES", "TERMS", "Criterion", "Matcher", "bce_loss", "contrastive_loss", "dice_loss", "focal_loss"]
