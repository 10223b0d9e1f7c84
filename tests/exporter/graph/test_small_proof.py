"""Proofs on smaller pictures, and when they are not enough."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.manifest import TensorFact
from styleexport.core.types import Role, Size
from styleexport.exporter.graph import graph as _graph
from styleexport.exporter.graph.graph import Graph, example_inputs, trace
from styleexport.exporter.graph.rewrite import Outcome, Pass, apply_passes
from styleexport.exporter.graph.small_proof import small_size

OWN = Size(256, 226)
SMALL = Size(128, 98)


def image(size: Size) -> TensorFact:
    shape = (1, 3, size.height, size.width)
    return TensorFact(name="content", kind="image", shape=shape, dtype="float32", layout="NCHW")


def graph_of(module: nn.Module, size: Size = OWN) -> Graph:
    torch.manual_seed(0)
    facts = (image(size),)
    program = trace(module, example_inputs(facts, size), facts, False, 1)
    return Graph(program, Role.STYLIZE, size, False, 1, facts, facts)


@pytest.fixture
def proven_at(monkeypatch):
    """The heights at which graphs are run in float64."""
    heights, real = [], _graph.run_exactly

    def run(module, inputs):
        heights.append(inputs[0].shape[2])
        return real(module, inputs)

    monkeypatch.setattr(_graph, "run_exactly", run)
    return heights


@pytest.mark.parametrize(
    ("size", "least", "expected"),
    [
        (Size(512, 512), 1, Size(128, 128)),
        (Size(512, 300), 16, Size(128, 108)),
        (Size(510, 1000), 1, Size(126, 104)),
        (Size(512, 512), 200, Size(256, 256)),
        (Size(128, 128), 1, None),  # as small already
        (Size(512, 512), 400, None),  # saves too little
    ],
)
def test_a_small_size_has_the_remainders_of_the_large_one(size, least, expected):
    found = small_size((image(size),), size, least)
    assert found == expected
    if found is not None:
        assert (size.height - found.height) % 64 == (size.width - found.width) % 64 == 0
        assert min(found.height, found.width) >= max(least, 96)


def test_inputs_whose_shapes_follow_in_another_way_are_proven_at_their_own_size():
    region = TensorFact(name="r", kind="region", shape=(4,), dtype="float32", layout="N")
    assert small_size((image(OWN), region), OWN, 1) is None


class Blur(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect")

    def forward(self, x):
        half = F.max_pool2d(self.conv(x), 2)
        return torch.sigmoid(F.interpolate(half, scale_factor=2, mode="nearest"))


class Reshaped(Blur):
    """A view with the sizes that it was captured at."""

    def forward(self, x):
        height, width = x.shape[2:]
        return super().forward(x).reshape(1, 3, int(height) * int(width)).view(x.shape)


class Counts(Blur):
    """A sum by a number of pixels that is a constant of the program."""

    def forward(self, x):
        return super().forward(x) - x.sum((2, 3), keepdim=True) / float(OWN.height * OWN.width)


def scale_of(factor: float) -> Pass:
    """A pass that multiplies the output, which is exact for a factor of 1 alone."""

    def rewrite(module):
        (node,) = module.graph.output_node().all_input_nodes
        with module.graph.inserting_after(node):
            scaled = module.graph.call_function(torch.ops.aten.mul.Tensor, (node, factor))
        module.graph.output_node().replace_input_with(node, scaled)
        return Outcome(1)

    return Pass("scale", 0, rewrite)


def test_a_graph_that_takes_small_pictures_is_proven_on_them(proven_at):
    graph = graph_of(Blur())
    assert graph.small_run is not None
    assert graph.small_run.outputs[0].shape[2:] == (SMALL.height, SMALL.width)
    rewritten, (fact,) = apply_passes(graph, (scale_of(1.0),))
    assert fact.applied == 1
    assert proven_at == [SMALL.height]
    assert torch.equal(rewritten.float_outputs[0], graph.float_outputs[0])


@pytest.mark.parametrize("factor", [1.001, 1 + 1e-9, float("nan")])
def test_a_rewrite_that_is_not_exact_is_refused(proven_at, factor):
    graph = graph_of(Blur())
    rewritten, (fact,) = apply_passes(graph, (scale_of(factor),))
    assert fact.applied == 0
    assert "not exact here: changed the output by" in fact.refused[-1]
    assert proven_at == [SMALL.height, OWN.height]
    assert torch.equal(rewritten.float_outputs[0], graph.float_outputs[0])


def test_a_graph_of_one_size_is_proven_at_it(proven_at):
    graph = graph_of(Reshaped())
    assert graph.small_run is None
    _, (fact,) = apply_passes(graph, (scale_of(1.0),))
    assert fact.applied == 1
    assert proven_at[-1] == OWN.height
    _, (wrong,) = apply_passes(graph, (scale_of(1.001),))
    assert wrong.applied == 0


def test_a_difference_that_small_pictures_hide_shows_at_the_own_size():
    """A rewrite that puts a wrong number of pixels in place of a mean: right at the small size."""

    def rewrite(module):
        for node in list(module.graph.nodes):
            if node.target is torch.ops.aten.mean.dim:
                with module.graph.inserting_after(node):
                    total = module.graph.call_function(torch.ops.aten.sum.dim_IntList, node.args)
                with module.graph.inserting_after(total):
                    mean = module.graph.call_function(
                        torch.ops.aten.div.Tensor, (total, float(SMALL.height * SMALL.width))
                    )
                node.replace_all_uses_with(mean)
                module.graph.erase_node(node)
        return Outcome(1)

    class Centred(Blur):
        def forward(self, x):
            return super().forward(x) - x.mean((2, 3), keepdim=True)

    graph = graph_of(Centred())
    assert graph.small_run is not None
    rewritten, (fact,) = apply_passes(graph, (Pass("sums", 0, rewrite),))
    assert fact.applied == 0
    assert "not exact here" in fact.refused[-1]
    assert torch.equal(rewritten.float_outputs[0], graph.float_outputs[0])


def test_a_constant_number_of_pixels_does_not_stop_an_exact_rewrite():
    _, (fact,) = apply_passes(graph_of(Counts()), (scale_of(1.0),))
    assert fact.applied == 1
