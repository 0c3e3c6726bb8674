"""Light or dark, as the page is: the style sheet knows the front ends' signs, and a widget is told what it says.

Pictures that are painted in Python cannot follow a style sheet, so the page tells which scheme it has: once it is
there, and whenever a sign changes. As in :mod:`.picture`, the script is an attribute of HTML and writes into a hidden
Text.
"""

from __future__ import annotations

from html import escape

from ipywidgets import HTML, Text

from ..render.paper import DARK, WHITE, Paper

_TELL = (
    "let left=100;const tell=()=>{const root=this.closest('.ofl-inspector'),"
    "told=root&&root.querySelector('.ofl-scheme input');"
    "if(!told){if(left--)setTimeout(tell,100);return}"  # the page is still being put together
    "const scheme=getComputedStyle(root).colorScheme;if(told.value===scheme)return;told.value=scheme;"
    "for(const n of ['input','change'])told.dispatchEvent(new Event(n,{bubbles:true}))};tell();"
    "const signs=new MutationObserver(tell);"
    "for(const e of [document.documentElement,document.body])signs.observe(e,{attributes:true})"
)
_PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def scheme_widgets() -> tuple[HTML, Text]:
    """What tells the scheme, to be put into an inspector, and the text in which it is told."""
    teller = HTML(f'<img src="{_PIXEL}" alt="" onload="{escape(_TELL)}">')
    return teller.add_class("ofl-told"), Text().add_class("ofl-told").add_class("ofl-scheme")


def paper_of(scheme: str) -> Paper:
    """What to paint on under a ``color-scheme``."""
    return DARK if scheme == "dark" else WHITE
