"""Doubts about a phone's measuring conditions: the names of Jetpack Benchmark's errors, and why.

Debuggable builds, emulators, batteries below 25 % and any thermal status above none change the time
of the same file. A phone with a doubt is refused, unless the doubt is suppressed by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from styleexport.core.errors import DeviceError, UsageError
from styleexport.runtime_bench.contract.latency import Doubt, LatencyReport, StateFact

DOUBTS: tuple[Doubt, ...] = get_args(Doubt)
# Jetpack Benchmark's least charge, in percent.
LEAST_BATTERY = 25.0
# Scales on which 0 is no thermal pressure.
THERMAL_SCALES = ("android", "apple")
REMEDIES: Mapping[Doubt, str] = {
    "debuggable": "install a release build",
    "emulator": "take a phone",
    "low-battery": "charge it",
    "thermal": "let it cool",
}


def doubts_of(
    states: Sequence[StateFact], *, debuggable: bool | None, emulator: bool | None
) -> dict[Doubt, str]:
    """Return the reason of each doubt, in one sentence; facts that are unknown raise none.

    Args:
        states: states of the phone; one with a low battery or a thermal status is enough.
        debuggable: whether the app was built for debugging.
        emulator: whether the phone is an emulator or simulator.
    """
    reasons: dict[Doubt, str] = {}
    if debuggable:
        reasons["debuggable"] = "its app is built for debugging, which slows it"
    if emulator:
        reasons["emulator"] = "it is an emulator, whose times are those of its host"
    charges = [s.battery_percent for s in states if s.battery_percent is not None]
    if charges and min(charges) < LEAST_BATTERY:
        reasons["low-battery"] = (
            f"its battery holds {min(charges):.0f} %, less than {LEAST_BATTERY:.0f} %"
        )
    thermal = [s.thermal for s in states if s.thermal and s.thermal.scale in THERMAL_SCALES]
    hottest = max(thermal, key=lambda fact: fact.value, default=None)
    if hottest is not None and hottest.value > 0:
        reasons["thermal"] = (
            f"it is warm (thermal status {hottest.value:g} on {hottest.scale}'s scale, where 0 is "
            "none)"
        )
    return {name: reasons[name] for name in DOUBTS if name in reasons}


def doubts_of_report(report: LatencyReport) -> dict[Doubt, str]:
    """Return the reason of each doubt about a report, by its facts before and after measuring."""
    return doubts_of(
        (report.before, report.after),
        debuggable=report.harness.debuggable,
        emulator=report.machine.emulator,
    )


def refuse_doubts(device: str, doubts: Mapping[Doubt, str], suppressed: Sequence[Doubt]) -> None:
    """Refuse a device with a doubt that is not suppressed.

    Args:
        device: name of the device, for the message.
        doubts: reason of each doubt.
        suppressed: doubts to ignore.

    Raises:
        DeviceError: there is one.
    """
    refused: dict[Doubt, str] = {n: why for n, why in doubts.items() if n not in suppressed}
    if refused:
        reasons = "; ".join(f"{why}: {REMEDIES[name]} [{name}]" for name, why in refused.items())
        ignored = ",".join(name for name in DOUBTS if name in refused or name in suppressed)
        raise DeviceError(
            f"{device} is not measured: {reasons}; or measure it in spite of that with --suppress "
            f"{ignored}"
        )


def parse_doubts(text: str) -> tuple[Doubt, ...]:
    """Return the doubts of a text, separated by commas.

    Raises:
        UsageError: a name is unknown.
    """
    typed = {part.strip().lower() for part in text.split(",") if part.strip()}
    if not typed or typed - set(DOUBTS):
        raise UsageError(
            f"--suppress {text!r} is no list of doubts: expected some of {', '.join(DOUBTS)}; type "
            f"--suppress {DOUBTS[-1]}"
        )
    return tuple(name for name in DOUBTS if name in typed)
