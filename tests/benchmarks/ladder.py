"""The same processor time for each model: what it learns of Toytown.

    python tests/benchmarks/ladder.py measure                 # processor seconds a step, into OUT/seconds.json
    python tests/benchmarks/ladder.py train [MEMBER ...]     # --steps, or as many as --minutes of one core are; resumes
    python tests/benchmarks/ladder.py keep                    # thinned, to data/sample/ladder, which lesson 16 reads

Each member is its ``*_toytown()`` preset with the recipe of ``recipe_for``; OneFormer's is the demo's. Scenes, pictures
a step and seed are the same for all, and all are judged on 200 other scenes. What bounds a run are steps, so that what
else the machine does has no influence: ``measure`` asks for processor time, of one thread. Twenty minutes of one core
are about the demo's ten of two.

A name such as "oneformer+denoising_queries=24" is a variant of a member, with another value of a field of its
configuration, and a run of its own.

With ``--by-heart`` all of it is small: two scenes of 64 x 64, two pictures a step, 150 steps for each, and the same two
scenes are judged. That tells in minutes which model learns what it is shown, and nothing of what it makes of others.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import oneformer_lite as ofl
from oneformer_lite.config import BaseConfig
from oneformer_lite.data.sample import TASKS
from oneformer_lite.data.views import Chosen
from oneformer_lite.demo import paint
from oneformer_lite.render import webp_bytes
from oneformer_lite.training import TrainConfig, Trainer
from oneformer_lite.training.log import Log

MEMBERS = (
    "oneformer", "mask2former", "maskformer", "detr", "eomt", "mask_dino", "knet", "panoptic_segformer",
)  # fmt: skip
MEASURED, WARM_UP = 12, 2  # steps
SHOWN = ("PQ", "SQ", "RQ", "PQ_th", "PQ_st", "AP", "AP50", "mIoU", "pixel_accuracy")
SIDE, SCENES, STEPS = 64, (13, 14), 150  # by heart; the scenes are those of lesson 13
RECORDS = 40  # of a kept log, at most


class Plan:
    """What is trained on, how, and where it lies."""

    def __init__(self, out: Path, by_heart: bool, minutes: float, scenes: int) -> None:
        self.out, self.by_heart, self.minutes, self.scenes = out, by_heart, minutes, scenes
        self.data = out / "data"
        if not by_heart:
            paint(self.data, 128, scenes)

    def config(self, member: str) -> BaseConfig:
        """Its preset, with what the name says after a "+"."""
        member, *changes = member.split("+")
        c = getattr(ofl.config, "toytown" if member == "oneformer" else f"{member}_toytown")()
        c = replace(c, **{field: json.loads(value) for field, value in (change.split("=") for change in changes)})
        if not self.by_heart:
            return c
        return replace(c, image_size=SIDE, test_size=None if member == "eomt" else SIDE)

    def recipe(self, member: str, **changes) -> TrainConfig:
        """The member's own."""
        settings: dict = {"seed": 0, "start_from": None, "workers": 0, "look_first": False, "data": str(self.data)}
        if self.by_heart:
            settings |= {"batch_size": 2, "warmup_steps": 10, "ema_decay": 0.98, "eval_images": len(SCENES)}
        return ofl.training.recipe_for(self.config(member), **(settings | changes))

    def splits(self) -> tuple:
        """Scenes to learn from, and those to judge by."""
        if self.by_heart:
            pair = Chosen(ofl.data.Toytown("val", size=SIDE), SCENES)
            return pair, pair
        return ofl.data.open(self.data, "train"), ofl.data.open(self.data, "val")


def measure(plan: Plan, members: list[str]) -> None:
    """The fastest step counts: caches that others use, too, make steps slower, and nothing makes them faster."""
    found = {member: round(min(_step_seconds(plan, member)), 3) for member in members}
    path = plan.out / "seconds.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | found, indent=1) + "\n")
    print(json.dumps(found))


def _step_seconds(plan: Plan, member: str) -> list[float]:
    scenes, _ = plan.splits()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        c = plan.recipe(member, out=folder, steps=1000, evaluations=0)
        trainer = Trainer(plan.config(member), c, scenes, None)
        batches, moments = trainer._batches(), [time.process_time()]
        trainer.model.train()
        for trainer.step in range(MEASURED):
            trainer.train_step([next(batches)])
            moments.append(time.process_time())
        batches.close()
    return list(np.diff(moments)[WARM_UP:])


def train(plan: Plan, members: list[str], equal_steps: int | None) -> None:
    """So many steps as the minutes make, or as all shall take, then all metrics, and a picture."""
    seconds = json.loads((plan.out / "seconds.json").read_text())
    learned, judged = plan.splits()
    for member in members:
        steps = equal_steps or (STEPS if plan.by_heart else round(60 * plan.minutes / seconds[member]))
        c = plan.recipe(member, out=str(plan.out / member), steps=steps)
        result = ofl.train(plan.config(member), c, learned, judged)
        if not result.finished:
            raise SystemExit(f"{member}: stopped after {result.steps} steps; the same command resumes it")
        # a model that is not told its task answers all from one pass
        token = None if len(result.model.config.learned_tasks) == len(TASKS) else "panoptic"
        metrics = ofl.evaluate(result.model, judged, token=token)
        summary = {name: round(metrics[name], 2) for name in SHOWN}
        summary |= {"scenes": len(judged), "parameters": result.model.inference_parameters}
        summary |= {"seconds_a_step": seconds[member]}
        Log(plan.out / member, result.steps).write("final", result.steps, result.seconds, **summary)
        scene = ofl.data.Toytown("val", size=SIDE if plan.by_heart else 128)[SCENES[0]]
        picture = ofl.predict(result.model, scene.image, "panoptic").render()
        (plan.out / member / "scene.webp").write_bytes(webp_bytes(picture))
        print(json.dumps({"member": member, "steps": result.steps, **summary}), flush=True)


def keep(plan: Plan, members: list[str], to: Path) -> None:
    """Logs, thinned, with what :meth:`Run.attach` needs besides, and the picture."""
    for member in members:
        (to / member).mkdir(parents=True, exist_ok=True)
        records = ofl.Run.attach(plan.out / member).history
        trained = [r for r in records if r["kind"] == "train"]
        every = -(-len(trained) // RECORDS)
        kept = [r for r in records if r["kind"] != "train" or trained.index(r) % every == 0]
        (to / member / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in kept))
        for name in ("state.json", "scene.webp"):
            (to / member / name).write_bytes((plan.out / member / name).read_bytes())
        recipe = json.loads((plan.out / member / "run.json").read_text())
        recipe["train_config"] |= {"out": f"runs/ladder/{member}", "data": "runs/ladder/data"}
        (to / member / "run.json").write_text(json.dumps(recipe, indent=1) + "\n")
    about: dict = {"by_heart": plan.by_heart, "processor": _processor()}
    about |= {"scenes": len(SCENES)} if plan.by_heart else {"scenes": plan.scenes, "minutes": plan.minutes}
    (to / "about.json").write_text(json.dumps(about, indent=1) + "\n")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [row.partition(": ")[2] for row in info.read_text().split("\n") if row.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("job", choices=("measure", "train", "keep"))
    these = f"{', '.join(MEMBERS)} (none: these), any with a *_toytown() preset, such as knet, or MEMBER+FIELD=VALUE"
    parser.add_argument("members", nargs="*", metavar="MEMBER", help=these)
    parser.add_argument("--by-heart", action="store_true", help="two small scenes, which are also judged")
    parser.add_argument("--minutes", type=float, default=20.0, help="of processor time of one core, evaluations aside")
    parser.add_argument("--steps", type=int, help="of each member, in place of what the minutes are")
    parser.add_argument("--scenes", type=int, default=6000)
    parser.add_argument("--out", type=Path, default=Path("runs/ladder"))
    parser.add_argument("--to", type=Path, default=Path("data/sample/ladder"))
    o = parser.parse_args()
    torch.set_num_threads(1)
    o.out.mkdir(parents=True, exist_ok=True)
    plan, members = Plan(o.out, o.by_heart, o.minutes, o.scenes), o.members or list(MEMBERS)
    if o.job == "keep":
        keep(plan, members, o.to)
    elif o.job == "train":
        train(plan, members, o.steps)
    else:
        measure(plan, members)


if __name__ == "__main__":
    main()
