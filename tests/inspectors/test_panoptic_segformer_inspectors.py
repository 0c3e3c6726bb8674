"""Panoptic SegFormer in the inspectors: every one looks into it or says what it has not; losses in parts, things
alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.inspectors.losses.reading import take_apart
from oneformer_lite.inspectors.sampling.reading import read_sampling
from oneformer_lite.inspectors.traced import trace_picture
from oneformer_lite.losses import Criterion
from oneformer_lite.model import PanopticSegFormer, build

SMALL = {
    "image_size": 64, "test_size": 64, "pretrained": False, "hidden_dim": 48, "num_heads": 4, "thing_queries": 12,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64, "object_mask_threshold": 0.05,
}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 2)


def small(**blocks) -> PanopticSegFormer:
    torch.manual_seed(0)
    return build(replace(config.panoptic_segformer_toytown(), **SMALL, **blocks)).eval()


@pytest.mark.parametrize("blocks", [(1, 2), (3, 1), (1, 1)])
def test_losses_taken_apart_sum_to_the_criterions(data, blocks) -> None:
    model = small(thing_blocks=blocks[0], stuff_blocks=blocks[1])
    batch = ofl.data.collate([(data[0], "panoptic"), (data[1], "panoptic")])
    criterion = Criterion(model.config)
    with torch.no_grad():
        output = model.learn(batch)
        expected = criterion(output, batch.targets)
        parts = take_apart(criterion, output, batch.targets)
    assert parts.losses() == pytest.approx({name: loss.item() for name, loss in expected.items()}, rel=1e-4)
    for name, values in parts.by_layer().items():
        assert values.tolist() == pytest.approx(criterion.by_prediction[name].tolist(), rel=1e-4, abs=1e-6)
    assert {model.config.is_thing[label] for label in parts.labels} == {True} and len(parts.classes) == model.readings


@pytest.mark.parametrize(
    "name, words",
    [
        ("MaskInspector", ""), ("MatchInspector", ""), ("FeatureInspector", ""),
        ("QueryInspector", "made of this attention: of its scores before the softmax"),
        ("SamplingInspector", "stride 64"),
        ("LossInspector", ""), ("MergeInspector", "paints one mask after the other"),
        ("TaskInspector", "not told its task"), ("ContrastInspector", "learns from no texts"),
    ],
)  # fmt: skip
def test_every_inspector_looks_into_it_or_says_what_it_has_not(data, tmp_path, name, words) -> None:
    given = [data[0], data[1]] if name in ("LossInspector", "ContrastInspector") else data[0]
    inspector = getattr(ofl.widgets, name)(small(thing_blocks=1, stuff_blocks=2), given)
    inspector.set(**inspector.state)
    assert words in inspector.to_html(tmp_path / "page.html").read_text() and inspector.still().size[0] > 50


def test_where_its_encoder_looks_is_read_finest_first(data) -> None:
    """The positions of stride 4 come first, and each of them looks at all levels, at most some cells away."""
    model = small(thing_blocks=1, stuff_blocks=2)
    sampling = read_sampling(trace_picture(model, data[0].image, "panoptic"))
    strides = sampling.strides
    assert strides == tuple(sorted(strides)) and strides[0] == model.config.mask_stride
    assert len(sampling.weights[0]) == sum(np.prod(sampling.grid(stride)) for stride in strides)
    for stride in strides:
        looks = sampling.looks(0, stride, (0, 0))
        assert looks.by_level().sum() == pytest.approx(1, abs=1e-5) and (looks.by_level() > 0).all()
        distance = np.abs(looks.places - stride / 2) / np.array(strides)[looks.levels][:, None]
        assert distance.max() < 6  # cells of the level that is looked at: offsets begin as 1 to 4 of them


def test_the_doctor_examines_it(data) -> None:
    found = {finding.check: finding for finding in ofl.doctor(small(thing_blocks=1, stuff_blocks=2), data).findings}
    assert found["gradients"].verdict == "fine" and found["stuff_class loss"].verdict == "fine"
    assert "not told its task" in found["task token"].evidence
    assert "queries of a picture" in found["queries"].evidence and found["queries"].verdict == "fine"


def test_the_doctor_sees_queries_that_are_all_alike(data) -> None:
    """Of things and stuff, as they leave their decoders."""
    model = small(thing_blocks=2, stuff_blocks=1)
    count = model.config.thing_queries + len(model.config.stuff)
    trace = model(torch.randn(2, 3, 64, 64), trace=True).trace
    assert trace.count("decoder.layer{}.queries") == model.readings
    assert trace["decoder.layer2.queries"].shape == (2, count, model.config.hidden_dim)
    for block in (*model.thing_masks.blocks, *model.stuff_masks.blocks):
        torch.nn.init.zeros_(block.norm2.weight)
        torch.nn.init.ones_(block.norm2.bias)
    found = next(f for f in ofl.doctor(model, data).findings if f.check == "queries")
    assert found.verdict == "fault" and f"between the {count} queries of a picture 1.000: collapsed" in found.evidence
