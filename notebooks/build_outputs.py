"""What a built notebook may hold: the outputs are cleaned, then judged, for :mod:`build`."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
IGNORED = "nbval-ignore-output"  # the tag of cells whose output may differ from run to run
RAISES = "raises-exception"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_MACHINE_PATH = re.compile(r"(?<![\w.~/])/(?:home|Users|root|tmp|private|mnt)/[^\s'\"<>)\],;:]*")


class BuildError(Exception):
    """A lesson that cannot be published; the text says which cell and why."""


def tags(cell: NotebookNode) -> list[str]:
    """The cell's tags."""
    return list(cell.metadata.get("tags", []))


def clean(notebook: NotebookNode) -> None:
    """Drop what differs from machine to machine and make pictures small."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = NotebookNode(name="python")
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = _stills_alone(cell.outputs)
        for output in cell.get("outputs", []):
            if IGNORED in tags(cell):
                strip_paths(output)
            if "image/png" in output.get("data", {}):
                any_page = output.get("metadata", {}).get("image/png", {}).get("any_page", False)
                output.data["image/png"] = small_png(output.data["image/png"], any_page)
                output.data.pop("image/jpeg", None)  # Pillow gives both, and a page shows one
                output.data.pop(_WIDGET, None)  # without its state JupyterLab would say "model not found" instead


def _stills_alone(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs without widgets that have left their picture as the next output: it takes over their words."""
    kept: list[NotebookNode] = []
    for output, following in zip(outputs, [*outputs[1:], NotebookNode()], strict=False):
        if _WIDGET in output.get("data", {}) and set(following.get("data", {})) == {"image/png"}:
            following.data["text/plain"] = output.data["text/plain"]
        else:
            kept.append(output)
    return kept


def strip_paths(output: NotebookNode) -> None:
    """Replace paths of this machine in the text of an output that nobody compares."""
    if "text" in output:
        output.text = replace_paths(output.text)
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/"):
            output.data[kind] = replace_paths(value)


def replace_paths(text: str) -> str:
    """``text`` with the project's folder as ``.`` and other private paths as an ellipsis."""
    return _MACHINE_PATH.sub("…", text.replace(str(ROOT), "."))


def small_png(encoded: str, any_page: bool = False) -> str:
    """A base64 PNG in 256 colours, where that is smaller; on white where it is transparent, unless it is legible on
    any page."""
    from PIL import Image

    from oneformer_lite.render.grid import with_palette

    image = Image.open(io.BytesIO(base64.b64decode(encoded)))
    if image.mode == "RGBA" and not any_page:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.mode not in ("RGB", "RGBA"):
        return encoded
    buffer = io.BytesIO()
    with_palette(image).save(buffer, "PNG", optimize=True)
    small = base64.b64encode(buffer.getvalue()).decode("ascii")
    return small if len(small) < len(encoded.strip()) else encoded


def verify(notebook: NotebookNode) -> None:
    """Raise :class:`BuildError` for what strict nbval, or a reader, would stumble over."""
    if "widgets" in notebook.metadata:
        raise BuildError("metadata.widgets is there: GitHub shows such notebooks as invalid")
    code = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    if [c.execution_count for c in code] != list(range(1, len(code) + 1)):
        raise BuildError("execution counts are not 1..n: nbval would skip cells")
    for cell in code:
        for output in cell.outputs:
            problem = fault(cell, output)
            if problem:
                raise BuildError(f"{problem}, in cell {cell.execution_count}:\n{cell.source}")


def fault(cell: NotebookNode, output: NotebookNode) -> str | None:
    """What is wrong with an output, or None."""
    if output.output_type == "error" and RAISES not in tags(cell):
        return f"it ends in {output.ename}: {output.evalue}"
    if output.get("name") == "stderr" and IGNORED not in tags(cell):
        return f"it writes to stderr, which strict nbval rejects: {output.text[:200]!r}"
    if "image/svg+xml" in output.get("data", {}):
        return "it shows an SVG, which carries a date: show a PNG"
    texts = [output.get("text", "")]
    texts += [v for k, v in output.get("data", {}).items() if k.startswith("text/")]
    for text in texts:
        if replace_paths(text) != text:
            return f"it prints a path of this machine (print a relative one, or tag it {IGNORED})"
    return None
