"""Markdown of lessons as HTML that needs nothing from outside and runs nothing: formulas become MathML, links to
lessons their pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape
from pathlib import Path
from urllib.parse import unquote

from latex2mathml.converter import convert
from mistune import HTMLRenderer
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from .sanitize import harmless


def markdown_html(
    source: str,
    folder: Path,
    lessons: Collection[str],
    attachments: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """One cell. Pictures are read from ``folder`` or the cell's ``attachments`` and embedded; ``lessons`` are the names
    that have a page."""
    renderer = _Renderer(lessons, escape=False, exclude_anchor_links=True)
    return harmless(MarkdownWithMath(renderer=renderer).render(source), folder, attachments)


class _Renderer(IPythonRenderer):
    def __init__(self, lessons: Collection[str], **options) -> None:
        super().__init__(**options)
        self._lessons = lessons

    def inline_math(self, body: str) -> str:
        return _formula(body, "inline")

    def block_math(self, body: str) -> str:
        return f'<div class="formula">{_formula(body, "block")}</div>'

    def multiline_math(self, text: str) -> str:
        return self.block_math(text.strip().strip("$"))

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return HTMLRenderer.image(self, text, url, title)  # embedded when all is sanitised

    def link(self, text: str, url: str, title: str | None = None) -> str:
        path, _, anchor = unquote(url).partition("#")
        if path.endswith(".md") and "://" not in path:  # beside the notebooks, and no page
            return f"{text}: <code>{escape((Path('notebooks') / path).as_posix())}</code>"
        if not path.endswith(".ipynb"):
            return super().link(text, url, title)
        if Path(path).parent == Path("."):
            if Path(path).stem not in self._lessons:
                return text  # a lesson without a page
            return super().link(text, f"{Path(path).stem}.html" + (f"#{anchor}" if anchor else ""), title)
        return f"{text} (in JupyterLab)"  # a lab, which has no page; its whole path would fill two lines of a phone


def _formula(latex: str, display: str) -> str:
    try:
        return convert(latex.strip(), display=display)
    except Exception:  # whatever the converter stumbles over is shown as it was written
        return f"<code>{escape(latex.strip())}</code>"
