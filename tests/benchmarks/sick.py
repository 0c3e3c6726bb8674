"""Small trainings with one fault each, for lesson 20 and its lab: a model that does not learn, and why.

    python tests/benchmarks/sick.py train            # a healthy one, and all the others, into runs/sick; resumes
    python tests/benchmarks/sick.py train A C        # these alone
    python tests/benchmarks/sick.py keep             # logs and a picture each, to data/sample/sick, for lesson 20

Four scenes of Toytown of 64 x 64 pixels, learned by heart by a small OneFormer on a frozen backbone, and judged on the
same four: the first thing to try with any model that does not learn. A fault is a setting, a data set, or a wrong line
that is patched into the package while it trains. A run takes half a minute of one core.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import torch

import oneformer_lite as ofl
from oneformer_lite.config import ModelConfig
from oneformer_lite.data.targets import targets_for
from oneformer_lite.data.views import Listed, renumbered
from oneformer_lite.errors import DivergedError
from oneformer_lite.losses.classes import class_loss
from oneformer_lite.render import webp_bytes
from oneformer_lite.training import TrainConfig

SIDE, SCENES, STEPS, BATCH = 64, 4, 160, 2
SIZES = {
    "image_size": SIDE, "test_size": SIDE, "hidden_dim": 64, "num_queries": 24, "num_points": 256, "text_width": 32,
    "text_layers": 1, "encoder_layers": 1, "decoder_layers": 3, "encoder_ffn": 128, "query_ffn": 128,
    "decoder_ffn": 128,
}  # fmt: skip
KEPT = ("class", "mask", "dice", "contrastive", "total")
SHOWN = 1  # the scene that is painted


def scenes() -> ofl.data.Toytown:
    """What is learned by heart."""
    return ofl.data.Toytown("val", size=SIDE, length=SCENES)


@dataclass(frozen=True)
class Case:
    """One training. ``fault``: what is wrong with it, in words. ``broken``: patches a line."""

    fault: str
    config: dict = field(default_factory=dict)
    recipe: dict = field(default_factory=dict)
    data: Callable[[list], list] = list
    broken: Callable[[], AbstractContextManager] = ExitStack
    judged: bool = False  # the doctor is shown what is judged, not what is learned


# -- wrong lines: each stands where the right one was


def _patched(where: str, wrong: Callable) -> Callable:
    return lambda: patch(where, wrong)


def _nothing_to_name(prediction, targets, assigned, config):
    """The labels never reach the table of what each query should say: all of it stays "no object"."""
    none = [a[:0] for a in assigned]
    return class_loss(prediction, [replace(t, labels=t.labels[:0], masks=t.masks[:0]) for t in targets], none, config)


def _white_is_255(sample, task):
    """Masks as a PNG has them, 0 and 255."""
    found = targets_for(sample, task)
    return replace(found, masks=255.0 * found.masks)


def _told_panoptic(self, batch, seeds):
    told = replace(batch, tasks=["panoptic"] * len(batch.tasks))
    return self.criterion(self.model.learn(told), batch.targets, seeds)


def _raw(images, size):
    """Numbers from 0 to 255 go into the network as they are."""
    return torch.stack([torch.from_numpy(image.copy()).permute(2, 0, 1).float() for image in images])


# -- wrong data


def _others_maps(samples: list) -> list:
    """Each picture with the annotation of the next."""
    return [s.replace(image=other.image) for s, other in zip(samples, [*samples[1:], samples[0]])]


def _mirrored(samples: list) -> list:
    return [s.replace(image=s.image[:, ::-1].copy()) for s in samples]


def _counted_from_one(samples: list) -> list:
    count = len(samples[0].categories)
    return [renumbered(s, [(i + 1) % count for i in range(count)], s.categories) for s in samples]


_CLASSES, _TARGETS = "oneformer_lite.losses.terms.class_loss", "oneformer_lite.data.batch.targets_for"
_LEARN, _PICTURES = "oneformer_lite.training.step.Objective.forward", "oneformer_lite.data.batch.normalised_batch"

CASES = {
    "healthy": Case("none"),
    "A": Case("no label reaches the class loss", broken=_patched(_CLASSES, _nothing_to_name)),
    "B": Case("masks are 0 and 255", broken=_patched(_TARGETS, _white_is_255)),
    "C": Case("the learning rate is a hundred times too high", recipe={"lr": 0.2}),
    "D": Case("a frozen backbone with random weights", config={"pretrained": False}),
    "E": Case("classes are counted from one", data=_counted_from_one, judged=True),
    "F": Case("each picture has the annotation of another", data=_others_maps),
    "G": Case("the model is always told that the task is panoptic", broken=_patched(_LEARN, _told_panoptic)),
    "H": Case("fewer queries than segments", config={"num_queries": 6}),
    # the lab's
    "P": Case("pictures are mirrored, annotations are not", data=_mirrored),
    "Q": Case("a no-object weight of 20", config={"no_object_weight": 20.0}),
    "R": Case("pictures are not normalised in training", broken=_patched(_PICTURES, _raw)),
    "S": Case("a batch of one picture", recipe={"batch_size": 1, "steps": 2 * STEPS}),
}


def config_of(case: Case) -> ModelConfig:
    return replace(ofl.config.toytown(), **SIZES | case.config)


def recipe_of(case: Case, out: Path) -> TrainConfig:
    settings = {
        "out": str(out), "steps": STEPS, "batch_size": BATCH, "warmup_steps": 20, "backbone_lr_multiplier": 0.0,
        "ema_decay": 0.9, "evaluations": 4, "eval_images": SCENES, "log_steps": 2, "workers": 0, "start_from": None,
        "look_first": False, "augmentation": "fit",
    }  # fmt: skip
    return ofl.training.toytown_training(**settings | case.recipe)


def train(names: Sequence[str], out: Path) -> None:
    right = [scenes()[i] for i in range(SCENES)]
    judged = _listed(right)
    for name in names:
        case = CASES[name]
        if (out / name / "scene.webp").exists():
            continue
        with case.broken(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ofl.train(config_of(case), recipe_of(case, out / name), _listed(case.data(right)), judged)
            except DivergedError as error:
                print(f"{name} diverged: {error}", flush=True)
        run = ofl.Run.attach(out / name)
        paint(run, right[SHOWN])
        scores = [r for r in run.history if r["kind"] == "eval"][-1:]
        print(name, case.fault, [{n: r.get(n) for n in ("step", "PQ", "AP", "mIoU")} for r in scores], flush=True)


def _listed(samples: list) -> Listed:
    return Listed(samples, samples[0].categories, samples[0].tasks)


def paint(run: ofl.Run, scene) -> None:
    """What the model makes of one scene under each task, beside its annotation; the annotation alone, if the run has
    left no model."""
    rows = [ofl.render.render_truth(scene, "panoptic", 2)]
    if (run.folder / "model").exists():
        model = ofl.from_pretrained(run.folder / "model")
        found = [ofl.predict(model, scene.image, task) for task in ofl.data.TASKS]
        rows += [ofl.render.render_prediction(scene.image, f, f.categories, 2) for f in found]
    (run.folder / "scene.webp").write_bytes(webp_bytes(ofl.render.contact_sheet([rows])))


def keep(names: Sequence[str], out: Path, to: Path) -> None:
    """Logs without what the lesson does not read, with what :meth:`Run.attach` needs besides, the picture, a batch in
    numbers, and what the doctor finds while the weights are there."""
    right = [scenes()[i] for i in range(SCENES)]
    for name in names:
        (to / name).mkdir(parents=True, exist_ok=True)
        kept = [_thinned(r) for r in ofl.Run.attach(out / name).history]
        (to / name / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in kept))
        for file in ("state.json", "scene.webp"):
            (to / name / file).write_bytes((out / name / file).read_bytes())
        recipe = json.loads((out / name / "run.json").read_text())
        recipe["train_config"] |= {"out": f"runs/sick/{name}"}
        (to / name / "run.json").write_text(json.dumps(recipe) + "\n")
        shown = _listed(right if CASES[name].judged else CASES[name].data(right))
        found = ofl.doctor(run=out / name, dataset=shown, images=SCENES).findings
        words = [{"verdict": f.verdict, "check": f.check, "evidence": f.evidence, "cure": f.cure} for f in found]
        (to / name / "doctor.json").write_text(json.dumps(words, indent=1) + "\n")
        (to / name / "batch.json").write_text(json.dumps(_first_batch(CASES[name], right)) + "\n")


def _first_batch(case: Case, samples: list) -> dict:
    """What a batch of it looks like, as the training loop sees it."""
    count = case.recipe.get("batch_size", BATCH)
    with case.broken():
        batch = ofl.data.collate([(s, "panoptic") for s in case.data(samples)[:count]])
    masks, labels = (torch.cat([getattr(t, of).flatten() for t in batch.targets]) for of in ("masks", "labels"))
    return {
        "pictures": count, "segments": len(labels), "mean": round(float(batch.images.mean()), 1),
        "deviation": round(float(batch.images.std()), 1), "masks": sorted({int(v) for v in masks.unique()}),
        "labels": [int(labels.min()), int(labels.max())],
    }  # fmt: skip


def _thinned(record: dict) -> dict:
    if record["kind"] != "train":
        return record
    return {n: record[n] for n in ("kind", "step", "seconds", "lr", *KEPT, "skipped") if n in record}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("job", choices=("train", "keep"))
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"{', '.join(CASES)} (none: all)")
    parser.add_argument("--out", type=Path, default=Path("runs/sick"))
    parser.add_argument("--to", type=Path, default=Path("data/sample/sick"))
    o = parser.parse_args()
    torch.set_num_threads(1)
    if o.job == "keep":
        keep(o.cases or list(CASES), o.out, o.to)
    else:
        train(o.cases or list(CASES), o.out)


if __name__ == "__main__":
    main()
