"""Large linear layers of int8 files: float arithmetic, int8 weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from styleexport.core.psnr import psnr_db
from styleexport.core.recipe import Settings
from styleexport.core.types import Precision
from styleexport.exporter.quantize.plan import make_plan
from styleexport.exporter.targets._target import Recipe, find_target
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for
from tests.exporter.conftest import feeds_of, graph_of, shown

SIDE = 64


class Scaled(nn.Module):
    """Channels are scaled by what two linear layers make of their means."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, SIDE, 3, padding=1)
        self.linear = nn.Sequential(nn.Linear(SIDE, 4 * SIDE), nn.ReLU(), nn.Linear(4 * SIDE, SIDE))
        self.last = nn.Conv2d(SIDE, 3, 3, padding=1)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(content))
        gains = self.linear(x.mean((2, 3)))
        return torch.sigmoid(self.last(x * gains[:, :, None, None]))


@pytest.mark.parametrize("target", ["onnx", "tflite"])
def test_their_weights_take_a_byte_each(target, tmp_path):
    module = Scaled()
    graph = graph_of(module)
    plan = make_plan(graph, shown(graph), Settings()).applied()
    writer = find_target(target)
    sizes: dict[str, int] = {}
    for name, taken, recipe in (
        ("float", graph, Recipe(Precision.FP32)),
        ("int8", plan.graph, Recipe(Precision.INT8, int8=plan.recipe)),
    ):
        path = tmp_path / f"{name}{writer.suffix}"
        written = writer.write(taken, recipe, path, lambda: feeds_of(graph))
        sizes[name] = path.stat().st_size
    (feeds,) = feeds_of(graph, 1)
    with torch.inference_mode():
        expected = graph.module()(*map(torch.from_numpy, feeds.values()))[0].numpy()
    with runner_for(path).open(path, RunOptions(threads=1)) as session:
        (output,) = session(feeds).values()
    assert psnr_db(output, expected.reshape(output.shape), 1.0) > 35
    weights = sum(x.numel() for x in module.parameters() if x.dim() > 1)
    assert sizes["float"] - sizes["int8"] > 2.5 * weights
    islands = {op: x.reason for x in written.quantization.float_islands for op in x.ops}
    assert "the weights of large ones are int8" in islands["linear"]
