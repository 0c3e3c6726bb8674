"""Toytown: a procedurally painted street-scene data set for all three tasks."""

from .classes import CATEGORIES
from .dataset import Toytown
from .export import write_toytown

__all__ = ["CATEGORIES", "Toytown", "write_toytown"]
