"""Variants, what a study compares, and the file that says so: what is understood, and each mistake in words."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.data.augment import augmentation
from oneformer_lite.errors import ConfigError
from oneformer_lite.studies.definition import check_same, define
from oneformer_lite.studies.file import read_file
from oneformer_lite.studies.measures import judged_under
from oneformer_lite.studies.variants import difference_words, differences, resolve
from oneformer_lite.training import toytown_training
from oneformer_lite.training.loader import EndlessSampler, TaskSamples

BASE = toytown_training(out="runs/study", steps=100)


def variants(**changes):
    return resolve({"base": {}, **changes}, ofl.config.toytown(), BASE)


def test_changes_go_where_their_fields_are():
    _, found = variants(other={"contrastive_weight": 0.0, "lr": 1e-3, "note": "both"})
    assert (found.config.contrastive_weight, found.train_config.lr, found.note) == (0.0, 1e-3, "both")
    assert difference_words(found, variants()[0]) == "contrastive_weight 0.5 → 0, lr 0.002 → 0.001"


def test_a_budget_of_its_own_takes_the_place_of_the_other():
    _, minutes, steps = variants(a={"minutes": 2}, b={"steps": 70})
    assert (minutes.train_config.steps, minutes.budget, steps.budget) == (None, "2 minutes", "70 steps")


def test_another_member_brings_its_own_recipe():
    by_name, by_config = variants(a={"preset": "mask2former_toytown"},
                                  b=(ofl.config.maskformer_toytown(), {"num_queries": 40}))[1:]  # fmt: skip
    assert by_name.config.model_type == "mask2former" and by_name.train_config.clip_norm == 0.01
    assert by_config.config.num_queries == 40 and by_config.train_config.lr == 5e-4
    assert by_name.train_config.steps == 100
    assert "model oneformer → mask2former" in difference_words(by_name, variants()[0])


def test_names_are_folders_that_never_collide():
    found = variants(**{"a b": {"lr": 1e-3}, "a-b": {"lr": 2e-4}, "A B": {"lr": 3e-4}, "ä/../": {"lr": 4e-4}})
    folders = [v.folder for v in found]
    assert len(set(folders)) == len(folders) and not any(set("/. ") & set(f) for f in folders)


def test_names_made_to_share_a_folder_are_refused():
    given = ofl.config.toytown(), BASE
    (one, _) = resolve({"A": {"lr": 1e-3}, "b": {"lr": 1e-4}}, *given)
    with pytest.raises(ConfigError, match=f"'{one.folder}' would have the folder of 'A'"):
        resolve({"A": {"lr": 1e-3}, one.folder: {"lr": 1e-4}}, *given)


def test_each_is_compared_with_all_others_without_a_copy_of_its_classes(monkeypatch):
    """Of a hundred variants on COCO these copies take half a minute."""
    monkeypatch.setattr("oneformer_lite.studies.variants.asdict", None)
    assert len(variants(**{f"v{i}": {"lr": 1e-5 * (i + 1)} for i in range(100)})) == 101
    with pytest.raises(ConfigError, match="'v3' and 'v99' are the same"):
        variants(**{f"v{i}": {"lr": 1e-5 * (i + 1 if i < 99 else 4)} for i in range(100)})


WRONG = {
    "unknown field": ({"a": {"contrastive_wieght": 0}}, r"variant 'a': neither ModelConfig nor TrainConfig has a field "
                      r"'contrastive_wieght': did you mean contrastive_weight\?"),
    "another program's name": ({"a": {"learning_rate": 1e-3}}, r"did you mean lr\?"),
    "no such preset": ({"a": {"preset": "mask2former_toytwon"}}, r"did you mean mask2former_toytown\?"),
    "seed": ({"a": {"seed": 3}}, "seed is not a variant's: the study's seeds are the same for all"),
    "folder": ({"a": {"out": "x"}}, "each run has a folder of its own"),
    "what judges": ({"a": {"val_split": "test"}}, "val_split must be the same for all variants"),
    "wrong kind": ({"a": {"num_queries": "many"}}, "variant 'a': num_queries must be int"),
    "out of range": ({"a": {"ema_decay": 1.5}}, "variant 'a': ema_decay must be from 0"),
    "two budgets": ({"a": {"steps": 3, "minutes": 1}}, "give either steps or minutes"),
    "no changes": ({"a": 3}, "expected its changes as"),
    "same twice": ({"a": {"lr": 2e-3}}, "'base' and 'a' are the same in everything"),
    "empty name": ({" ": {"lr": 1e-3}}, "a variant's name must be"),
    "two lines": ({"a\nb": {"lr": 1e-3}}, "a variant's name must be"),
}  # fmt: skip


@pytest.mark.parametrize("changes, words", WRONG.values(), ids=WRONG)
def test_what_is_no_variant(changes, words):
    with pytest.raises(ConfigError, match=words):
        variants(**changes)


def test_a_name_twice_in_a_list():
    with pytest.raises(ConfigError, match="the variant 'a' comes twice"):
        resolve([("a", {}), ("a", {"lr": 1e-3})], ofl.config.toytown(), BASE)
    with pytest.raises(ConfigError, match="1 to 1000 variants"):
        resolve({}, ofl.config.toytown(), BASE)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"baseline": "bsae"}, r"the baseline 'bsae' is none of the variants: did you mean base\?"),
        ({"metrics": ("PQ", "mAP")}, "there is no metric 'mAP'"),
        ({"metrics": ()}, "metrics must be some of"),
        ({"metrics": 5}, "metrics must be some of"),
        ({"metrics": ("PQ", "PQ")}, "each once"),
        ({"seeds": 0}, "seeds must be a whole number from 1"),
        ({"seeds": (1, 2, 1)}, "the seed 1 comes twice"),
        ({"seeds": (-1,)}, "a seed must be a whole number"),
        ({"seeds": "three"}, "seeds must be a number of seeds"),
        ({"threads": 0}, "threads must be"),
        ({"baseline": "semantic"}, "the baseline 'semantic' gives no PQ, AP: it is judged by mIoU"),
        ({"metrics": ("PQ", "AP")}, "variant 'semantic' gives none of PQ, AP: it is judged by mIoU"),
    ],
    ids=str,
)
def test_what_is_no_study(settings, words):
    made = variants(semantic={"task_probabilities": (0, 0, 1)})
    with pytest.raises(ConfigError, match=words):
        define(made, **({"seeds": 3} | settings))


def test_what_a_model_is_judged_by():
    base, panoptic, instance, former = variants(
        panoptic={"task_probabilities": (1, 0, 0)}, instance={"task_probabilities": (0, 1, 0)},
        former={"preset": "mask2former_toytown"},
    )  # fmt: skip
    every = ("panoptic", "instance", "semantic")
    assert judged_under(base) == (None, every) and judged_under(panoptic) == ("panoptic", every)
    assert judged_under(instance) == ("instance", ("instance",)) and judged_under(former) == ("panoptic", every)
    assert judged_under(base, ("instance",)) == (None, ("instance",))


def test_all_variants_of_a_seed_see_the_same():
    """Order, tasks and mirrorings depend on seed and place alone, whatever rate, losses or batch."""
    data, every = ofl.data.Toytown("train", 64, length=6), variants(a={"lr": 1e-3}, b={"batch_size": 3})

    def seen(variant, seed: int) -> list:
        c = variant.run_config("x", seed)
        samples = TaskSamples(data, augmentation(c.augmentation, 64, False), c.seed, c.task_probabilities)
        addresses = [a for a, _ in zip(EndlessSampler(len(data), c.seed, batch_size=c.batch_size), range(12))]
        return [(a, samples[a][1], samples[a][0].image.tobytes()) for a in addresses]

    first = seen(every[0], 1)
    assert all(seen(variant, 1) == first for variant in every[1:]) and seen(every[0], 2) != first
    assert len(np.unique([task for _, task, _ in first])) > 1


def test_starts_that_differ_are_said():
    categories = ofl.data.Toytown("train", 64, length=1).categories[:5]
    config = ofl.config.for_classes(ofl.config.toytown(), categories)  # classes of one's own start from what is shipped
    with pytest.warns(UserWarning, match="'base' from toytown, 'wide' from no trained model"):
        resolve({"base": {}, "wide": {"decoder_ffn": 64}}, config, BASE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resolve({"base": {}, "wide": {"decoder_ffn": 64}}, config, replace(BASE, start_from=None))


def test_another_study_is_told_by_what_differs(tmp_path: Path):
    before = define(variants(a={"lr": 1e-3}), 2)
    check_same(before, define(variants(a={"lr": 1e-3}, b={"lr": 3e-3}), 3), tmp_path)  # more of both
    for now, words in (
        (define(variants(a={"lr": 2e-4}), 2), "variant 'a': lr was 0.001, is 0.0002"),
        (define(variants(b={"lr": 1e-3}), 2), "variant 'a' is missing"),
        (define(variants(a={"preset": "knet_toytown"}), 2), "'a' was a oneformer model, is a knet model"),
        (define(variants(a={"lr": 1e-3}), (0, 5)), "seed 1 is missing"),
        (define(variants(a={"lr": 1e-3}), 2, baseline="a"), "baseline was 'base', is 'a'"),
    ):
        with pytest.raises(ConfigError, match=f"holds another study: .*{words}"):
            check_same(before, now, tmp_path)


TOML = """
title = "Worth"
preset = "toytown"
seeds = [3, 4]
metrics = ["PQ"]
toytown_scenes = 12
[config]
image_size = 64
[train]
out = "runs/worth"
steps = 20
start_from = "none"
[variants."as it is"]
[variants."one task"]
task_probabilities = [1, 0, 0]
note = "alone"
[variants."K-Net"]
preset = "knet_toytown"
"""


def written(folder: Path, text: str, name: str = "study.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_file_is_read(tmp_path: Path):
    found = read_file(written(tmp_path, TOML))
    assert (found.config.image_size, found.train_config.steps, found.train_config.start_from) == (64, 20, None)
    assert (found.seeds, found.options, found.toytown_scenes) == ([3, 4], {"title": "Worth", "metrics": ["PQ"]}, 12)
    made = resolve(found.variants, found.config, found.train_config)
    assert [v.name for v in made] == ["as it is", "one task", "K-Net"] and made[1].note == "alone"
    assert made[1].train_config.task_probabilities == (1, 0, 0) and made[2].config.model_type == "knet"
    few = found.of_steps(2)
    assert {v.budget for v in resolve(few.variants, few.config, few.train_config)} == {"2 steps"}


def test_json_says_the_same(tmp_path: Path):
    import tomllib

    path = written(tmp_path, json.dumps(tomllib.loads(TOML)), "study.json")
    assert read_file(path) == read_file(written(tmp_path, TOML))


WRONG_FILES = {
    "unknown setting": (TOML.replace("seeds =", "seed ="), r"a study has no 'seed': did you mean seeds\?"),
    "unknown field of the recipe": (TOML.replace("steps", "stpes"), r"\[train\]: TrainConfig has no field 'stpes'"),
    "a recipe's field under config": (TOML.replace("image_size = 64", "lr = 0.1"), "lr is of the recipe: write it"),
    "unknown field of the model": (TOML.replace("image_size", "img_size"), r"\[config\]: .*did you mean image_size\?"),
    "variant twice": (TOML + '[variants."one task"]\nlr = 0.1', "the variant 'one task' comes twice"),
    "key twice": (TOML + 'preset = "x"\n', "is not valid TOML: Cannot overwrite a value"),
    "no variants": (TOML[: TOML.index("[variants")], "it has no variants"),
    "a variant that is no table": (TOML + "[variants]\nx = 3", "is not valid TOML|expected a table"),
    "no TOML": ("title: Worth\n", "is not valid TOML"),
    "seed under train": (TOML.replace("steps = 20", "steps = 20\nseed = 3"), "seed is not the recipe's"),
    "no such preset": (TOML.replace('"toytown"', '"toytwon"'), r"no preset 'toytwon': did you mean toytown\?"),
    "a text for a number": (TOML.replace("= 12", "= 'all'"), "toytown_scenes must be a whole number"),
    "config no table": (TOML.replace("[config]\nimage_size = 64", "config = 3"), "config must be a table|not valid"),
}


@pytest.mark.parametrize("text, words", WRONG_FILES.values(), ids=WRONG_FILES)
def test_what_is_wrong_with_a_file(tmp_path: Path, text: str, words: str):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=words) as error:
        resolved = read_file(path)
        resolve(resolved.variants, resolved.config, resolved.train_config)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["study.toml", "study.json"])
def test_files_that_cannot_be_read(tmp_path: Path, name: str):
    with pytest.raises(ConfigError, match="check the path"):
        read_file(tmp_path / name)
    (tmp_path / name).write_bytes(b"\xff\xfe\x00\x01\xd8")
    with pytest.raises(ConfigError, match=name):
        read_file(tmp_path / name)


SIZES = (
    "image_size", "test_size", "hidden_dim", "num_queries", "encoder_layers", "encoder_ffn", "query_ffn",
    "decoder_layers", "decoder_ffn", "text_width", "text_layers", "num_points",
)  # fmt: skip


def test_the_ablations_of_the_paper():
    """Each row is a configuration and a recipe that differ from the baseline's in what its name says."""
    found = read_file(Path(__file__).parents[1] / "benchmarks" / "ablations.toml")
    made = resolve(found.variants, found.config, found.train_config)
    definition = define(made, found.seeds, **found.options)
    assert len(definition.seeds) == 3 and len(made) >= 35
    small = found.config
    assert small == replace(ofl.config.toytown(), **{name: getattr(small, name) for name in SIZES})
    base = {"out": "runs/ablations", "data": "runs/ablations/data", "workers": 0, "start_from": None, "evaluations": 0}
    budget = {"steps": 360, "batch_size": 4, "warmup_steps": 20, "backbone_lr_multiplier": 0.0}
    assert definition.reference.train_config == toytown_training(**budget, **base)
    pictures = {v.train_config.steps * v.train_config.batch_size for v in made}
    assert pictures == {1440} and all(len(differences(v, made[0])) <= 3 for v in made)
