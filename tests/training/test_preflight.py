"""Before the first step: what cannot be learned from is refused in a sentence, what is odd is told."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data import Category, PanopticDataset, SemanticDataset
from oneformer_lite.data.image import write_image
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.sample import SegmentInfo
from oneformer_lite.data.toytown import Toytown, write_toytown
from oneformer_lite.data.views import Listed
from oneformer_lite.dataset_checks.findings import Finding
from oneformer_lite.dataset_checks.splits import check_seen_classes
from oneformer_lite.errors import ConfigError, DataError
from oneformer_lite.training import coco_training, preflight, toytown_training
from oneformer_lite.training.distributed import ALONE
from oneformer_lite.training.preflight import SAMPLES, prepared, ready


@pytest.fixture(scope="module")
def config() -> ofl.ModelConfig:
    return dataclasses.replace(ofl.config.toytown(), image_size=64, num_points=128)


@pytest.fixture(scope="module")
def scenes() -> list:
    town = Toytown("train", 64, 24)
    return [town[i] for i in range(24)]


@pytest.fixture
def recipe(tmp_path: Path):
    def made(**changes) -> ofl.TrainConfig:
        return toytown_training(**({"out": str(tmp_path), "steps": 4, "evaluations": 0} | changes))

    return made


def listed(of: list, **changes) -> Listed:
    data = Listed(of, of[0].categories, of[0].tasks)
    vars(data).update(changes)
    return data


def looked(config, c, train, val=None, fresh: bool = True) -> list[str]:
    """The warnings; errors are raised."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        ready(config, c, train, val, ALONE, fresh)
    return [str(w.message) for w in seen]


def each(samples: list, change) -> list:
    return [sample.replace(**change(sample)) for sample in samples]


def crowds(sample) -> dict:
    return {"segments": tuple(dataclasses.replace(s, is_crowd=True) for s in sample.segments)}


def empty(sample) -> dict:
    return {"segments": (), "segment_map": np.zeros_like(sample.segment_map)}


def shifted(by: int):
    return lambda s: {"segments": tuple(dataclasses.replace(g, class_id=g.class_id + by) for g in s.segments)}


def without_things(sample) -> dict:
    kept = tuple(s for s in sample.segments if not sample.categories[s.class_id].is_thing)
    ids = [s.id for s in kept]
    return {"segments": kept, "segment_map": np.where(np.isin(sample.segment_map, ids), sample.segment_map, 0)}


def test_healthy_data_are_silent(config, recipe, scenes) -> None:
    others = [sample.replace() for sample in scenes]
    assert looked(config, recipe(evaluations=1), listed(scenes), listed(others)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (crowds, "segments of 24 samples are crowds"),
        (empty, "none of 24 samples has a segment"),
        (shifted(1), "off by one"),
        (shifted(40), "class ids|they run from"),
        (lambda s: {"image": (s.image > 128).astype(np.uint8)}, "brightest value .* is 1"),
        (lambda s: {"image": s.image / np.float32(255)}, "float32"),
        (lambda s: {"segment_map": s.segment_map[::2, ::2]}, "wrong resolution"),
    ],
    ids=["crowds", "nothing", "off by one", "file's ids", "0 to 1", "float", "resolution"],
)
def test_what_cannot_be_learned_from_is_refused(config, recipe, scenes, change, words: str) -> None:
    with pytest.raises(DataError, match=f"(?s)cannot be trained with: .*({words})") as caught:
        looked(config, recipe(), listed(each(scenes, change)))
    assert "\n" not in str(caught.value)
    assert looked(config, recipe(look_first=False), listed(each(scenes, change))) == []


def test_a_rare_object_is_looked_for_before_all_is_refused(config, recipe, scenes) -> None:
    nothing = each(scenes, empty)
    rare = [scenes[5], *nothing[1:], *nothing, *nothing]
    assert len(rare) > SAMPLES
    one = next(i for i in range(len(rare)) if i not in np.linspace(0, len(rare) - 1, SAMPLES).astype(int))
    rare[0], rare[one] = rare[one], rare[0]
    assert any("have none at all" in w or "are void" in w for w in looked(config, recipe(), listed(rare)))


def test_a_task_with_nothing_to_find_is_told(config, recipe, scenes) -> None:
    data = listed(each(scenes, without_things))
    assert any("nothing to find under instance" in w for w in looked(config, recipe(), data))
    only = recipe(task_probabilities=(0, 1, 0))
    with pytest.raises(DataError, match="none of 24 pictures has a target under any task"):
        looked(config, only, data)
    maps = listed(each(scenes, lambda s: {"tasks": ("semantic",)}), tasks=("semantic",))
    with pytest.raises(DataError, match="never draw semantic, which is all that the annotation supplies"):
        looked(config, only, maps)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: {"segments": tuple(dataclasses.replace(g, is_crowd=i > 0) for i, g in enumerate(s.segments))},
         "are crowds, which are never a target"),
        (lambda s: {"segment_map": s.segment_map[:, ::-1].copy()}, "mirrored left to right"),
        (lambda s: {"segments": s.segments[:1], "segment_map": np.where(s.segment_map == s.segments[0].id,
                                                                        s.segment_map, 0)}, "void"),
    ],
    ids=["many crowds", "mirrored", "mostly void"],
)  # fmt: skip
def test_what_is_odd_is_told(config, recipe, scenes, change, words: str) -> None:
    assert any(words in w for w in looked(config, recipe(), listed(each(scenes, change))))


def test_more_segments_than_queries_are_told(config, recipe, scenes) -> None:
    few = dataclasses.replace(config, num_queries=5, text_context=2)
    assert any("5 queries" in w and "raise num_queries" in w.lower() for w in looked(few, recipe(), listed(scenes)))


def test_segments_are_counted_in_crops_where_training_crops(config, recipe, scenes) -> None:
    """A grid of 144 nuclei of which a crop shows at most 9 x 9."""
    ids = np.kron(np.arange(1, 145, dtype=np.int32).reshape(12, 12), np.ones((16, 16), np.int32))
    kind = next(k for k, category in enumerate(scenes[0].categories) if category.is_thing)
    full = scenes[0].replace(
        image=np.random.default_rng(0).integers(0, 256, (192, 192, 3), dtype=np.uint8), segment_map=ids,
        segments=tuple(SegmentInfo(i, kind) for i in range(1, 145)),
    )  # fmt: skip
    few = dataclasses.replace(config, num_queries=90, text_context=2)
    for augmentation, told in (("flip", True), ("microscope", False)):
        said = looked(few, recipe(augmentation=augmentation), listed([full] * 20))
        assert any("90 queries" in w for w in said) == told


ALONE_IN_ITS_RUN = {"panoptic": (1, 0, 0), "instance": (0, 1, 0), "semantic": (0, 0, 1)}


@pytest.mark.parametrize("task", ALONE_IN_ITS_RUN)
def test_one_task_alone_leaves_the_contrastive_loss_nothing(config, recipe, scenes, task: str) -> None:
    alone, data = recipe(task_probabilities=ALONE_IN_ITS_RUN[task], batch_size=4), listed(scenes)
    (said,) = looked(config, alone, data)
    assert f"one task, {task}" in said and "16 pictures have " in said and "2 ln 4 = 2.77" in said
    assert "Set contrastive_weight=0 in the configuration" in said
    assert looked(dataclasses.replace(config, contrastive_weight=0.0), alone, data) == []
    assert looked(ofl.config.mask2former_toytown(), alone, data) == []  # which learns from no texts
    supplied = listed(each(scenes, lambda s: {"tasks": (task,)}), tasks=(task,))
    assert any("one task" in w for w in looked(config, recipe(), supplied))  # the annotation decides as well
    micro = dataclasses.replace(alone, batch_size=6, accumulate=2)
    assert any("2 ln 3 = 2.20" in w for w in looked(config, micro, data))
    assert looked(config, alone, data, fresh=False) == []  # said once, when the run began


def test_two_tasks_are_told_apart(config, recipe, scenes) -> None:
    assert looked(config, recipe(task_probabilities=(1, 1, 0)), listed(scenes)) == []


def test_data_sets_that_are_none(config, recipe, scenes) -> None:
    with pytest.raises(DataError, match="training data set is empty"):
        looked(config, recipe(), listed(scenes, samples=[]))
    with pytest.raises(DataError, match="validation data set is empty"):
        looked(config, recipe(evaluations=1), listed(scenes), listed(scenes, samples=[]))
    with pytest.raises(ConfigError, match="no validation data"):
        looked(config, recipe(evaluations=1), listed(scenes))
    with pytest.raises(ConfigError, match="an empty list is no data set"):
        looked(config, recipe(), [])
    with pytest.raises(ConfigError, match="the name 'data/coco', which ofl.data.open.* opens, is no data set"):
        looked(config, recipe(), "data/coco")
    with pytest.raises(ConfigError, match="a list with a ndarray in it is no data set"):
        looked(config, recipe(), [scenes[0], scenes[1].image])
    with pytest.raises(ConfigError, match="yields a tuple"):
        looked(config, recipe(), listed(scenes, samples=[(s, 1) for s in scenes]))


def test_a_list_of_samples_is_a_data_set(config, recipe, scenes) -> None:
    assert looked(config, recipe(evaluations=1), scenes, tuple(s.replace() for s in scenes[:4])) == []


@pytest.mark.parametrize("tasks", [(), ("boxes",), "panoptic", None])
def test_tasks_that_are_none_are_refused(config, recipe, scenes, tasks) -> None:
    for data in (listed(scenes, tasks=tasks), each(scenes, lambda s: {"tasks": tasks})):
        with pytest.raises(ConfigError, match="the tasks of the .* are .*expected a tuple of some of panoptic"):
            looked(config, recipe(), data)


def test_samples_of_other_tasks_are_no_data_set(config, recipe, scenes) -> None:
    mixed = [s.replace(tasks=("semantic",) if i % 2 else s.tasks) for i, s in enumerate(scenes)]
    with pytest.raises(ConfigError, match="the samples have different tasks"):
        looked(config, recipe(), mixed)


def unlisted(sample) -> dict:
    return {"segments": sample.segments[1:]}


def twice(sample) -> dict:
    return {"segments": (*sample.segments, sample.segments[0])}


def below_zero(sample) -> dict:
    return {"segment_map": sample.segment_map - (sample.segment_map == 0).astype(np.int32)}


def with_void(samples: list) -> list:
    return [s for s in samples if (s.segment_map == 0).any()]


@pytest.mark.parametrize(
    ("change", "words"), [(unlisted, "which are not in its list"), (twice, "twice"), (below_zero, "the ids \\[-1\\]")]
)
def test_maps_and_lists_that_disagree(config, recipe, scenes, change, words: str) -> None:
    """A warning before a training, which can do without; a validation would end at its first picture."""
    samples = with_void(scenes) if change is below_zero else scenes
    assert any(re.search(words, w) for w in looked(config, recipe(), listed(each(samples, change))))
    with pytest.raises(DataError, match=words):
        looked(config, recipe(evaluations=1), listed(scenes), listed(each(samples, change)))


def test_validation_pictures_need_ids_of_their_own(config, recipe, scenes) -> None:
    val = each(scenes[:5], lambda s: {"image_id": min(s.image_id, scenes[3].image_id)})
    with pytest.raises(DataError, match=f"{scenes[3].image_id} is the id of several pictures"):
        looked(config, recipe(evaluations=1), listed(scenes), val)


def test_validation_pictures_that_are_trained_on_are_told(config, recipe, scenes, folder: Path) -> None:
    some = [*scenes[:2], scenes[2].replace()]
    said = looked(config, recipe(evaluations=1), scenes, some)
    assert any("2 of 3 validation pictures are training pictures" in w for w in said)
    files = open_split(folder, "train")
    said = looked(config, recipe(evaluations=1), files, files)
    assert any("24 of 24 validation pictures are training pictures" in w for w in said)


def test_classes_that_no_sample_of_a_list_has_are_told(config, recipe, scenes) -> None:
    one = each(scenes, lambda s: {"segments": tuple(dataclasses.replace(g, class_id=0) for g in s.segments)})
    assert any("13 of 14 classes never occur" in w for w in looked(config, recipe(), one))


def test_things_that_are_stuff_for_the_model_are_told(config, recipe, scenes) -> None:
    categories = tuple(dataclasses.replace(c, is_thing=c.is_thing and c.name != "car") for c in scenes[0].categories)
    other = each(scenes, lambda s: {"categories": categories})
    (said,) = looked(config, recipe(), other)
    assert said.startswith("'car' is not of the same kind in the training data as for the model")
    (said,) = looked(config, recipe(evaluations=1), scenes, other)
    assert "in the validation data set" in said
    assert looked(ofl.config.for_classes(config, categories), recipe(), other) == []


# -- classes


def renamed(samples: list, names: dict) -> Listed:
    categories = tuple(dataclasses.replace(c, name=names.get(c.name, c.name)) for c in samples[0].categories)
    return listed(each(samples, lambda s: {"categories": categories}))


def reordered(samples: list) -> Listed:
    order = sorted(range(len(samples[0].categories)), key=lambda i: samples[0].categories[i].name)
    categories = tuple(samples[0].categories[i] for i in order)
    return listed(each(samples, lambda s: {"categories": categories, "segments": tuple(
        dataclasses.replace(g, class_id=order.index(g.class_id)) for g in s.segments)}))  # fmt: skip


def test_the_same_classes_in_another_order_are_mapped(config, recipe, scenes) -> None:
    other = reordered(scenes)
    assert other[0].categories != scenes[0].categories
    data = prepared(config, recipe(), other)
    assert data.categories == scenes[0].categories and data[3].segments == scenes[3].segments
    assert looked(config, recipe(evaluations=1), listed(scenes), other) == []


@pytest.mark.parametrize("names", [{"car": "Car", "building": "BUILDING"}, {"sidewalk": "side-walk"}])
def test_spelling_is_no_other_class(config, recipe, scenes, names: dict) -> None:
    if "sidewalk" in names:
        names = {"traffic light": "traffic-light"}
    assert looked(config, recipe(evaluations=1), listed(scenes), renamed(scenes, names)) == []


def test_other_classes_are_noticed(config, recipe, scenes) -> None:
    all_other = {c.name: f"other {c.id}" for c in scenes[0].categories}
    with pytest.raises(ConfigError, match="model knows 14 classes, the validation data set has 14, of which 'other"):
        looked(config, recipe(evaluations=1), listed(scenes), renamed(scenes, all_other))
    more = listed(scenes, categories=(*scenes[0].categories, Category(99, "zeppelin", True)))
    with pytest.raises(ConfigError, match="the validation data set has 15, of which 'zeppelin' is none of them"):
        looked(config, recipe(evaluations=1), listed(scenes), more)
    with pytest.raises(ConfigError, match="14 classes, the data 15"):
        looked(config, recipe(), more)
    first, second = scenes[0].categories[:2]
    swapped = renamed(scenes, {first.name: second.name, second.name: "zeppelin"})  # one elsewhere, one unknown
    with pytest.raises(ConfigError, match="'zeppelin'"):
        looked(config, recipe(), swapped)


def test_a_single_new_name_is_taken_by_number_and_told(config, recipe, scenes) -> None:
    first = scenes[0].categories[0].name
    (said,) = set(looked(config, recipe(), renamed(scenes, {first: "zeppelin"})))
    assert f"'zeppelin' for {first!r}" in said


def test_generic_names_are_taken_by_number(config, recipe, scenes) -> None:
    generic = dataclasses.replace(config, class_names=(), is_thing=(), class_colors=())
    assert looked(generic, recipe(), listed(scenes)) == []


# -- files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_toytown(tmp_path / "data", "train", 64, 24, workers=1)
    write_toytown(tmp_path / "data", "val", 64, 6, workers=1)
    return tmp_path / "data"


@pytest.mark.parametrize("where", ["train", "annotations/panoptic_train"])
def test_missing_files_are_found_at_the_start(config, recipe, folder: Path, where: str) -> None:
    files = sorted((folder / where).iterdir())
    files[9].unlink()
    said = looked(config, recipe(), open_split(folder, "train"))
    assert len([w for w in said if f"1 of 24 pictures lack a file, such as {files[9]}" in w]) == 1
    with pytest.raises(DataError, match="training data: 1 of 24 pictures lack a file"):
        looked(config, recipe(unreadable_share=0), open_split(folder, "train"))
    files[10].unlink()
    with pytest.raises(DataError, match="2 of 24 pictures lack a file, such as .*; 1 may be left out"):
        looked(config, recipe(), open_split(folder, "train"), fresh=False)  # listed again when resumed


def test_missing_files_of_validation(config, recipe, folder: Path) -> None:
    for file in (folder / "val").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="validation data: 6 of 6 pictures lack a file"):
        looked(config, recipe(evaluations=1), open_split(folder, "train"), open_split(folder, "val"))


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut short"])
def test_unreadable_pictures_of_the_sample(config, recipe, folder: Path, content: bytes) -> None:
    files = sorted((folder / "val").iterdir())
    files[0].write_bytes(content)
    train, val = open_split(folder, "train"), open_split(folder, "val")
    assert any(files[0].name in w and "left out" in w for w in looked(config, recipe(evaluations=1), train, val))
    files[1].write_bytes(content)
    with pytest.raises(DataError, match=r"too many .* be read \(2 of 6 validation pictures, at most 1 may be"):
        looked(config, recipe(evaluations=1), train, val)


def test_what_cannot_be_painted_is_refused(config, recipe, scenes) -> None:
    for color in ("#ff8800", (0.1, 0.2, 0.3), None, (0, 0, 300)):
        categories = tuple(dataclasses.replace(c, color=color) for c in scenes[0].categories)
        strange = listed(each(scenes, lambda s, c=categories: {"categories": c}))
        with pytest.raises(DataError, match="a colour three whole numbers"):
            looked(config, recipe(evaluations=1), listed(scenes), strange)
    unnamed = (dataclasses.replace(scenes[0].categories[0], name=None), *scenes[0].categories[1:])
    with pytest.raises((DataError, ConfigError), match="None"):
        looked(config, recipe(evaluations=1), listed(scenes), listed(scenes, categories=unnamed))


def test_a_plan_in_the_folder_of_a_run_writes_nothing(config, recipe, scenes, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    others = [sample.replace() for sample in scenes]
    assert looked(config, recipe(evaluations=1), listed(scenes), listed(others)) == []
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError, DataError])
def test_a_data_set_of_ones_own_that_cannot_read_a_picture(config, recipe, scenes, error: type) -> None:
    class Damaged(Listed):
        def __getitem__(self, index: int):
            if index == 0:
                raise error("picture 0 is damaged")
            return self.samples[index]

    data = Damaged(scenes, scenes[0].categories, scenes[0].tasks)
    assert any("picture 0 is damaged" in w for w in looked(config, recipe(evaluations=1), listed(scenes), data))
    assert any("picture 0 is damaged" in w for w in looked(config, recipe(), data))
    with pytest.raises(DataError, match="picture 0 is damaged"):
        looked(config, recipe(unreadable_share=0), data)


def test_crops_that_leave_nothing_are_refused_after_many_tries(config, recipe, scenes, monkeypatch) -> None:
    def counted(*given, drawn):
        tried.append(drawn)
        return Finding("augmented targets", "fault" if drawn in bad else "warning", "nothing left", "other crops")

    monkeypatch.setattr(preflight, "check_crops", counted)
    for bad, words in (({8, 256}, "cannot be trained with: nothing left"), ({8}, ""), (set(), "")):
        tried = []
        if words:
            with pytest.raises(DataError, match=words):
                looked(config, recipe(), listed(scenes))
        else:
            assert any("nothing left" in w for w in looked(config, recipe(), listed(scenes)))
        assert tried == ([8, 256] if bad else [8])


def test_what_cannot_be_written_is_refused(config, recipe, scenes, tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("a file where the folder of pictures will be")
    with pytest.raises(DataError, match="pictures cannot be written"):
        looked(config, recipe(evaluations=1), listed(scenes), listed(scenes))


# -- classes that never come, pictures without things


def test_classes_that_never_come_are_told(config, recipe, folder: Path) -> None:
    path = folder / "annotations/panoptic_train.json"
    content = json.loads(path.read_text())
    content["categories"].append({"id": 99, "name": "zeppelin", "isthing": 1})
    path.write_text(json.dumps(content))
    data = open_split(folder, "train")
    more = ofl.config.for_classes(config, data.categories)
    assert any("1 of 15 classes never occur: 'zeppelin'" in w for w in looked(more, recipe(), data, fresh=False))


@pytest.fixture
def maps(tmp_path: Path):
    """A data set of label maps: ``values[i]`` are those of the i-th, in stripes."""

    def made(values: list, names: list[str], **options) -> SemanticDataset:
        rng = np.random.default_rng(0)
        for folder in ("pictures", "maps"):
            (tmp_path / folder).mkdir()
        for number, stripes in enumerate(values):
            write_image(tmp_path / "pictures" / f"{number}.png", rng.integers(0, 255, (64, 64, 3), np.uint8))
            labels = np.repeat(np.resize(stripes, (64, 4)), 16, 1).astype(np.uint8)
            write_image(tmp_path / "maps" / f"{number}.png", labels)
        return SemanticDataset(tmp_path / "pictures", tmp_path / "maps", names, **options)

    return made


def of(data) -> ofl.ModelConfig:
    small = dataclasses.replace(ofl.config.toytown(), image_size=64, num_points=128)
    return ofl.config.for_classes(small, data.categories)


@pytest.mark.filterwarnings("ignore:the label maps looked at")
@pytest.mark.parametrize(("values", "names"), [([0, 255], ["ground", "disc"]), ([1], "abc"), ([2, 255], "abc")])
def test_maps_of_one_class_and_void_are_refused_with_the_cure(recipe, maps, values, names) -> None:
    data = maps([values] * 4, list(names))
    with pytest.raises(DataError, match=r"nothing but the class .* and void.*values=\(0, 255\), ignore_index=None"):
        looked(of(data), recipe(), data)


def test_a_single_class_of_label_maps_is_odd_and_two_are_not(recipe, maps) -> None:
    data = maps([[0, 255]] * 4, ["disc"])
    assert any("would learn to say 'disc' always" in message for message in looked(of(data), recipe(), data))


def test_a_rare_second_class_of_label_maps_is_looked_for(recipe, maps) -> None:
    data = maps([[0, 255]] * 10 + [[0, 1]] + [[0, 255]] * 29, ["ground", "disc"])
    assert not any("nothing but" in message for message in looked(of(data), recipe(), data))


@pytest.mark.parametrize("values", [[0, 1], [0, 1, 255], [1, 0]])
def test_classes_that_are_in_no_label_map_are_told(recipe, maps, values) -> None:
    data = maps([values] * 4, ["sky", "road", "boat", "tram"])
    told = [message for message in looked(of(data), recipe(), data) if "classes seen" in message]
    assert len(told) == 1 and "2 of 4 classes are in none of the 4 maps looked at: 'boat', 'tram'. A" in told[0]


def test_label_maps_with_all_classes_are_looked_at_until_these_are_seen(recipe, maps, monkeypatch) -> None:
    data, read = maps([[0, 1]] * 6, ["sky", "road"]), []
    assert not any("classes seen" in message for message in looked(of(data), recipe(), data))
    monkeypatch.setattr(data, "annotation", lambda i, real=data.annotation: read.append(i) or real(i))
    assert check_seen_classes(data).verdict == "fine" and read == [0]


def test_a_missing_picture_is_told_once_and_where_all_are_missing_what_is_there(config, recipe, folder: Path) -> None:
    data = open_split(folder, "train")
    data.paths(2)[0].unlink()
    told = [message for message in looked(config, recipe(), data) if data.paths(2)[0].name in message]
    assert len(told) == 1 and "1 of" in told[0] and "will be left out" in told[0]
    exchanged = PanopticDataset(data.panoptic_dir, data.json_path, data.image_dir)
    with pytest.raises(DataError, match=r"lack a file, such as .* .the folder holds '0.*png', .* and \d+ more\)"):
        looked(config, recipe(), exchanged)


def test_pictures_without_things_are_left_out_where_the_recipe_says_so(config, folder: Path, tmp_path: Path) -> None:
    path = folder / "annotations/panoptic_train.json"
    content = json.loads(path.read_text())
    things = {c["id"] for c in content["categories"] if c["isthing"]}
    for number, annotation in enumerate(content["annotations"][:9]):  # three without, three with crowds, three with one
        mine = [s for s in annotation["segments_info"] if s["category_id"] in things]
        for segment in mine:
            if number % 3 == 0:
                segment["category_id"] = next(c["id"] for c in content["categories"] if not c["isthing"])
            segment["iscrowd"] = int(number % 3 == 1 or (number % 3 == 2 and segment is not mine[0]))
    path.write_text(json.dumps(content))
    data = open_split(folder, "train")
    c = coco_training(out=str(tmp_path / "run"), steps=1, evaluations=0)
    assert c.only_with_things and not toytown_training(steps=1).only_with_things
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is what the recipe says
        kept = prepared(config, c, data)
    things_of = [[g for g in s.segments if s.categories[g.class_id].is_thing and not g.is_crowd]
                 for s in (kept[i] for i in range(18))]  # fmt: skip
    assert len(kept) == 18 and all(things_of)
    assert len(prepared(config, dataclasses.replace(c, only_with_things=False), data)) == 24
    for annotation in content["annotations"]:
        for segment in annotation["segments_info"]:
            segment["iscrowd"] = int(segment["category_id"] in things)
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="only_with_things leaves out all 24 pictures"):
        prepared(config, c, open_split(folder, "train"))


def test_data_without_thing_classes_are_not_asked_for_things(scenes, tmp_path: Path) -> None:
    c = coco_training(out=str(tmp_path), steps=1)
    stuff = tuple(dataclasses.replace(category, is_thing=False) for category in scenes[0].categories)
    data = listed(scenes, categories=stuff, thing_counts=np.zeros(len(scenes), int))
    config = ofl.config.for_classes(ofl.config.toytown(), stuff)
    assert len(prepared(config, c, data)) == len(scenes)


# -- it only looks


class Drawing(Listed):
    """A data set that draws from every global generator."""

    def __getitem__(self, index: int):
        random.random(), np.random.rand(), torch.rand(1)
        return self.samples[index]


def test_no_random_number_is_used_up(config, recipe, scenes) -> None:
    data = Drawing(scenes, scenes[0].categories, scenes[0].tasks)
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    expected = random.random(), np.random.rand(), torch.rand(1)
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    looked(config, recipe(evaluations=1), data, data)
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_a_resumed_run_reads_no_picture(config, recipe, scenes) -> None:
    read = []

    class Counted(Listed):
        def __getitem__(self, index: int):
            read.append(index)
            return self.samples[index]

    data = Counted(scenes, scenes[0].categories, scenes[0].tasks)
    looked(config, recipe(evaluations=1), data, data, fresh=False)
    assert not read
    looked(config, recipe(evaluations=1), data, data)
    assert 0 < len(read) < 100


def test_all_processes_hear_what_the_first_one_saw(config, recipe, scenes) -> None:
    """The others look at nothing, and raise the same."""

    @dataclasses.dataclass(frozen=True)
    class Second(type(ALONE)):
        def gather(self, value):  # what arrives has been text
            return json.loads(json.dumps([["DataError", "the first one's"], value]))

    with pytest.raises(DataError, match="the first one's"):
        ready(config, recipe(), listed(each(scenes, crowds)), None, Second(1, 2, torch.device("cpu")), True)


@pytest.mark.parametrize(("lr", "words"), [(1.0, "500 times the highest"), (1e-9, "100000th of the lowest")])
def test_a_rate_out_of_the_recipes_range_is_told_before_the_first_step(config, recipe, scenes, lr, words) -> None:
    assert [w for w in looked(config, recipe(lr=lr), listed(scenes)) if words in w and w.startswith("recipe: ")]
