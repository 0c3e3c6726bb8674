"""The same classes in another order are the same classes: they are found by their names, not by their numbers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from ..errors import ConfigError
from ..listing import few
from ..notices import warn_user
from .sample import Category
from .unseen import holds_unseen, without_unseen

UNUSED = "unused number "  # a class of a model that its data do not have, as the gaps between COCO's ids are DETR's
GENERIC = re.compile(r"class \d+")  # what a configuration calls classes that nobody has named

# names of what is no class, but where nobody knows one; "background" is a class like all others
NOBODY_KNOWS = frozenset((
    "void", "unlabeled", "unlabelled", "not labeled", "no label", "ignore", "ignored", "ignore label", "ignore region",
    "unknown", "undefined", "unannotated", "not annotated", "unclassified", "dont care", "don't care", "do not care",
))  # fmt: skip
_BRACKETS = "()[]<>{}*. "


def class_places(
    names: Sequence[str], categories: Sequence[Category], some: bool = False, data: str = "the data set"
) -> list[int]:
    """For each of ``categories`` (``some``: they may be fewer) its place among ``names``, the model's classes.

    Upper case, hyphens and spaces make no difference. ``names`` that are generic, or that differ in few places from
    as many ``categories`` in the same order (with a warning), are found by number; :data:`UNUSED` ones need not be.
    Raises :class:`ConfigError` for a class that is not among them.
    """
    own, given = [_key(name) for name in names], [_key(category.name) for category in categories]
    if own == given or (len(own) == len(given) and all(map(GENERIC.fullmatch, names))):
        return list(range(len(given)))
    if len(set(own)) == len(own) and len(set(given)) == len(given) and set(given) <= set(own) and (
        some or len(given) in (used_names(names), len(own))
    ):
        return [own.index(key) for key in given]
    unknown = [category.name for category, key in zip(categories, given) if key not in own]
    if len(own) == len(given) and _is_renamed(own, given):
        differing = [(name, c.name) for name, c in zip(names, categories) if _key(c.name) != _key(name)]
        pairs = ", ".join(f"{new!r} for {name!r}" for name, new in differing)
        warn_user(f"classes are called otherwise in {data} than by the model, taken for the same by number: {pairs}")
        return list(range(len(given)))
    raise ConfigError(
        f"the model knows {len(own)} classes, {data} has {len(given)}"
        + (f", of which {few(unknown, 5)} {'is' if len(unknown) == 1 else 'are'} none of them" if unknown else "")
        + f" ({few(names, 5)}): use data with the same classes, by the same names"
    )


def warn_of_other_kinds(
    known: Sequence[Category], categories: Sequence[Category], places: Sequence[int], data: str = "the data set"
) -> None:
    """Say which classes are things for the model (``known``) and stuff for the data, or the other way round."""
    other = [c.name for place, c in zip(places, categories) if c.is_thing != known[place].is_thing]
    if other and not all(GENERIC.fullmatch(c.name) for c in known):
        warn_user(
            f"{few(other, 5)} {'is' if len(other) == 1 else 'are'} not of the same kind in {data} as for the model: "
            "things (each object apart) for the one, stuff (merged) for the other. Correct is_thing of the data's "
            "categories, or take it over with config.for_classes(config, dataset.categories)"
        )


def used_names(names: Sequence[str]) -> int:
    """How many of a model's classes its data may have."""
    return sum(not name.startswith(UNUSED) for name in names)


def _key(name: str) -> str:
    """A name without what makes no difference to people: case, blanks, hyphens, how letters are composed (macOS takes
    them apart) and signs that nobody sees."""
    plain = without_unseen(unicodedata.normalize("NFKC", str(name))).casefold()
    return re.sub(r"[\s_-]+", " ", plain).strip()


def look_alikes(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ by upper case, blanks, hyphens, accents written apart, or marks at the end alone."""
    names = list(dict.fromkeys(names))
    first: dict[str, str] = {}
    pairs = []
    for name in names:
        key = _key(name).rstrip(" .,;:")
        if first.setdefault(key, name) != name:
            pairs.append((first[key], name))
    return pairs


def warn_of_names(names: Sequence[str], where: object) -> None:
    """Say which names of classes come twice, may be one name in two spellings, hold signs that nobody sees, or say that
    nobody knows the class."""
    warn_of_twins(names, where)
    if unseen := {name for name in names if holds_unseen(name)}:
        warn_user(
            f"{where}: names of classes hold signs that nobody sees (zero-width or non-breaking blanks, "
            f"byte-order marks): {few(unseen)}. Remove them: what compares names letter by letter takes them "
            "for others"
        )
    unknown = [name for name in names if _key(name).strip(_BRACKETS) in NOBODY_KNOWS]
    if unknown:
        warn_user(
            f"{where}: {few(unknown)} {'is' if len(unknown) == 1 else 'are'} learned and judged as a class like all "
            "others. If it is where nobody knows the class: in a file of classes its line is \"0: (void)\" (with its "
            "own value), else leave it out of the classes and give its pixel value as ignore_index, or remove its "
            "objects and segments from the JSON"
        )
    if pairs := look_alikes(names):
        shown = ", ".join(f"{a!r} and {b!r}" for a, b in pairs[:4]) + " ..." * (len(pairs) > 4)
        warn_user(
            f"{where}: names of classes differ by so little that they may be one class: {shown}. If so, merge them; "
            "else tell them apart by more"
        )


def warn_of_twins(names: Sequence[str], where: object) -> None:
    """Say which names stand for several classes."""
    if twice := {name for name, count in Counter(names).items() if count > 1}:
        warn_user(f"{where}: several categories are called {few(twice)}: rename or merge them")


def _is_renamed(own: list[str], given: list[str]) -> bool:
    """Most names are the same at the same place, and none is at another or twice."""
    same = sum(a == b for a, b in zip(own, given))
    return 2 * same >= len(own) and len(set(own) & set(given)) == same and len(set(given)) == len(given)
