"""The published training recipes: their values, schedules by hand, tasks by their probabilities."""

import dataclasses

import pytest
import torch
from torch import nn

import oneformer_lite as ofl
from oneformer_lite.data.toytown import Toytown, write_toytown
from oneformer_lite.errors import ConfigError
from oneformer_lite.training import (
    TrainConfig,
    ade20k_training,
    cityscapes_training,
    coco_training,
    mapillary_training,
    toytown_training,
    train,
)
from oneformer_lite.training.loader import TaskSamples, training_batches
from oneformer_lite.training.optim import AveragedWeights, lr_factor, parameter_groups

PUBLISHED = {  # steps, schedule, probabilities of panoptic, instance, semantic
    "coco": (coco_training, 368_750, "multistep", (0.34, 0.33, 0.33)),
    "ade20k": (ade20k_training, 160_000, "poly", (0.34, 0.33, 0.33)),
    "cityscapes": (cityscapes_training, 90_000, "poly", (0.34, 0.33, 0.33)),
    "mapillary": (mapillary_training, 300_000, "poly", (0.5, 0.0, 0.5)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(name):
    recipe, steps, schedule, probabilities = PUBLISHED[name]
    c = recipe()
    assert (c.steps, c.minutes, c.schedule, c.augmentation) == (steps, None, schedule, name)
    assert (c.batch_size, c.lr, c.weight_decay, c.backbone_lr_multiplier) == (16, 1e-4, 0.05, 0.1)
    assert (c.warmup_steps, c.clip_norm, c.ema_decay, c.task_probabilities) == (0, None, None, probabilities)


def test_coco_layout_and_long_schedule():
    c = coco_training(epochs=100)
    assert c.steps == 737_500 and (c.train_split, c.val_split) == ("train2017", "val2017")
    assert [round(drop * c.steps) for drop in c.lr_drops] == [655_556, 710_184]


def test_the_caller_has_the_last_word():
    c = ade20k_training(minutes=5, lr=1e-3, clip_norm=0.01, data="elsewhere")
    assert (c.steps, c.minutes, c.lr, c.clip_norm, c.data) == (None, 5, 1e-3, 0.01, "elsewhere")
    assert coco_training(steps=10).steps == 10


def factors(config, *steps):
    return [lr_factor(step, step / config.steps, config) for step in steps]


def test_multistep_drops_at_the_published_steps():
    c = coco_training()
    assert factors(c, 0, 327_777) == [1, 1]
    assert factors(c, 327_778, 355_091) == pytest.approx([0.1, 0.1])
    assert factors(c, 355_092, 368_749) == pytest.approx([0.01, 0.01])
    assert factors(coco_training(epochs=100), 655_555, 655_556, 710_183, 710_184) == pytest.approx([1, 0.1, 0.1, 0.01])


def test_poly_by_hand():
    c = ade20k_training()
    assert factors(c, 0, 160_000) == [1, 0]
    assert factors(c, 80_000, 144_000) == pytest.approx([0.5358867, 0.1258925], rel=1e-6)  # 0.5 ** 0.9, 0.1 ** 0.9
    warm = ade20k_training(warmup_steps=10)
    assert lr_factor(4, 0.5, warm) == pytest.approx(0.5 * 0.5358867)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"schedule": "step"}, "schedule is 'step'; expected one of .*cosine.*multistep.*poly"),
        ({"schedule": "multistep"}, "lr_drops are what"),
        ({"lr_drops": (0.5,)}, "lr_drops are what"),
        ({"task_probabilities": (0.5, 0.5)}, "expected a share of 0 or more for each of"),
        ({"task_probabilities": (1.5, -0.5, 0.0)}, "task_probabilities are"),
        ({"task_probabilities": (0.0, 0.0, 0.0)}, "task_probabilities are"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(steps=1, **changes)


def drawn(probabilities, tasks=ofl.data.TASKS, count=600):
    samples = TaskSamples([Toytown("train", 64)[0].replace(tasks=tasks)], lambda s, rng: s, 0, probabilities)
    return [samples[(epoch, 0)][1] for epoch in range(count)]


def test_tasks_follow_their_probabilities():
    tasks = drawn((0.6, 0.3, 0.1))
    assert [abs(tasks.count(task) - n) < 45 for task, n in zip(ofl.data.TASKS, (360, 180, 60))] == [True] * 3
    assert set(drawn(mapillary_training().task_probabilities, count=200)) == {"panoptic", "semantic"}


def test_probabilities_are_renormalised_over_what_the_annotation_supplies():
    tasks = drawn((0.5, 0.375, 0.125), tasks=("instance", "semantic"))
    assert tasks.count("panoptic") == 0 and abs(tasks.count("instance") - 450) < 45


def test_an_annotation_whose_tasks_are_never_drawn_is_refused():
    samples = ofl.data.Toytown("train", 64)[0].replace(tasks=("instance",))
    batches = training_batches([samples], mapillary_training(batch_size=1, workers=0), 64)
    with pytest.raises(ConfigError, match="never draw instance, which is all that the annotation supplies"):
        next(batches)


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_recipe_trains(name, tmp_path):
    recipe = PUBLISHED[name][0]
    write_toytown(tmp_path, "train", 64, 4, workers=1)
    config = dataclasses.replace(ofl.config.toytown(), image_size=64, num_points=64, decoder_layers=1)
    settings = {"data": str(tmp_path), "train_split": "train", "out": str(tmp_path / "run")}
    result = train(config, recipe(steps=2, batch_size=2, workers=0, evaluations=0, log_steps=1, **settings))
    rates = [record["lr"] for record in result.history]
    assert rates == pytest.approx([1e-4, 1e-4 if name == "coco" else 1e-4 * 0.5**0.9])


def test_toytown_keeps_the_cosine():
    c = toytown_training(steps=10)
    assert (c.schedule, c.task_probabilities) == ("cosine", (1 / 3, 1 / 3, 1 / 3))


class Tiny(nn.Module):
    """One parameter of every kind that the published exemptions speak of."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.attn = nn.Module()
        for name in ("relative_position_bias_table", "absolute_pos_embed", "rpb"):
            self.backbone.attn.register_parameter(name, nn.Parameter(torch.zeros(2, 2)))
        self.backbone.bn, self.backbone.ln = nn.BatchNorm2d(2), nn.LayerNorm(2)
        self.backbone.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.gn, self.embedding, self.linear = nn.GroupNorm(1, 2), nn.Embedding(2, 2), nn.Linear(2, 2)
        for name in ("level_embed", "positional_embedding", "logit_scale"):
            self.register_parameter(name, nn.Parameter(torch.zeros(2)))


def test_who_decays_and_who_learns_slowly():
    model = Tiny()
    groups = parameter_groups(model, coco_training())
    found = {id(p): (round(g["lr"], 9), g["weight_decay"]) for g in groups for p in g["params"]}
    settings = {name: found.get(id(p)) for name, p in model.named_parameters()}
    exempt = [name for name, value in settings.items() if value and not value[1]]
    assert exempt == [
        "backbone.attn.relative_position_bias_table", "backbone.attn.absolute_pos_embed",
        "backbone.bn.weight", "backbone.bn.bias", "backbone.ln.weight", "backbone.ln.bias",
        "gn.weight", "gn.bias", "embedding.weight",
    ]  # fmt: skip
    # plain parameters decay, also those that are position embeddings by meaning (DiNAT's rpb among them)
    plain = ("backbone.attn.rpb", "linear.weight", "linear.bias", "level_embed", "positional_embedding", "logit_scale")
    assert [settings[name][1] for name in plain] == [0.05] * 6
    assert settings["backbone.frozen.weight"] is None
    assert all(value[0] == (1e-5 if "backbone" in name else 1e-4) for name, value in settings.items() if value)


class Blocks(nn.Module):
    """A transformer of three blocks and a head, as EoMT counts them."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.patches, self.backbone.norm = nn.Linear(2, 2), nn.LayerNorm(2)
        self.backbone.blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        self.head = nn.Embedding(2, 2)

    def layers_above(self, name):
        parts = name.split(".")
        return {"patches": 2, "blocks": 2 - int(parts[2]) if parts[1] == "blocks" else 0}.get(parts[1], 0)


@pytest.mark.parametrize(
    "decay, full, expected", [(0.5, 0, (0.25, 0.25, 0.5, 1)), (0.5, 2, (0.25, 0.25, 1, 1)), (1.0, 0, (1, 1, 1, 1))]
)
def test_each_block_learns_at_a_share_of_the_next_ones_rate(decay, full, expected):
    model = Blocks()
    c = TrainConfig(
        steps=1, lr=1.0, backbone_lr_multiplier=0.1, layer_decay=decay, full_rate_blocks=full, decay_all=True
    )
    found = {id(p): (g["lr"], g["weight_decay"]) for g in parameter_groups(model, c) for p in g["params"]}
    rates = {name: found[id(p)][0] for name, p in model.named_parameters()}
    names = ["backbone.patches.weight", *(f"backbone.blocks.{i}.weight" for i in range(3))]
    assert [rates[name] for name in names] == pytest.approx([0.1 * share for share in expected])
    assert rates["backbone.norm.weight"] == pytest.approx(0.1) and rates["head.weight"] == 1.0
    assert {decayed for _, decayed in found.values()} == {0.05}  # norms and embeddings too


def official_two_stage(step, total, warmups, backbone):
    """``TwoStageWarmupPolySchedule.get_lr`` of EoMT, as a share of the peak."""
    first, second = warmups
    if not backbone:
        return step / first if step < first else (1 - (step - first) / max(1, total - first)) ** 0.9
    if step < first:
        return 0
    if step < first + second:
        return (step - first) / second
    return (1 - (step - first - second) / max(1, total - first - second)) ** 0.9


@pytest.mark.parametrize("total, warmups", [(100, (10, 30)), (100, (0, 0)), (100, (0, 20)), (50, (20, 40))])
def test_the_backbone_warms_up_after_the_rest(total, warmups):
    c = TrainConfig(steps=total, schedule="two-stage", warmup_steps=warmups[0], backbone_warmup_steps=warmups[1])
    for step in range(total):
        for backbone in (False, True):
            expected = official_two_stage(step, total, warmups, backbone)
            assert lr_factor(step, step / total, c, backbone) == pytest.approx(expected), (step, backbone)
    timed = dataclasses.replace(c, steps=None, minutes=1.0)  # how many steps there will be is estimated
    assert lr_factor(49, 49 / total, timed) == pytest.approx(lr_factor(49, 49 / total, c))
    assert lr_factor(0, 0.0, timed) == lr_factor(0, 0.0, c)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"backbone_warmup_steps": 5}, 'are for schedule="two-stage"'),
        ({"layer_decay": 0.0}, "layer_decay must be above 0, at most 1"),
        ({"layer_decay": 1.5}, "layer_decay must be above 0, at most 1"),
        ({"full_rate_blocks": -1}, "full_rate_blocks must be 0 or more"),
    ],
)
def test_layer_wise_settings_that_are_none(changes, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(steps=1, **changes)


def test_averages_keep_what_is_not_learned():
    """What a schedule has come to is that of now: half of a mask that has faded out would be no state of any model."""
    model = nn.Linear(1, 1)
    model.register_buffer("shares", torch.ones(2))
    average = AveragedWeights(model, 0.9)
    with torch.no_grad():
        model.shares.zero_()
        model.weight += 1
    average.update(model)
    assert average.state["shares"].tolist() == [0, 0] and not average.state["weight"].equal(model.weight)
