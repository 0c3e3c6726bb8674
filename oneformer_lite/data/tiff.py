"""TIFFs that Pillow decodes into something else than they hold: put right before, or refused."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from ..errors import DataError

_PLANAR, _BITS, _APART = 284, 258, 2  # tags of TIFF 6.0; the value of the first where channels lie one after the other
# libtiff, which unpacks compressed values, gives them in this machine's order; Pillow takes these for big-endian ones
_IN_OUR_ORDER = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}


def put_right(picture: Image.Image, name: str | Path) -> None:
    """Before the pixels are decoded: have compressed big-endian numbers with a sign and floats read in the right order.

    Raises :class:`DataError` for 16 bits a channel, uncompressed, of which each channel is stored for itself: Pillow
    takes their bytes for pixels.
    """
    tags = getattr(picture, "tag_v2", {})
    if not tags:
        return
    codecs = {tile[0] for tile in picture.tile}
    if tags.get(_PLANAR) == _APART and max(tags.get(_BITS, (8,))) > 8 and codecs == {"raw"}:
        raise DataError(
            f"{name} is a TIFF of 16 bits whose channels are stored one after the other, which Pillow reads wrongly: "
            "save it again with 8 bits, with the channels of each pixel together, or as a PNG"
        )
    if codecs == {"libtiff"}:
        picture.tile = [_in_our_order(tile) for tile in picture.tile]


def _in_our_order(tile):
    mode, *others = tile[3]
    words = (_IN_OUR_ORDER.get(mode, mode), *others)
    return tile._replace(args=words) if hasattr(tile, "_replace") else (*tile[:3], words)
