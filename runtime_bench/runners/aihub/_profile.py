"""Profile of an AI Hub job: samples, loads, compute units and operations of a cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from styleexport.core.errors import DeviceError
from styleexport.runtime_bench.contract.latency import OperationFact

NS_PER_US = 1_000
MOST_OPERATIONS = 5_000


@dataclass(frozen=True)
class HubProfile:
    """Parsed profile, times in nanoseconds.

    Attributes:
        samples_ns: time of each inference.
        loads_ns: cold load, then warm load, where they are stated.
        peak_bytes: peak memory of an inference; None where it is not stated.
        placement: share of each compute unit: of the layers' time where every layer has one, else
            of the layers.
        operations: layers with their time and unit; () where a layer has no time.
    """

    samples_ns: tuple[int, ...]
    loads_ns: tuple[int, ...]
    peak_bytes: int | None
    placement: Mapping[str, float]
    operations: tuple[OperationFact, ...]


def profile_of(profile: Mapping[str, Any]) -> HubProfile:
    """Return a parsed profile, as ``download_profile`` returns it.

    Raises:
        DeviceError: it holds no sample.
    """
    summary: Mapping[str, Any] = profile.get("execution_summary") or {}
    layers: Sequence[Mapping[str, Any]] = profile.get("execution_detail") or ()
    samples = _times(summary.get("all_inference_times"))
    if not samples:
        raise DeviceError(
            "AI Hub's profile holds no samples, only an estimate, which is no measurement: update "
            "its client with `pip install -U qai-hub`"
        )
    peak = summary.get("estimated_inference_peak_memory")
    return HubProfile(
        samples_ns=samples,
        loads_ns=_times([summary.get("first_load_time"), summary.get("warm_load_time")]),
        peak_bytes=peak if isinstance(peak, int) and peak > 0 else None,
        placement=_placement(layers),
        operations=_operations(layers),
    )


def _times(microseconds: object) -> tuple[int, ...]:
    values: Sequence[object] = microseconds if isinstance(microseconds, list) else ()
    return tuple(
        round(value * NS_PER_US)
        for value in values
        if isinstance(value, (int, float)) and value >= 0
    )


def _is_timed(layers: Sequence[Mapping[str, Any]]) -> bool:
    times = [layer.get("execution_time") for layer in layers]
    known = [float(time) for time in times if isinstance(time, (int, float))]
    return len(known) == len(times) and sum(known) > 0


def _placement(layers: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    timed = _is_timed(layers)
    shares: Counter[str] = Counter()
    for layer in layers:
        unit = str(layer.get("compute_unit", "unspecified")).lower()[:400]
        shares[unit] += layer["execution_time"] if timed else 1
    total = sum(shares.values())
    return {unit: share / total for unit, share in sorted(shares.items())}


def _operations(layers: Sequence[Mapping[str, Any]]) -> tuple[OperationFact, ...]:
    if not _is_timed(layers):
        return ()
    return tuple(
        OperationFact(
            layer=str(layer.get("name", ""))[:400],
            op=str(layer.get("type", ""))[:400],
            time_ns=round(layer["execution_time"] * NS_PER_US),
            delegate=str(layer.get("compute_unit", "")).lower()[:400],
        )
        for layer in layers[:MOST_OPERATIONS]
    )
