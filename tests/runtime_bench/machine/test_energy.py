"""Joules from counters that wrap, hide or fail."""

from __future__ import annotations

import ctypes
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


class Nvml:
    """The library, with two GPUs of which the second has no counter."""

    def __init__(self, status: int = 0) -> None:
        self.status, self.millijoules = status, 5000

    def __call__(self, name: str) -> Nvml:
        assert name == energy.NVML
        return self

    def nvmlInit_v2(self) -> int:  # noqa: N802 - its name
        return self.status

    def nvmlDeviceGetCount_v2(self, count: ctypes._CArgObject) -> int:  # noqa: N802
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, number: int, handle: ctypes._CArgObject) -> int:  # noqa: N802
        handle._obj.value = number + 1
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(  # noqa: N802
        self, device: ctypes.c_void_p, value: ctypes._CArgObject
    ) -> int:
        value._obj.value = self.millijoules
        return 0 if device.value == 1 else 3


def test_a_gpus_counter_is_read_where_it_has_one():
    library = Nvml()
    counters = energy.nvml_counters(library)
    assert len(counters) == 1
    meter = energy.CounterMeter(counters)
    library.millijoules += 2500
    assert meter.joules() == pytest.approx(2.5)


def test_without_the_library_or_a_driver_no_gpu_is_counted():
    def missing(name: str) -> Nvml:
        raise OSError(name)

    assert energy.nvml_counters(missing) == ()
    assert energy.nvml_counters(Nvml(status=9)) == ()
