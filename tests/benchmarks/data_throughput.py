"""How many training images a second can one core prepare? Ours, and the same with transformers' image processor.

    python tests/benchmarks/data_throughput.py --data FOLDER [--images 48] [--repeats 5] [--size 1024]

FOLDER holds COCO's layout (train2017/, annotations/panoptic_train2017.json and its PNGs). Three roads lead from the
files to a batch with targets of randomly drawn tasks; each prepares the same pictures with the same random numbers:

ours            the published augmentation for COCO (flip, large-scale jitter, crop of 1024) and ``collate``
processor       our augmentation, since transformers has none, then its OneFormerImageProcessor for normalisation,
                masks, labels and texts
processor only  its OneFormerImageProcessor resizes as well, and what it returns is cut and padded to 1024, which is
                what one does who has only its documentation

They take turns, so that whatever else the machine does meets all of them. CPU seconds of one thread are counted, not
the clock's. Then follow where ours spends its time, and a data-loader worker, which must hand its batches over to
the training process as well.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from resource import RUSAGE_CHILDREN, getrusage
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from oneformer_lite.config import class_list
from oneformer_lite.data import batch, map_dataset, transforms
from oneformer_lite.data.augment import AUGMENTATIONS
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.panoptic import PanopticDataset
from oneformer_lite.data.sample import Sample
from oneformer_lite.training import coco_training
from oneformer_lite.training.loader import TaskSamples

BATCH = 4  # images at a time
FULL_BATCH = coco_training().batch_size
TEXTS = 134
# an assumption, not a measurement: seconds in which one H200 makes a step of 16 images of 1024 x 1024 with a ResNet-50
STEP_SECONDS = (1.0, 0.2)


class Roads:
    """The three roads over the same samples of ``dataset``."""

    def __init__(self, dataset: PanopticDataset, size: int) -> None:
        from transformers import OneFormerImageProcessor

        self.size = size
        self.samples = TaskSamples(dataset, AUGMENTATIONS["coco"](size), seed=0)
        names = {str(i): category.name for i, category in enumerate(class_list("coco"))}
        things = [i for i, category in enumerate(class_list("coco")) if category.is_thing]
        self.processor = OneFormerImageProcessor(num_text=TEXTS, num_labels=len(names), ignore_index=0)
        self.processor.metadata = {**names, "thing_ids": things, "class_names": list(names.values())}

    def ours(self, indices: list[int]) -> None:
        batch.collate([self.draw(i) for i in indices])

    def with_processor(self, indices: list[int]) -> None:
        pairs = [self.draw(i) for i in indices]
        self.process([s for s, _ in pairs], [task for _, task in pairs], do_resize=False)

    def processor_only(self, indices: list[int]) -> None:
        for i in indices:
            rng = np.random.default_rng((0, 0, i))
            sample = self.samples.dataset[i]
            task = self.samples.draw_task(sample.tasks, rng)
            sample = transforms.HorizontalFlip()(sample, rng)
            scale = rng.uniform(0.1, 2.0) * self.size / max(sample.size)
            height, width = (round(side * scale) for side in sample.size)
            found = self.process([sample], [task], size={"height": height, "width": width})
            place = rng.random()
            top, left = (round(max(side - self.size, 0) * place) for side in (height, width))
            for tensor in (found["pixel_values"][0], found["mask_labels"][0]):
                tensor = tensor[:, top : top + self.size, left : left + self.size]
                F.pad(tensor, (0, self.size - tensor.shape[-1], 0, self.size - tensor.shape[-2]))

    def draw(self, index: int) -> tuple[Sample, str]:
        return self.samples[0, index]

    def process(self, samples: list[Sample], tasks: list[str], **changes) -> dict:
        """The processor's batch. An image without things, on which its instance task fails, gets the panoptic one."""
        classes = [{s.id: s.class_id for s in sample.segments if not s.is_crowd} for sample in samples]
        maps = [np.where(np.isin(s.segment_map, [*ids]), s.segment_map, 0) for s, ids in zip(samples, classes)]
        things = [any(sample.categories[c].is_thing for c in ids.values()) for sample, ids in zip(samples, classes)]
        tasks = [task if task != "instance" or thing else "panoptic" for task, thing in zip(tasks, things)]
        return self.processor(
            [s.image for s in samples], tasks, maps, instance_id_to_semantic_id=classes, return_tensors="pt", **changes
        )


def cpu_seconds(road: Callable[[list[int]], None], images: int) -> float:
    """CPU seconds of this thread for an image."""
    started = time.process_time()
    for first in range(0, images, BATCH):
        road(list(range(first, min(first + BATCH, images))))
    return (time.process_time() - started) / images


def where_the_time_goes(roads: Roads, images: int) -> dict[str, float]:
    """CPU seconds of an image by stage, without those of the stages inside it."""
    spent, inside = Counter(), [0.0]

    def timed(stage: str, function: Callable, *args, **kwargs):
        inside.append(0.0)
        started = time.process_time()
        result = function(*args, **kwargs)
        took = time.process_time() - started
        spent[stage] += took - inside.pop()
        inside[-1] += took
        return result

    def method(cls: type, name: str, stage: str) -> mock._patch:
        function = getattr(cls, name)
        return mock.patch.object(cls, name, lambda *args, **kwargs: timed(stage, function, *args, **kwargs))

    def function(module, name: str, stage: str) -> mock._patch:
        return mock.patch.object(module, name, partial(timed, stage, getattr(module, name)))

    patches = [
        function(map_dataset, "read_annotated", "decode JPEG"),
        method(PanopticDataset, "annotation", "decode PNG and check ids"),
        method(transforms.HorizontalFlip, "__call__", "flip"),
        method(transforms.LargeScaleJitter, "__call__", "resize picture"),
        function(transforms, "resize_nearest", "resize ids"),
        method(transforms.FixedSizeCrop, "__call__", "crop and pad"),
        function(batch, "targets_for", "masks, labels, texts"),
        function(batch, "normalised_batch", "normalise and stack"),
    ]
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        for first in range(0, images, BATCH):
            timed("the rest", roads.ours, list(range(first, min(first + BATCH, images))))
    return {stage: seconds / images for stage, seconds in spent.most_common()}


def through_a_worker(roads: Roads, images: int) -> tuple[float, float]:
    """CPU seconds of an image in a worker and in the process that it feeds, in batches of 16 as in training."""
    addresses = [(0, i) for i in range(images)]
    loader = DataLoader(roads.samples, FULL_BATCH, sampler=addresses, num_workers=1, collate_fn=batch.collate)
    before, started = of_children(), time.process_time()
    for ready in loader:
        ready.images.sum()
    return (of_children() - before) / images, (time.process_time() - started) / images


def of_children() -> float:
    """CPU seconds of all processes that this one has started and seen end."""
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="COCO's layout")
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024)
    options = parser.parse_args()

    torch.set_num_threads(1)
    dataset = open_split(options.data, "train2017")
    roads = Roads(dataset, options.size)
    ways = {"ours": roads.ours, "processor": roads.with_processor, "processor only": roads.processor_only}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for road in ways.values():
        cpu_seconds(road, BATCH)  # warm up
    for _ in range(options.repeats):
        for name, road in ways.items():
            times[name].append(cpu_seconds(road, options.images))
    print(f"{options.images} images, {options.repeats} rounds in turns, {options.size} x {options.size}, one thread, "
          f"{processor_name()}, torch {torch.__version__}")  # fmt: skip
    print(f"\n{'road':<16} {'ms an image: min':>16} {'median':>8} {'max':>8} {'images/s a core':>16}")
    for name, seconds in times.items():
        low, middle, high = (1000 * f(seconds) for f in (min, statistics.median, max))
        print(f"{name:<16} {low:16.1f} {middle:8.1f} {high:8.1f} {1000 / middle:16.1f}")
    print(f"\n{'where ours goes':<26} {'ms':>6} {'share':>6}")
    stages = where_the_time_goes(roads, options.images)
    for stage, seconds in stages.items():
        print(f"{stage:<26} {1000 * seconds:6.1f} {100 * seconds / sum(stages.values()):5.0f}%")
    worker, trainer = through_a_worker(roads, options.images)
    print(f"\na worker that hands its batches of 16 over: {1000 * worker:.1f} ms an image, {1 / worker:.1f} images/s; "
          f"the process that receives them: {1000 * trainer:.1f} ms")  # fmt: skip
    for step in STEP_SECONDS:
        need = FULL_BATCH / step
        print(f"one H200 at an assumed {step:g} s a step of 16: {need:.0f} images/s, {need * worker:.1f} cores; "
              f"16 cores as fast as this one prepare {16 / worker:.0f}")  # fmt: skip


def processor_name() -> str:
    """As the kernel calls it."""
    try:
        lines = open("/proc/cpuinfo", encoding="utf-8").read().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return f"{platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
