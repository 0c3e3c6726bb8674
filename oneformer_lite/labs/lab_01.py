"""Lab 01: ids from colours, semantic targets, the text list."""

from __future__ import annotations

import numpy as np

from ..data.sample import Category, Sample, SegmentInfo
from ..data.segment_ids import decode_ids
from ..data.targets import PADDING_TEXT, pad_texts, targets_for
from .draws import parts
from .exercise import Case, Exercise, Mistake, Rules

Segments = list[tuple[int, int, bool]]  # (id, class id, is crowd)

# -- 01.1: uint8 [H, W, 3] -> int [H, W]


def _cases_ids() -> list[Case]:
    rng = np.random.default_rng(1)
    return [
        Case("a red pixel", np.array([[[7, 0, 0]]], np.uint8)),
        Case("a blue pixel", np.array([[[0, 0, 7]]], np.uint8)),
        Case("the largest id", np.full((2, 3, 3), 255, np.uint8)),
        Case("random colours", rng.integers(0, 256, (5, 8, 3), dtype=np.uint8)),
        Case("no pixel at all", np.zeros((0, 4, 3), np.uint8)),
    ]


def _ids_of_bytes(rgb: np.ndarray) -> np.ndarray:
    return (rgb[..., 0] + (rgb[..., 1] << 8) + (rgb[..., 2] << 16)).astype(np.int32)


def _ids_base_255(rgb: np.ndarray) -> np.ndarray:
    red, green, blue = rgb.astype(np.int32).transpose(2, 0, 1)
    return red + 255 * green + 255**2 * blue


def _ids_twice_256(rgb: np.ndarray) -> np.ndarray:
    red, green, blue = rgb.astype(np.int32).transpose(2, 0, 1)
    return red + 256 * green + 2 * 256 * blue


# -- 01.2: int [H, W], segments -> masks, a list of bool [H, W]; class ids, a list


def _semantic(segment_map: np.ndarray, segments: Segments) -> tuple[list[np.ndarray], list[int]]:
    """The package's targets of a sample that holds nothing but this annotation."""
    count = 1 + max((class_id for _, class_id, _ in segments), default=0)
    sample = Sample(
        image=np.zeros((*segment_map.shape, 3), np.uint8),
        segment_map=segment_map,
        segments=tuple(SegmentInfo(*segment) for segment in segments),
        categories=tuple(Category(i + 1, f"class {i}", is_thing=True) for i in range(count)),
    )
    targets = targets_for(sample, "semantic")
    return list(targets.masks.numpy()), targets.labels.tolist()


def _cases_semantic() -> list[Case]:
    town = np.array([[1, 1, 1, 1, 1], [1, 5, 1, 6, 0], [2, 5, 2, 6, 6], [2, 2, 2, 2, 0]], np.int32)
    sky, road, car = (1, 8, False), (2, 10, False), 0
    two_cars = [sky, road, (5, car, False), (6, car, False)]
    return [
        Case("two cars are one region", town, two_cars),
        Case("a crowd beside a car", town, [sky, road, (5, car, False), (6, car, True)]),
        Case("a segment without pixels", town[:1], two_cars),
        Case("large ids", np.where(town == 6, 70000, town), [sky, road, (70000, 3, False), (5, 3, False)]),
        Case("nothing but void", np.zeros((2, 3), np.int32), []),
    ]


def _kept(segment_map: np.ndarray, segments: Segments) -> list[tuple[int, np.ndarray]]:
    """(class id, mask) of the segments that count, in class order."""
    kept = [(c, segment_map == i) for i, c, crowd in sorted(segments, key=lambda s: s[1]) if not crowd]
    return [(c, mask) for c, mask in kept if mask.any()]


def _merged(pairs: list[tuple[int, np.ndarray]]) -> tuple[list[np.ndarray], list[int]]:
    regions: dict[int, np.ndarray] = {}
    for class_id, mask in pairs:
        regions[class_id] = regions[class_id] | mask if class_id in regions else mask
    return list(regions.values()), list(regions)


def _not_merged(segment_map: np.ndarray, segments: Segments) -> tuple[list[np.ndarray], list[int]]:
    pairs = _kept(segment_map, segments)
    return [mask for _, mask in pairs], [class_id for class_id, _ in pairs]


def _with_crowds(segment_map: np.ndarray, segments: Segments) -> tuple[list[np.ndarray], list[int]]:
    return _merged(_kept(segment_map, [(i, c, False) for i, c, _ in segments]))


def _last_mask_only(segment_map: np.ndarray, segments: Segments) -> tuple[list[np.ndarray], list[int]]:
    regions = dict(_kept(segment_map, segments))
    return list(regions.values()), list(regions)


def _in_file_order(segment_map: np.ndarray, segments: Segments) -> tuple[list[np.ndarray], list[int]]:
    kept = [(c, segment_map == i) for i, c, crowd in segments if not crowd]
    return _merged([(c, mask) for c, mask in kept if mask.any()])


def _with_empty_masks(segment_map: np.ndarray, segments: Segments) -> tuple[list[np.ndarray], list[int]]:
    return _merged([(c, segment_map == i) for i, c, crowd in sorted(segments, key=lambda s: s[1]) if not crowd])


def _class_ids_in_the_map(segment_map: np.ndarray, segments: Segments) -> tuple[list[np.ndarray], list[int]]:
    class_ids = _semantic(segment_map, segments)[1]
    return [segment_map == class_id for class_id in class_ids], class_ids


def _places_as_labels(segment_map: np.ndarray, segments: Segments) -> tuple[list[np.ndarray], list[int]]:
    masks, class_ids = _semantic(segment_map, segments)
    return masks, list(range(len(class_ids)))


# -- 01.3: class ids of the masks, class names, task, length -> the text list


def _texts(class_ids: list[int], names: list[str], task: str, length: int) -> list[str]:
    return pad_texts([f"a photo with a {names[i]}" for i in sorted(class_ids)], task, length)


def _cases_texts() -> list[Case]:
    names = ["car", "person", "tree", "sky", "road"]
    return [
        Case("in the order of the file", [3, 4, 0], names, "semantic", 6),
        Case("three trees", [2, 0, 2, 2], names, "instance", 8),
        Case("no mask", [], names, "panoptic", 3),
        Case("more masks than places", [4, 3, 1, 1, 0], names, "panoptic", 2),
        Case("instance, nothing to find", [], names, "instance", 2),
    ]


def _sentences(class_ids: list[int], names: list[str]) -> list[str]:
    return [f"a photo with a {names[i]}" for i in class_ids]


def _texts_in_file_order(class_ids: list[int], names: list[str], task: str, length: int) -> list[str]:
    return pad_texts(_sentences(class_ids, names), task, length)


def _texts_once(class_ids: list[int], names: list[str], task: str, length: int) -> list[str]:
    return pad_texts(_sentences(sorted(set(class_ids)), names), task, length)


def _texts_not_cut(class_ids: list[int], names: list[str], task: str, length: int) -> list[str]:
    texts = _sentences(sorted(class_ids), names)
    return texts + [PADDING_TEXT[task]] * (length - len(texts))


def _texts_a_instance(class_ids: list[int], names: list[str], task: str, length: int) -> list[str]:
    return [text.replace("an instance", "a instance") for text in _texts(class_ids, names, task, length)]


def _texts_by_letter(class_ids: list[int], names: list[str], task: str, length: int) -> list[str]:
    return pad_texts(sorted(_sentences(class_ids, names)), task, length)


def _texts_cut_first(class_ids: list[int], names: list[str], task: str, length: int) -> list[str]:
    return _texts(class_ids[:length], names, task, length)


def _texts_unpadded(class_ids: list[int], names: list[str], task: str, length: int) -> list[str]:
    return _sentences(sorted(class_ids), names)[:length]


def _texts_of_the_token(class_ids: list[int], names: list[str], task: str, length: int) -> list[str]:
    return (_sentences(sorted(class_ids), names) + [f"the task is {task}"] * length)[:length]


def _texts_empty(class_ids: list[int], names: list[str], task: str, length: int) -> list[str]:
    texts = _sentences(sorted(class_ids), names)
    return (texts + [""] * length)[:length]


EXERCISES = (
    Exercise(
        id="01.1",
        name="rgb2id",
        reference=decode_ids,
        cases=_cases_ids,
        drawn=parts.colours,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("red is the lowest digit, blue the highest; yours reads blue first, as OpenCV stores pixels",
                    lambda rgb: decode_ids(rgb[..., ::-1])),
            Mistake("a byte (uint8) cannot hold 256: widen the array with astype before you shift or multiply",
                    _ids_of_bytes),
            Mistake("a byte has 256 values, 0 to 255: the base is 256", _ids_base_255),
            Mistake("blue counts 256 * 256, not 2 * 256", _ids_twice_256),
        ),
    ),
    Exercise(
        id="01.2",
        name="semantic_target",
        reference=_semantic,
        cases=_cases_semantic,
        drawn=parts.annotation,
        mistakes=(
            Mistake("these are the panoptic targets: semantic merges all masks of a class into one", _not_merged),
            Mistake("a crowd is nobody's target: skip the segments whose third entry is True", _with_crowds),
            Mistake("a later mask of a class replaces the earlier one: join them with |", _last_mask_only),
            Mistake("masks and labels come in the order of the class ids, not of the file", _in_file_order),
            Mistake("a segment without a single pixel is no target", _with_empty_masks),
            Mistake("the map holds the ids of segments, not of classes: compare it with the ids of a class's segments",
                    _class_ids_in_the_map),
            Mistake("the labels are the class ids of the masks, not their places 0, 1, 2, ...", _places_as_labels),
        ),
    ),
    Exercise(
        id="01.3",
        name="text_list",
        reference=_texts,
        cases=_cases_texts,
        drawn=parts.class_ids,
        mistakes=(
            Mistake("the texts come in the order of the class ids, so sort them", _texts_in_file_order),
            Mistake("one sentence for each mask: three trees are three sentences", _texts_once),
            Mistake("the list never has more than 'length' sentences: cut it", _texts_not_cut),
            Mistake("it is 'an instance photo', as in the published model: other letters, other tokens",
                    _texts_a_instance),
            Mistake("empty places hold the task's own sentence, 'a semantic photo' and so on", _texts_empty),
            Mistake("sort the class ids, not the sentences: car comes before sky by its id, not by its letter",
                    _texts_by_letter),
            Mistake("sort first, then cut: the lowest class ids stay", _texts_cut_first),
            Mistake("the list always has 'length' sentences: empty places hold the task's own, 'a semantic photo'",
                    _texts_unpadded),
            Mistake("'the task is semantic' makes the task token; empty places hold 'a semantic photo'",
                    _texts_of_the_token),
        ),
    ),
)  # fmt: skip
