"""Linear layers as convolutions: the same numbers and gradients, taken only where they are faster."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from oneformer_lite.model.fast import linear
from oneformer_lite.model.fast.linear import Linear, adopt_linears, linear_by_convolution
from oneformer_lite.model.networks.backbone import Backbone


@pytest.mark.parametrize("shape", [(7,), (1, 1), (3, 5), (2, 3, 4, 5), (300, 17), (2, 16, 5), (160, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_gives_the_same_numbers_and_gradients(shape: tuple, bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(shape[-1], 6, bias=bias).double()
    x = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    found, expected = linear_by_convolution(x, layer.weight, layer.bias), layer(x)
    assert found.shape == expected.shape and found.is_contiguous()
    assert torch.allclose(found, expected, atol=1e-14)
    leaves, upstream = (x, *layer.parameters()), torch.randn_like(expected)
    for mine, theirs in zip(
        torch.autograd.grad(found, leaves, upstream), torch.autograd.grad(expected, leaves, upstream)
    ):
        assert torch.allclose(mine, theirs, atol=1e-13)


def test_columns_that_lie_apart_in_memory_come_out_row_by_row() -> None:
    """As attention needs them: its fast kernel reads rows."""
    x, layer = torch.randn(2, 8, 30).transpose(1, 2), nn.Linear(8, 4)
    found = linear_by_convolution(x, layer.weight, layer.bias)
    assert found.is_contiguous() and torch.allclose(found, layer(x), atol=1e-6)


@pytest.fixture
def taken(monkeypatch) -> list:
    """The shapes that go through the convolution, on a processor that has it faster for inputs of more than 12 numbers
    and from 30 multiply-adds on."""
    shapes = []

    def counted(x, weight, bias):
        shapes.append(tuple(x.shape))
        return linear_by_convolution(x, weight, bias)

    monkeypatch.setattr(linear, "linear_by_convolution", counted)
    monkeypatch.setattr(linear, "CONVOLUTION_IS_FASTER", True)
    monkeypatch.setattr(linear, "LEAST", 30)
    monkeypatch.setattr(linear, "LEAST_INPUT", 12)
    return shapes


def test_the_convolution_is_taken_for_large_float32_alone(taken, monkeypatch) -> None:
    layer, x = Linear(3, 2), torch.randn(5, 3)
    assert torch.allclose(layer(x), F.linear(x, layer.weight, layer.bias), atol=1e-6) and taken == [(5, 3)]
    layer.double()(x.double())
    layer.float()
    for few in (0, 4):
        layer(x[:few])
    Linear(2, 100)(x[:, :2])  # 1000 multiply-adds, but of 10 numbers
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    monkeypatch.setattr(linear, "CONVOLUTION_IS_FASTER", False)
    layer(x)
    assert taken == [(5, 3)]


def test_an_exported_model_has_linear_layers(taken) -> None:
    program = torch.export.export(nn.Sequential(Linear(3, 2), nn.ReLU()).eval(), (torch.randn(5, 3),))
    names = {str(node.target) for node in program.graph.nodes}
    assert "aten.linear.default" in names and not any("conv" in name for name in names) and not taken


def test_networks_from_elsewhere_join(taken) -> None:
    """A Linear stays what it is: names, weights, and a subclass of nn.Linear that has a rule of its own."""

    class Own(nn.Linear):
        pass

    network = nn.Sequential(nn.Linear(3, 4), nn.Sequential(Own(4, 4), nn.Linear(4, 2)))
    before, x = {name: p.clone() for name, p in network.state_dict().items()}, torch.randn(5, 3)
    expected = network(x)
    assert adopt_linears(network) is network and [type(m) for m in (network[0], network[1][0])] == [Linear, Own]
    assert all(torch.equal(p, before[name]) for name, p in network.state_dict().items())
    assert torch.allclose(network(x), expected, atol=1e-6) and len(taken) == 2
    backbone = Backbone("convnext_tiny", pretrained=False)
    assert not any(type(m) is nn.Linear for m in backbone.modules())


@pytest.mark.parametrize(
    ("processor", "capability", "faster"),
    [("vendor_id : AuthenticAMD", "AVX512", True), ("vendor_id : AuthenticAMD", "AVX2", False),
     ("vendor_id : GenuineIntel", "AVX512", False), ("", "AVX512", False)],
)  # fmt: skip
def test_the_rule(monkeypatch, processor: str, capability: str, faster: bool) -> None:
    monkeypatch.setattr(linear, "_processor", lambda: processor)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert linear.convolution_is_faster() is faster
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not linear.convolution_is_faster()
