"""The cells of an executed lesson as HTML: words, code in colours, and the best form of each output."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from .frames import frame_html
from .markdown import markdown_html
from .sanitize import harmless, picture_uri

if TYPE_CHECKING:
    from nbformat import NotebookNode

_LONG = 22  # lines of code above which a cell is folded


def cells_html(notebook: NotebookNode, folder: Path, lessons: Collection[str]) -> str:
    """All cells but the setup cell. ``folder``: the notebook's; ``lessons``: the names that have a page."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            words = markdown_html(cell.source, folder, lessons, cell.get("attachments"))
            parts.append(f'<section class="words">{words}</section>')
        elif cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", ()) and cell.source.strip():
            shown = "".join(output_html(output, folder, lessons) for output in cell.outputs)
            outputs = f'<div class="outputs">{shown}</div>' if shown else ""
            parts.append(f'<section class="code">{code_html(cell.source)}{outputs}</section>')
    return "\n".join(parts)


def code_html(source: str) -> str:
    """Python in colours, folded where it is long."""
    from pygments import highlight
    from pygments.lexers import PythonLexer

    code = highlight(source, PythonLexer(), _formatter())
    lines = source.strip().split("\n")
    if len(lines) <= _LONG:
        return code
    return (
        f"<details><summary>{len(lines)} lines of code: <code>{escape(lines[0][:60])}</code></summary>{code}</details>"
    )


def code_style() -> str:
    """The style sheet of :func:`code_html`."""
    light, dark = (_formatter(style).get_style_defs(".highlight") for style in ("xcode", "github-dark"))
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"


@cache
def _formatter(style: str = "xcode"):
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(style=style, nobackground=True)


def output_html(output: NotebookNode, folder: Path, lessons: Collection[str]) -> str:
    """One output in the richest form that a page can show; nothing for a widget that has no page of its own."""
    from nbconvert.filters import ansi2html

    if output.output_type == "stream":
        return f"<pre>{ansi2html(output.text)}</pre>"
    if output.output_type == "error":
        return f"<pre>{ansi2html(chr(10).join(output.traceback))}</pre>"
    data = output.get("data", {})
    if "text/html" in data:
        return frame_html(data["text/html"]) or harmless(data["text/html"], folder)
    for kind in ("image/png", "image/jpeg", "image/webp"):
        if kind in data and (uri := picture_uri(kind, data[kind])):
            words = escape(data.get("text/plain", "")) if not data.get("text/plain", "<").startswith("<") else ""
            ground = ' class="any-page"' if output.get("metadata", {}).get(kind, {}).get("any_page") else ""
            return f'<img{ground} src="{uri}" alt="{words}">'
    if "text/markdown" in data:
        return markdown_html(data["text/markdown"], folder, lessons)
    if "application/vnd.jupyter.widget-view+json" in data:
        return ""
    return f"<pre>{ansi2html(data['text/plain'])}</pre>" if "text/plain" in data else ""
