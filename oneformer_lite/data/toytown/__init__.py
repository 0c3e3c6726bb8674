"""Toytown: a procedurally painted street-scene data set for all three tasks."""

from .classes import CATEGORIES
from .dataset import Toytown

__all__ = ["CATEGORIES", "Toytown"]
