"""What the tests of reports share: the contract's reports, and one that means harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from styleexport.runtime_bench.contract.latency import (
    CellFact,
    LatencyReport,
    OperationFact,
    PeakFact,
    ThermalFact,
    read_report,
    report_from_json,
)

CONTRACT = Path(__file__).parents[2] / "contract" / "reports"
HARM = "\"'><script>alert(1)</script><img src=x onerror=y>&|`[x](javascript:1)\x1b[2J\n=cmd"


@pytest.fixture
def desktop() -> LatencyReport:
    return read_report(CONTRACT / "desktop.json")


@pytest.fixture
def phone() -> LatencyReport:
    return read_report(CONTRACT / "phone.json")


def _harmful(cell: CellFact, index: int) -> CellFact:
    subject = replace(
        cell.subject,
        network=HARM,
        target=HARM,
        path=HARM,
        size_bytes=2**62,
        macs=2**62,
        int8_mac_share=-1e308,
        quality_db=(-1e308, 1e308, 0.0)[index % 3],
        style_change=1e308,
    )
    rounds = (((0,), (0,)), ((10**15,) * 3, (0,), ()), ((1, 2), (3,)))[index % 3]
    return replace(
        cell,
        subject=subject,
        runner=HARM,
        requested={HARM: HARM},
        effective={"threads": HARM},
        message=HARM,
        rounds_ns=rounds if cell.status == "measured" else (),
        first_ns=0,
        peak_rss_bytes=0,
        idle_rss_bytes=2**62,
        energy_joules=-1e308,
        placement={HARM: 1e308},
        picture=("AAAA", "iVBORw0KGgo=", "A")[index % 3],
        operations=(OperationFact(layer=HARM, op=HARM, time_ns=0, macs=2**62, delegate=HARM),),
    )


@pytest.fixture
def harmful(desktop: LatencyReport) -> LatencyReport:
    """A report as a device may post it: every text is HTML, every figure is extreme."""
    machine = replace(
        desktop.machine,
        device=HARM,
        os=HARM,
        processor=HARM,
        features=(HARM,),
        accelerators=(HARM,),
        versions={HARM: HARM},
        memory_bytes=2**62,
    )
    state = replace(
        desktop.before,
        governor=HARM,
        load_average=-1e308,
        temperatures_celsius={HARM: 1e308},
        thermal=ThermalFact(scale="apple", value=1e308),
    )
    report = replace(
        desktop,
        machine=machine,
        before=state,
        after=state,
        command=HARM,
        harness=replace(desktop.harness, version=HARM, commit=HARM),
        protocol=replace(desktop.protocol, warm_up=HARM, clock=HARM, seconds=1e308),
        peak=PeakFact(threads=1, fp32_gmacs=-1e308, int8_gmacs=1e-320, method=HARM),
        cells=tuple(_harmful(cell, index) for index, cell in enumerate(desktop.cells)),
    )
    return report_from_json(report.encoded(), "harm")
