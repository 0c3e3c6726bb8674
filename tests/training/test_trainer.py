"""The training loop: it learns, resumes exactly, survives what goes wrong, and says so."""

import dataclasses
import json
import math
import shutil
import warnings

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.toytown import Toytown, write_toytown
from oneformer_lite.errors import CheckpointError, ConfigError, DataError, OneFormerLiteError
from oneformer_lite.training import Trainer, read_log, toytown_training, train
from oneformer_lite.training.checkpoint import saved_model
from oneformer_lite.training.evaluations import Evaluations
from oneformer_lite.training.loader import EndlessSampler, TaskSamples
from oneformer_lite.training.log import Log
from oneformer_lite.training.optim import AveragedWeights, lr_factor, parameter_groups


class Listed(list):
    """Samples as a data set."""

    categories, tasks = Toytown.categories, Toytown.tasks


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toytown")
    write_toytown(folder, "train", 64, 24, workers=1)
    write_toytown(folder, "val", 64, 6, workers=1)
    return folder


@pytest.fixture
def config():
    """Small, as most tests ask what becomes of a run and not what it learns."""
    layers = dict.fromkeys(("encoder_layers", "decoder_layers", "text_layers"), 1)
    sizes = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "num_queries": 24}
    return dataclasses.replace(ofl.config.toytown(), backbone="test_resnet", pretrained=False, **sizes, **layers)


def settings(data, out, **changes):
    base = {"data": str(data), "out": str(out), "batch_size": 2, "workers": 0, "evaluations": 0, "log_steps": 1}
    return toytown_training(**(base | changes))


def test_each_loss_is_positive_at_first_and_falls_over_200_steps(data, tmp_path):
    config = dataclasses.replace(ofl.config.toytown(), image_size=64, num_points=128)
    result = train(config, settings(data, tmp_path, steps=200, batch_size=2, lr=1e-3))
    records = [r for r in result.history if r["kind"] == "train"]
    assert len(records) == 200 and result.finished
    for name in ofl.losses.LOSSES:
        values = [r[name] for r in records]
        assert values[0] > 0 and all(np.isfinite(values))
        assert np.mean(values[-20:]) < 0.8 * np.mean(values[:5]), f"{name} did not fall: {values[::20]}"


def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(config, data, tmp_path):
    whole = train(config, settings(data, tmp_path / "whole", steps=4))
    trainer = Trainer(config, settings(data, tmp_path / "parts", steps=4), open_split(data, "train"), None)
    step = trainer.train_step

    def interrupted(batches):
        trainer.stopping = trainer.step == 1  # what Ctrl-C does, during the second step
        return step(batches)

    trainer.train_step = interrupted
    stopped = trainer.run()
    assert stopped.steps == 2 and not stopped.finished and not (tmp_path / "parts/model").exists()
    resumed = train(config, settings(data, tmp_path / "parts", steps=4))
    assert [r["step"] for r in resumed.history] == [1, 2, 3, 4]
    for (name, a), b in zip(whole.model.state_dict().items(), resumed.model.state_dict().values()):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=name)


def test_the_final_model_is_the_averaged_one_and_loads_back(config, data, tmp_path):
    result = train(config, settings(data, tmp_path, steps=3))
    loaded = ofl.from_pretrained(tmp_path / "model")
    assert loaded.config == config
    for (name, a), b in zip(result.model.state_dict().items(), loaded.state_dict().values()):
        assert torch.equal(a, b), name


def test_a_step_with_a_loss_that_is_no_number_is_skipped_and_named(config, data, tmp_path):
    trainer = Trainer(config, settings(data, tmp_path, steps=30), open_split(data, "train"), None)
    batch = ofl.data.collate([(Toytown("train", 64)[i], "panoptic") for i in range(2)])
    before = trainer.model.decoder.class_head.weight.clone()
    batch.images[0] = float("nan")
    with pytest.warns(UserWarning, match=r"class.* loss is not finite \(images \[1, 2\]\); the step is skipped"):
        trainer.train_step([batch])
    assert torch.equal(before, trainer.model.decoder.class_head.weight)
    with pytest.raises(OneFormerLiteError, match="10th step in a row"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(10):
            trainer.train_step([batch])


def test_an_output_folder_that_cannot_be_written_is_named(config, data, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(DataError, match="file/run cannot be written"):
        train(config, settings(data, blocked / "run", steps=1))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_ends_the_run_in_one_sentence_and_loses_nothing(config, data, tmp_path, workers):
    folder = shutil.copytree(data, tmp_path / "data")
    (folder / "train/000000000009.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="^[^\n]*000000000009.jpg is empty[^\n]*$"):
        train(config, settings(folder, tmp_path / "run", steps=100, workers=workers, unreadable_share=0))
    done = len(read_log(tmp_path / "run"))
    assert done == torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)["step"] > 0


def test_pictures_without_segments_or_with_crowds_alone_train(config, tmp_path):
    empty = Toytown("train", 64)[0]
    crowd = empty.replace(segments=tuple(dataclasses.replace(s, is_crowd=True) for s in empty.segments))
    nothing = empty.replace(segments=(), segment_map=np.zeros_like(empty.segment_map))
    samples = Listed([crowd, nothing] * 4)
    with pytest.raises(DataError, match="cannot be trained with.*are crowds: there is no ground truth"):
        train(config, settings("-", tmp_path, steps=3), train_data=samples)
    result = train(config, settings("-", tmp_path, steps=3, look_first=False), train_data=samples)
    assert result.finished and all(np.isfinite(r["total"]) and r["mask"] == 0 for r in result.history)


def test_a_full_disk_leaves_the_old_checkpoint(config, data, tmp_path, monkeypatch):
    train(config, settings(data, tmp_path, steps=1))
    before = (tmp_path / "checkpoint.pt").read_bytes()
    trainer = Trainer(config, settings(data, tmp_path, steps=2), open_split(data, "train"), None)

    def full(state, draft):
        draft.write_bytes(b"half")
        raise RuntimeError("No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DataError, match="could not be written.*No space left on device"):
        trainer.save()
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert not list(tmp_path.glob(".*draft"))
    with pytest.warns(UserWarning, match="training goes on without saving"):
        trainer._save_or_warn()


def test_a_checkpoint_of_another_configuration_is_refused(config, data, tmp_path):
    train(config, settings(data, tmp_path, steps=1))
    other = dataclasses.replace(config, num_queries=20)
    with pytest.raises(CheckpointError, match="another configuration .differs in num_queries"):
        train(other, settings(data, tmp_path, steps=2))


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"not an archive"])
def test_a_damaged_checkpoint_is_refused_in_words(config, data, tmp_path, damage):
    train(config, settings(data, tmp_path, steps=1))
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match="checkpoint.pt cannot be read"):
        train(config, settings(data, tmp_path, steps=2))


@pytest.mark.parametrize("ema_decay", [0.5, None])
def test_a_checkpoint_gives_back_the_model_to_judge(config, data, tmp_path, ema_decay):
    """With averaged weights where they are collected: the ones that evaluations judged."""
    result = train(config, settings(data, tmp_path, steps=2, ema_decay=ema_decay))
    model, step = saved_model(tmp_path, config)
    assert step == 2 and not model.training
    kept = result.model.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    assert saved_model(tmp_path / "nowhere", config) is None


def test_a_checkpoint_of_another_version_is_refused_in_one_sentence(config, data, tmp_path):
    train(config, settings(data, tmp_path, steps=1))
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    for part in (state["model"], state["average"]["state"]):
        part["decoder.old_name.weight"] = part.pop("decoder.norm.weight")
    torch.save(state, tmp_path / "checkpoint.pt")
    words = "checkpoint.pt does not fit the model .* another version"
    with pytest.raises(CheckpointError, match=words):
        saved_model(tmp_path, config)
    with pytest.raises(CheckpointError, match=words):
        train(config, settings(data, tmp_path, steps=2))


def test_a_checkpoint_cannot_run_code(config, data, tmp_path):
    class Malicious:
        def __reduce__(self):
            return (exec, ("raise SystemExit('executed')",))

    torch.save({"config": Malicious()}, tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        train(config, settings(data, tmp_path, steps=1))


def test_classes_must_fit_the_data(config, data, tmp_path):
    with pytest.warns(UserWarning, match="num_classes is 5"):
        wrong = dataclasses.replace(config, num_classes=5)
    with pytest.raises(ConfigError, match="5 classes, the data 14"):
        train(wrong, settings(data, tmp_path, steps=1))


def test_quick_evaluations_are_logged_between_the_steps_and_at_the_last(config, data, tmp_path):
    result = train(config, settings(data, tmp_path, steps=6, evaluations=2, eval_images=2))
    evals = [r for r in result.history if r["kind"] == "eval"]
    assert [r["step"] for r in evals] == [3, 6]
    assert all(0 <= r["PQ"] <= 100 and r["images"] == 2 for r in evals)


@pytest.mark.parametrize(
    ("steps", "count", "at"), [(4, 4, [1, 2, 3, 4]), (12, 4, [3, 6, 9, 12]), (1, 4, [1]), (3, 1, [3])]
)
def test_evaluations_are_spread_evenly_and_the_last_is_of_the_finished_model(tmp_path, steps, count, at):
    evaluations = Evaluations(settings("-", tmp_path, steps=steps, evaluations=count), [], tmp_path, 0.0)
    done = [{"kind": "eval", "step": step} for step in range(1, steps + 1) if evaluations.due(step / steps)]
    assert evaluations.missing(done, steps)
    assert [record["step"] for record in done] + [steps] == at
    assert not evaluations.missing([*done, {"kind": "eval", "step": steps}], steps)
    assert not Evaluations(settings("-", tmp_path, steps=steps), None, tmp_path, 0.0).missing([], steps)


def test_an_interrupted_last_evaluation_is_done_when_the_run_is_called_again(config, data, tmp_path, monkeypatch):
    recipe = settings(data, tmp_path, steps=2, evaluations=1, eval_images=2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def interrupted(*given, **named):
            raise KeyboardInterrupt

        patch.setattr("oneformer_lite.training.evaluations.evaluate", interrupted)
        train(config, recipe)
    assert ofl.Run(tmp_path).status == "stopped" and not (tmp_path / "model").exists()
    result = train(config, recipe)
    assert result.finished and [(r["kind"], r["step"]) for r in result.history] == [
        ("train", 1), ("train", 2), ("eval", 2),
    ]  # fmt: skip
    again = train(config, recipe)
    assert again.history == result.history, "nothing is left to do"


def test_the_best_model_of_the_evaluations_is_kept(config, data, tmp_path, monkeypatch):
    scores, judged = iter([20.0, 30.0, 25.0, 28.0, 35.0]), []

    def evaluate(model, part, tasks, unreadable):
        assert not model.training and len(part) == 2
        judged.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"PQ": next(scores)}

    monkeypatch.setattr("oneformer_lite.training.evaluations.evaluate", evaluate)
    best = settings(data, tmp_path, steps=8, evaluations=3, eval_images=2, keep_best=True, ema_decay=None)
    trainer = Trainer(config, best, open_split(data, "train"), open_split(data, "val"))
    trainer.run()
    assert trainer.model.training is False and len(judged) == 3

    def kept():
        state = ofl.from_pretrained(tmp_path / "best").state_dict()
        return [all(torch.equal(state[name], value) for name, value in model.items()) for model in judged]

    assert kept() == [False, True, False]
    longer = dataclasses.replace(best, steps=16, evaluations=4)  # the score to beat is remembered: 28 is not, 35 is
    trainer = Trainer(config, longer, open_split(data, "train"), open_split(data, "val"))
    trainer.run()
    assert len(judged) == 5 and kept() == [False, False, False, False, True]


@pytest.mark.parametrize("scores", [[math.nan] * 3, [math.nan, 30.0, math.nan], [20.0, math.nan, 10.0]])
def test_keeping_the_best_says_where_there_is_no_score(config, data, tmp_path, monkeypatch, scores):
    left = iter(scores)
    monkeypatch.setattr("oneformer_lite.training.evaluations.evaluate", lambda *a, **b: {"PQ": next(left), "AP": 1.0})
    best = settings(data, tmp_path, steps=8, evaluations=3, eval_images=2, keep_best=True)
    with pytest.warns(UserWarning, match="PQ is not a number.*keep_best keeps") as said:
        trainer = Trainer(config, best, open_split(data, "train"), open_split(data, "val"))
        trainer.run()
    assert sum("is not a number" in str(w.message) for w in said) == sum(map(math.isnan, scores))
    assert (tmp_path / "best").is_dir() and trainer.evaluations.best == max([s for s in scores if s == s], default=-1.0)


def test_evaluation_without_averaged_weights_goes_on_with_dropout(config, data, tmp_path):
    changes = {"steps": 4, "evaluations": 2, "eval_images": 1, "ema_decay": None}
    trainer = Trainer(config, settings(data, tmp_path, **changes), open_split(data, "train"), open_split(data, "val"))
    step, modes = trainer.train_step, []

    def noted(batches):
        modes.append(trainer.model.training)
        return step(batches)

    trainer.train_step = noted
    trainer.run()
    assert modes == [True] * 4


def test_tensorboard_shows_what_the_log_holds(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def write(first, last, done):
        log = Log(tmp_path, done, tensorboard=True)
        for step in range(first, last):
            log.write("train", step, 0.5, total=step + first / 100, mask=None)
        log.close()
        return log

    write(1, 6, done=0)
    log = write(4, 7, done=3)  # resumed after step 3: what came after it is written again
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert board.Tags()["scalars"] == ["train/total"]
    shown = {event.step: round(event.value, 2) for event in board.Scalars("train/total")}
    assert shown == {1: 1.01, 2: 2.01, 3: 3.01, 4: 4.04, 5: 5.04, 6: 6.04}
    assert shown == {r["step"]: r["total"] for r in log.records}
    Log(tmp_path, 6, writes=False, tensorboard=True)  # another process writes nothing
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2


def test_the_log_survives_a_line_cut_short(config, data, tmp_path):
    train(config, settings(data, tmp_path, steps=2))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "tr')
    assert [r["step"] for r in read_log(tmp_path)] == [1, 2]
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])["kind"] == "train"


def test_the_sampler_sees_every_image_once_an_epoch_and_can_start_anywhere():
    def take(n, **kw):
        return [address for address, _ in zip(EndlessSampler(5, seed=3, **kw), range(n))]

    addresses = take(12)
    assert sorted(i for e, i in addresses if e == 0) == [0, 1, 2, 3, 4] == sorted(i for e, i in addresses if e == 1)
    assert take(4, start=7) == addresses[7:11]
    assert [i for _, i in addresses[:5]] != [i for _, i in addresses[5:10]]


def test_tasks_are_drawn_uniformly_from_those_the_annotation_supplies():
    samples = TaskSamples(Toytown("train", 64, length=4), lambda sample, rng: sample, seed=0)
    tasks = [samples[(epoch, i)][1] for epoch in range(60) for i in range(4)]
    for task in ofl.data.TASKS:
        assert 55 <= tasks.count(task) <= 105  # 80 expected, 3.4 standard deviations
    only = TaskSamples([Toytown("train", 64)[0].replace(tasks=("semantic",))], lambda s, rng: s, 0)
    assert {only[(e, 0)][1] for e in range(10)} == {"semantic"}


def test_norms_and_embeddings_do_not_decay_and_the_backbone_learns_slowly():
    model = ofl.OneFormer(ofl.config.toytown())
    c = settings("x", "y", steps=1, lr=1.0, backbone_lr_multiplier=0.1, weight_decay=0.05)
    groups = parameter_groups(model, c)
    by_id = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    names = {name: by_id[id(p)] for name, p in model.named_parameters() if p.requires_grad}
    assert len(by_id) == len(names)
    assert names["decoder.class_head.weight"] == (1.0, 0.05)
    assert names["decoder.norm.weight"] == (1.0, 0.0)
    assert names["query_positions.weight"] == (1.0, 0.0)
    assert names["text_mapper.encoder.token_embedding.weight"] == (1.0, 0.0)
    assert names["pixel_decoder.level_embed"] == (1.0, 0.05)  # a plain parameter decays, as released
    assert names["text_mapper.logit_scale"] == (1.0, 0.05)
    assert names["backbone.network.conv_stem.weight"] == (0.1, 0.05)
    assert names["backbone.network.bn1.weight"] == (0.1, 0.0)


@pytest.mark.parametrize("multiplier", [0, 0.0, 0.1, 1])
def test_a_backbone_at_a_rate_of_zero_is_frozen(config, data, tmp_path, multiplier):
    """What cannot learn needs no gradients and stays as it was; all else learns."""
    c = settings(data, tmp_path, steps=1, backbone_lr_multiplier=multiplier, ema_decay=None)
    trainer = Trainer(config, c, open_split(data, "train"), None)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.run()
    moved = {name for name, p in trainer.model.named_parameters() if not torch.equal(p, before[name])}
    learning = [name for name, p in trainer.model.named_parameters() if p.requires_grad]
    assert "decoder.class_head.weight" in moved
    assert any(name.startswith("backbone") for name in learning) == bool(multiplier)
    assert any(name.startswith("backbone") for name in moved) == bool(multiplier)


def test_the_schedule_warms_up_and_ends_low():
    c = settings("x", "y", steps=100, warmup_steps=10, final_lr=0.01)
    assert lr_factor(0, 0.0, c) == pytest.approx(0.1)
    assert lr_factor(9, 0.0, c) == pytest.approx(1.0)
    assert lr_factor(50, 0.5, c) == pytest.approx(0.01 + 0.99 * 0.5)
    assert lr_factor(100, 1.0, c) == pytest.approx(0.01)


def test_the_average_follows_by_the_decay():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    average = AveragedWeights(model, decay=0.5)
    torch.nn.init.ones_(model.weight)
    average.update(model)  # early decay (1 + 1) / (10 + 1) < 0.5
    assert average.state["weight"].item() == pytest.approx(1 - 2 / 11)
    for _ in range(20):
        previous = average.state["weight"].item()
        average.update(model)
    assert 1 - average.state["weight"].item() == pytest.approx(0.5 * (1 - previous), abs=1e-7)


def test_a_run_needs_one_budget():
    with pytest.raises(ConfigError, match="either steps or minutes"):
        toytown_training(out="x", data="y")
    with pytest.raises(ConfigError, match="lr must be positive"):
        toytown_training(steps=1, lr=0.0)
