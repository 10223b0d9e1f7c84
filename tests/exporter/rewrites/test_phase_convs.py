"""Phase convolutions in graphs: which layers, exactly, and why the others stay."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.errors import UsageError
from styleexport.core.types import Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import Graph, operation_of
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.rewrites.choices import (
    PHASES,
    TRANSPOSED,
    UPSAMPLED,
    check_rewrites,
    for_floats,
    for_integers,
)
from styleexport.models.networks._open import open_network
from tests.conftest import load_own
from tests.exporter.conftest import graph_of

SIZE = Size(32, 38)


class Up(nn.Module):
    """A convolution, a denser one, and what stands behind it."""

    def __init__(self, layer: nn.Module, behind: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.layer = layer
        self.behind = behind or nn.Identity()
        self.last = nn.Conv2d(6, 3, 1)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = self.behind(self.layer(F.relu(self.first(content))))
        return torch.sigmoid(self.last(torch.tanh(x)))


class Padded(nn.Module):
    """Nearest upsampling, a padding, a convolution."""

    def __init__(self, mode: str, width: int, kernel: int, scale: int = 2, own: int = 0) -> None:
        super().__init__()
        self.mode, self.width, self.scale = mode, width, scale
        self.conv = nn.Conv2d(8, 6, kernel, padding=own)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.interpolate(x, scale_factor=self.scale, mode="nearest")
        return self.conv(F.pad(x, [self.width] * 4, mode=self.mode))


def operations(graph: Graph) -> list[str]:
    return [operation_of(node) for node in graph.reading.graph.nodes if operation_of(node)]


def rewritten(layer: nn.Module, behind: nn.Module | None = None, size: Size = SIZE):
    torch.manual_seed(0)
    graph = graph_of(Up(layer, behind), size)
    after, facts = for_integers(graph)
    named = {fact.name: fact for fact in facts}
    error = max(
        float((a - b).abs().max())
        for a, b in zip(graph.exact_outputs, after.exact_outputs, strict=True)
    )
    assert error < 1e-5  # weights are rounded to float32 once more
    return after, named


@pytest.mark.parametrize("kernel", [2, 3, 4, 5, 9])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_transposed_convolutions_become_integer_layers(kernel, groups, bias):
    padding, extra = (kernel - 1) // 2, kernel % 2
    layer = nn.ConvTranspose2d(8, 6, kernel, 2, padding, extra, groups, bias)
    after, facts = rewritten(layer)
    assert facts[TRANSPOSED].applied == 1
    assert "integers" in facts[TRANSPOSED].reasons[0]
    assert "conv_transpose2d" not in operations(after)


@pytest.mark.parametrize("size", [Size(32, 38), Size(33, 35), Size(41, 34)])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_of_any_stride_and_size(stride, size):
    after, facts = rewritten(nn.ConvTranspose2d(8, 6, 5, stride, 2), size=size)
    assert facts[TRANSPOSED].applied == 1
    assert operations(after).count("pixel_shuffle") == (stride > 1)


def test_strides_of_two_lengths_stay():
    _, facts = rewritten(nn.ConvTranspose2d(8, 6, 3, (2, 1)))
    assert facts[TRANSPOSED].applied == 0
    assert "strides 2 and 1" in facts[TRANSPOSED].refused[0]


class Cut(nn.Module):
    """Cuts lines off, as networks do behind a transposed convolution without padding."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, :-1, 2:]


def test_cuts_behind_it_are_left_to_the_phases():
    after, _ = rewritten(nn.ConvTranspose2d(8, 6, 3, 2), Cut())
    # Columns alone, as rows come out right; two more cut the picture to its size.
    assert operations(after).count("slice") == 1 + 2


def test_a_relu_behind_it_stands_in_front_of_the_shuffle():
    after, _ = rewritten(nn.ConvTranspose2d(8, 6, 4, 2, 1), nn.ReLU())
    found = operations(after)
    assert found.index("pixel_shuffle") > max(i for i, x in enumerate(found) if x == "relu")


@pytest.mark.parametrize(
    ("mode", "width", "kernel", "scale"),
    [
        ("reflect", 1, 3, 2),
        ("reflect", 2, 5, 3),
        ("replicate", 1, 3, 2),
        ("replicate", 4, 9, 2),
        ("constant", 1, 3, 2),
        ("constant", 2, 5, 4),
    ],
)
def test_convolutions_behind_upsampling_multiply_less(mode, width, kernel, scale):
    layer = Padded(mode, width, kernel, scale)
    before = graph_of(Up(layer), SIZE).macs
    after, facts = rewritten(layer)
    assert facts[UPSAMPLED].applied == 1
    assert "upsample_nearest2d" not in operations(after)
    assert after.macs < before
    assert "of its multiplications" in facts[UPSAMPLED].reasons[0]


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Padded("reflect", 2, 5, 2), "wider than 1"),
        (Padded("reflect", 1, 3, 2, own=1), "adds zeros around a padding by reflect"),
        (Padded("constant", 0, 1, 2), "would not multiply less"),
    ],
)
def test_others_stay_and_say_why(layer, reason):
    torch.manual_seed(0)
    # The graph's own pass would put the 1x1 convolution in front of the upsampling.
    graph, _ = apply_passes(capture(load_own(Up(layer)), "stylize", SIZE), ())
    _, facts = for_integers(graph)
    (fact,) = facts
    assert fact.applied == 0 and reason in fact.refused[0]


def test_a_float_file_keeps_what_is_no_faster():
    graph = graph_of(Up(nn.ConvTranspose2d(8, 6, 3, 2, 1, 1)), Size(64, 64))
    after, facts = for_floats(graph, "onnx")
    assert after.macs == graph.macs
    assert "an estimated" in facts[0].refused[0]
    assert for_floats(graph, "coreml") == (graph, ())


def test_rewrites_can_be_turned_off_by_name():
    graph = graph_of(Up(nn.ConvTranspose2d(8, 6, 3, 2, 1, 1)), SIZE)
    after, facts = for_integers(graph, PHASES)
    assert facts == () and "conv_transpose2d" in operations(after)
    with pytest.raises(UsageError, match="no such rewrite; expected .*phase-upsampled-convs"):
        check_rewrites(("phases",))


def test_the_default_network_multiplies_less():
    graph = apply_passes(capture(open_network(), "transform", Size(64, 64)))[0]
    after, facts = for_integers(graph)
    assert [fact.applied for fact in facts] == [3]
    assert after.macs < 0.85 * graph.macs
