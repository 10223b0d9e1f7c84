"""What the machine multiplies at best; how fast it is, is no test's business."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from styleexport.runtime_bench.formats._onnx_macs import macs_by_node
from styleexport.runtime_bench.machine import peak_macs as machine_peak


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_peak, "PRODUCTS", (16, 32))
    monkeypatch.setattr(machine_peak, "CHANNELS", 8)
    monkeypatch.setattr(machine_peak, "SIDE", 12)


@pytest.mark.usefixtures("small")
def test_it_is_measured_in_float_and_in_integers():
    found = machine_peak.peak(1, seconds=0.0)
    assert found.threads == 1
    assert found.fp32_gmacs is not None
    assert found.int8_gmacs is not None
    assert min(found.fp32_gmacs, found.int8_gmacs) > 0


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("integer", [False, True])
def test_every_benchmark_runs_and_has_the_macs_that_it_says(integer: bool):
    benchmarks = list(machine_peak._benchmarks(integer=integer))
    assert [benchmark.macs for benchmark in benchmarks] == [16**3, 32**3, 8 * 8 * 9 * 12 * 12]
    for benchmark in benchmarks:
        model = benchmark.model()
        session = ort.InferenceSession(model.SerializeToString(), None, ["CPUExecutionProvider"])
        (result,) = session.run(None, {"data": benchmark.data})
        assert result.shape == benchmark.data.shape
        assert len(np.unique(result)) > 10
        if not integer:
            model.graph.node[0].name = "it"
            assert macs_by_node(model) == {"it": benchmark.macs}


def test_the_fastest_of_at_least_two_runs_counts():
    ticks = iter([0, 0, 50, 50, 70, 80])
    assert machine_peak.fastest_ns(lambda: None, 0.0, lambda: next(ticks)) == 20


def test_it_goes_on_while_there_is_time():
    ticks = iter([0, 0, 9, 0, 8, 7, 10, 12, 20, 22, 1000])
    assert machine_peak.fastest_ns(lambda: None, 1e-8, lambda: next(ticks)) == 2


@pytest.mark.usefixtures("small")
def test_a_moment_that_slows_one_turn_does_not_count(monkeypatch: pytest.MonkeyPatch):
    turns = iter([1000] * 6 + [10] * 6 + [1000] * 6)
    monkeypatch.setattr(machine_peak, "fastest_ns", lambda *_: next(turns))
    found = machine_peak.peak(1)
    assert found.fp32_gmacs == found.int8_gmacs == round(8 * 8 * 9 * 12 * 12 / 10, 1)
