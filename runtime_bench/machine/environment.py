"""The measured machine, its state, and warnings of what may disturb a measurement."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from collections.abc import Iterator

import psutil

from styleexport.runtime_bench.contract.latency import MachineFact, StateFact, ThermalFact
from styleexport.runtime_bench.machine.host import Host

RUNTIMES = (
    "ai-edge-litert",
    "coremltools",
    "executorch",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-directml",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "openvino",
    "styleexport",
    "tensorrt",
    "torch",
)
SCALING = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
HOT_CELSIUS = 85.0
LOW_MEMORY_BYTES = 500_000_000
MAX_TEXT = 400


def machine(host: Host | None = None) -> MachineFact:
    """Return the facts of this machine; none of them names its owner, its user or its network.

    Args:
        host: operating system to ask; None for this one.
    """
    host = host or Host()
    gpus, driver = host.nvidia()
    if host.system == "Darwin" and host.machine == "arm64":
        gpus = (*gpus, "Apple GPU", "Apple Neural Engine")
    memory = psutil.virtual_memory().total
    return MachineFact(
        device=host.device()[:MAX_TEXT],
        os=_os(host)[:MAX_TEXT],
        processor=host.processor()[:MAX_TEXT],
        cores=host.cores(),
        memory_bytes=min(memory, host.memory_limit() or memory),
        accelerators=gpus,
        features=host.features(),
        versions={
            "python": platform.python_version(),
            **dict(_installed()),
            **({"nvidia driver": driver} if driver else {}),
        },
    )


def _os(host: Host) -> str:
    if host.system == "Darwin":
        return f"macOS {platform.mac_ver()[0]}".strip()
    return f"{host.system or 'unknown'} {platform.release()}".strip()


def _installed() -> Iterator[tuple[str, str]]:
    """Yield name and version of the installed runtimes; nothing is imported."""
    for name in RUNTIMES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)


def state(host: Host | None = None) -> StateFact:
    """Return this machine's load, temperature, power and free memory now.

    Args:
        host: operating system to ask; None for this one.
    """
    host = host or Host()
    temperatures = dict(_temperatures(host))
    hottest = max(temperatures.values(), default=None)
    free, limit = psutil.virtual_memory().available, host.memory_limit()
    if limit is not None:
        free = max(0, min(free, limit - (host.memory_taken() or 0)))
    battery, charging = _battery()
    return StateFact(
        load_average=_load(),
        thermal=None if hottest is None else ThermalFact(scale="celsius", value=hottest),
        temperatures_celsius=temperatures,
        frequency_mhz=_frequency(),
        governor=host.read_text(SCALING),
        battery_percent=battery,
        charging=charging,
        low_power=_low_power(host),
        free_memory_bytes=free,
    )


def _load() -> float | None:
    with contextlib.suppress(OSError, AttributeError):
        return round(psutil.getloadavg()[0], 2)
    return None


def _frequency() -> float | None:
    # psutil raises whatever the system call raises, which differs between systems.
    with contextlib.suppress(Exception):
        now = psutil.cpu_freq().current
        return round(now, 1) if now else None
    return None


def _temperatures(host: Host) -> Iterator[tuple[str, float]]:
    """Yield sensor and temperature in °C; unnamed sensors of a chip are numbered."""
    read = getattr(psutil, "sensors_temperatures", None)
    if read is None or host.system != "Linux":
        return
    with contextlib.suppress(OSError, ValueError):
        for chip, sensors in read().items():
            for number, sensor in enumerate(sensors):
                if sensor.current:
                    yield f"{chip} {sensor.label or number}", round(float(sensor.current), 1)


def _battery() -> tuple[float | None, bool | None]:
    """Return the battery's charge in percent, and whether it is plugged in."""
    with contextlib.suppress(Exception):  # as for the frequency
        if (battery := psutil.sensors_battery()) is not None:
            return float(battery.percent), battery.power_plugged
    return None, None


def _low_power(host: Host) -> bool | None:
    if host.system == "Darwin":
        settings = (host.command_output("pmset", "-g") or "").split()
        if "lowpowermode" in settings[:-1]:
            return settings[settings.index("lowpowermode") + 1] == "1"
        return None
    profile = host.read_text("sys/firmware/acpi/platform_profile")
    return None if profile is None else profile in ("low-power", "quiet")


def warnings(now: StateFact, cores: int | None = None) -> tuple[str, ...]:
    """Return warnings for the user before a measurement, one sentence each.

    Args:
        now: state of the machine.
        cores: number of its logical cores; None for this machine's.
    """
    return tuple(_warnings(now, cores or Host().cores()))


def _warnings(now: StateFact, cores: int) -> Iterator[str]:
    if (now.load_average or 0) > cores / 2:
        yield (
            f"the load average is {now.load_average:g} on {cores} cores: other programs take "
            "time from what is measured; close them"
        )
    if now.governor == "powersave":
        yield (
            "the CPU's governor is powersave: times may be long and uneven; try "
            "`cpupower frequency-set -g performance`"
        )
    if now.charging is False:
        yield f"this machine is on battery ({now.battery_percent:.0f} %): plug it in"
    if now.low_power:
        yield "the system saves power: turn that off"
    hottest = max(now.temperatures_celsius.values(), default=0.0)
    if hottest >= HOT_CELSIUS:
        yield f"a sensor reads {hottest:.0f} °C: let the machine cool down"
    if now.free_memory_bytes is not None and now.free_memory_bytes < LOW_MEMORY_BYTES:
        yield (
            f"{now.free_memory_bytes / 1e6:.0f} MB of memory are free: what is measured may be "
            "swapped out or killed"
        )
