"""Parts of OneFormer that may be left out or exchanged: off, nothing is different; on, each does what it says."""

from __future__ import annotations

import copy
import dataclasses
import warnings

import pytest
import torch
import torch.nn.functional as F
from member_checks import assert_saves_and_loads_bit_equal, trained

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.config import ModelConfig
from oneformer_lite.config.ablated import AblatedTraits
from oneformer_lite.data.batch import Batch
from oneformer_lite.data.targets import retold
from oneformer_lite.errors import ConfigError
from oneformer_lite.losses import Criterion
from oneformer_lite.model import OneFormer
from oneformer_lite.training.finetune import start_from

SMALL = {
    "pretrained": False, "image_size": 64, "test_size": 64, "hidden_dim": 48, "num_heads": 4, "num_queries": 14,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 3, "decoder_ffn": 64, "num_points": 64,
    "backbone": "test_resnet", "text_width": 16,
}  # fmt: skip
SEEDS = [(0,), (1,)]
CHANGES = {
    "knows_task": False, "query_start": "zeros", "masked_attention": False, "rescue_empty_masks": False,
    "deep_supervision": False, "text_template": "{CLS}", "query_class_weight": 0.5,
}  # fmt: skip


def small(**fields) -> ModelConfig:
    return dataclasses.replace(config.toytown(), **SMALL | fields)


def built(**fields) -> OneFormer:
    torch.manual_seed(0)
    return OneFormer(small(**fields)).train()


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


@pytest.fixture(scope="module")
def batch(data) -> Batch:
    return ofl.data.collate([(data[0], "panoptic"), (data[1], "semantic")])


@pytest.fixture(scope="module")
def published() -> OneFormer:
    return built()


def losses(model: OneFormer, batch: Batch) -> dict[str, torch.Tensor]:
    return Criterion(model.config)(model.learn(batch), batch.targets, SEEDS)


def same(found: dict, other: dict) -> bool:
    return found.keys() == other.keys() and all(torch.equal(found[name], other[name]) for name in found)


def test_all_of_them_are_tried_here():
    assert {field.name for field in dataclasses.fields(AblatedTraits)} == CHANGES.keys()


@pytest.mark.parametrize("name", CHANGES)
def test_the_rest_of_the_weights_starts_alike(name: str, published: OneFormer):
    """So that variants of one seed begin with the same numbers, but for what is new."""
    found, state = built(**{name: CHANGES[name]}).state_dict(), published.state_dict()
    new = {"query_class_head.weight", "query_class_head.bias"} if name == "query_class_weight" else set()
    assert found.keys() - state.keys() == new and not state.keys() - found.keys()
    assert all(torch.equal(found[key], state[key]) for key in state)


def with_masks(model: OneFormer, halves: bool) -> OneFormer:
    """Each is empty or full, as features hardly differ at the start; or, as ``halves``, to the left or to the right."""
    generator = torch.Generator().manual_seed(1)
    for layer in (model.pixel_decoder.mask_projection, model.decoder.mask_head.layers[-1]):
        torch.nn.init.normal_(layer.weight, generator=generator)
    ramp = 30.0 * halves * torch.linspace(-1, 1, 16)
    model.pixel_decoder.mask_projection.register_forward_hook(lambda layer, given, found: found + ramp)
    return model


@pytest.mark.parametrize("name", CHANGES)
def test_each_one_trains(name: str, batch: Batch):
    changes = ({name: CHANGES[name]}, {})
    model, published = (with_masks(built(**fields), halves=name == "masked_attention") for fields in changes)
    found = losses(model, batch)
    found["total"].backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(loss) for loss in found.values()) and all(torch.isfinite(g).all() for g in gradients)
    assert not same(found, losses(published, batch))


@pytest.mark.parametrize("change", [{"query_class_weight": 0.5}, CHANGES], ids=["one", "all"])
def test_saved_loaded_and_trained(change: dict, data, tmp_path):
    made = small(**change)
    run = trained(made, data, tmp_path / "run")
    assert_saves_and_loads_bit_equal(ofl.from_pretrained(run / "model"), made, run, tmp_path / "again")


def test_without_its_task_a_model_answers_all_alike(published: OneFormer, batch: Batch):
    blind = built(knows_task=False)
    tokens = blind.task_token(["panoptic", "instance", "semantic"])
    assert torch.allclose(tokens[:1], tokens) and torch.allclose(tokens[:1], published.task_token(["panoptic"]))
    assert not torch.allclose(tokens[:1], published.task_token(["semantic"]))
    a, b = (blind(batch.images, task).class_logits for task in ("instance", "semantic"))
    assert torch.equal(a, b)


def test_zeros_in_place_of_the_token(published: OneFormer, batch: Batch):
    """The task is left in the last query alone; the others are then the same for every task."""
    model = built(query_start="zeros").eval()
    features = model.encode(model.padded(batch.images))
    first, second = (model.object_queries(features, model.task_token([task] * 2)) for task in ("panoptic", "semantic"))
    assert torch.equal(first[:, :-1], second[:, :-1]) and not torch.equal(first[:, -1], second[:, -1])
    first, second = (
        published.object_queries(features, published.task_token([task] * 2)) for task in ("panoptic", "semantic")
    )
    assert not torch.equal(first[:, :-1], second[:, :-1])
    assert len({id(module) for module in model.idle(2)} - {id(module) for module in published.idle(2)}) >= 3


def test_queries_look_everywhere(batch: Batch):
    trace = built(masked_attention=False).eval()(batch.images, trace=True).trace
    assert all(trace[f"decoder.layer{i}.attention_region"].all() for i in range(3))


def test_a_blind_query_gets_nothing_of_the_picture():
    """With masks that are empty everywhere the picture has no influence; rescued, it has."""
    parts = {}
    for rescue in (True, False):
        decoder = built(rescue_empty_masks=rescue).decoder.eval()
        last = decoder.mask_head.layers[-1]
        torch.nn.init.zeros_(last.weight), torch.nn.init.zeros_(last.bias)
        last.bias.data[0] = -1.0
        queries, maps = torch.randn(1, 5, 48), [torch.randn(1, 48, s, s) for s in (2, 4, 8)]
        features = torch.ones(1, 48, 16, 16)  # times the embedding: -1, nowhere 0 or more
        positions = torch.randn(5, 48)
        both = [decoder(queries, positions, m, features, False)[-1].class_logits for m in (maps, [2 * m for m in maps])]
        parts[rescue] = torch.equal(*both)
    assert parts == {True: False, False: True}


def test_seeing_queries_need_no_rescue(published: OneFormer):
    """Where no mask is empty, it makes no difference."""
    logits = torch.ones(1, 3, 6)
    logits[0, 0] = -1
    region, sees = built(rescue_empty_masks=False).decoder.region(logits)
    rescued, every = published.decoder.region(logits)
    assert torch.equal(region, rescued) and every is None and sees.flatten().tolist() == [False, True, True]


def test_the_last_prediction_alone_is_supervised(published: OneFormer, batch: Batch):
    output = published.learn(batch)
    last, every = Criterion(small(deep_supervision=False)), Criterion(published.config)
    found, all_of_them = (criterion(output, batch.targets, SEEDS) for criterion in (last, every))
    assert {name: len(values) for name, values in last.by_prediction.items()} == {"class": 1, "mask": 1, "dice": 1}
    assert found["class"].item() == pytest.approx(float(every.by_prediction["class"][-1]), rel=1e-5)
    assert found["class"].item() < 0.5 * all_of_them["class"].item()
    assert torch.equal(found["contrastive"], all_of_them["contrastive"])


@pytest.mark.parametrize(
    "template, words",
    [("a photo with a {CLS}", "a photo with a tree"), ("{CLS}", "tree"),
     ("a photo with a {CLS} {TYPE}", "a photo with a tree semantic")],
)  # fmt: skip
def test_templates(template: str, words: str):
    assert retold(["a photo with a tree", "something else"], "semantic", template) == [words, "something else"]


def test_the_text_mapper_is_told_the_template(batch: Batch, monkeypatch):
    model, told = built(text_template="a photo with a {CLS} {TYPE}"), []
    monkeypatch.setattr(model.text_mapper, "forward", lambda texts, tasks: told.extend(texts) or torch.zeros(2, 14, 48))
    model.learn(batch)
    assert told[0][0] == f"{batch.texts[0][0]} panoptic" and told[1][-1].endswith(" semantic")


def test_classes_of_object_queries_by_hand(batch: Batch):
    """Query i should say the class of text i, all others "no object", at its weight."""
    model = built(query_class_weight=0.5)
    output = model.learn(batch)
    term, expected, total = losses(model, batch)["query_class"], 0.0, 0.0
    for logits, target in zip(output.query_class_logits, batch.targets):
        for slot, scores in enumerate(logits[:, None]):
            label = int(target.labels[slot]) if slot < min(len(target), model.config.num_texts) else 14
            weight = 1.0 if label < 14 else model.config.no_object_weight
            expected += weight * F.cross_entropy(scores, torch.tensor([label])).item()
            total += weight
    assert term.item() == pytest.approx(expected / total, rel=1e-5)


def test_without_a_weight_there_is_no_such_loss(published: OneFormer, batch: Batch):
    assert published.query_class_head is None and published.learn(batch).query_class_logits is None
    assert list(losses(published, batch)) == ["class", "mask", "dice", "contrastive", "total"]


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"query_start": "ones"}, "query_start is 'ones'; expected one of"),
        ({"text_template": "{CLS.x}"}, "text_template is '{CLS.x}'"),
        ({"knows_task": 0}, "knows_task must be bool"),
        ({"query_class_weight": -1.0}, "query_class_weight must be at least"),
    ],
)
def test_what_is_refused(fields: dict, words: str):
    with pytest.raises(ConfigError, match=words):
        small(**fields)


def test_a_trained_model_may_go_on_with_it(published: OneFormer, tmp_path):
    """Of fewer classes, too: the new head starts anew, and is dropped where it is not asked for."""
    published.save_pretrained(tmp_path / "published")
    categories = ofl.data.Toytown("train", 64, 1).categories[:5]
    model = OneFormer(ofl.config.for_classes(small(query_class_weight=0.5), categories))
    before = copy.deepcopy(model.query_class_head.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        new = start_from(model, str(tmp_path / "published"))
    assert any("query class head" in words for words in new)
    assert all(torch.equal(value, before[name]) for name, value in model.query_class_head.state_dict().items())
    model.save_pretrained(tmp_path / "own")
    assert start_from(OneFormer(ofl.config.for_classes(small(), categories)), str(tmp_path / "own")) == []
