"""What a user would pick instead: a U-Net of ``segmentation_models_pytorch`` with the same backbone, start and crops.

    pip install segmentation_models_pytorch          # for this measurement alone
    python tests/benchmarks/unet_photographs.py nuclei --data nuclei --seconds 600     # of processor time
    python tests/benchmarks/unet_photographs.py camvid --data camvid --seconds 1200

The backbone is that of our presets with its ImageNet weights; of streets the augmentation is our recipe's, and pictures
are judged at the scale at which ours sees them. Of nuclei it learns from squares of 64 to 160 pixels, enlarged to 192,
and is judged on pictures enlarged twice, whatever the size of their nuclei. AdamW, cosine over the processor time spent
in steps; judging does not count. Nuclei: three classes (background, inside, rim); an object is a connected part of the
inside, grown into the rim by ``GROWN`` pixels, and beside it a connected part of both, which is the simplest that one
can do.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from camvid import seen, split
from nuclei import Judged, fluorescence, splits
from scipy import ndimage

import oneformer_lite as ofl
from oneformer_lite.data.augment import augmentation, fit_recipe
from oneformer_lite.data.batch import normalise
from oneformer_lite.data.color_jitter import ColorJitter
from oneformer_lite.data.quarter_turns import QuarterTurns
from oneformer_lite.data.sample import Sample
from oneformer_lite.data.transforms import Compose, HorizontalFlip, RandomCrop
from oneformer_lite.inference import Prediction
from oneformer_lite.inference.prediction import Segment
from oneformer_lite.metrics.semantic import SemanticMetric, semantic_labels
from oneformer_lite.model.networks.imagenet import bundled_state
from oneformer_lite.training import recipe_for

VOID, RIM, GROWN, LEAST = 255, 3, 2, 30  # class; pixels of the enlarged picture: rim's width, growth, least area
SCALE, CROP, SQUARES = 2, 192, (64, 160)  # nuclei: pictures are judged enlarged, squares of these sides learned from
HEIGHT = 360  # of CamVid's pictures
CURVE = 4  # looks at validation pictures (CamVid)


def random_square(sample: Sample, rng: np.random.Generator) -> Sample:
    """Of a side between :data:`SQUARES`."""
    side = int(rng.integers(SQUARES[0], SQUARES[1] + 1))
    return RandomCrop(side, side)(sample, rng)


def three_classes(ids: np.ndarray) -> np.ndarray:
    """Ids [H, W] -> 0 = background, 1 = inside, 2 = rim: where another id is within :data:`RIM` // 2 pixels."""
    least, most = ndimage.minimum_filter(ids, RIM), ndimage.maximum_filter(ids, RIM)
    return np.where(ids == 0, 0, np.where(least == most, 1, 2))


def probabilities(model: torch.nn.Module, image: np.ndarray, factor: float) -> torch.Tensor:
    """[K, h, w]: of the picture ``factor`` times as large."""
    height, width = image.shape[:2]
    size = round(height * factor), round(width * factor)
    x = F.interpolate(normalise(image)[None], size, mode="bilinear", antialias=True)
    padding = (0, -size[1] % 32, 0, -size[0] % 32)
    with torch.inference_mode():
        return model(F.pad(x, padding))[0, :, : size[0], : size[1]].softmax(0)


def parts(foreground: np.ndarray, inside: np.ndarray, grown: int) -> np.ndarray:
    """Connected parts of the inside, grown into the foreground: ids [h, w]."""
    ids, count = ndimage.label(inside)
    small = np.bincount(ids.ravel(), minlength=count + 1) < LEAST
    ids[small[ids]] = 0
    for _ in range(grown):
        ids = np.where((ids == 0) & foreground, ndimage.maximum_filter(ids, 3), ids)
    return ids


def found(sample: Sample, ids: np.ndarray, score: np.ndarray) -> Prediction:
    """Ids and foreground probability of the enlarged picture, as instances of the picture."""
    rows, columns = (
        ((np.arange(old) + 0.5) * new / old).astype(int) for old, new in zip(sample.size, ids.shape)
    )  # the pixel under each centre
    small, certain = ids[rows][:, columns], score[rows][:, columns]
    masks = [small == i for i in np.unique(small)[1:]]
    masks = sorted(masks, key=lambda mask: -certain[mask].mean())
    segments = [
        Segment.of(i, sample.categories, 0, certain[mask].mean(), mask.sum(), mask, True)
        for i, mask in enumerate(masks, start=1)
    ]
    stack = np.stack(masks) if masks else np.zeros((0, *sample.size), bool)
    return Prediction("instance", sample.image, segments, sample.categories, masks=stack)


def judged_nuclei(model: torch.nn.Module, pictures) -> dict:
    """By both ways to make objects of pixels."""
    ways = {name: Judged(pictures[0].categories) for name in ("inside, grown", "connected parts")}
    for sample in (pictures[i] for i in range(len(pictures))):
        p = probabilities(model, sample.image, SCALE).numpy()
        foreground = p[0] < 0.5
        inside = foreground & (p[1] > p[2])
        for judged, ids in zip(ways.values(), (parts(foreground, inside, GROWN), parts(foreground, foreground, 0))):
            judged.look(found(sample, ids, 1 - p[0]), sample)
    return {name: judged.summary() for name, judged in ways.items()}


def judged_camvid(model: torch.nn.Module, pictures, factor: float) -> dict:
    metric = SemanticMetric(len(pictures[0].categories))
    for i in range(len(pictures)):
        sample = pictures[i]
        p = F.interpolate(probabilities(model, sample.image, factor)[None], sample.size, mode="bilinear")[0]
        metric.update(p.argmax(0).numpy(), semantic_labels(sample.segment_map, sample.segments))
    result = metric.compute()
    return {"mIoU": round(result.miou, 2), "by class": result.per_class_iou.round(1).tolist()}


def built(config: ofl.config.BaseConfig, classes: int) -> torch.nn.Module:
    """The U-Net, with ImageNet's weights in its backbone."""
    model = smp.Unet(f"tu-{config.backbone}", encoder_weights=None, classes=classes)
    backbone, known = model.encoder.model, bundled_state()
    backbone.load_state_dict({name: known[name] for name in backbone.state_dict()})
    return model


def optimiser_of(model: torch.nn.Module, lr: float) -> torch.optim.Optimizer:
    """A third of the rate for what has learned ImageNet."""
    new = [*model.decoder.parameters(), *model.segmentation_head.parameters()]
    groups = [{"params": model.encoder.parameters(), "lr": lr / 3}, {"params": new, "lr": lr}]
    return torch.optim.AdamW(groups, weight_decay=0.01)


class Run:
    """Steps until ``seconds`` of processor time are spent in them."""

    def __init__(self, name: str, data: Path, seconds: float, lr: float) -> None:
        self.data, self.seconds, self.nuclei = data, seconds, name == "nuclei"
        self.config = getattr(ofl.config, name)()
        self.recipe = recipe_for(self.config, minutes=1)
        self.train = splits(data)[0] if self.nuclei else split(data, "train")
        self.factor = SCALE if self.nuclei else self.config.test_size / HEIGHT
        self.model = built(self.config, 3 if self.nuclei else self.config.num_classes)
        self.optimiser = optimiser_of(self.model, lr)
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.dice = smp.losses.DiceLoss("multiclass", ignore_index=VOID)
        self.weight = torch.tensor([1.0, 1.0, 3.0]) if self.nuclei else None
        steps = [random_square, ColorJitter(), fit_recipe(CROP), HorizontalFlip(), QuarterTurns()]
        self.augment = (
            Compose(steps) if self.nuclei else augmentation(self.recipe.augmentation, self.config.image_size)
        )
        self.rng = np.random.default_rng(0)
        self.order: list[int] = []
        self.spent, self.steps, self.log = 0.0, 0, []

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures [B, 3, H, W] and their classes [B, H, W]."""
        if len(self.order) < self.recipe.batch_size:
            self.order = self.rng.permutation(len(self.train)).tolist()
        drawn = [self.augment(self.train[self.order.pop()], self.rng) for _ in range(self.recipe.batch_size)]
        labels = [
            three_classes(s.segment_map) if self.nuclei else semantic_labels(s.segment_map, s.segments, VOID)
            for s in drawn
        ]
        return torch.stack([normalise(s.image) for s in drawn]), torch.tensor(np.stack(labels)).long()

    def step(self) -> float:
        share = 0.5 + 0.5 * math.cos(math.pi * min(1, self.spent / self.seconds))
        for group, rate in zip(self.optimiser.param_groups, self.rates):
            group["lr"] = rate * min(1, (self.steps + 1) / 50) * max(share, 0.01)
        images, labels = self.batch()
        logits = self.model.train()(images)
        loss = F.cross_entropy(logits, labels, self.weight, ignore_index=VOID) + self.dice(logits, labels)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def all_steps(self) -> None:
        """With a look at validation pictures now and then (CamVid)."""
        looks = 0
        while self.spent < self.seconds:
            began = time.process_time()
            loss = self.step()
            self.spent, self.steps = self.spent + time.process_time() - began, self.steps + 1
            if self.steps % 20 == 0:
                self.note(loss=round(loss, 3))
            if not self.nuclei and self.spent / self.seconds * CURVE >= looks + 1:
                looks += 1
                self.note(mIoU=judged_camvid(self.model.eval(), seen(self.data), self.factor)["mIoU"])

    def note(self, **values: float) -> None:
        self.log.append({"step": self.steps, "seconds": round(self.spent, 1), **values})
        print(self.log[-1], flush=True)

    def scores(self) -> dict:
        """On what was held out."""
        self.model.eval()
        if self.nuclei:
            found = judged_nuclei(self.model, fluorescence(splits(self.data)[1]))
        else:
            found = judged_camvid(self.model, split(self.data, "test"), self.factor)
        return {"steps": self.steps, "seconds": round(self.spent), **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=("nuclei", "camvid"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/unet"))
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--lr", type=float, default=1e-3)
    o = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    o.out.mkdir(parents=True, exist_ok=True)
    run = Run(o.name, o.data, o.seconds, o.lr)
    run.all_steps()
    torch.save(run.model.state_dict(), o.out / f"{o.name}.pt")
    scores = run.scores()
    (o.out / f"{o.name}.json").write_text(json.dumps({"scores": scores, "log": run.log}, indent=1) + "\n")
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
