from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.core.manifest import CalibrationFact
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import Graph, example_inputs
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.calibration_inputs import (
    CalibrationInputs,
    calibration_inputs,
)
from styleexport.exporter.quantize.plan import Int8Plan, make_plan
from styleexport.models.networks._open import open_network
from tests.conftest import load_own

SIZE = Size(32, 48)
CALIBRATION = CalibrationFact(method="min-max", images=3, styles=0, sha256="0" * 64)


class Painter(nn.Module):
    """A fused ReLU, a convolution read twice, a norm, a transposed convolution, a amplified one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.third = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.last = nn.Conv2d(8, 3, 3, padding=1, padding_mode="reflect")

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.first(content))
        x = self.second(F.max_pool2d(x, 2, 2))
        x = F.relu(x) + x
        x = self.third(F.interpolate(x, scale_factor=2, mode="nearest"))
        x = F.relu(F.instance_norm(x))
        return torch.sigmoid(self.last(self.up(F.avg_pool2d(x, 2))))


def graph_of(module: nn.Module, size: Size = SIZE) -> Graph:
    """A user's module, captured and rewritten."""
    return apply_passes(capture(load_own(module), Role.STYLIZE, size))[0]


def feeds_of(graph: Graph, count: int = 3) -> list[dict[str, np.ndarray]]:
    """Seeded random inputs by name."""
    made = []
    for seed in range(count):
        torch.manual_seed(seed)
        values = example_inputs(graph.inputs, graph.size)
        named = zip(graph.inputs, values, strict=True)
        made.append({fact.name: value.numpy() for fact, value in named})
    return made


def shown(graph: Graph, count: int = 3) -> CalibrationInputs:
    """Seeded random inputs as calibration inputs."""
    return CalibrationInputs(tuple(feeds_of(graph, count)), CALIBRATION)


@pytest.fixture(scope="session")
def painter() -> Graph:
    return graph_of(Painter())


def shipped_transform(name: str, size: Size) -> tuple[Graph, CalibrationInputs]:
    """A shipped network's transform, with six or seven of its calibration inputs."""
    network = open_network(name)
    graph = apply_passes(capture(network, Role.TRANSFORM, size))[0]
    whole = calibration_inputs(network, read_calibration(None), graph)
    return graph, CalibrationInputs(whole.inputs[::5], whole.fact)


@pytest.fixture(scope="session")
def lite():
    """The smallest shipped network at 64x96; never changed."""
    return shipped_transform("adain-lite", Size(64, 96))


@pytest.fixture(scope="session")
def lite_plan(lite) -> Int8Plan:
    """The fixed recipe of the shipped network."""
    return make_plan(*lite)


class Bounded(nn.Module):
    """ReLU6 between a convolution and a depthwise one that undoes its small channels.

    Args:
        gain: how much smaller each of the eight channels is made, and larger again.
    """

    def __init__(self, gain: Tensor) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.last = nn.Conv2d(8, 3, 1)
        with torch.no_grad():
            self.first.weight *= (24 / gain).reshape(-1, 1, 1, 1)
            self.depthwise.weight *= gain.reshape(-1, 1, 1, 1)

    def forward(self, content: Tensor) -> Tensor:
        """Return a picture, limited to 0..1."""
        x = F.relu6(self.depthwise(F.relu6(self.first(content))))
        return self.last(x).clamp(0, 1)
