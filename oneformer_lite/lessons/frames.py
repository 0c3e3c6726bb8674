"""Inspectors in a lesson's page: frames that are closed towards the page, and the policy that lets nothing else run.

What a cell shows as HTML may be the page of an inspector, whose sliders need scripts, or anything else that the cell's
author thought of. Therefore every frame is sandboxed: its scripts run, but see neither the page around it nor the
browser's storage, and the policy of the page, which holds in its frames too, keeps them from the network. Scripts are
known to the policy by their checksums, so that none runs outside of a frame that was made here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape, unescape

from ..render.pages import read

# as render/as_iframe.py writes it
_FRAME = re.compile(r'\s*<iframe class="ofl-frame" title="([^"<>]*)" srcdoc="([^"]*)"></iframe>\s*')
_OURS = re.compile(r'<iframe class="ofl-frame" sandbox="allow-scripts" title="[^"<>]*" srcdoc="([^"]*)"></iframe>')
_SCRIPT = re.compile(r"<script(?:\s[^>]*)?>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_HEIGHT = "<script>" + read("lessons/frame_height.js") + "</script>"


def frame_html(html: str) -> str | None:
    """The closed frame for an output that is the page of an inspector; None for any other output."""
    frame = _FRAME.fullmatch(html)
    if frame is None:
        return None
    words, page = unescape(frame[1]), unescape(frame[2])
    return (
        f'<iframe class="ofl-frame" sandbox="allow-scripts" title="{escape(words)}" '
        f'srcdoc="{escape(page + _HEIGHT)}"></iframe>'
    )


def policy(cells: str, *scripts: str) -> str:
    """The Content-Security-Policy of a page with these cells and its own ``scripts``: nothing from outside, no other
    script than these and those of the frames."""
    inside = [script for page in _OURS.findall(cells) for script in _SCRIPT.findall(unescape(page))]
    known = " ".join(f"'sha256-{_checksum(script)}'" for script in dict.fromkeys((*scripts, *inside))) or "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {known}; "
        "base-uri 'none'; form-action 'none'"
    )


def _checksum(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
