"""The classes of Toytown: eight countable things, then six kinds of stuff.

A class id is an index into :data:`CATEGORIES`; the ids in the annotation file have a gap between
things and stuff, as COCO's do, so that code which confuses the two numbers fails early.
"""

from __future__ import annotations

from ..sample import Category

CATEGORIES: tuple[Category, ...] = (
    Category(1, "car", True, (213, 62, 79)),
    Category(2, "bus", True, (245, 166, 35)),
    Category(3, "person", True, (226, 106, 176)),
    Category(4, "tree", True, (27, 120, 86)),
    Category(5, "dog", True, (138, 84, 42)),
    Category(6, "lamp", True, (250, 226, 92)),
    Category(7, "ball", True, (106, 61, 174)),
    Category(8, "sign", True, (28, 108, 200)),
    Category(101, "sky", False, (158, 206, 240)),
    Category(102, "building", False, (196, 150, 124)),
    Category(103, "road", False, (86, 90, 102)),
    Category(104, "sidewalk", False, (190, 188, 196)),
    Category(105, "grass", False, (142, 196, 82)),
    Category(106, "water", False, (44, 158, 168)),
)

CAR, BUS, PERSON, TREE, DOG, LAMP, BALL, SIGN = range(8)
SKY, BUILDING, ROAD, SIDEWALK, GRASS, WATER = range(8, 14)

SUPERCATEGORIES: tuple[str, ...] = (
    "vehicle", "vehicle", "person", "plant", "animal", "furniture", "toy", "furniture",
    "sky", "building", "ground", "ground", "ground", "water",
)  # fmt: skip
