"""Ours against transformers' OneFormer: same data, same recipe, same time; which one segments better?

    python tests/benchmarks/toytown_against_transformers.py --data DATA --minutes 10 --lr 1e-3
    python tests/benchmarks/toytown_against_transformers.py --data DATA --minutes 10 --ours

DATA is Toytown in COCO's layout (``oneformer-lite demo`` leaves one in ``OUT/data``). Each run prints one
line of JSON and adds it to ``--out``; the curves of all that is there are drawn beside it.

Both models go through our trainer (batches, AdamW and its groups, schedule, clipping, averaged weights,
budget) and our evaluation (official post-processing). Both start from the same backbone: lite0 with
ImageNet weights, its own input statistics and frozen running statistics. Of transformers come everything
behind the backbone, its initialisation, the matcher and the losses, with the sizes of ``config.toytown()``.
Its configuration leaves no choice in four places:

* the text encoder must be as wide as the decoder (``text_encoder_width == hidden_dim``: the learned
  context is not projected): 96 with one head (width // 64), ours 64 with four;
* one ``dim_feedforward`` serves query transformer and decoder: 384 in both, ours 256 and 384;
* one ``dropout`` serves pixel decoder and query transformer: 0, as ours in both;
* its text encoder has no causal mask and reads every text of every image at full length, padding texts
  too, about half of the time of its step on a CPU; ours reads each distinct one, and only to its end.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch
from torch import Tensor, nn
from transformers import OneFormerConfig, OneFormerForUniversalSegmentation, TimmBackboneConfig

from oneformer_lite import evaluate
from oneformer_lite.config import ModelConfig, toytown
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.targets import Targets, pad_texts
from oneformer_lite.model.networks.backbone import Backbone
from oneformer_lite.model.output import OneFormerOutput, Predictions
from oneformer_lite.model.parts.task import task_ids
from oneformer_lite.model.parts.tokenizer import tokenize
from oneformer_lite.training import Trainer, TrainingResult, toytown_training, trainer

COLORS = {"ours": "#0072B2", "transformers": "#D55E00"}
SHOWN = ("PQ", "PQ_th", "PQ_st", "AP", "mIoU")
# our name of a loss -> transformers' name
TERMS = {
    "class": "loss_cross_entropy",
    "mask": "loss_mask",
    "dice": "loss_dice",
    "contrastive": "loss_contrastive",
}


def same_shape(c: ModelConfig) -> OneFormerConfig:
    """Transformers' configuration of the model that ``c`` describes, as nearly as it can say it."""
    return OneFormerConfig(
        backbone_config=TimmBackboneConfig(backbone=c.backbone, out_indices=[1, 2, 3, 4]),
        num_labels=c.num_classes,
        num_queries=c.num_queries,
        hidden_dim=c.hidden_dim, conv_dim=c.hidden_dim, mask_dim=c.hidden_dim,
        num_attention_heads=c.num_heads,
        encoder_layers=c.encoder_layers,
        encoder_feedforward_dim=c.encoder_ffn,
        query_dec_layers=c.query_layers,
        decoder_layers=c.decoder_layers + 1,  # it counts the prediction before the first layer
        dim_feedforward=c.decoder_ffn,
        dropout=c.encoder_dropout,
        text_encoder_width=c.hidden_dim,
        text_encoder_num_layers=c.text_layers,
        text_encoder_n_ctx=c.text_context,
        text_encoder_context_length=c.text_length,
        task_seq_len=c.text_length,
        contrastive_temperature=c.temperature,
        class_weight=c.class_weight,
        mask_weight=c.mask_weight,
        dice_weight=c.dice_weight,
        contrastive_weight=c.contrastive_weight,
        no_object_weight=c.no_object_weight,
        train_num_points=c.num_points,
        oversample_ratio=c.oversample_ratio,
        importance_sample_ratio=c.importance_ratio,
        is_training=True,  # otherwise it has no text mapper
    )  # fmt: skip


class TransformersOneFormer(nn.Module):
    """Transformers' model behind the call, the attributes and the outputs of our ``OneFormer``.

    Its tensors go in and out directly: the defects of its processor (a batch's class list that runs on
    into the next image, 255 in padded masks, an image without things) touch nothing here.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.backbone, config.pretrained, config.backbone_norm)
        self.network = OneFormerForUniversalSegmentation(same_shape(config))
        # its TimmBackbone wraps the same network; ours brings weights, statistics and frozen norms
        # along, and the name by which the optimiser knows a backbone
        pixel_level = self.network.model.pixel_level_module
        del pixel_level.encoder
        pixel_level.encoder = lambda images: SimpleNamespace(feature_maps=self.backbone(images))

    def forward(
        self, images: Tensor, task: str | Sequence[str], texts: Sequence[Sequence[str]] | None = None
    ) -> OneFormerOutput:
        tasks = [task] * len(images) if isinstance(task, str) else list(task)
        length, num_texts = self.config.text_length, self.config.num_texts
        text_inputs = None
        if texts is not None:
            padded = [pad_texts(list_, task, num_texts) for list_, task in zip(texts, tasks, strict=True)]
            text_inputs = torch.stack([tokenize(list_, length) for list_ in padded]).to(images.device)
        self.network.model.is_training = texts is not None  # its switch for the text mapper
        out = self.network(
            pixel_values=images,  # its pixel_mask has no effect
            task_inputs=torch.stack([task_ids(task, length) for task in tasks]).to(images.device),
            text_inputs=text_inputs,
        )
        return OneFormerOutput(
            class_logits=out.class_queries_logits,
            masks=out.masks_queries_logits,
            auxiliary=[
                Predictions(p["class_queries_logits"], p["masks_queries_logits"])
                for p in out.auxiliary_predictions
            ],
            object_queries=out.transformer_decoder_contrastive_queries,
            text_queries=out.text_queries,
            logit_scale=self.network.criterion.logit_scale,
        )

    def losses(self, output: OneFormerOutput, targets: list[Targets]) -> dict[str, Tensor]:
        """Transformers' own criterion, reported like ours: summed over the predictions, weighted in total."""
        terms = self.network.criterion(
            masks_queries_logits=output.mask_logits,
            class_queries_logits=output.class_logits,
            contrastive_queries_logits=output.object_queries,
            mask_labels=[target.masks.float() for target in targets],
            class_labels=[target.labels for target in targets],
            text_queries=output.text_queries,
            auxiliary_predictions=[
                {"class_queries_logits": p.class_logits, "masks_queries_logits": p.mask_logits}
                for p in output.auxiliary
            ],
        )
        losses = {
            ours: sum(value.squeeze() for key, value in terms.items() if key.startswith(theirs))
            for ours, theirs in TERMS.items()
        }
        losses["total"] = sum(self.network.weight_dict[TERMS[name]] * loss for name, loss in losses.items())
        return losses

    def save_pretrained(self, folder: Path) -> None:
        """The trainer's last act; here the numbers are what remains."""


class TheirCriterion(nn.Module):
    """What the trainer calls; transformers draws its points from the global generator, without seeds."""

    def __init__(self, model: TransformersOneFormer) -> None:
        super().__init__()
        self.losses = model.losses

    def forward(self, output: OneFormerOutput, targets: list[Targets], seeds) -> dict[str, Tensor]:
        return self.losses(output, targets)


def train(ours: bool, config: ModelConfig, train_config) -> TrainingResult:
    """One run of our trainer, around our model or around transformers'."""
    data = [open_split(train_config.data, split) for split in ("train", "val")]
    if ours:
        return Trainer(config, train_config, *data).run()
    with mock.patch.object(trainer, "OneFormer", TransformersOneFormer):
        run = Trainer(config, train_config, *data)
        run.optimization.objective.criterion = TheirCriterion(run.model)
        return run.run()


def measure(ours: bool, data: Path, **changes) -> dict:
    """Train, judge on all held-out scenes, and sum up in a flat dictionary (metrics in percent)."""
    with tempfile.TemporaryDirectory() as out:
        settings = toytown_training(out=out, data=str(data), **changes)
        result = train(ours, toytown(), settings)
    if not result.finished:
        raise SystemExit("interrupted: no result")
    metrics = evaluate(result.model, open_split(data, "val"))
    return {
        "model": "ours" if ours else "transformers",
        **{name: round(metrics[name], 2) for name in SHOWN},
        "steps": result.steps,
        "seconds": round(result.seconds, 1),
        "steps_per_second": round(result.steps / result.seconds, 3),
        "parameters": sum(p.numel() for p in result.model.parameters()),
        "seed": settings.seed,
        "lr": settings.lr,
        "threads": torch.get_num_threads(),
        "curve": [
            {name: record[name] for name in ("step", "seconds", *SHOWN)}
            for record in result.history
            if record["kind"] == "eval"
        ],
    }


def draw(results: dict[str, dict], path: Path) -> None:
    """PQ over minutes of training: the quick evaluations, and the final one on all scenes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot(xlabel="minutes of training", ylabel="PQ (percent)")
    markers = dict(zip(sorted({result["lr"] for result in results.values()}), "os^Dv"))
    for name, result in sorted(results.items(), key=lambda item: -item[1]["PQ"]):
        points = [*result["curve"], result]
        minutes, scores = [p["seconds"] / 60 for p in points], [p["PQ"] for p in points]
        axes.plot(minutes, scores, marker=markers[result["lr"]], color=COLORS[result["model"]], label=name)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=160)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ours", action="store_true", help="train ours instead of transformers' model")
    parser.add_argument("--data", type=Path, required=True, help="Toytown in COCO's layout")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="of training, evaluations not counted")
    budget.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lr", type=float, default=toytown_training(steps=1).lr, help="peak learning rate")
    parser.add_argument("--out", type=Path, default=Path("results.json"), help="gains one entry a model and rate")
    args = parser.parse_args()

    result = measure(
        args.ours, args.data, seed=args.seed, lr=args.lr, minutes=args.minutes, steps=args.steps
    )
    print(json.dumps({name: value for name, value in result.items() if name != "curve"}))
    results = json.loads(args.out.read_text()) if args.out.exists() else {}
    results[f"{result['model']}, learning rate {result['lr']:g}"] = result
    args.out.write_text(json.dumps(results, indent=1) + "\n")
    draw(results, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
