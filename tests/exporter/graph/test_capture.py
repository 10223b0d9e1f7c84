from __future__ import annotations

import pytest
import torch
from torch import nn

from styleexport.core.errors import UnsupportedOp, UsageError
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import example_inputs
from styleexport.exporter.graph.rewrite import apply_passes
from tests.conftest import load_own


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_capture_computes_what_the_network_computes(random_network):
    network = random_network("adain-lite")
    graph = capture(network, Role.TRANSFORM, Size(45, 64))
    inputs = example_inputs(graph.inputs, graph.size)
    with torch.no_grad():
        expected = network.role_module(Role.TRANSFORM)(*inputs)
        assert torch.allclose(graph.program.module()(*inputs), expected, atol=1e-6)


def test_a_dynamic_graph_takes_any_size(random_network):
    network = random_network("adain-cd16x")
    graph = capture(network, Role.ENCODE, Size(61, 67), dynamic=True)
    assert graph.inputs[0].shape == (1, 3, "height", "width")
    module = graph.program.module(check_guards=False)
    for size in ((64, 64), (33, 80)):
        image = torch.rand(1, 3, *size)
        with torch.no_grad():
            expected = network.role_module(Role.ENCODE)(image)
            assert torch.allclose(module(image), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x[:, :, ::2], r"returned \[1, 3, 20, 40\] at size 40x40, expected"),
        (lambda x: x.mean(1, keepdim=True), "its output must be RGB"),
        (lambda x: x / 0 * 0, "NaN or infinite"),
        (lambda x: x @ x.new_zeros(7, 7), "does not run on images of 40x40"),
        (lambda x: x if float(x.sum()) > 1 else -x, "torch.export cannot capture"),
    ],
)
def test_a_network_that_cannot_be_exported_says_why(function, message):
    with pytest.raises(UnsupportedOp, match=message):
        capture(load_own(Lambda(function)), Role.STYLIZE, Size(40, 40))


def test_a_size_below_the_networks_smallest_is_refused(random_network):
    with pytest.raises(UsageError, match=r"too small for fast-style.*at least 32 pixels"):
        capture(random_network("fast-style"), Role.STYLIZE, Size(8, 64))


class TwoImage(nn.Module):
    def __init__(self, encode):
        super().__init__()
        self._encode = encode

    def encode(self, style):
        return self._encode(style)

    def transfer(self, content, code, strength):
        return content * code.mean() * strength


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        (
            lambda x: (x.mean((2, 3)), x.amax((2, 3))),
            "encode returned tuple, expected a style code",
        ),
        (lambda x: x, r"encode returned \[1, 3, 32, 32\], expected a style code"),
        (lambda x: x[:, 7], "encode does not run on images of 32x32: IndexError"),
    ],
)
def test_an_encode_that_gives_no_code_says_why(encode, message):
    with pytest.raises(UnsupportedOp, match=message):
        capture(load_own(TwoImage(encode)), Role.TRANSFORM, Size(40, 40))


class HoldsAPlainTensor(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.tensor([[[[0.5]], [[0.25]], [[1.0]]]])

    def forward(self, content):
        return content * self.gain


def test_a_plain_tensor_of_the_users_follows_the_type_of_the_module():
    graph = capture(load_own(HoldsAPlainTensor()), Role.STYLIZE, Size(40, 56))
    rewritten, _ = apply_passes(graph)
    picture = torch.rand(1, 3, 40, 56)
    expected = picture * HoldsAPlainTensor().gain
    torch.testing.assert_close(rewritten.program.module(check_guards=False)(picture), expected)
