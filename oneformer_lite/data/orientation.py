"""Which way up a picture is: the EXIF orientation of cameras and phones, and the frame of an annotation.

A camera stores the pixels as its sensor lies and notes in a tag how to hold the picture. Viewers, browsers and most
labelling tools turn the picture before they show it; programs that read the pixels alone do not.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from ..notices import warn_user

_TAG = 0x0112
# what undoes each orientation (EXIF 2.3, section 4.6.4, "Orientation"); 1 is upright
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where there is none, or none that can be read."""
    try:
        tag = picture.getexif().get(_TAG)
    except Exception:  # damaged EXIF fails in as many ways as damaged pictures
        return 1
    return tag if isinstance(tag, int) and tag in _TURNS else 1


def upright(picture: Image.Image) -> Image.Image:
    """The picture as a viewer shows it: turned and mirrored as its EXIF orientation says."""
    turn = _TURNS.get(orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def as_stored(picture: Image.Image, tag: int) -> Image.Image:
    """What was stored of a picture that has been turned upright, with its ``tag`` again: Pillow turns TIFFs, and only
    these, when it decodes them."""
    inverse = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}  # all others undo themselves
    stored = picture.transpose(inverse.get(tag, _TURNS[tag]))
    exif = Image.Exif()
    exif[_TAG] = tag
    stored.info["exif"] = exif.tobytes()
    return stored


def as_annotated(picture: Image.Image, size: tuple[int, int] | None, path: str | Path) -> Image.Image:
    """The picture in the frame of an annotation of this ``size`` (height, width); None where it does not tell.

    The sizes decide where they can. A picture that has to be turned by a right angle and is not square fits the
    annotation in one of the two ways only: as stored (the annotation was drawn on the stored pixels, so they stay) or
    turned. Where they cannot (square pictures, pictures upside down or mirrored, no size), it is turned, as viewers and
    labelling tools show it and as detectron2 reads it (``_apply_exif_orientation``), and a warning says so, once a
    folder. A picture that fits in neither way is returned as stored: the caller compares the sizes.
    """
    stored, turned = (picture.height, picture.width), upright(picture)
    if turned is picture or (size is not None and (turned.height, turned.width) != tuple(size)):
        return picture
    if size is None or stored == tuple(size):
        warn_user(
            f"{Path(path).parent} has pictures with an EXIF orientation of which the size does not tell whether "
            "their annotations were drawn on the stored pixels or on the turned picture: they are turned, as "
            "labelling tools show them. If masks lie beside their objects, save the pictures without the tag."
        )
    return turned
