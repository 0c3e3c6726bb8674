"""Light and weather: one function from the colour of a thing to the colour in the picture."""

from __future__ import annotations

import random
from dataclasses import dataclass

Color = tuple[int, int, int]


def mix(a: Color, b: Color, t: float) -> Color:
    """The colour ``t`` of the way from ``a`` to ``b``."""
    return (
        round(a[0] + (b[0] - a[0]) * t),
        round(a[1] + (b[1] - a[1]) * t),
        round(a[2] + (b[2] - a[2]) * t),
    )


def shade(color: Color, factor: float) -> Color:
    """``color`` darker (factor < 1) or brighter (> 1, towards white)."""
    if factor <= 1:
        return mix((0, 0, 0), color, factor)
    return mix(color, (255, 255, 255), factor - 1)


def hexes(text: str) -> tuple[Color, ...]:
    """Colours from a string of hex codes: ``hexes("ff8800 112233")``."""
    return tuple((int(h[:2], 16), int(h[2:4], 16), int(h[4:], 16)) for h in text.split())


@dataclass(frozen=True)
class Light:
    """The light of a scene; ``fog`` is how much of ``haze`` lies over the horizon (0 to 1)."""

    name: str
    weight: float  # share of the scenes
    sky_top: Color
    sky_low: Color
    sun: tuple[float, float, float]  # what the light does to red, green and blue
    haze: Color
    fog: float = 0.12
    shadow: float = 0.30
    lamps_on: bool = False
    windows_lit: float = 0.0
    clouds: float = 0.6
    weather: str = "dry"  # "dry", "rain" or "snow"

    def tone(self, color: Color, depth: float) -> Color:
        """``color`` seen in this light at ``depth`` (0 near, 1 at the horizon)."""
        f = self.fog * depth
        (r, g, b), (sr, sg, sb), (hr, hg, hb) = color, self.sun, self.haze
        return (
            min(255, round(r * sr * (1 - f) + hr * f)),
            min(255, round(g * sg * (1 - f) + hg * f)),
            min(255, round(b * sb * (1 - f) + hb * f)),
        )


LIGHTS: tuple[Light, ...] = (
    Light("noon", 0.26, (92, 166, 226), (206, 232, 244), (1.0, 1.0, 1.0), (206, 228, 240)),
    Light("morning", 0.14, (134, 186, 220), (250, 232, 206), (1.0, 0.96, 0.88), (246, 230, 210),
          fog=0.22, shadow=0.26),
    Light("golden", 0.13, (110, 150, 206), (253, 206, 146), (1.02, 0.88, 0.72), (248, 204, 156),
          fog=0.2, windows_lit=0.1),
    Light("dusk", 0.13, (66, 66, 128), (242, 152, 132), (0.74, 0.64, 0.76), (196, 130, 140),
          fog=0.22, shadow=0.22, lamps_on=True, windows_lit=0.4),
    Light("night", 0.09, (22, 28, 64), (74, 84, 134), (0.46, 0.48, 0.68), (60, 70, 116),
          shadow=0.3, lamps_on=True, windows_lit=0.5, clouds=0.3),
    Light("overcast", 0.08, (164, 178, 190), (216, 222, 226), (0.88, 0.90, 0.92), (206, 212, 216),
          fog=0.25, shadow=0.14, clouds=1.0),
    Light("rain", 0.06, (112, 126, 142), (168, 180, 188), (0.72, 0.77, 0.82), (158, 170, 178),
          fog=0.3, shadow=0.16, windows_lit=0.25, clouds=1.0, weather="rain"),
    Light("fog", 0.05, (198, 204, 206), (224, 226, 224), (0.90, 0.91, 0.91), (216, 219, 218),
          fog=0.62, shadow=0.12, clouds=0.0),
    Light("snow", 0.06, (172, 188, 206), (228, 234, 240), (0.93, 0.96, 1.0), (222, 229, 236),
          fog=0.3, shadow=0.14, clouds=0.7, weather="snow"),
)  # fmt: skip


def choose_light(rng: random.Random) -> Light:
    """A light, drawn with the weights above."""
    return rng.choices(LIGHTS, weights=[light.weight for light in LIGHTS])[0]
