"""Runs in which only what has changed is computed."""

from __future__ import annotations

import torch
from torch import nn
from torch.fx import symbolic_trace

from styleexport.core.manifest import TensorFact
from styleexport.core.types import Size
from styleexport.exporter.graph.following_runs import FollowingRuns
from styleexport.exporter.graph.graph import trace

SIZE = Size(8, 8)
FACTS = (
    TensorFact(name="content", kind="image", shape=(1, 3, 8, 8), dtype="float32", layout="NCHW"),
    TensorFact(name="style_code", kind="style_code", shape=(1, 3), dtype="float32", layout="NK"),
)


class Styled(nn.Module):
    """An encoder of the content, whose features a code scales twice."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 3, 3, padding=1)
        self.decoder = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, content: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        features = torch.relu(self.encoder(content))
        scale = code[:, :, None, None]
        return self.decoder(features * scale) + features.mean((2, 3), keepdim=True) * scale


class Counted(FollowingRuns):
    """Counts the convolutions that are run."""

    def __init__(self, module) -> None:
        super().__init__(module)
        self.convolutions = 0

    def run_node(self, n):
        self.convolutions += "conv2d" in str(n.target)
        return super().run_node(n)


def captured(module: nn.Module):
    examples = (torch.rand(1, 3, 8, 8), torch.rand(1, 3))
    return trace(module, examples, FACTS, False, 1).module(check_guards=False)


def test_what_depends_on_the_content_alone_is_computed_once_a_content():
    module = captured(Styled())
    runs = Counted(module)
    contents, codes = [torch.rand(1, 3, 8, 8) for _ in range(2)], torch.rand(3, 1, 3)
    counts = []
    with torch.inference_mode():
        for content in contents:
            for code in codes:
                found = runs.follow((content, code), (content, code))
                assert torch.equal(found, module(content, code))  # bit for bit
                counts.append(runs.convolutions)
    assert counts == [2, 3, 4, 6, 7, 8]


def test_another_content_with_the_same_code_is_seen():
    module = captured(Styled())
    runs, code = FollowingRuns(module), torch.rand(1, 3)
    with torch.inference_mode():
        for content in torch.rand(3, 1, 3, 8, 8).unbind():
            assert torch.equal(runs.follow((content, code), (content, code)), module(content, code))


def test_the_same_inputs_again_give_the_same_output():
    module = captured(Styled())
    runs = FollowingRuns(module)
    inputs = (torch.rand(1, 3, 8, 8), torch.rand(1, 3))
    with torch.inference_mode():
        for _ in range(2):
            assert torch.equal(runs.follow(inputs, inputs), module(*inputs))


def test_a_graph_that_writes_into_its_values_is_computed_whole():
    def added(content, code):
        features = torch.ops.aten.relu.default(content)
        return torch.ops.aten.add_.Tensor(features, torch.ops.aten.sum.default(code))

    module = symbolic_trace(added)
    runs, content = FollowingRuns(module), torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        for code in torch.rand(3, 1, 3).unbind():
            found = runs.follow((content, code), (content, code))
            assert torch.equal(found, content + code.sum())
