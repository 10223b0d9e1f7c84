"""What of a graph can be computed in int8, and what stays in float."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.recipe import FloatLayer
from styleexport.exporter.quantize.blocks import (
    AMPLIFIED,
    NO_KERNEL,
    ONE_VALUE,
    default_float_layers,
    find_blocks,
    float_layer,
    nodes_by_name,
    quantized_blocks,
    ranged_layers,
    source_of,
)
from styleexport.exporter.quantize.simulate import leads_to
from tests.exporter.conftest import graph_of


class Head(nn.Module):
    """A last convolution, and what leads from it to the picture."""

    def __init__(self, finish) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Conv2d(3, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 3, 3, padding=1)
        self.finish = finish

    def forward(self, content):
        return self.finish(self.last(F.relu(self.body(content))))


def test_a_unit_is_a_convolution_with_its_activation(painter):
    blocks = find_blocks(painter.module())
    assert [(u.layer, u.output, u.source) for u in blocks] == [
        ("conv2d", "relu", "inputs_0"),  # through a reflection pad
        ("conv2d_1", "conv2d_1", "relu"),  # through a max pool; read twice, so not fused
        ("conv2d_2", "conv2d_2", "add"),  # through upsampling and a pad
        ("conv_transpose2d", "conv_transpose2d", "avg_pool2d"),  # averages are new values
        ("conv2d_3", "conv2d_3", "conv_transpose2d"),
    ]
    assert [u.transposed for u in blocks] == [False, False, False, True, False]
    assert [u.macs for u in blocks] == [
        32 * 48 * 8 * 27,
        16 * 24 * 8 * 72,
        32 * 48 * 8 * 72,
        16 * 24 * 8 * 8 * 4,
        32 * 48 * 3 * 72,
    ]
    assert painter.macs == sum(u.macs for u in blocks)
    assert blocks[0].weight.endswith("first.weight")
    assert str(blocks[0].bias).endswith("first.bias")


def test_a_clamp_is_fused_as_a_relu_is(lite):
    blocks = {block.layer: block for block in find_blocks(lite[0].module())}
    assert blocks["conv2d_11"].output == "clamp"
    assert blocks["conv2d_3"].output == "relu_3"


def test_a_convolution_whose_weight_is_computed_is_none():
    class Hyper(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.kernel = nn.Parameter(torch.randn(3, 3, 3, 3))
            self.plain = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, content):
            kernel = self.kernel * content.mean()
            return F.conv2d(self.plain(content), kernel, padding=1).clamp(0, 1)

    assert [u.layer for u in find_blocks(graph_of(Hyper()).module())] == ["conv2d"]


def test_ranges_are_needed_at_sources_and_outputs_once_each(painter):
    blocks = find_blocks(painter.module())
    assert ranged_layers(blocks[:3]) == ("inputs_0", "relu", "conv2d_1", "add", "conv2d_2")
    nodes = nodes_by_name(painter.module())
    assert source_of(nodes["pad_1"]).name == "add"
    assert source_of(nodes["avg_pool2d"]).name == "avg_pool2d"


def test_the_painter_keeps_two_layers_in_float_and_says_why(painter):
    module = painter.module()
    blocks = find_blocks(module)
    float_layers = default_float_layers(module, blocks)
    assert float_layers == (
        FloatLayer(layer="conv_transpose2d", reason=NO_KERNEL, weight="up.weight"),
        FloatLayer(layer="conv2d_3", reason=AMPLIFIED, weight="last.weight"),
    )
    kept = quantized_blocks(blocks, float_layers)
    assert [u.layer for u in kept] == ["conv2d", "conv2d_1", "conv2d_2"]


@pytest.mark.parametrize(
    ("finish", "kept"),
    [
        (lambda x: x.clamp(0, 1), []),
        (lambda x: (x * 0.5 + 0.5).clamp(0, 1), []),
        (torch.sigmoid, ["conv2d_1"]),
        (lambda x: (torch.tanh(x) * 150 + 127.5).clamp(0, 255) / 255, ["conv2d_1"]),
        (F.instance_norm, ["conv2d_1"]),
        (lambda x: x - x.mean((2, 3), keepdim=True), ["conv2d_1"]),
        (lambda x: F.avg_pool2d(torch.tanh(x), 3, 1, 1), []),
    ],
    ids=["clamp", "scaled", "sigmoid", "tanh", "norm", "centred", "pooled"],
)
def test_a_convolution_stretched_into_the_picture_stays_float(finish, kept):
    module = graph_of(Head(finish)).module()
    float_layers = default_float_layers(module, find_blocks(module))
    assert [item.layer for item in float_layers] == kept
    assert {item.reason for item in float_layers} <= {AMPLIFIED}


def test_a_folded_weight_is_not_the_networks(lite):
    blocks = {block.layer: block for block in find_blocks(lite[0].module())}
    assert float_layer(blocks["conv2d"], "why").weight == ""
    named = float_layer(blocks["conv2d_4"], "why")
    assert (named.layer, named.reason, named.weight) == ("conv2d_4", "why", "encoder.deep.weight")


def test_what_only_moves_values_leads_to_a_convolution(painter):
    nodes = nodes_by_name(painter.module())
    layers = {nodes["conv2d_2"]}
    assert leads_to(nodes["upsample_nearest2d"], layers)
    assert not leads_to(nodes["add"], layers)
    assert not leads_to(nodes["pad_2"], layers)


def test_convolutions_that_scale_whole_maps_stay_float():
    class Excited(nn.Module):
        """A squeeze-and-excite block between two convolutions."""

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.body = nn.Conv2d(3, 8, 3, padding=1)
            self.down, self.up = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
            self.last = nn.Conv2d(8, 3, 1)

        def forward(self, content):
            x = F.relu(self.body(content))
            scale = self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1))))
            return torch.clamp(self.last(x * F.hardsigmoid(scale)), 0, 1)

    module = graph_of(Excited()).module()
    kept = default_float_layers(module, find_blocks(module))
    assert [(item.layer, item.reason) for item in kept] == [
        ("conv2d_1", ONE_VALUE),
        ("conv2d_2", ONE_VALUE),
    ]
