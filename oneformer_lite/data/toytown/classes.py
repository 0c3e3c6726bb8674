"""The classes of Toytown: eight countable things, then six kinds of stuff.

A class id is an index into :data:`CATEGORIES`; the ids in the annotation file have a gap between
things and stuff, as COCO's do, so that code which confuses the two numbers fails early. The
colours stay apart for colour-blind eyes too: at least 12 in CIELAB under each simulated deficiency.
"""

from __future__ import annotations

from ..sample import Category

CATEGORIES: tuple[Category, ...] = (
    Category(1, "car", True, (206, 40, 80)),
    Category(2, "bus", True, (216, 142, 30)),
    Category(3, "person", True, (232, 88, 170)),
    Category(4, "tree", True, (22, 88, 54)),
    Category(5, "dog", True, (134, 86, 32)),
    Category(6, "lamp", True, (246, 232, 84)),
    Category(7, "ball", True, (74, 32, 184)),
    Category(8, "sign", True, (64, 112, 222)),
    Category(101, "sky", False, (146, 218, 242)),
    Category(102, "building", False, (188, 154, 108)),
    Category(103, "road", False, (82, 68, 98)),
    Category(104, "sidewalk", False, (186, 190, 180)),
    Category(105, "grass", False, (158, 216, 104)),
    Category(106, "water", False, (24, 158, 186)),
)

CAR, BUS, PERSON, TREE, DOG, LAMP, BALL, SIGN = range(8)
SKY, BUILDING, ROAD, SIDEWALK, GRASS, WATER = range(8, 14)
