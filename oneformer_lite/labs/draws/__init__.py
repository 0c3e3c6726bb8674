"""Cases that are drawn from a seed, beside the printed ones: no table of the printed answers answers them."""

from .draw import Draw, drawn

__all__ = ["Draw", "drawn"]
