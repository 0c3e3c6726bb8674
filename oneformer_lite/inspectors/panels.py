"""Pictures side by side, each with its caption, that tell where they are clicked whatever their size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from ipywidgets import HTML, Box, VBox

from .picture import Picture

UNITS = 1000  # height and width of every picture, for points and frames


class Panels(Box):
    """A row of pictures, which wraps where it is narrow. ``views``: name -> :class:`Picture`, empty at first."""

    def __init__(
        self,
        captions: Mapping[str, str],
        clicked: Mapping[str, Callable[[float, float], object]],
        photos: Collection[str] = (),
    ) -> None:
        """``captions``: name -> what stands above; ``clicked``: name -> what is called with a place, as shares of
        height and width; ``photos``: names of the pictures that are mostly photographs."""
        self.views = {
            name: Picture(None, caption, (UNITS, UNITS), photo=name in photos) for name, caption in captions.items()
        }
        for name, view in self.views.items():
            view.observe(lambda change, name=name: self._tell(name, change["new"], clicked[name]), "point")
        panels = [
            VBox([HTML(f"<b>{caption}</b>"), self.views[name]], layout={"flex": "1 1 22rem", "min_width": "0"})
            for name, caption in captions.items()
        ]
        super().__init__(panels, layout={"flex_flow": "row wrap", "grid_gap": "10px"})

    def _tell(self, name: str, point: tuple[int, int] | None, clicked: Callable[[float, float], object]) -> None:
        if point is not None:
            clicked(*((value + 0.5) / UNITS for value in point))
            self.views[name].move(None)  # so that the same place can be clicked again
