"""Classes are the same by their names: order, spelling, subsets, renamed ones, others."""

from __future__ import annotations

import warnings

import pytest

from oneformer_lite.data import Category
from oneformer_lite.data.by_name import UNUSED, class_places
from oneformer_lite.errors import ConfigError

NAMES = ("car", "traffic light", "sky", "road")


def categories(*names: str) -> tuple[Category, ...]:
    return tuple(Category(i, name, True) for i, name in enumerate(names, start=1))


@pytest.mark.parametrize(
    ("given", "places"),
    [
        (NAMES, [0, 1, 2, 3]),
        (("road", "sky", "car", "traffic light"), [3, 2, 0, 1]),
        (("Road", "SKY", " car", "traffic-light"), [3, 2, 0, 1]),
        (("road", "sky", "car", "traffic_light"), [3, 2, 0, 1]),
    ],
)
def test_any_order_and_spelling(given: tuple, places: list) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert class_places(NAMES, categories(*given)) == places


def test_some_of_the_classes_where_that_is_allowed() -> None:
    assert class_places(NAMES, categories("sky", "car"), some=True) == [2, 0]
    with pytest.raises(ConfigError, match="the model knows 4 classes, the data set has 2 "):
        class_places(NAMES, categories("sky", "car"))


def test_generic_names_are_numbers() -> None:
    assert class_places(("class 0", "class 1"), categories("sky", "car")) == [0, 1]


def test_a_few_new_names_in_the_same_places_are_told() -> None:
    with pytest.warns(UserWarning, match="by number: 'street' for 'road'"):
        assert class_places(NAMES, categories("car", "traffic light", "sky", "street")) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "given",
    [
        ("street", "heaven", "auto", "lamp"),  # all others
        ("street", "heaven", "auto", "road"),  # most
        ("traffic light", "car", "sky", "street"),  # new ones among others in another order
        ("car", "traffic light", "sky", "road", "dog"),  # one more
        ("car", "car", "sky", "road"),  # twice
    ],
)
def test_other_classes_are_refused_by_name(given: tuple) -> None:
    with pytest.raises(ConfigError, match="the model knows 4 classes, the data set has"):
        class_places(NAMES, categories(*given), some=True)


@pytest.mark.parametrize("order", [(0, 2), (2, 0)])
def test_classes_of_a_model_that_no_data_have(order) -> None:
    """As the gaps between COCO's ids are DETR's: they need not be found, all others must."""
    names = ("car", f"{UNUSED}1", "sky", f"{UNUSED}3")
    categories = [Category(i, names[place], True) for i, place in enumerate(order)]
    assert class_places(names, categories) == list(order)
    for given in ([categories[0]], [*categories, Category(9, "dog", True)]):
        with pytest.raises(ConfigError, match="the model knows 4 classes"):
            class_places(names, given)
