from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from styleexport.core.errors import UsageError
from styleexport.core.types import Precision
from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport, read_report
from styleexport.runtime_bench.report.comparison import (
    compare_cells,
    compare_reports,
    compare_within,
    regressions,
)
from styleexport.runtime_bench.report.conditions import notes
from styleexport.runtime_bench.report.number_format import change
from styleexport.runtime_bench.stats import Rounds, summarise

CONTRACT = Path(__file__).parents[2] / "contract" / "reports"
NAME = "adain-lite transform 64x96 fp32 onnx on onnxruntime"


@pytest.fixture
def report() -> LatencyReport:
    return read_report(CONTRACT / "desktop.json")


def scripted(seed: int, cost_ns: int, rounds: int = 7, samples: int = 10) -> Rounds:
    """What a harness reads from a clock that a fake runner moves on: noise from a seed alone."""
    random = np.random.default_rng(seed)
    now = 0

    def clock() -> int:
        return now

    def run(shift: float) -> None:
        nonlocal now
        now += int(cost_ns * np.exp(shift + random.gamma(2, 0.01)))

    taken: list[tuple[int, ...]] = []
    for _ in range(rounds):
        shift = random.normal(0, 0.01)
        round_: list[int] = []
        for _ in range(samples):
            start = clock()
            run(shift)
            round_.append(clock() - start)
        taken.append(tuple(round_))
    return tuple(taken)


def measured(report: LatencyReport, seed: int, slower: float = 1.0) -> LatencyReport:
    """The report as measured again, all files ``slower`` times as slow."""
    seeds = count(100 * seed)
    cells = (
        replace(cell, rounds_ns=scripted(next(seeds), int(slower * 4_000_000)))
        if cell.status == "measured"
        else cell
        for cell in report.cells
    )
    return replace(report, cells=tuple(cells))


def changed(report: LatencyReport, change: Callable[[CellFact], CellFact]) -> LatencyReport:
    first, *others = report.cells
    return replace(report, cells=(change(first), *others))


def test_a_slow_down_of_15_percent_is_a_regression_in_every_cell(report):
    before, after = measured(report, 1), measured(report, 2, slower=1.15)
    found = compare_reports(before, after, fail_above=0.1)
    slower = [cell for cell in found if cell.latency]
    assert len(slower) == 9
    assert all(len(cell.regressions) == 1 for cell in slower)
    assert all(cell.regressions == () for cell in found if not cell.latency)
    first = regressions(found)[0]
    assert first.startswith(f"{NAME}: time +1")
    assert first.endswith(" %), at most +10.0 % allowed")


def test_the_same_artifact_twice_is_none_and_its_intervals_overlap(report):
    before, after = measured(report, 1), measured(report, 2)
    assert regressions(compare_reports(before, after, fail_above=0.1)) == ()
    for first, second in zip(before.cells, after.cells, strict=True):
        if first.status == "measured":
            one, other = summarise(first.rounds_ns), summarise(second.rounds_ns)
            assert one.low_ns <= other.high_ns
            assert other.low_ns <= one.high_ns


def test_what_is_allowed_is_allowed(report):
    before, after = measured(report, 1), measured(report, 2, slower=1.15)
    assert regressions(compare_reports(before, after, fail_above=0.3)) == ()
    assert regressions(compare_reports(before, after)) == ()
    assert compare_reports(before, after)[0].latency.verdict == "slower"


def test_a_difference_inside_the_noise_is_no_regression(report):
    def noisy(factor: float) -> Callable[[CellFact], CellFact]:
        spread = (0.5, 1.6, 0.9, 1.3, 0.6, 1.5, 1.0)
        rounds = tuple((int(4e6 * share * factor),) for share in spread)
        return lambda cell: replace(cell, rounds_ns=rounds)

    before, after = changed(report, noisy(1.0)), changed(report, noisy(1.15))
    first = compare_reports(before, after, fail_above=0.1)[0]
    assert first.latency.ratio == pytest.approx(1.15)
    assert (first.latency.noisy, first.regressions) == (True, ())


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"size_bytes": 2_900_000}, "size of the file +34.3 %, at most +10.0 % allowed"),
        ({"quality_db": 33.0}, "quality fell from 35.1 to 33.0 dB, the error grew +27.4 %"),
        ({"style_change": 0.2}, "the distance to the style grew +18.6 %"),
        ({"quality_db": 34.9}, None),
        ({"size_bytes": 600_000}, None),
    ],
)
def test_size_and_quality_have_regressions_too(report, facts, words):
    def judged(cell: CellFact) -> CellFact:
        return replace(cell, subject=replace(cell.subject, quality_db=35.1, style_change=0.012))

    before = changed(report, judged)
    after = changed(before, lambda c: replace(c, subject=replace(c.subject, **facts)))
    found = regressions(compare_reports(before, after, fail_above=0.1))
    assert found == ((f"{NAME}: {words}",) if words else ())


def test_quality_that_no_picture_shows_is_no_regression(report):
    def judged(db: float) -> Callable[[CellFact], CellFact]:
        return lambda cell: replace(cell, subject=replace(cell.subject, quality_db=db))

    before = changed(report, judged(127.0))
    for db in (80.0, 59.5):
        after = changed(report, judged(db))
        assert regressions(compare_reports(before, after, fail_above=0.1)) == ()


@pytest.mark.parametrize("status", ["wrong", "out-of-memory", "failed", "unavailable"])
def test_a_cell_that_is_not_measured_any_more_is_a_regression(report, status):
    after = changed(report, lambda c: replace(c, status=status, message="why", rounds_ns=()))
    (found,) = [c for c in compare_reports(report, after, fail_above=0.1) if c.regressions]
    assert found.regressions == (f"it was measured, now it is {status}",)
    assert found.differences == (f"measured, then {status}: why",)
    assert regressions(compare_reports(after, report, fail_above=0.1)) == ()


def test_cells_of_one_report_alone_are_listed_last(report):
    before, after = replace(report, cells=report.cells[:3]), replace(report, cells=report.cells[1:])
    found = compare_reports(before, after, fail_above=0.1)
    assert [cell.before is None for cell in found[:2]] == [False, False]
    gone, *new = found[2:]
    assert (gone.name, gone.before, gone.after) == (NAME, "measured", None)
    assert gone.differences == ("in the first report only",)
    assert {cell.differences for cell in new} == {("in the second report only",)}
    assert len(new) == len(report.cells) - 3


def test_reports_without_a_common_cell_are_refused(report):
    before, after = replace(report, cells=report.cells[:1]), replace(report, cells=report.cells[1:])
    with pytest.raises(UsageError, match=f"no cell in common: the first holds {NAME}, the second"):
        compare_reports(before, after)


def test_other_machines_are_refused_unless_asked_for(report):
    after = replace(report, machine=replace(report.machine, processor="Ryzen 9", cores=16))
    with pytest.raises(UsageError) as caught:
        compare_reports(report, after)
    assert str(caught.value) == (
        "the reports are of different machines: processor 'Intel Core Ultra 7' and 'Ryzen 9', "
        "cores 2 and 16; a difference would say nothing of the files: measure on one machine, or "
        "add --across-machines"
    )
    assert compare_reports(report, after, across_machines=True)


def test_another_kernel_is_the_same_machine(report):
    after = replace(report, machine=replace(report.machine, os="Linux 7.0"))
    assert compare_reports(report, after)


def test_two_artifacts_of_one_network_are_matched_in_order(report):
    twice = replace(report, cells=(report.cells[0], measured(report, 3, slower=2.0).cells[0]))
    found = compare_reports(twice, twice)
    assert [cell.latency.ratio for cell in found] == [1.0, 1.0]


def test_differences_of_files_and_settings_are_told(report):
    def other(cell: CellFact) -> CellFact:
        subject = replace(cell.subject, sha256="f" * 64)
        return replace(cell, subject=subject, effective={"threads": "8", "provider": "cpu"})

    first = compare_reports(report, changed(report, other))[0]
    assert first.differences == ("another file", "threads 2, then 8")


def test_notes_name_the_measuring_conditions_that_differ(report):
    machine = replace(report.machine, versions={**report.machine.versions, "onnxruntime": "2.0"})
    protocol = replace(report.protocol, rounds=3)
    after = replace(report, machine=machine, protocol=protocol)
    assert notes(report, after) == (
        "number of rounds differs: 7, then 3",
        "onnxruntime differs: 1.31.1, then 2.0",
    )
    assert notes(report, report) == ()


def test_a_busy_machine_is_noted(report):
    after = replace(report, before=replace(report.before, load_average=6.8))
    assert notes(report, after) == (
        "the second report was measured on a busy machine, load 6.8 on 2 cores: trust no "
        "difference of it",
    )


def test_doubts_about_a_phone_are_noted_by_name(report):
    doubtful = replace(report, harness=replace(report.harness, debuggable=True))
    assert notes(doubtful, doubtful) == (
        "the phone of the first report is doubtful: its app is built for debugging, which slows "
        "it [debuggable]",
        "the phone of the second report is doubtful: its app is built for debugging, which slows "
        "it [debuggable]",
    )
    low = replace(report, after=replace(report.after, battery_percent=20.0))
    assert notes(report, low) == (
        "the phone of the second report is doubtful: its battery holds 20 %, less than 25 % "
        "[low-battery]",
    )


def test_how_a_run_went_is_no_difference(report):
    def other(cell: CellFact) -> CellFact:
        return replace(cell, effective={**cell.effective, "warm after": "9 runs"})

    assert compare_reports(report, changed(report, other))[0].differences == ()


def test_two_cells_of_one_report_are_paired(report):
    first, second = report.cells[:2]
    found = compare_cells(first, second, paired=True)
    assert (found.latency.paired, found.latency.test) == (True, "sign-flip")
    assert found.latency.verdict == "faster"
    assert found.name == NAME


def test_a_change_is_signed():
    assert [change(0.15), change(-0.5), change(0.0)] == ["+15.0 %", "-50.0 %", "+0.0 %"]


def test_cells_of_one_report_are_compared_by_what_they_differ_in(report):
    fp32 = replace(report.cells[0], rounds_ns=scripted(1, 4_000_000))
    int8 = replace(
        fp32,
        subject=replace(fp32.subject, precision=Precision.INT8),
        rounds_ns=scripted(2, 2_000_000),
    )
    other = replace(int8, runner="litert")
    found = compare_within(replace(report, cells=(fp32, int8, other)), "precision")
    assert [(item.first, item.second) for item in found] == [("fp32", "int8")]
    latency = found[0].cells.latency
    assert latency is not None
    assert (latency.verdict, latency.paired) == ("faster", report.protocol.interleaved)
    assert latency.ratio == pytest.approx(0.5, rel=0.02)
    found = compare_within(replace(report, cells=(fp32, int8, other)), "runner")
    assert [(item.first, item.second) for item in found] == [("onnxruntime", "litert")]
    with pytest.raises(UsageError, match="differ in their runner alone: measure several in one"):
        compare_within(replace(report, cells=(fp32, int8)), "runner")
