"""The channels-last rewrite: the same numbers, and no transposition that a converter must keep."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.manifest import TensorFact
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.graph import Graph, example_inputs, trace
from styleexport.exporter.rewrites import channels_last as _channels_last
from styleexport.exporter.rewrites.channels_last import ChannelsLast

SIZE = Size(9, 11)
CONTENT = TensorFact(
    name="content", kind="image", shape=(1, 3, 9, 11), dtype="float32", layout="NCHW"
)
CODE = TensorFact(name="style_code", kind="style_code", shape=(1, 6), dtype="float32", layout="NK")


class Calls(nn.Module):
    """A module that computes a function of its inputs and a weight of each rank."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.randn(5, 3, 3, 3))
        self.up = nn.Parameter(torch.randn(3, 4, 3, 3))
        self.scale = nn.Parameter(torch.randn(3))
        self.shift = nn.Parameter(torch.randn(1, 3, 1, 1))

    def forward(self, *inputs):
        return self.function(self, *inputs)


def coded(net, x, code):
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) * code[:, :3, None, None] + code[:, 3:, None, None]


FUNCTIONS = {
    "strided conv": lambda net, x: F.conv2d(x, net.weight, stride=2, padding=1),
    "transposed conv": lambda net, x: F.conv_transpose2d(x, net.up, stride=2)[:, :, :18, :21],
    "zero pad, one side": lambda net, x: F.pad(x, (0, 1, 2, 0)),
    "pad with a value": lambda net, x: F.pad(x, (1, 1, 1, 1), value=0.5),
    "pad channels": lambda net, x: F.pad(x, (0, 0, 0, 0, 1, 2)),
    "reflect": lambda net, x: F.pad(x, (1, 2, 3, 4), mode="reflect"),
    "replicate": lambda net, x: F.pad(x, (1, 2, 3, 4), mode="replicate"),
    "ceil pooling": lambda net, x: F.max_pool2d(x, 2, ceil_mode=True),
    "upsample": lambda net, x: F.interpolate(x, scale_factor=2.0, mode="nearest"),
    "instance norm": lambda net, x: F.instance_norm(x, weight=net.scale, bias=net.scale, eps=1e-3),
    "plain instance norm": lambda net, x: F.instance_norm(x),
    "batch norm": lambda net, x: F.batch_norm(x, net.scale, net.scale.abs()),
    "mean, axes kept": lambda net, x: x - x.mean((-2, -1), keepdim=True),
    "mean, axes dropped": lambda net, x: x.mean((2, 3)),
    "mean over height": lambda net, x: x.mean(2),
    "mean over channels": lambda net, x: x * x.mean(1, keepdim=True),
    "variance": lambda net, x: torch.sqrt(x.var((2, 3), keepdim=True)) * x,
    "weights of rank 1 and 4": lambda net, x: x * net.shift + net.scale[:, None, None],
    "a row of the picture": lambda net, x: x * torch.linspace(0, 1, 11),
    "cut and join": lambda net, x: torch.cat([x[:, :2, 1:5], x[:, 1:, 3:7]], dim=1),
    "cut from the end": lambda net, x: x[:, :, -4:, :-3],
    "flatten": lambda net, x: x.mean((2, 3), keepdim=True).flatten(1),
    "pixel shuffle": lambda net, x: F.pixel_shuffle(x.repeat(1, 4, 1, 1), 2),
    "clamp and tanh": lambda net, x: torch.clamp(torch.tanh(2 * x - 1) * 150 + 127.5, 0, 255),
    "style code": coded,
    "image put together from tokens": lambda net, x: (
        x.flatten(2).transpose(1, 2).transpose(1, 2).reshape(1, 3, 9, 11)
    ),
    "conv of tokens": lambda net, x: F.conv2d(
        F.pad(x.flatten(2).reshape(1, 3, 9, 11), (1, 1, 1, 1), mode="reflect"), net.weight
    ),
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_every_operation_gives_the_same_numbers(name):
    torch.manual_seed(0)
    facts = (CONTENT, CODE) if name == "style code" else (CONTENT,)
    module = Calls(FUNCTIONS[name]).eval().requires_grad_(False)
    inputs = example_inputs(facts, SIZE)
    program = trace(module, inputs, facts, dynamic=False, min_side=1)
    graph = Graph(program, Role.STYLIZE, SIZE, False, 1, facts, facts[:1])
    images = [fact.kind == "image" for fact in facts]
    last = [x.permute(0, 2, 3, 1) if image else x for x, image in zip(inputs, images, strict=True)]
    with torch.no_grad():
        expected = module(*inputs)
        found = ChannelsLast(graph.module(), images)(*last)
    found = found.permute(0, 3, 1, 2) if found.dim() == 4 else found
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=2e-6)


def moved(name: str) -> int:
    """How many transpositions of whole images a rewritten network computes outside convolutions."""
    torch.manual_seed(0)
    module = Calls(FUNCTIONS[name]).eval().requires_grad_(False)
    inputs = example_inputs((CONTENT,), SIZE)
    program = trace(module, inputs, (CONTENT,), dynamic=False, min_side=1)
    graph = Graph(program, Role.STYLIZE, SIZE, False, 1, (CONTENT,), (CONTENT,))
    last = (inputs[0].permute(0, 2, 3, 1).contiguous(),)
    rewritten = trace(ChannelsLast(graph.module(), [True]), last, (CONTENT,), False, 1)
    return sum("permute" in str(node.target) for node in rewritten.graph.nodes)


@pytest.mark.parametrize(
    "name",
    [
        "instance norm",
        "variance",
        "cut and join",
        "zero pad, one side",
        "mean over channels",
        "clamp and tanh",
        "flatten",
    ],
)
def test_what_works_in_either_layout_moves_nothing(name):
    assert moved(name) == 0


def test_a_convolution_is_put_between_two_transpositions():
    assert moved("strided conv") == 2


@pytest.mark.parametrize("name", ["mean, axes kept", "mean, axes dropped", "instance norm"])
def test_means_of_many_pixels_are_means_of_rows(name, monkeypatch):
    monkeypatch.setattr(_channels_last, "PIXELS_OF_ONE_SUM", 98)
    reduced = []
    mean = torch.Tensor.mean
    monkeypatch.setattr(
        torch.Tensor,
        "mean",
        lambda x, *rest, **by_name: (reduced.append(rest), mean(x, *rest, **by_name))[1],
    )
    test_every_operation_gives_the_same_numbers(name)
    assert ([2],) in [tuple(rest[:1]) for rest in reduced]
