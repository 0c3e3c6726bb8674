"""The classes of a data set in a configuration: a list, in an order, of names that differ."""

from __future__ import annotations

import warnings

import pytest

import oneformer_lite as ofl
from oneformer_lite.config import for_classes
from oneformer_lite.data import Category
from oneformer_lite.errors import ConfigError

CONFIG = ofl.config.toytown()
CAR, ROAD = Category(1, "car", True), Category(2, "road", False)


@pytest.mark.parametrize("given", [(CAR, ROAD), [CAR, ROAD], iter([CAR, ROAD]), {1: CAR, 2: ROAD}.values()])
def test_what_has_an_order_is_taken(given) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = for_classes(CONFIG, given)
    assert (config.class_names, config.is_thing, config.category_ids) == (("car", "road"), (True, False), (1, 2))


@pytest.mark.parametrize(
    "given",
    [{CAR, ROAD}, frozenset((CAR, ROAD)), {CAR: 1, ROAD: 2}, {CAR: 1, ROAD: 2}.keys(), {"car": CAR}, CAR, [], (), None,
     5, "coco", ["car", "road"], [CAR, None], [CAR, "road"], ofl.data.Toytown("val"), float("nan")],
    ids=lambda given: type(given).__name__,  # what a set shows differs from process to process
)  # fmt: skip
def test_what_has_none_or_is_no_list_of_categories_is_refused(given) -> None:
    with pytest.raises(ConfigError, match="categories must be (a data set's|a list of at least one, in the order)"):
        for_classes(CONFIG, given)


@pytest.mark.parametrize("given", [None, 5, "toytown", [CAR], (CAR, ROAD), ofl.config.toytown])
def test_the_configuration_comes_first(given) -> None:
    with pytest.raises(ConfigError, match="expected a model's configuration, such as ofl.config.toytown()"):
        for_classes(given, [CAR, ROAD])


def test_two_categories_of_one_name_are_told() -> None:
    with pytest.warns(UserWarning, match="categories: several categories are called 'car': rename or merge") as said:
        config = for_classes(CONFIG, [CAR, Category(7, "car", True), ROAD])
    assert config.num_classes == 3 and said[0].filename == __file__
    with pytest.raises(ConfigError, match="category_ids must differ, but 1 stands for more than one"):
        for_classes(CONFIG, [CAR, Category(1, "road", False)])


@pytest.mark.parametrize("name", ["classes", "categoriez", "cfg"])
def test_a_name_that_is_none_says_what_was_meant(name: str) -> None:
    with pytest.raises(ConfigError, match=f"for_classes has no argument '{name}'"):
        for_classes(CONFIG, **{name: [CAR]})


@pytest.mark.parametrize("given", [{"car", "road"}, {"car": 1}, "car,road", None, 5, [], ["car", ""], ["car", None]])
def test_names_of_label_maps_have_an_order_too(tmp_path, given) -> None:
    with pytest.raises(ofl.errors.DataError, match="class_names must be a list of names"):
        ofl.data.SemanticDataset(tmp_path, tmp_path, given)


@pytest.mark.parametrize("option", ["values", "is_thing"])
@pytest.mark.parametrize("given", [{0, 1}, {0: 1}, frozenset((0, 1)), 5, True])
def test_and_so_have_their_values(tmp_path, option: str, given) -> None:
    with pytest.raises(ofl.errors.DataError, match=f"{option} must be a list .* in the order of class_names"):
        ofl.data.SemanticDataset(tmp_path, tmp_path, ["car", "road"], **{option: given})
