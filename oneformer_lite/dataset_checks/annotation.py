"""Is the annotation what the model takes it for? Samples alone are looked at, no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ..data.sample import TASKS, Category, Sample
from ..data.segment_ids import present_ids
from ..data.targets import targets_for
from ..listing import few
from .findings import Finding

MAX_VOID = 0.5  # share of pixels without a segment from which a sample counts as hardly annotated
MAX_CROWDS = 0.5  # share of the segments from which crowds are more than exceptions


def check_shapes(samples: Sequence[Sample]) -> Finding:
    """Pictures uint8 [H, W, 3], maps of the same size."""
    name = "pictures and maps"
    for sample in samples:
        image, shape = sample.image, _mask_shape(sample)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            return Finding(
                name, "fault", f"image {sample.image_id} is {image.dtype} {list(image.shape)}",
                "Sample.image must be uint8 [H, W, 3] RGB: the model's normalisation expects 0 to 255",
            )  # fmt: skip
        if shape != sample.size:
            return Finding(
                name, "fault",
                f"image {sample.image_id} has {_size(sample.size)} pixels, its segments {_size(shape)}: masks at the "
                "wrong resolution",
                "bring both to one size before the Sample is made (maps with nearest-neighbour resizing)",
            )  # fmt: skip
    return Finding(name, "fine", f"{len(samples)} pictures of {_sizes(samples)} pixels, maps of the same size")


def check_range(samples: Sequence[Sample]) -> Finding:
    """Brightness from 0 to 255, not 0 to 1."""
    name, brightest = "brightness", max(int(sample.image.max()) for sample in samples)
    if brightest <= 1:
        return Finding(
            name, "fault", f"the brightest value of {len(samples)} pictures is {brightest}: wrong normalisation",
            "the pictures were scaled to 0..1 before they became uint8: multiply by 255 first",
        )  # fmt: skip
    return Finding(name, "fine", f"up to {brightest}, on average {np.mean([s.image.mean() for s in samples]):.0f}")


def check_segments(samples: Sequence[Sample]) -> Finding:
    """Every listed segment has pixels, every pixel a listed segment (or is void)."""
    name = "segments"
    without = [s.image_id for s in samples if not any(not g.is_crowd for g in s.segments)]
    crowds = sum(len(s.segments) for s in samples)
    if len(without) == len(samples) and crowds:
        return Finding(
            name, "fault", f"all {crowds} segments of {len(samples)} samples are crowds: there is no ground truth to "
            "learn from, as a crowd is never a target",
            "SegmentInfo.is_crowd marks groups annotated as one; check where the reader takes it from (iscrowd)",
        )  # fmt: skip
    if len(without) == len(samples):
        return Finding(
            name, "fault", f"none of {len(samples)} samples has a segment: there is no ground truth to learn from",
            "look at how segments are read: the class loss then only says \"no object\" and falls to 0",
        )  # fmt: skip
    if (ids := check_segment_ids(samples)).verdict == "fault":
        return ids
    for sample in samples:
        pixels = sample.segment_masks().reshape(len(sample.segments), -1).sum(1) if sample.segments else np.zeros(0)
        if empty := [s.id for s, n in zip(sample.segments, pixels) if n == 0]:
            return _without_pixels(sample, empty)
    void = float(np.mean([1.0 - _covered(sample) for sample in samples]))
    counts = [len(s.segments) for s in samples]
    evidence = f"{min(counts)} to {max(counts)} a picture, {void:.0%} of the pixels are void"
    things_only = all(category.is_thing for sample in samples for category in sample.categories)
    if things_only:
        evidence += " (there are only things, so the background is)"
    elif void > MAX_VOID:
        return Finding(name, "warning", evidence, "check that all segments of the file are listed in Sample.segments")
    crowds = sum(s.is_crowd for sample in samples for s in sample.segments)
    if crowds > MAX_CROWDS * sum(counts):
        return Finding(
            name, "warning", f"{evidence}; {crowds} of {sum(counts)} segments are crowds, which are never a target",
            "check where the reader takes SegmentInfo.is_crowd from: some tools mark every brush stroke as iscrowd",
        )  # fmt: skip
    if len(without) > (len(samples) / 2 if things_only else 0):
        return Finding(name, "warning", f"{evidence}; {len(without)} of {len(samples)} pictures have none at all")
    return Finding(name, "fine", evidence)


def check_segment_ids(samples: Sequence[Sample]) -> Finding:
    """The list of segments and the map name the same ids, each once; PQ can be computed of nothing else."""
    name = "segments"
    for sample in samples:
        if sample.masks is not None:
            continue
        ids = [s.id for s in sample.segments]
        if repeated := [i for i, times in Counter(ids).items() if times > 1]:
            return Finding(
                name, "fault", f"image {sample.image_id} lists segments {repeated[:5]} twice: each becomes two "
                "targets",
                "every segment once; two objects need two ids in the map",
            )  # fmt: skip
        if 0 in ids:
            return Finding(
                name, "fault", f"image {sample.image_id} lists segment id 0, which is void in the map",
                "number the segments from 1",
            )  # fmt: skip
        present = set(present_ids(sample.segment_map).tolist())
        if unlisted := sorted(present - set(ids)):
            if absent := [i for i in ids if i not in present]:  # the map was read as other numbers
                return _without_pixels(sample, absent)
            return Finding(
                name, "fault",
                f"image {sample.image_id} has pixels of the ids {unlisted[:5]}, which are not in its list",
                "list these segments, or set their pixels to 0 (void)",
            )  # fmt: skip
    return Finding(name, "fine", "each id of the maps is listed once")


def _without_pixels(sample: Sample, ids: Sequence[int]) -> Finding:
    return Finding(
        "segments", "fault", f"image {sample.image_id}: segments {ids[:5]} have no pixel (empty targets)",
        "ids in Sample.segments must be those of the map; panoptic PNGs hold R + 256 G + 256^2 B",
    )  # fmt: skip


def check_image_ids(samples: Sequence[Sample]) -> Finding:
    """Each picture has an id of its own, which AP needs."""
    name = "image ids"
    if twice := [i for i, times in Counter(s.image_id for s in samples).items() if times > 1]:
        return Finding(
            name, "fault",
            f"{few(twice, 3)} {'is the id' if len(twice) == 1 else 'are ids'} of several pictures, and AP needs one of "
            "its own for each",
            "number the pictures: Sample(..., image_id=...)",
        )  # fmt: skip
    return Finding(name, "fine", f"{len(samples)}, no two alike")


def check_tasks(samples: Sequence[Sample], shares: Mapping[str, float] | None = None) -> Finding:
    """Every task has something to find; of the tasks that are drawn, if ``shares`` says how often."""
    name = "targets by task"
    supplied = [task for task in TASKS if all(task in sample.tasks for sample in samples)]
    drawn = [task for task in supplied if shares is None or shares[task]]
    if not drawn:
        return Finding(
            name, "fault", f"task_probabilities never draw {' or '.join(supplied)}, which is all that the annotation "
            "supplies", "give one of them a share above 0",
        )  # fmt: skip
    counts = {task: [len(targets_for(sample, task)) for sample in samples] for task in drawn}
    evidence = ", ".join(f"{task} {np.mean(found):.1f}" for task, found in counts.items()) + " a picture"
    if not any(map(any, counts.values())):
        return Finding(
            name, "fault", f"none of {len(samples)} pictures has a target under any task",
            "there is no ground truth to learn from: look at how segments are read, and which are crowds",
        )  # fmt: skip
    if without := [task for task in drawn if not any(counts[task])]:
        return Finding(
            name, "warning", f"{evidence}: nothing to find under {', '.join(without)}",
            "if there are no things, leave the task out: task_probabilities are the shares of panoptic, instance and "
            "semantic",
        )  # fmt: skip
    return Finding(name, "fine", evidence)


def check_query_count(
    samples: Sequence[Sample], num_queries: int, tasks: Sequence[str] = TASKS, fixed: Collection[int] = ()
) -> Finding:
    """No picture has more targets than there are queries to find them. Under the semantic task alone a class is one.
    ``fixed`` classes have a query of their own, which neither finds nor leaves out anything else."""
    classes = [[s.class_id for s in sample.segments if not s.is_crowd] for sample in samples]
    if len(fixed) < num_queries:
        classes, num_queries = [[k for k in ids if k not in fixed] for ids in classes], num_queries - len(fixed)
    name, most = "number of queries", max(len(set(ids) if set(tasks) == {"semantic"} else ids) for ids in classes)
    if most <= num_queries:
        return Finding(name, "fine", f"{num_queries}, at most {most} segments a picture")
    evidence = f"a picture has {most} segments, the model {num_queries} queries, each of which finds one"
    return Finding(name, "warning", evidence, "raise num_queries: the segments beyond are not learned")


def check_class_ids(samples: Sequence[Sample], categories: Sequence[Category]) -> Finding:
    """Class ids are indices into the categories: 0 to K - 1."""
    name, count = "class ids", len(categories)
    seen = Counter(segment.class_id for sample in samples for segment in sample.segments)
    if not seen:
        return Finding(name, "warning", "no segment, so no class was seen")
    low, high = min(seen), max(seen)
    if low < 0 or high >= count:
        off = low >= 1 and high == count
        evidence = f"they run from {low} to {high}, but there are {count} classes (0 to {count - 1})"
        return Finding(
            name, "fault", evidence + (": off by one" if off else ""),
            "SegmentInfo.class_id is the index in categories, not the category id of the file"
            + ("; subtract 1" if off else ""),
        )  # fmt: skip
    if len(seen) == 1 and count > 1 and sum(seen.values()) > 5 * len(samples):
        only = categories[low].name
        return Finding(name, "warning", f"all {sum(seen.values())} segments are of one class ({only})")
    return Finding(name, "fine", f"{len(seen)} of {count} classes seen, ids {low} to {high}")


def check_contrast(samples: Sequence[Sample]) -> Finding:
    """Where every pixel gets a class and nothing is counted, there is more than one class to choose from."""
    name, seen = "classes to tell apart", {s.class_id for sample in samples for s in sample.segments}
    if any(tuple(sample.tasks) != ("semantic",) for sample in samples) or len(seen) > 1 or not seen:
        return Finding(name, "fine", f"{len(seen)} seen")
    categories = samples[0].categories
    only = categories[seen.pop()].name
    evidence = f"in {len(samples)} pictures there is nothing but the class {only!r} and void, and no task but semantic"
    evidence += f": the model would learn to say {only!r} always"
    return Finding(
        name, "fault" if len(categories) > 1 else "warning", evidence,
        "give the rest a class of its own: masks of 0 and 255, of which 255 is no void, are read with "
        "SemanticDataset(..., values=(0, 255), ignore_index=None)",
    )  # fmt: skip


def _mask_shape(sample: Sample) -> tuple[int, int]:
    shape = sample.masks.shape[1:] if sample.masks is not None else sample.segment_map.shape
    return int(shape[0]), int(shape[1])


def _covered(sample: Sample) -> float:
    if sample.masks is not None:
        return float(sample.masks.any(0).mean()) if len(sample.masks) else 0.0
    return float((sample.segment_map != 0).mean())


def _sizes(samples: Sequence[Sample]) -> str:
    sizes = sorted({sample.size for sample in samples})
    return _size(sizes[0]) if len(sizes) == 1 else f"{_size(sizes[0])} to {_size(sizes[-1])}"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
