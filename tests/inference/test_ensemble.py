"""Several models, or views, that answer as one."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import oneformer_lite as ofl
from oneformer_lite.inference import Ensemble, RawPrediction, predict_raw, semantic_inference
from oneformer_lite.inference.agreement import agreed, overlaps
from oneformer_lite.inference.ensemble import on_one_grid
from oneformer_lite.inference.ensemble_classes import answers_for, order_of
from oneformer_lite.inference.panoptic_segformer import segformer_instances, segformer_panoptic
from oneformer_lite.inference.reading import raw_answers
from oneformer_lite.model import build

TASKS = ("panoptic", "instance", "semantic")
PRESETS = ("toytown", "mask_dino_toytown", "knet_toytown", "panoptic_segformer_toytown", "detr_toytown")


def assert_same(one: ofl.Prediction, other: ofl.Prediction) -> None:
    assert [s.class_id for s in one.segments] == [s.class_id for s in other.segments]
    np.testing.assert_allclose(one.scores, other.scores, atol=2e-5)
    for name in ("segment_map", "label_map", "masks"):
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None)
        if first is not None:
            assert (first != second).mean() < 1e-3  # logits that are 0 but for rounding


@pytest.fixture(scope="module")
def trained():
    return ofl.from_pretrained("toytown", device="cpu")


@pytest.fixture(scope="module")
def street() -> np.ndarray:
    return ofl.data.Toytown("val", (96, 150))[3].image


@pytest.mark.parametrize("task", TASKS)
def test_a_model_with_itself_is_the_model(trained, street, task):
    assert_same(ofl.predict(Ensemble([trained] * 3), street, task), ofl.predict(trained, street, task))


@pytest.mark.parametrize("preset", PRESETS)
def test_members_with_themselves_are_themselves(preset):
    torch.manual_seed(0)
    model = build(replace(getattr(ofl.config, preset)(), test_size=64, image_size=64)).eval()
    picture = ofl.data.Toytown("val", (64, 90))[0].image
    raw, both = predict_raw(model, picture, "panoptic")[1], predict_raw(Ensemble([model] * 2), picture, "panoptic")[1]
    torch.testing.assert_close(both.probabilities, raw.probabilities, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(both.masks(), raw.masks(), rtol=1e-4, atol=1e-4)
    assert (both.boxes is None) == (raw.boxes is None)
    if raw.boxes is not None:
        torch.testing.assert_close(both.boxes, raw.boxes)


def test_overlap_is_one_for_equal_masks_alone():
    masks = torch.tensor([[0.5, 0.5, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    found = overlaps(masks, masks)
    torch.testing.assert_close(found.diag(), torch.ones(3))
    assert found[0, 1] == pytest.approx(1 / 2)  # minima 0.5 + 0.5, maxima 1 + 1
    assert found[0, 2] == pytest.approx(0)


def answer(masks: list[list[float]], classes: list[list[float]], no_object: bool = True) -> RawPrediction:
    """Probabilities of masks of four pixels in a row, and of classes."""
    logits = torch.tensor(masks).view(-1, 1, 4).logit()
    said = torch.tensor(classes)
    return RawPrediction(said.log() if no_object else said.logit(), logits, (4, 16), (4, 16), (1, 4), no_object)


LEFT, RIGHT, ALL = [0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.9, 0.9], [0.6, 0.6, 0.6, 0.6]


def test_queries_find_each_other_in_any_order():
    one = answer([LEFT, RIGHT], [[0.8, 0.1, 0.1], [0.2, 0.6, 0.2]])
    two = answer([RIGHT, [0.7, 0.7, 0.1, 0.1]], [[0.4, 0.4, 0.2], [0.6, 0.1, 0.3]])
    both = agreed([one, two])
    torch.testing.assert_close(both.probabilities, torch.tensor([[0.7, 0.1], [0.3, 0.5]]))
    expected = torch.tensor([[0.8, 0.8, 0.1, 0.1], RIGHT])
    torch.testing.assert_close(both.mask_logits.sigmoid().flatten(1), expected)


@pytest.mark.parametrize("no_object", [True, False])
def test_what_one_answer_alone_has_is_half_as_sure(no_object):
    one = answer([LEFT], [[0.8, 0.1, 0.1]][:1] if no_object else [[0.8, 0.1]], no_object)
    two = answer([[0.01, 0.01, 0.01, 0.9]], [[0.2, 0.6, 0.2]] if no_object else [[0.2, 0.6]], no_object)
    both = agreed([one, two])
    torch.testing.assert_close(both.probabilities, torch.tensor([[0.4, 0.05], [0.1, 0.3]]))
    torch.testing.assert_close(both.mask_logits, torch.cat([one.mask_logits, two.mask_logits]))
    three = agreed([one, two, two])
    torch.testing.assert_close(three.probabilities, torch.tensor([[0.8 / 3, 0.1 / 3], [0.4 / 3, 0.4]]))


def test_sigmoids_and_distributions_have_a_common_answer():
    one = answer([LEFT], [[0.8, 0.1, 0.1]])
    two = answer([LEFT], [[0.4, 0.3]], no_object=False)  # no object: what the likeliest class leaves, 0.6
    both = agreed([two, one])
    assert both.no_object and both.temperature is None
    said = torch.tensor([0.4, 0.3, 0.6]) / 1.3  # as a distribution
    torch.testing.assert_close(both.class_logits.softmax(-1), ((torch.tensor([0.8, 0.1, 0.1]) + said) / 2)[None])


def of_kinds(answers_for: list[int], masks: list[list[float]], sure: float = 0.9) -> RawPrediction:
    """Classes 0 and 2 are things, 1 is stuff, as the query that answers for it says."""
    classes = [[0.05, sure, 0.05] if k == 1 else [sure, 0.05, 0.05] for k in answers_for]
    return replace(answer(masks, classes, no_object=False), answers_for=torch.tensor(answers_for))


def test_queries_of_stuff_are_matched_by_their_class_alone():
    one, two = of_kinds([-1, 1], [LEFT, RIGHT]), of_kinds([-1, 1], [RIGHT, LEFT], 0.7)
    both = agreed([one, two])
    assert both.answers_for.tolist() == [-1, 1, -1]  # the other's thing follows; it was never taken for stuff
    expected = torch.tensor([LEFT, [0.5] * 4, RIGHT])
    torch.testing.assert_close(both.mask_logits.sigmoid().flatten(1), expected)
    assert both.probabilities[1, 1] == pytest.approx(0.8)


def test_queries_that_may_be_anything_match_with_both_kinds():
    anything = answer([RIGHT, LEFT], [[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]], no_object=False)
    assert len(agreed([of_kinds([-1, 1], [LEFT, RIGHT]), anything]).class_logits) == 2
    assert len(agreed([anything, of_kinds([-1, 1], [LEFT, RIGHT])]).class_logits) == 2


@pytest.mark.parametrize("preset", ["knet_toytown", "panoptic_segformer_toytown"])
def test_stuff_of_two_models_has_one_query_a_class(preset):
    config = replace(getattr(ofl.config, preset)(), test_size=64, image_size=64, pretrained=False)
    models = []
    for seed in range(2):
        torch.manual_seed(seed)
        models.append(build(config).eval())
    picture = ofl.data.Toytown("val", (64, 90))[0].image
    raws = [predict_raw(model, picture, "panoptic")[1] for model in models]
    both = predict_raw(Ensemble(models), picture, "panoptic")[1]
    for label, query in config.fixed_queries.items():
        assert both.answers_for[query] == label and (both.answers_for == label).sum() == 1
        said = torch.stack([raw.probabilities[query] for raw in raws]).mean(0)
        torch.testing.assert_close(both.probabilities[query], said, rtol=1e-3, atol=1e-6)


def test_stuff_is_found_where_another_model_numbers_it_otherwise():
    categories = ofl.config.panoptic_segformer_toytown().categories
    config = ofl.config.for_classes(ofl.config.panoptic_segformer_toytown(), categories[::-1])
    order = order_of(categories, config.categories)
    raw = RawPrediction(torch.zeros(config.num_queries, config.num_classes), *[None] * 4, no_object=False)
    found = answers_for(config, order, raw)
    for label, query in config.fixed_queries.items():
        assert categories[int(found[query])].name == config.categories[label].name
    assert (found >= 0).sum() == len(config.fixed_queries)


def test_things_of_others_are_read_by_panoptic_segformers_rule():
    config = ofl.config.panoptic_segformer_toytown()
    said, thing = torch.full((config.num_queries + 1, config.num_classes), -9.0), config.things[2]
    said[-1, thing] = 4.0  # a query that another model alone has, behind those of stuff
    masks = torch.full((config.num_queries + 1, 4, 4), -9.0)
    masks[-1, 1:3] = 9.0
    raw = RawPrediction(said, masks, (16, 16), (16, 16), (16, 16), no_object=False)
    masks, labels, scores, _ = segformer_instances(raw, config, 0.5)
    assert labels.tolist() == [thing] and masks[0].any() and scores[0] > 0.9
    assert [label for _, label, _ in segformer_panoptic(raw, config, 0.5)[1]] == [thing]


def test_models_on_different_devices_are_refused(trained):
    with torch.device("meta"):
        elsewhere = build(replace(trained.config, pretrained=False))
    with pytest.raises(ofl.errors.ConfigError, match=r"different devices \(cpu, meta\): move all .*ensemble.to"):
        Ensemble([trained, elsewhere])
    other = build(replace(trained.config, pretrained=False))
    both = Ensemble([trained, other])
    other.to("meta")  # afterwards
    with pytest.raises(ofl.errors.ConfigError, match="different devices"):
        ofl.predict(both, np.zeros((32, 32, 3), np.uint8), "semantic")


def test_a_mirrored_view_is_mirrored_back(trained, street):
    """A picture that is its own mirror image: both views see the same, so the mean is its own mirror image."""
    picture = np.concatenate([street, street[:, ::-1]], 1)
    scores = semantic_inference(Ensemble([trained], flip=True).answer(picture, "semantic"))
    torch.testing.assert_close(scores, scores.flip(-1), rtol=1e-3, atol=1e-4)
    plain = semantic_inference(raw_answers(trained, [picture], "semantic")[0])
    torch.testing.assert_close(scores, (plain + plain.flip(-1)) / 2, rtol=1e-3, atol=1e-4)


def test_masks_and_boxes_of_a_mirrored_view(trained, street):
    both = Ensemble([trained], flip=True)
    mirrored = predict_raw(trained, np.ascontiguousarray(street[:, ::-1]), "instance")[1]
    found = Ensemble.answer(both, street, "instance", masks=True)
    assert len(found.class_logits) >= len(mirrored.class_logits)
    raw = replace(mirrored, boxes=torch.tensor([[0.25, 0.5, 0.1, 0.2]]).repeat(len(mirrored.class_logits), 1))
    from oneformer_lite.inference.ensemble import Seen

    (back,) = on_one_grid([Seen(raw, True, False)])
    torch.testing.assert_close(back.boxes[0], torch.tensor([0.75, 0.5, 0.1, 0.2]))
    agree = ((back.masks() > 0) == (mirrored.masks() > 0).flip(-1)).float().mean()
    assert agree > 0.98  # the last cells of a padded picture are cut otherwise


def test_views_are_scales_times_sides(trained):
    assert len(Ensemble(trained, flip=True, scales=(0.5, 1, 1.5)).views) == 6
    seen = []
    model = Ensemble(trained, scales=(1, 1.5))
    handle = trained.register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape[-2:])))
    ofl.predict(model, np.zeros((64, 64, 3), np.uint8), "semantic")
    handle.remove()
    assert seen == [(160, 160), (256, 256)]  # 240, padded


def test_classes_are_found_by_name(trained, street):
    names = trained.config.categories
    order = [*range(1, len(names)), 0]
    other = build(ofl.config.for_classes(trained.config, [names[i] for i in order])).eval()
    weights = dict(trained.state_dict())
    for key in weights:
        if key.endswith("class_head.weight") or key.endswith("class_head.bias"):
            weights[key] = weights[key][[*order, len(names)]]
    other.load_state_dict(weights)
    assert_same(ofl.predict(Ensemble([trained, other]), street, "panoptic"), ofl.predict(trained, street, "panoptic"))


def test_classes_of_another_kind_are_said(trained):
    kinds = [replace(c, is_thing=i == 3) if i < 4 else c for i, c in enumerate(trained.config.categories)]
    other = nn.Module()
    other.config = ofl.config.for_classes(trained.config, kinds)
    with pytest.warns(UserWarning, match="'car', 'bus', 'person'.*: things .* for one model .*, stuff"):
        Ensemble([trained, other])
    semantic = nn.Module()
    semantic.config = ofl.config.for_classes(replace(ofl.config.eomt_toytown(), trained_task="semantic"), kinds)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Ensemble([trained, semantic])
        Ensemble([trained, trained])


def test_other_classes_are_refused(trained):
    other = nn.Module()
    other.config = ofl.config.for_classes(trained.config, trained.config.categories[:-1])
    with pytest.raises(ofl.errors.ConfigError, match="same classes"):
        Ensemble([trained, other])


@pytest.mark.parametrize(
    "models, settings, why",
    [
        (lambda m: [], {}, "needs models"),
        (lambda m: ["toytown"], {}, "needs models"),
        (lambda m: [Ensemble(m)], {}, "part of another"),
        (lambda m: None, {}, "needs models.* got NoneType"),
        (lambda m: [m, nn.Linear(1, 1)], {}, "needs models.* Linear"),
        (lambda m: m, {"scales": ()}, "at least one"),
        (lambda m: m, {"scales": (0,)}, "scales must be"),
        (lambda m: m, {"scales": (float("nan"),)}, "scales must be"),
        (lambda m: m, {"scales": None}, "scales must be"),
        (lambda m: m, {"scales": "wide"}, "scales must be"),
    ],
)
def test_what_makes_no_ensemble(trained, models, settings, why):
    with pytest.raises(ofl.errors.ConfigError, match=why):
        Ensemble(models(trained), **settings)


@pytest.mark.parametrize("scales", [[0.5, 2], np.array([0.5, 2.0]), iter((0.5, 2))], ids=["list", "array", "iterator"])
def test_scales_in_any_form(trained, scales):
    assert [view.scale for view in Ensemble(trained, scales=scales).views] == [0.5, 2]
    assert len(Ensemble(trained, scales=2).views) == 1


def test_a_model_stays_in_its_mode(trained, street):
    trained.train()
    modes = [module.training for module in trained.modules()]
    try:
        both = Ensemble([trained, trained])
        asked = ofl.predict(both, street, "semantic")
        assert trained.training and [module.training for module in trained.modules()] == modes
    finally:
        trained.eval()
    assert_same(asked, ofl.predict(trained, street, "semantic"))


@pytest.mark.parametrize("preset", PRESETS[1:])
def test_the_first_models_rule_reads_what_the_others_say(trained, preset):
    """Its own boxes and queries are not needed, and no object is understood."""
    torch.manual_seed(0)
    first = build(replace(getattr(ofl.config, preset)(), test_size=64, image_size=64))
    picture = ofl.data.Toytown("val", (64, 90))[0].image
    for task in TASKS:
        found = ofl.predict(Ensemble([first, trained]), picture, task, 0.01)
        assert all(0.01 <= s.score <= 1 and s.mask.sum() == s.area for s in found.segments)


def test_a_model_of_windows_has_masks_but_no_scales(trained, street):
    model = build(replace(ofl.config.eomt_toytown(), image_size=64, trained_task="semantic"))
    raw = predict_raw(Ensemble([model], flip=True), street, "semantic")[1]
    assert raw.masks().shape[1:] == street.shape[:2]
    with pytest.warns(UserWarning, match="no other scales"):
        Ensemble([trained, model], scales=(1, 2))


def test_an_ensemble_is_judged_like_a_model(trained):
    scenes = ofl.data.Toytown("val", 64, 3)
    alone, same = ofl.evaluate(trained, scenes), ofl.evaluate(Ensemble([trained, trained]), scenes)
    assert dict(same) == pytest.approx(dict(alone), abs=0.2)
    forced = ofl.evaluate(Ensemble([trained]), scenes, token="semantic")
    assert dict(forced) == pytest.approx(dict(ofl.evaluate(trained, scenes, token="semantic")), abs=0.2)


@pytest.mark.parametrize("flip", ["false", 1, None])
def test_a_flip_is_true_or_false(trained, flip) -> None:
    with pytest.raises(ofl.errors.ConfigError, match="flip must be True or False"):
        Ensemble([trained], flip=flip)
