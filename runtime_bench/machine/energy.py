"""Energy counters in hardware: RAPL for CPUs and NVML for NVIDIA's GPUs.

Reading them costs nothing while something is measured. RAPL is Linux's powercap interface
(Documentation/power/powercap), readable by root alone on most systems; NVML is the library behind
``nvidia-smi``, and needs the extra ``gpu``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

POWERCAP = Path("/sys/class/powercap")


class EnergyMeter(Protocol):
    """A monotonic counter of joules."""

    def joules(self) -> float:
        """Return the energy used since the meter was created."""
        ...


@dataclass(frozen=True)
class EnergyCounter:
    """One counter of the hardware.

    Attributes:
        read: returns the counter's value; raises `OSError` or `ValueError` where it cannot.
        joules: energy of one step of the counter.
        range: number of steps after which the counter wraps around to 0; None where it never does.
    """

    read: Callable[[], int]
    joules: float
    range: int | None = None


class CounterMeter:
    """The sum of several counters, read more often than the fastest wraps around: every minute.

    Args:
        counters: one counter or more.
    """

    def __init__(self, counters: tuple[EnergyCounter, ...]) -> None:
        self._counters = counters
        self._last = [counter.read() for counter in counters]
        self._total = 0.0

    def joules(self) -> float:
        """Return the energy used since the meter was created; unreadable counters add nothing."""
        for number, counter in enumerate(self._counters):
            with contextlib.suppress(OSError, ValueError):
                now = counter.read()
                used = now - self._last[number]
                if used < 0:
                    used += counter.range or -used
                self._total += used * counter.joules
                self._last[number] = now
        return self._total


def meter(*, cuda: bool = False) -> EnergyMeter | None:
    """Return an energy meter of this machine; None where it has no readable counter.

    Args:
        cuda: whether the GPUs work too. Then they are counted with the CPU, and where their
            counters cannot be read there is no meter: the CPU's share alone would mislead.
    """
    gpus = nvml_counters() if cuda else ()
    if cuda and not gpus:
        return None
    counters = rapl_counters(POWERCAP) + gpus
    return CounterMeter(counters) if counters else None


def rapl_counters(powercap: Path) -> tuple[EnergyCounter, ...]:
    """Return the readable counters of all CPU packages and their memory.

    The core and uncore counters are parts of a package's, and ``psys`` holds the packages.

    Args:
        powercap: folder of the powercap interface.
    """
    zones = [
        zone
        for zone in sorted(powercap.glob("intel-rapl:*"))
        if _text(zone / "name").partition("-")[0] in ("package", "dram")
    ]
    counters: list[EnergyCounter] = []
    for zone in zones:
        file, limit = zone / "energy_uj", _text(zone / "max_energy_range_uj")
        if _text(file).isdecimal():
            counters.append(
                EnergyCounter(
                    read=lambda file=file: int(file.read_text()),
                    joules=1e-6,
                    range=int(limit) + 1 if limit.isdecimal() else None,
                )
            )
    return tuple(counters)


def _text(file: Path) -> str:
    """Return the contents of a system file, stripped; "" where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def nvml_counters() -> tuple[EnergyCounter, ...]:
    """Return a counter for each GPU that has one, which Volta and later do; in mJ.

    None without nvidia-ml-py or without a driver.
    """
    try:
        import pynvml  # pyright: ignore[reportMissingImports] - in the extra gpu
    except ModuleNotFoundError:
        return ()
    try:
        pynvml.nvmlInit()
        handles = [
            pynvml.nvmlDeviceGetHandleByIndex(number)
            for number in range(pynvml.nvmlDeviceGetCount())
        ]
    except pynvml.NVMLError:
        return ()

    def read(handle: object) -> int:
        try:
            return int(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        except pynvml.NVMLError as error:
            raise OSError(f"NVML does not read the energy of this GPU: {error}") from error

    counters: list[EnergyCounter] = []
    for handle in handles:
        counter = EnergyCounter(lambda handle=handle: read(handle), joules=1e-3)
        with contextlib.suppress(OSError):
            counter.read()
            counters.append(counter)
    return tuple(counters)
