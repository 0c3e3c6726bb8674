"""A widget as a frame that holds its page: for kernels whose notebook becomes a page itself.

With ``OFL_WIDGETS=page`` in a kernel's environment, inspectors and views of runs show themselves so; nothing else does
anything different. ``oneformer-lite lessons --html`` sets it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape

SWITCH = "OFL_WIDGETS"


def as_iframe(widget, page: Callable[[], str]) -> dict | None:
    """The mime bundle with the page (and the text for front ends without HTML) where the switch is on, else None."""
    if os.environ.get(SWITCH) != "page":
        return None
    words = repr(widget)
    frame = f'<iframe class="ofl-frame" title="{escape(words)}" srcdoc="{escape(page())}"></iframe>'
    return {"text/html": frame, "text/plain": words}
