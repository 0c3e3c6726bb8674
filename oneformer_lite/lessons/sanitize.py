"""HTML that somebody else wrote, as a page may show it: words, tables, pictures and formulas, and nothing that runs.

Only what is listed here passes. Other elements are shown as the text that they were written as; other attributes,
addresses and styles go. Pictures are embedded, from the notebook's folder alone, so that a page asks nobody for
anything. (The pages forbid foreign scripts a second time, by a Content-Security-Policy: ``pages.py``.)
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from urllib.parse import unquote

from bleach.css_sanitizer import CSSSanitizer
from bleach.html5lib_shim import Filter
from bleach.sanitizer import Cleaner

_WORDS = (
    "a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins "
    "kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr tt u ul var"
).split()
_FORMULAS = (
    "math menclose mfenced mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt "
    "mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none"
).split()
_EVERYWHERE = {"align", "class", "dir", "id", "lang", "style", "title"}
_OF_WORDS = {
    "a": {"href"}, "img": {"src", "alt", "width", "height"}, "details": {"open"}, "ol": {"start"},
    "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"},
}  # fmt: skip
_OF_FORMULAS = set(
    "accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form height largeop "
    "linethickness lspace mathbackground mathcolor mathvariant maxsize minsize movablelimits notation rowlines "
    "rowspacing rspace scriptlevel separator stretchy symmetric voffset width xmlns".split()
)
# properties that can neither name an address nor lay one thing over another
_STYLES = (
    "background-color border border-bottom border-collapse border-color border-left border-right border-style "
    "border-top border-width color font-family font-size font-style font-weight height margin margin-bottom "
    "margin-left margin-right margin-top max-width padding text-align text-decoration vertical-align white-space width"
).split()
_MOST_BYTES = 20 * 2**20  # of a picture that is embedded


def harmless(html: str, folder: Path, attachments: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """``html`` without anything that runs or asks for anything. Pictures come from ``folder`` or the ``attachments``
    of a cell; instead of any other there stand its words."""
    cleaner = Cleaner(
        tags={*_WORDS, *_FORMULAS},
        attributes=_may_have,
        protocols={"http", "https", "mailto", "data", "attachment"},
        css_sanitizer=_styles(),
        strip_comments=True,
        filters=[partial(_Pictures, folder=folder, attachments=attachments or {})],
    )
    return cleaner.clean(html)


def picture_uri(kind: str, content: str) -> str | None:
    """The address that embeds a picture from its base64 text; None for what is no picture or no base64."""
    try:
        data = base64.b64decode("".join(content.split()), validate=True)
    except (ValueError, binascii.Error):
        return None
    return _embedded(kind, data)


def _may_have(tag: str, name: str, value: str) -> bool:
    if tag in _FORMULAS:
        return name in _OF_FORMULAS
    if name == "href":
        return not value.strip().lower().startswith(("data:", "attachment:"))
    return name in _EVERYWHERE or name in _OF_WORDS.get(tag, ())


@cache
def _styles() -> CSSSanitizer:
    return CSSSanitizer(allowed_css_properties=_STYLES, allowed_svg_properties=[])


def _embedded(kind: str | None, data: bytes) -> str | None:
    if kind is None or not kind.startswith("image/") or len(data) > _MOST_BYTES:
        return None
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


class _Pictures(Filter):
    """Embeds the pictures of a tree that has been sanitised."""

    def __init__(self, source, folder: Path, attachments: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__(source)
        self._folder, self._attachments = folder.resolve(), attachments

    def __iter__(self) -> Iterator[dict]:
        for token in super().__iter__():
            yield self._shown(token) if token.get("name") == "img" and "data" in token else token

    def _shown(self, token: dict) -> dict:
        attributes = token["data"]
        uri = self._uri(attributes.get((None, "src"), ""))
        if uri is None:
            return {"type": "Characters", "data": attributes.get((None, "alt"), "")}
        attributes[None, "src"] = uri
        return token

    def _uri(self, source: str) -> str | None:
        if source.startswith("data:"):
            head, _, content = source[5:].partition(",")
            return picture_uri(head.removesuffix(";base64"), content) if head.endswith(";base64") else None
        if source.startswith("attachment:"):
            kinds = self._attachments.get(unquote(source[11:]), {})
            return next((uri for kind, content in kinds.items() if (uri := picture_uri(kind, content))), None)
        return self._from_folder(unquote(source))

    def _from_folder(self, name: str) -> str | None:
        try:
            path = (self._folder / name).resolve()
            if not path.is_relative_to(self._folder) or not path.is_file() or path.stat().st_size > _MOST_BYTES:
                return None
            return _embedded(mimetypes.guess_type(path.name)[0], path.read_bytes())
        except (OSError, ValueError):  # a name that no file can have
            return None
