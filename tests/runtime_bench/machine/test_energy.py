"""Joules from counters that wrap, hide or fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from styleexport.runtime_bench.machine import energy


def zone(powercap: Path, folder: str, name: str, energy_uj: str, limit: int = 1_000_000) -> Path:
    path = powercap / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{energy_uj}\n")
    (path / "max_energy_range_uj").write_text(f"{limit}\n")
    return path


def test_packages_and_their_memory_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    package = zone(tmp_path, "intel-rapl:0", "package-0", "100")
    core = zone(tmp_path, "intel-rapl:0:0", "core", "50")
    memory = zone(tmp_path, "intel-rapl:0:1", "dram", "10")
    whole = zone(tmp_path, "intel-rapl:1", "psys", "900")
    again = zone(tmp_path, "intel-rapl-mmio:0", "package-0", "100")
    meter = energy.meter()
    assert meter is not None
    assert meter.joules() == 0.0
    (package / "energy_uj").write_text("200100")
    (memory / "energy_uj").write_text("100010")
    for other in (core, whole, again):
        (other / "energy_uj").write_text("700000")
    assert meter.joules() == pytest.approx(0.3)
    assert meter.joules() == pytest.approx(0.3)


def test_a_counter_that_wraps_around_goes_on(tmp_path: Path):
    package = zone(tmp_path, "intel-rapl:0", "package-0", "900000", limit=999_999)
    meter = energy.CounterMeter(energy.rapl_counters(tmp_path))
    (package / "energy_uj").write_text("50000")
    assert meter.joules() == pytest.approx(0.15)
    (package / "energy_uj").write_text("60000")
    assert meter.joules() == pytest.approx(0.16)


def test_a_counter_that_stops_answering_adds_nothing(tmp_path: Path):
    package = zone(tmp_path, "intel-rapl:0", "package-0", "100")
    meter = energy.CounterMeter(energy.rapl_counters(tmp_path))
    (package / "energy_uj").unlink()
    assert meter.joules() == 0.0


def test_where_nothing_can_be_read_there_is_no_meter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    assert energy.meter() is None
    hidden = zone(tmp_path, "intel-rapl:0", "package-0", "")
    assert energy.meter() is None
    (hidden / "energy_uj").unlink()
    (hidden / "energy_uj").mkdir()  # root reads what it may not, so a file that is none
    assert energy.meter() is None


class NvmlError(Exception):
    pass


class Nvml:
    """nvidia-ml-py with two GPUs, of which the second has no counter."""

    NVMLError = NvmlError

    def __init__(self, *, has_driver: bool = True) -> None:
        self.has_driver, self.millijoules = has_driver, 5000

    def nvmlInit(self) -> None:  # noqa: N802 - the library's name
        if not self.has_driver:
            raise NvmlError("driver not loaded")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        return number

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        if handle == 1:
            raise NvmlError("not supported")
        return self.millijoules


def test_a_gpus_counter_is_read_where_it_has_one(monkeypatch: pytest.MonkeyPatch):
    library = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", library)
    counters = energy.nvml_counters()
    assert len(counters) == 1
    meter = energy.CounterMeter(counters)
    library.millijoules += 2500
    assert meter.joules() == pytest.approx(2.5)


@pytest.mark.parametrize("library", [None, Nvml(has_driver=False)])
def test_without_the_library_or_a_driver_a_run_on_the_gpu_has_no_meter(
    library: Nvml | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    zone(tmp_path, "intel-rapl:0", "package-0", "100")
    assert energy.nvml_counters() == ()
    assert energy.meter(cuda=True) is None
    assert energy.meter() is not None
