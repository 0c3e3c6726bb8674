"""Your OneFormer: the answers that passed, in their places in the model, and the scene as that model segments it."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from ...data import Category, Sample, SegmentInfo, Toytown, normalise, sample_folder
from ...data.image import read_image
from ...model import OneFormer
from ...weights import from_pretrained
from ..exercise import find, of_lab
from .gathered import gathered
from .network import Network, enlarged
from .parts import PARTS, Parts
from .training import Training

TASKS = ("panoptic", "instance", "semantic")
SCENE = "000000000003"  # of data/sample
_BOX = "display:inline-block; width:0.8em; height:0.8em; margin-right:2px; border:1px solid #009e73; background:"
_LINE = "margin:0; color:inherit"


def assemble(
    folder: str | Path | None = ".", lab: str | None = None, namespace: Mapping[str, Any] | None = None
) -> YourOneFormer:
    """Your OneFormer, of the answers in the lab notebooks of ``folder`` (as they were saved last; None: of none), and
    of those of lab "NN" in ``namespace``, its notebook's ``globals()``, which count before saved ones.

    What the notebooks define runs here, as in themselves: give it the folder of your own.
    """
    answers = {} if folder is None else gathered(folder)
    if lab is not None:
        answers |= {e.id: namespace[e.name] for e in of_lab(lab) if namespace and e.name in namespace}
    return YourOneFormer(answers)


class YourOneFormer:
    """OneFormer with some parts yours and the others ours; the weights are those that come with the package, until
    :meth:`train` makes new ones.

    Each answer is compared with ours in its place, on the scene; one that does not fit is set aside, and :meth:`faults`
    says why.
    """

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        self.parts = Parts(answers)
        self.model: nn.Module = from_pretrained("toytown").eval()
        self.scene = self._scene()
        self.scores = self._scores()

    @property
    def faults(self) -> dict[str, str]:
        """Exercise -> why an answer that has passed is not used."""
        return self.parts.faults

    def segment(self, image: np.ndarray, task: str, compared: bool = False) -> Any:
        """uint8 [H, W, 3] to what the lab's function gives for ``task``: a label map int [H, W]; masks, classes and
        scores; or a map of ids and the list of their classes."""
        self.parts.watch(compared)
        classes, masks = self._read(image, task)
        things, config = list(self.model.config.is_thing), self.model.config
        if task == "semantic":
            return self.parts["11.1"](classes, masks).argmax(0).numpy()
        if task == "instance":
            return self.parts["11.2"](classes, masks, things)
        ids, labels = self.parts["11.3"](classes, masks, things, config.object_mask_threshold, config.overlap_threshold)
        return np.asarray(ids), [int(label) for label in labels]

    def picture(self, image: np.ndarray | None = None) -> Image.Image:
        """The scene, or another uint8 [H, W, 3], as your model segments it under each task."""
        from ...render import contact_sheet

        image = self.scene.image if image is None else image
        pictures = [image, *(self._painted(image, task) for task in TASKS)]
        return Image.fromarray(contact_sheet([pictures], ["picture", *TASKS]))

    def train(self, steps: int, size: int = 128, batch: int = 4, seed: int = 0) -> list[float]:
        """Train it from the backbone's ImageNet weights on ``steps`` batches of Toytown, with your parts; the losses.

        The model has the new weights afterwards.
        """
        torch.manual_seed(seed)
        model = OneFormer(self.model.config)
        losses = Training(model, self.parts, Toytown("train", size), batch).train(steps, seed)
        self.model = model.eval()
        self.scores = self._scores()
        return losses

    def __repr__(self) -> str:
        yours, count = set(self.parts.yours), sum(map(len, PARTS.values()))
        lines = [f"your OneFormer: {len(yours)} of {count} parts are yours"]
        for place, ids in PARTS.items():
            marks = "".join("■" if id in yours else "□" for id in ids)
            lines.append(f"{place:<14} {marks:<8} {', '.join(f'{id} {find(id).name}' for id in ids if id in yours)}")
        lines += [f"{id} {find(id).name} is set aside: {why}" for id, why in self.faults.items()]
        return "\n".join(line.rstrip() for line in [*lines, self._told()])

    def _repr_html_(self) -> str:
        yours, rows = set(self.parts.yours), []
        for place, ids in PARTS.items():
            boxes = "".join(
                f'<span title="{id} {find(id).name}" style="{_BOX}{"#009e73" if id in yours else "none"}"></span>'
                for id in ids
            )
            names = ", ".join(find(id).name for id in ids if id in yours)
            cells = "".join(f'<td style="text-align:left">{part}</td>' for part in (place, boxes, names))
            rows.append(f"<tr>{cells}</tr>")
        head = html.escape(repr(self).split("\n", 1)[0])
        faults = "".join(
            f'<p style="{_LINE}"><b>{id} {find(id).name}</b> is set aside: {html.escape(why)}</p>'
            for id, why in self.faults.items()
        )
        return f'<p style="{_LINE}"><b>{head}</b></p><table>{"".join(rows)}</table>{faults}<p>{self._told()}</p>'

    def _told(self) -> str:
        return f"on the scene: PQ {100 * self.scores['PQ']:.0f}, mIoU {100 * self.scores['mIoU']:.0f}"

    # -- reading a picture

    @torch.no_grad()
    def _read(self, image: np.ndarray, task: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Class logits [Q, K+1], mask logits [Q, H, W]."""
        size = self.model.config.inference_size(*image.shape[:2])
        resized = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
        height, width = (-side % 32 for side in size)
        images = nn.functional.pad(normalise(resized), (0, width, 0, height))[None]
        _, readings = Network(self.model, self.parts)(images, [task])
        padded = (size[0] + height, size[1] + width)
        return readings[-1].classes[0], enlarged(readings[-1].masks[0], padded, size, image.shape[:2])

    def _painted(self, image: np.ndarray, task: str) -> np.ndarray:
        from ...render import overlay, overlay_labels, overlay_masks, segment_colors

        found, categories = self.segment(image, task), self.model.config.categories
        if task == "semantic":
            return overlay_labels(image, found, categories)
        if task == "instance":
            masks, labels, scores = (np.asarray(part) for part in found)
            sure = scores >= 0.5
            return overlay_masks(image, masks[sure], labels[sure].tolist(), categories, scores[sure].tolist())
        ids, labels = found
        segments = [SegmentInfo(number, label) for number, label in enumerate(labels, 1)]
        return overlay(image, ids, segment_colors(segments, categories))

    # -- the scene and its scores

    def _scene(self) -> Sample:
        """Read from the disk: its map of ids by 01.1."""
        folder = sample_folder()
        content = json.loads((folder / "annotations" / "panoptic_val.json").read_text())
        annotation = next(a for a in content["annotations"] if a["file_name"] == f"{SCENE}.png")
        rgb = read_image(folder / "annotations" / "panoptic_val" / f"{SCENE}.png")
        self.parts.watch(compared=True)
        ids = np.asarray(self.parts["01.1"](rgb)).astype(np.int32)
        places = {c["id"]: k for k, c in enumerate(content["categories"])}
        categories: tuple[Category, ...] = self.model.config.categories
        segments = tuple(
            SegmentInfo(s["id"], places[s["category_id"]], bool(s["iscrowd"])) for s in annotation["segments_info"]
        )
        image = read_image(folder / "val" / f"{SCENE}.jpg")
        return Sample(image, ids, segments, categories)

    def _scores(self) -> dict[str, float]:
        """PQ and mIoU of the scene, 0 to 1, by the functions of lab 12; every part is compared with ours on the way."""
        scene, count = self.scene, len(self.model.config.categories)
        ids, labels = self.segment(scene.image, "panoptic", compared=True)
        self.segment(scene.image, "instance", compared=True)
        label_map = self.segment(scene.image, "semantic", compared=True)
        segments = [(s.id, s.class_id, s.is_crowd) for s in scene.segments]
        masks, class_ids = self.parts["01.2"](scene.segment_map, segments)
        truth = np.full(scene.segment_map.shape, -1)
        for mask, class_id in zip(masks, class_ids, strict=True):
            truth[np.asarray(mask)] = int(class_id)
        qualities = self._qualities(ids, labels).values()
        return {
            "PQ": float(np.mean([pq for pq, _, _ in qualities])),
            "mIoU": float(self.parts["12.3"]([(label_map, truth)], count)),
        }

    def _qualities(self, ids: np.ndarray, labels: Sequence[int]) -> Mapping[int, Sequence[float]]:
        whole = [s for s in self.scene.segments if not s.is_crowd]
        truth = np.zeros(ids.shape, int)
        for number, segment in enumerate(whole, 1):
            truth[self.scene.segment_map == segment.id] = number
        ious = np.asarray(self.parts["12.1"](ids, truth, len(labels) + 1, len(whole) + 1))[1:, 1:]
        return self.parts["12.2"](ious, list(labels), [s.class_id for s in whole])
