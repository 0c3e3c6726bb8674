"""A widget that leaves its picture in the notebook: a saved notebook that is opened without its kernel still shows it.

Front ends choose one form of an output, and the widget wins, even where its kernel is gone and nothing but "model not
found" is left of it. So the picture is an output of its own, below the widget, and hidden as long as that lives.
"""

from __future__ import annotations

import numpy as np
from IPython import get_ipython
from IPython.display import display
from ipywidgets import VBox
from PIL import Image

from ..render import png_bytes
from ..render.as_iframe import as_iframe

LIVE = "ofl-live"  # the class of a widget that lives in the page
_OUTPUTS = (".jp-OutputArea-child", ".output_area", ".output_subarea", ".output_container")  # front ends name them so
# the style of a living widget: it goes with the widget, and the picture comes
WHILE_IT_LIVES = "".join(f"{one}:has(.{LIVE}) + {one}:has(img) {{ display: none }}\n" for one in _OUTPUTS)
_MARK = "ofl-still"
_CHILD = _OUTPUTS[0]
# kept below the picture, for JupyterLab: without the widget, what stands two outputs above is an error message
_AFTERWARDS = (
    f'<style class="{_MARK}">'
    f"{_CHILD}:has(> * > .{_MARK}), "
    f"{_CHILD}:has(+ {_CHILD} + {_CHILD} .{_MARK}):not(:has(.{LIVE})) {{ display: none }}"
    "</style>"
)


class Kept(VBox):
    """A box of widgets with ``still()``, its picture, and ``_page()``, its page (``as_iframe``)."""

    def still(self) -> Image.Image:
        """What is shown now, as one picture."""
        raise NotImplementedError

    def _page(self) -> str:
        raise NotImplementedError

    def _whole_page(self) -> str:
        return self._page()

    def _ipython_display_(self) -> None:
        bundle = self._repr_mimebundle_()
        picture = bundle.pop("image/png", None)
        display(bundle, raw=True)
        if picture:
            display({"image/png": picture}, raw=True)
            if _in_jupyterlab():
                display({"text/html": _AFTERWARDS}, raw=True)

    def _repr_mimebundle_(self, **options) -> dict:
        """Besides the widget its still picture, for where no kernel runs (or its page: ``as_iframe``)."""
        if frame := as_iframe(self, self._whole_page):
            return frame
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        still = png_bytes(np.asarray(self.still()), colors=256)  # kept in the notebook: small
        return {**(data or {}), "image/png": still}


def _in_jupyterlab() -> bool:
    """Was this cell run by JupyterLab, which tells the kernel the id of the cell?"""
    asked = getattr(get_ipython(), "get_parent", dict)()
    return "cellId" in asked.get("metadata", {})
