"""Joules that the machine has used: counters of the CPU (RAPL) and of NVIDIA's GPUs (NVML).

Both count in hardware, so that reading them costs nothing while something is measured. RAPL is
Linux's powercap interface (Documentation/power/powercap), readable by root alone on most systems;
NVML is the library behind ``nvidia-smi``.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

POWERCAP = Path("/sys/class/powercap")
NVML = "libnvidia-ml.so.1"


class EnergyMeter(Protocol):
    """Something that counts joules."""

    def joules(self) -> float:
        """Return what was used since the meter was made; it never falls."""
        ...


@dataclass(frozen=True)
class EnergyCounter:
    """One counter of the hardware.

    Attributes:
        read: returns its value.
        joules: of one step of it.
        range: after which it begins at 0 again; None where it never does.
    """

    read: Callable[[], int]
    joules: float
    range: int | None = None


class CounterMeter:
    """Sums counters. To be read more often than the fastest of them wraps around: minutes.

    Args:
        counters: at least one.
    """

    def __init__(self, counters: tuple[EnergyCounter, ...]) -> None:
        self._counters = counters
        self._last = [counter.read() for counter in counters]
        self._total = 0.0

    def joules(self) -> float:
        """Return what was used since the meter was made; what cannot be read adds nothing."""
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
    """Return a meter of this machine; None where it does not tell.

    Args:
        cuda: whether the GPUs work too; then they are counted with the CPU.
    """
    counters = rapl_counters(POWERCAP) + (nvml_counters() if cuda else ())
    return CounterMeter(counters) if counters else None


def rapl_counters(powercap: Path) -> tuple[EnergyCounter, ...]:
    """Return the counters of all packages and their memory; none where they cannot be read.

    The core and uncore counters are parts of a package's, and ``psys`` holds the packages.
    """
    wanted = [
        zone
        for zone in sorted(powercap.glob("intel-rapl:*"))
        if _text(zone / "name").partition("-")[0] in ("package", "dram")
    ]
    counters: list[EnergyCounter] = []
    for zone in wanted:
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
    """Return what a file of the system says, nothing where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def nvml_counters(load: Callable[[str], Any] = ctypes.CDLL) -> tuple[EnergyCounter, ...]:
    """Return a counter a GPU, in millijoules since its driver was loaded; Volta and later have one.

    Args:
        load: opens the library.
    """
    try:
        library = load(NVML)
    except OSError:
        return ()
    count = ctypes.c_uint()
    if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return ()
    counters: list[EnergyCounter] = []
    for number in range(count.value):
        device = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(device)):
            continue
        counter = EnergyCounter(lambda device=device: _millijoules(library, device), 1e-3)
        with contextlib.suppress(OSError):
            counter.read()
            counters.append(counter)
    return tuple(counters)


def _millijoules(library: Any, device: ctypes.c_void_p) -> int:  # noqa: ANN401 - a C library
    value = ctypes.c_ulonglong()
    status = library.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(value))
    if status:
        raise OSError(status, "NVML does not tell the energy of this GPU")
    return value.value
