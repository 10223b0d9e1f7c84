"""Reflection pads as slices: the same numbers, bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import example_inputs
from styleexport.exporter.rewrites.reflection import without_reflection_pads
from tests.conftest import load_own

SIZE = Size(40, 56)
aten = torch.ops.aten


class Padded(nn.Module):
    def __init__(self, widths, mode="reflect") -> None:
        super().__init__()
        self.widths, self.mode = widths, mode

    def forward(self, x):
        y = functional.pad(x, self.widths, mode=self.mode)
        return y[:, :, y.shape[2] - x.shape[2] :, : x.shape[3]] * 0.5 + 0.25


def modes(graph):
    pads = [node for node in graph.program.graph.nodes if node.target is aten.pad.default]
    return [node.args[2] if len(node.args) > 2 else "constant" for node in pads]


@pytest.mark.parametrize("widths", [(1, 1, 1, 1), (4, 4, 4, 4), (3, 0, 1, 2), (2, 5, 0, 0)])
def test_slices_give_the_same_bits(widths):
    graph = capture(load_own(Padded(widths)), Role.STYLIZE, SIZE)
    assert modes(graph) == ["reflect"]
    sliced, facts = without_reflection_pads(graph)
    assert [(fact.name, fact.applied, fact.refused) for fact in facts] == [
        ("slice-reflection-pads", 1, ())
    ]
    assert modes(sliced) == []
    (image,) = example_inputs(graph.inputs, SIZE)
    with torch.inference_mode():
        assert torch.equal(graph.module()(image), sliced.module()(image))


@pytest.mark.parametrize("mode", ["constant", "replicate", "circular"])
def test_other_pads_are_left_alone(mode):
    graph = capture(load_own(Padded((1, 1, 1, 1), mode)), Role.STYLIZE, SIZE)
    before = modes(graph)
    sliced, facts = without_reflection_pads(graph)
    assert facts[0].applied == 0
    assert modes(sliced) == before


def test_one_sliced_graph_takes_every_size():
    graph = capture(load_own(Padded((1, 2, 3, 1))), Role.STYLIZE, Size(61, 67), dynamic=True)
    sliced, facts = without_reflection_pads(graph)
    assert facts[0].applied == 1
    before = graph.program.module(check_guards=False)
    after = sliced.program.module(check_guards=False)
    for size in (Size(40, 41), Size(64, 48)):
        (image,) = example_inputs(graph.inputs, size)
        with torch.inference_mode():
            assert torch.equal(before(image), after(image)), size


class GrowingPad(nn.Module):
    def forward(self, x):
        half = x.shape[3] // 2
        return functional.pad(x, (half, 0, 0, 0), mode="reflect")[:, :, :, : x.shape[3]]


def test_a_width_that_depends_on_the_size_is_refused():
    graph = capture(load_own(GrowingPad()), Role.STYLIZE, Size(61, 67), dynamic=True)
    sliced, facts = without_reflection_pads(graph)
    assert facts[0].applied == 0
    assert "has widths that depend on the size" in facts[0].refused[0]
    assert modes(sliced) == ["reflect"]
