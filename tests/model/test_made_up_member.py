"""A model that the package has never seen predicts, is judged, trains, resumes, saves, loads, is diagnosed, exported
and looked into by every inspector, and Mask2Former and EoMT beside it; so does a loss term. None needs more than its
own file and one line."""

from __future__ import annotations

import dataclasses
import json
import math
from functools import partial

import numpy as np
import pytest
import torch
from made_up_member import LearnedQueries, LearnedQueriesConfig
from member_checks import assert_resumes_bit_equal, assert_saves_and_loads_bit_equal, recipe, trained
from unchecked import unchecked

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.errors import CheckpointError, ConfigError
from oneformer_lite.losses import TERMS, Criterion
from oneformer_lite.model import MEMBERS, MaskModel, OneFormer, build
from oneformer_lite.training import Trainer, read_log, train
from oneformer_lite.training.checkpoint import load_checkpoint
from oneformer_lite.training.measure import answer

SIZES = {
    "image_size": 64, "test_size": 64, "backbone": "tf_efficientnet_lite0", "backbone_norm": "affine",
    "pretrained": False, "hidden_dim": 48, "num_heads": 4, "num_queries": 8, "num_points": 64,
    "object_mask_threshold": 0.1,
}  # fmt: skip


MASK_TERMS = ("class", "mask", "dice")


@pytest.fixture(scope="module", autouse=True)
def listed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MEMBERS, "learned_queries", LearnedQueries)
        yield


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


@pytest.fixture(scope="module")
def own(data) -> LearnedQueriesConfig:
    return config.for_classes(LearnedQueriesConfig(num_classes=14, data_set="toytown", **SIZES), data.categories)


@pytest.fixture(scope="module", params=["learned_queries", "mask2former", "maskformer", "eomt", "detr"])
def made_up(request, own, data) -> config.BaseConfig:
    if request.param == "learned_queries":
        return own
    if request.param == "eomt":
        return dataclasses.replace(
            config.eomt_toytown(), backbone_options={"depth": 3, "init_values": 1.0}, query_blocks=2,
            **{name: SIZES[name] for name in ("image_size", "hidden_dim", "num_heads", "num_queries", "num_points")},
        )  # fmt: skip
    small = {"encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64}
    kinds = {"mask2former": config.Mask2FormerConfig, "maskformer": config.MaskFormerConfig,
             "detr": partial(config.DetrConfig, stage="joint")}  # fmt: skip
    made = kinds[request.param](num_classes=14, data_set="toytown", **SIZES, **small)
    return config.for_classes(made, data.categories)


@pytest.fixture(scope="module")
def model(made_up) -> MaskModel:
    torch.manual_seed(0)
    return build(made_up).eval()


@pytest.fixture(scope="module")
def run(made_up, data, tmp_path_factory):
    return trained(made_up, data, tmp_path_factory.mktemp("made_up"))


def test_it_is_built_from_its_configuration(model, made_up) -> None:
    assert type(model) is MEMBERS[made_up.model_type] and type(build(config.toytown())) is OneFormer
    assert model.task_token(["panoptic"]) is None and not model.training_only
    with pytest.raises(ConfigError, match="a BaseConfig describes no model; there are .*learned_queries, .*oneformer"):
        build(config.BaseConfig())


def test_it_predicts_without_a_task_and_with_each(model, data) -> None:
    images = torch.randn(2, 3, 50, 64)
    out = model(images)
    multiple = model.config.padding_multiple
    height = math.ceil(math.ceil(50 / multiple) * multiple / 4)
    assert out.class_logits.shape == (2, 8, 15) and out.mask_logits.shape == (2, 8, height, 16)
    assert out.class_logits.equal(model(images, ["semantic", "instance"]).class_logits)
    for task in ofl.data.TASKS:
        assert ofl.predict(model, data[0].image, task).task == task
    for found in (ofl.evaluate(model, data), ofl.evaluate(model, data, token="semantic")):
        assert {"PQ", "AP", "mIoU"} <= found.keys()


def test_it_records_what_its_parts_and_the_base_have(model) -> None:
    out, last = model(torch.randn(1, 3, 64, 64), trace=True), 2 - model.first_prediction
    assert "decoder.layer0.attention" in out.trace and {"backbone.stride16", "backbone.stride32"} & out.trace.keys()
    assert "task.token" not in out.trace and "decoder.layer2.attention" not in out.trace
    assert out.trace[f"prediction{last}.class_logits"].equal(out.class_logits) and len(out.predictions) == last + 1


def test_it_trains_and_its_losses_are_those_that_it_has_weights_for(model, run) -> None:
    terms = list(Criterion(model.config).terms)
    assert terms == [*MASK_TERMS, *(["box", "giou"] if model.config.model_type == "detr" else [])]
    records = [record for record in read_log(run) if record["kind"] == "train"]
    assert len(records) == 3
    for record in records:
        assert all(np.isfinite(record[name]) for name in (*terms, "total"))
        assert "contrastive" not in record and list(record["by_layer"]) == terms
        assert len(record["by_layer"]["dice"]) == 3 - model.first_prediction


def test_every_parameter_learns(made_up, data) -> None:
    torch.manual_seed(0)
    model = build(made_up).train()
    with torch.no_grad():  # what starts at zero, as where to sample, lets no gradient through to what stands before it
        for p in model.parameters():
            p.add_(torch.randn_like(p) / 100)
    batch = ofl.data.collate([(data[i], "panoptic") for i in range(2)])
    Criterion(made_up)(model.learn(batch), batch.targets)["total"].backward()
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    dead = [name for name, p in learning.items() if p.grad is None or not p.grad.any()]
    # what queries that start as zeros multiply
    zeros = {"maskformer": ["decoder.layers.0.self_attention.v_proj.weight"],
             "detr": ["layers.0.self_attention.v_proj.weight"]}  # fmt: skip
    assert dead == zeros.get(made_up.model_type, [])
    idle = {id(p) for part in model.idle(2) for p in part.parameters()}
    assert all(id(learning[name]) in idle for name in dead)


def test_it_resumes_bit_equal(made_up, data, tmp_path) -> None:
    assert_resumes_bit_equal(made_up, data, tmp_path)


def test_it_saves_and_loads_bit_equal(model, made_up, run, tmp_path) -> None:
    assert_saves_and_loads_bit_equal(model, made_up, run, tmp_path)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"member": "unheard_of"}, "no model of the type 'unheard_of'; there are .*learned_queries"),
        ({"member": ["oneformer"]}, "no model of the type"),
        ({"member": "oneformer"}, "unknown fields.*depth"),  # another member's fields
        ({"depth": "deep"}, "depth must be int, got 'deep'"),
        ({"depth": 10**9}, "depth must be at most 65536"),
        ({"data_set": "no data set"}, "data_set must be a name"),
    ],
)
def test_files_that_name_another_or_no_member(own, tmp_path, change, words) -> None:
    build(own).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=words):
        ofl.from_pretrained(tmp_path)


def test_a_checkpoint_of_another_member_is_refused(run) -> None:
    other = dataclasses.replace(config.toytown(), **SIZES)
    with pytest.raises(CheckpointError, match="another configuration .differs in .*member"):
        load_checkpoint(run, other)


def test_its_cost_is_measured(made_up) -> None:
    question = {"config": config.stored(made_up), "train_config": dataclasses.asdict(recipe("unused"))}
    found = answer(question | {"processes": 1, "steps": 1})
    assert found["step_seconds"] > 0 and found["weights_bytes"] > 0


def test_the_doctor_examines_it(model, data, run) -> None:
    diagnosis = ofl.doctor(model, data, images=2)
    checks = {finding.check: finding for finding in diagnosis.findings}
    assert checks["task token"].verdict == "fine" and "not told its task" in checks["task token"].evidence
    assert checks["gradients"].verdict == "fine" and checks["mask loss"].verdict == "fine"
    assert not {"temperature", "contrastive loss"} & checks.keys()
    assert any(finding.check == "mask loss over the run" for finding in ofl.doctor(run=run, dataset=data).findings)


def test_it_is_fine_tuned(made_up, data, run, tmp_path) -> None:
    renamed = Renamed()
    with pytest.warns(UserWarning, match="the run starts from"):
        trainer = Trainer(
            config.for_classes(made_up, renamed.categories), recipe(tmp_path, start_from=str(run / "model")), renamed,
            None,
        )  # fmt: skip
    before, rows = (class_head(model).weight for model in (ofl.from_pretrained(run / "model"), trainer.model))
    assert rows[:13].equal(before[:13]) and rows[-1].equal(before[-1]) and not rows[13].equal(before[13])


def class_head(model: MaskModel) -> torch.nn.Module:
    return next(module for name, module in model.named_modules() if name.endswith("class_head"))


class Renamed:
    """Toytown whose last class is called otherwise."""

    tasks = ofl.data.TASKS

    def __init__(self) -> None:
        self.samples = ofl.data.Toytown("train", 64, 4)
        self.categories = (*self.samples.categories[:-1], ofl.data.Category(999, "balloon", True))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int):
        return self.samples[index].replace(categories=self.categories)


def test_it_is_exported(own, tmp_path) -> None:
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model = build(own).eval()
    from oneformer_lite.weights.onnx import onnx_difference, save_onnx

    with unchecked():
        path = save_onnx(model, tmp_path / "model.onnx", (64, 64))
    import onnx

    proto = onnx.load(path)
    assert [given.name for given in proto.graph.input] == ["images"]
    assert json.loads(next(p.value for p in proto.metadata_props if p.key == "tasks")) == []
    difference = onnx_difference(model, path)
    assert difference is None or difference < 1e-4
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param  # any number of pictures
    with pytest.raises(ConfigError, match=f"layout are OneFormers, not a {model.config.model_type}"):
        ofl.weights.save_huggingface(model, tmp_path / "hf")


class OnePictureAtATime(LearnedQueries):
    def read(self, features, token=None, *, every=False, trace=None):
        torch.zeros(len(features.masks))  # a number, which the exporter takes for fixed
        return super().read(features, token, every=every, trace=trace)


def test_a_model_whose_code_fixes_the_batch_is_exported_for_one_picture(own, tmp_path) -> None:
    pytest.importorskip("onnxscript")
    import onnx

    from oneformer_lite.weights.onnx import onnx_difference, save_onnx

    model = OnePictureAtATime(own).eval()
    words = "one picture at a time: the code of OnePictureAtATime fixes"
    with unchecked(), pytest.warns(UserWarning, match=words):
        path = save_onnx(model, tmp_path / "model.onnx", (64, 64))
    assert onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1
    difference = onnx_difference(model, path)
    assert difference is None or difference < 1e-4


@pytest.mark.parametrize(
    "name, words",
    [
        ("MaskInspector", ""), ("MatchInspector", ""), ("MergeInspector", ""), ("FeatureInspector", ""),
        ("QueryInspector", ""), ("LossInspector", ""),
        ("SamplingInspector", "decoder is an FPN"),
        ("TaskInspector", "This model is not told its task"),
        ("ContrastInspector", "This model learns from no texts"),
    ],
)  # fmt: skip
def test_every_inspector_looks_into_it_or_says_what_it_has_not(model, data, tmp_path, name, words) -> None:
    given = [data[0], data[1]] if name in ("LossInspector", "ContrastInspector") else data[0]
    if "FPN" in words and model.config.model_type == "mask2former":
        words = ""  # it samples
    if "FPN" in words and model.config.model_type == "eomt":
        words = "records no sampling points"
    if model.config.model_type == "detr":
        words = {"MergeInspector": "This model gives each pixel to the greatest mask logit",
                 "SamplingInspector": "records no sampling points"}.get(name, words)  # fmt: skip
    inspector = getattr(ofl.widgets, name)(model, given)
    inspector.set(**inspector.state)
    page = inspector.to_html(tmp_path / "page.html").read_text()
    assert inspector.still().size[0] > 50 and name in page and words in page
    assert repr(inspector).startswith(f"{name}(") and ("FPN" in repr(inspector)) == ("FPN" in words)
    if name == "QueryInspector":
        assert not (model.first_prediction and "its mask was empty" in page)  # its queries look everywhere
        shown = inspector.set(layer=0)._told.value
        assert ("Layer 1 read the map" in shown) == bool(model.first_prediction)
    if words.startswith("This"):
        assert words.partition(",")[0] in repr(inspector)
        with pytest.raises(ConfigError, match="nothing to choose here: This model"):
            inspector.set(query=1)


def test_the_query_inspector_says_where_learned_queries_start(model, data, tmp_path) -> None:
    inspector = ofl.widgets.QueryInspector(model, data[0]).set(layer=0)
    if model.first_prediction:  # it has none
        assert "after layer 1" in inspector._told.value
        return
    assert "that of a learned query" in inspector._told.value
    assert "that of a learned query" in inspector.to_html(tmp_path / "page.html").read_text()


def test_the_loss_inspector_knows_its_losses_of_a_run(model, data, run, tmp_path) -> None:
    inspector = ofl.widgets.LossInspector(run, data)
    terms = tuple(Criterion(model.config).terms)
    assert inspector.losses == ("total", *terms)
    assert "contrastive" not in inspector._told.value
    with pytest.raises(ConfigError, match=f"loss is 'contrastive'; expected one of total, {', '.join(terms)}"):
        inspector.set(loss="contrastive")
    gradients = inspector.gradients()
    assert gradients.terms == (*terms, "total") and (gradients.norms[-1] > 0).all()


class Bare(LearnedQueries):
    """Its parts record nothing."""

    def encode(self, images, trace=None):
        return super().encode(images)

    def read(self, features, token=None, *, every=False, trace=None):
        return super().read(features, token, every=every)


@pytest.mark.parametrize("name", ["QueryInspector", "FeatureInspector", "SamplingInspector", "MatchInspector"])
def test_a_model_whose_parts_record_nothing(own, data, tmp_path, name) -> None:
    torch.manual_seed(0)
    bare = Bare(own).eval()
    assert bare(torch.randn(1, 3, 64, 64), trace=True).trace.count("prediction{}.class_logits") == 3
    words = {"QueryInspector": "records no attention", "FeatureInspector": "records no maps",
             "SamplingInspector": "records no sampling points"}  # fmt: skip
    inspector = getattr(ofl.widgets, name)(bare, data[0])
    assert words.get(name, "") in inspector.to_html(tmp_path / "page.html").read_text()
    assert inspector.still().size[0] > 50


# -- a made-up loss term


@dataclasses.dataclass(frozen=True)
class WithArea(config.ModelConfig):
    area_weight: float = 0.5


def area_term(output, pairs, config):
    """The mean share of the picture that masks hold: small ones are wanted."""
    return output.mask_logits.sigmoid().mean()


@pytest.fixture
def area(monkeypatch) -> None:
    monkeypatch.setitem(TERMS, "area", area_term)


def test_a_loss_term_is_one_function_and_one_weight(area, data, tmp_path) -> None:
    small = {**SIZES, "decoder_layers": 2, "text_context": 2, "text_width": 16, "encoder_layers": 1, "area_weight": 0.5}
    fields = {**vars(config.toytown()), **small}
    own = WithArea(**fields)
    assert "area" not in Criterion(config.toytown()).terms and Criterion(own).weights["area"] == 0.5
    result = train(own, recipe(tmp_path), data)
    records = [record for record in read_log(tmp_path) if record["kind"] == "train"]
    assert len(records) == 3 and all(0 < record["area"] < 1 for record in records)
    expected = sum(Criterion(own).weights[name] * records[0][name] for name in Criterion(own).terms)
    assert records[0]["total"] == pytest.approx(expected, rel=1e-4)
    checks = {finding.check: finding for finding in ofl.doctor(result.model, data, images=2).findings}
    assert checks["area loss"].verdict == "fine" and "weight 0.5" in checks["area loss"].evidence
    inspector = ofl.widgets.LossInspector(result.model, [data[0], data[1]]).set(loss="area")
    assert inspector.losses[-1] == "area" and inspector.gradients().terms[-2:] == ("area", "total")
    parts = inspector.step_shown().parts
    assert parts.losses()["area"] == pytest.approx(parts.whole["area"])
    assert "the whole batch" in inspector._table.value
    assert inspector.to_html(tmp_path / "page.html").exists()


def test_plots_and_dashboard_name_the_losses_that_a_log_holds() -> None:
    from oneformer_lite.render.curves import layer_terms, loss_plot, loss_terms
    from oneformer_lite.render.plots import DARK, LIGHT, line_color
    from oneformer_lite.render.timeline import Timeline
    from oneformer_lite.runs.dashboard import cards, hover_texts

    record = {"kind": "train", "step": 1, "seconds": 1.0, "lr": 1e-3, "class": 2.0, "box": 1.5, "total": 5.0,
              "by_layer": {"class": [1.0, 1.0], "box": [0.7, 0.8]}, "images_per_second": 3.0, "memory_mb": 7,
              "<script>": 1.0}  # fmt: skip
    history = [record, record | {"step": 2}]
    assert loss_terms(history) == ("class", "box") and layer_terms(history) == ("class", "box")
    assert loss_terms([]) == ("class", "mask", "dice", "contrastive") and layer_terms([]) == ("class", "mask", "dice")
    timeline = Timeline(history)
    assert 'data-name="box"' in cards(timeline, 2) and "script" not in cards(timeline, 2)
    assert "box 1.5" in hover_texts(timeline, 2)["loss"] and "0.7" in hover_texts(timeline, 2)["box"]
    assert loss_plot(history).png.startswith(b"\x89PNG")
    assert line_color(LIGHT, "class") == LIGHT.lines["class"] and line_color(DARK, "box").startswith("#")


# -- classes that each have a sigmoid of their own


def test_probabilities_of_classes_with_and_without_no_object() -> None:
    from oneformer_lite.inference import RawPrediction, instance_inference, panoptic_inference
    from oneformer_lite.losses.matching import class_cost
    from oneformer_lite.model import Predictions

    logits = torch.tensor([[[2.0, -1.0, 0.5], [-3.0, -4.0, -5.0]]])
    masks = torch.full((1, 2, 4, 4), 5.0)
    softmax, sigmoid = Predictions(logits, masks), Predictions(logits, masks, no_object=False)
    assert softmax.probabilities.equal(logits.softmax(-1)[..., :-1]) and softmax.probabilities.shape == (1, 2, 2)
    assert sigmoid.probabilities.equal(logits.sigmoid()) and sigmoid.probabilities.shape == (1, 2, 3)
    assert class_cost(logits[0], torch.tensor([2]), no_object=False).equal(-logits[0].sigmoid()[:, [2]])
    sizes = ((16, 16), (16, 16), (16, 16))
    raw = RawPrediction(logits[0], masks[0], *sizes, no_object=False)
    assert raw.num_classes == 3 and raw.surest[1].tolist() == [0, 0]
    _, segments = panoptic_inference(raw, (True,) * 3, 0.5, 0.5)
    assert [(class_id, round(score, 4)) for _, class_id, score in segments] == [(0, 0.8808)]
    _, labels, scores = instance_inference(raw, (True,) * 3, most=3)
    assert sorted(labels.tolist()) == [0, 1, 2] and scores.max() == pytest.approx(0.8808 * 0.9933, rel=1e-3)


def test_rules_of_the_merge_are_fields_of_the_configuration(data) -> None:
    from oneformer_lite.inference import RawPrediction, panoptic_inference
    from oneformer_lite.inspectors.merge.reading import hold_contest, merge

    logits = torch.tensor([[9.0, 0.0, 0.0]])
    masks = torch.full((1, 4, 4), -1.0)
    masks[:, :2] = 5.0
    raw = RawPrediction(logits, masks, (16, 16), (16, 16), (16, 16))
    inside, _ = panoptic_inference(raw, (True, True), 0.5, 0.0)
    all_won, _ = panoptic_inference(raw, (True, True), 0.5, 0.0, within_masks=False)
    assert 0 < (inside == 1).sum() < 256 and (all_won == 1).all()
    contest = hold_contest(raw, (True, True), within_masks=False)  # the inspector merges by the same rule
    merged = merge(contest, 0.5, 0.0)
    assert np.array_equal(merged.segment_map(contest, contest.winners(merged.entered)), all_won.numpy())
    for name in config.presets.__all__:
        c = getattr(config, name)()
        assert (c.merge_within_masks, c.max_instances, c.mask_stride, c.padding_multiple) == (True, None, 4, 32)
        assert c.data_set == name.partition("_")[0] and ofl.training.recipe_for(c, minutes=1).minutes == 1
    with pytest.raises(ConfigError, match="there is no recipe for data_set ''; there are those of toytown, coco"):
        ofl.training.recipe_for(config.ModelConfig(), minutes=1)


def test_pictures_are_padded_as_the_configuration_says(own) -> None:
    finer = build(dataclasses.replace(own, padding_multiple=64)).eval()
    assert finer(torch.randn(1, 3, 33, 70)).mask_logits.shape[-2:] == (16, 32)


# -- masks, whole or as products


def test_whole_masks_are_made_once_and_with_a_graph_where_one_is_needed(model) -> None:
    from oneformer_lite.model.output import MaskProduct, Predictions

    product = MaskProduct(torch.randn(1, 3, 4, requires_grad=True), torch.randn(1, 4, 2, 2))
    found = Predictions(torch.zeros(1, 3, 2), product)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert not found.mask_logits.requires_grad
    assert found.mask_logits.requires_grad and found.mask_logits is found.mask_logits
    assert found.masks is product  # a look changes nothing
    with pytest.raises(AttributeError):
        found.mask_logits = torch.zeros(1, 3, 2, 2)
