"""Times of several networks in int8, taken in turns."""

from __future__ import annotations

import pytest
from torch import Tensor, nn

from styleexport.core.errors import UsageError
from styleexport.core.types import Size
from styleexport.exporter import int8_times
from styleexport.exporter.int8_times import OnnxRuntimeTimes
from tests.conftest import load_own, load_random


def silence(_: str) -> None:
    pass


class Filter(nn.Module):
    """A wide convolution and a narrow one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, width, 3, padding=1)
        self.b = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return self.b(self.a(image).relu())


def test_each_network_is_compared_with_the_first(monkeypatch):
    monkeypatch.setattr(int8_times, "ROUNDS", 5)
    networks = [load_own(Filter(width)) for width in (128, 8)]
    (whole_ms, whole), (narrow_ms, narrow) = OnnxRuntimeTimes()(networks, Size(64, 64), silence)
    assert whole == 1.0
    assert 0 < narrow < 1
    assert whole_ms > 0 < narrow_ms


def test_a_network_without_convolutions_in_int8_is_refused():
    class Grey(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.mean(1, keepdim=True).expand_as(image) * 0.5

    with pytest.raises(UsageError, match="no convolution of it runs in int8; type --multiple 8"):
        OnnxRuntimeTimes()([load_own(Grey())], Size(64, 64), silence)


def test_a_network_that_paints_by_optimization_is_refused():
    with pytest.raises(UsageError, match=r"paints by optimization.*type --multiple 8"):
        OnnxRuntimeTimes()([load_random("gatys-enet")], Size(64, 64), silence)
