"""Transposed convolutions in TFLite's terms: the same numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.rewrites.transposed_convs import with_plain_transposed_convs
from tests.conftest import load_own

aten = torch.ops.aten
SIZE = Size(32, 36)
WIDTH = 6


class Doubled(nn.Module):
    """Two transposed convolutions, one on the other, behind convolutions of the same stride."""

    def __init__(self, kernel, stride, padding, extra, groups=1, dilation=1, bias=True) -> None:
        super().__init__()
        shape = (WIDTH, WIDTH, kernel, stride, padding, extra, groups, bias, dilation)
        self.down = nn.Conv2d(3, WIDTH, 3, stride, 1)
        self.up = nn.ConvTranspose2d(*shape)
        self.again = nn.ConvTranspose2d(*shape)
        self.image = nn.Conv2d(WIDTH, 3, 1)

    def forward(self, content):
        x = self.image(self.again(self.up(self.down(content))))
        return torch.sigmoid(x[:, :, : content.shape[2], : content.shape[3]])


def transposed(graph):
    return [n for n in graph.program.graph.nodes if n.target is aten.conv_transpose2d.input]


@pytest.mark.parametrize(
    ("settings", "rewritten"),
    [
        pytest.param((3, 2, 1, 1), 2, id="CycleGAN's: an output padding"),
        pytest.param((4, 2, 1, 0), 0, id="pix2pix': SAME as it is"),
        pytest.param((2, 2, 0, 0), 0, id="VALID as it is"),
        pytest.param((2, 2, 0, 0, 3), 2, id="groups"),
        pytest.param((4, 2, 1, 0, WIDTH), 2, id="depthwise and SAME"),
        pytest.param((3, 2, 1, 1, 2, 1, False), 2, id="groups and an output padding"),
        pytest.param((2, 3, 0, 2), 2, id="lines that are the bias alone"),
        pytest.param((2, 3, 0, 2, 1, 1, False), 2, id="lines that are zero"),
        pytest.param((3, 2, 2, 1, 1, 2), 2, id="spread"),
        pytest.param(((4, 3), (2, 1), 1, 0), 0, id="one axis doubled"),
    ],
)
def test_the_numbers_stay(settings, rewritten):
    torch.manual_seed(0)
    graph = capture(load_own(Doubled(*settings)), Role.STYLIZE, SIZE)
    plain, facts = with_plain_transposed_convs(graph)
    assert [(fact.applied, fact.refused) for fact in facts] == [(rewritten, ())]
    content = torch.rand(1, 3, SIZE.height, SIZE.width)
    with torch.inference_mode():
        difference = graph.module()(content) - plain.module()(content)
    assert float(difference.abs().max()) < 1e-6
    for node in transposed(plain):
        given = dict(enumerate(node.args))
        assert given.get(6, 1) == 1
        if settings[:4] != (4, 2, 1, 0) and settings[1] != (2, 1):
            assert (given.get(4, [0, 0]), given.get(5, [0, 0])) == ([0, 0], [0, 0])


def test_a_network_without_them_is_left_alone():
    graph = capture(load_own(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sigmoid())), Role.STYLIZE, SIZE)
    assert with_plain_transposed_convs(graph) == (graph, ())
