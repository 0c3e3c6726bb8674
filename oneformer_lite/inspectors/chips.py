"""Any number of names, each a button that is on or off."""

from __future__ import annotations

from collections.abc import Sequence

from ipywidgets import Box, Label, ToggleButton
from traitlets import List, TraitError, Unicode, validate


class Chips(Box):
    """``value``: those of ``names`` that are on. Buttons stand for the ``offered`` ones alone: of many names a picture
    has few, and the others can still be set by code."""

    value = List(Unicode())

    def __init__(self, names: Sequence[str], offered: Sequence[str], description: str) -> None:
        self.names = tuple(names)
        self._buttons = {name: ToggleButton(description=name, layout={"width": "auto"}) for name in offered}
        layout = {"flex_flow": "row wrap", "align_items": "center"}
        super().__init__([Label(description), *self._buttons.values()], layout=layout)
        for button in self._buttons.values():
            button.observe(self._pressed, "value")
        self.observe(self._press, "value")

    def _pressed(self, change) -> None:
        name = change["owner"].description
        if (name in self.value) == change["new"]:
            return
        others = [one for one in self.value if one != name]
        self.value = [*others, name] if change["new"] else others

    def _press(self, change) -> None:
        for name, button in self._buttons.items():
            button.value = name in change["new"]

    @validate("value")
    def _known(self, proposal) -> list[str]:
        if not set(proposal["value"]) <= set(self.names):
            raise TraitError(f"expected names of {', '.join(self.names)}")
        return proposal["value"]
