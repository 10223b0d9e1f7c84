"""Course of cells over the reports of many commits, on one machine."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.types import Precision
from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport, read_report
from styleexport.runtime_bench.report.comparison import by_key
from styleexport.runtime_bench.report.conditions import check_same_machine
from styleexport.runtime_bench.report.number_format import printable
from styleexport.runtime_bench.stats import (
    GeometricMean,
    LatencyComparison,
    compare,
    geometric_mean,
    summarise,
)

COMMIT = re.compile(r"[0-9a-f]{7,64}")
COMMIT_LENGTH = 8


@dataclass(frozen=True)
class Moment:
    """A report of the history.

    Attributes:
        label: commit in its first letters, or the date where none is known.
        created: start of the measurement, UTC, ISO 8601.
        report: the report.
    """

    label: str
    created: str
    report: LatencyReport


@dataclass(frozen=True)
class CoursePoint:
    """Median of a cell in one report.

    Attributes:
        place: number of the report, from 0.
        label: label of the report.
        median_ns: median of the samples.
        low_ns: lower end of its 95 % interval; None, as ``high_ns``, for fewer than three rounds.
        high_ns: upper end of the interval.
    """

    place: int
    label: str
    median_ns: float
    low_ns: float | None
    high_ns: float | None


@dataclass(frozen=True)
class Step:
    """Change of a cell beyond noise, from one report in which it was measured to the next.

    Attributes:
        place: number of the later report.
        label: label of the later report.
        latency: comparison of both.
    """

    place: int
    label: str
    latency: LatencyComparison


@dataclass(frozen=True)
class Course:
    """One cell over all reports.

    Attributes:
        panel: network, role, size and batch: cells of one panel are drawn side by side.
        series: precision, format and runner.
        precision: precision of the file.
        points: its medians, in the order of the reports; reports without it are left out.
        change: comparison of the last point with the first; None for a single one.
        steps: its changes beyond noise.
    """

    panel: str
    series: str
    precision: Precision
    points: tuple[CoursePoint, ...]
    change: LatencyComparison | None
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class History:
    """Course of all cells over some reports.

    Attributes:
        labels: label of each report, the oldest first.
        created: start of each measurement.
        courses: course of each cell that was measured at all.
        means: geometric mean of the times of each report relative to the first, over the cells that
            every report measured; empty where there is none.
    """

    labels: tuple[str, ...]
    created: tuple[str, ...]
    courses: tuple[Course, ...]
    means: tuple[GeometricMean, ...]


def report_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files of some paths, each folder replaced by its ``.json`` files.

    Raises:
        UsageError: a folder holds none.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(path.glob("*.json"))
        if not inside:
            raise UsageError(
                f"{path} holds no .json file: expected latency reports, one a commit; make one "
                f"with `styleexport bench ARTIFACT -o {path / 'COMMIT.json'}`"
            )
        files += inside
    return tuple(files)


def read_moments(files: Sequence[Path]) -> tuple[Moment, ...]:
    """Return the reports of some files in the order in which they were measured.

    A report is labelled with the commit that names its file (``3f2a9c1.json``), or else with the
    commit of styleexport that measured it.

    Raises:
        BadArtifact: a file is no report.
        UsageError: the reports are of different machines.
    """
    moments: list[Moment] = []
    for file in files:
        try:
            report = read_report(file)
        except BadArtifact as error:
            raise BadArtifact(f"{error}; a history takes nothing but latency reports") from error
        moments.append(Moment(_label(file, report), report.created, report))
    return tuple(sorted(moments, key=lambda moment: moment.created))


def history_of(moments: Sequence[Moment], *, across_machines: bool = False) -> History:
    """Return the course of all cells over some reports.

    Args:
        moments: two reports or more, the oldest first.
        across_machines: whether they may be of different machines.

    Raises:
        UsageError: the reports are of different machines, or no cell was measured.
    """
    if not across_machines:
        for moment in moments[1:]:
            check_same_machine(moments[0].report, moment.report)
    measured = [
        {k: cell for k, cell in by_key(m.report.cells).items() if cell.status == "measured"}
        for m in moments
    ]
    keys = dict.fromkeys(key for cells in measured for key in cells)
    if not keys:
        raise UsageError("no cell of the reports was measured: there is no course to draw")
    labels = tuple(moment.label for moment in moments)
    return History(
        labels=labels,
        created=tuple(moment.created for moment in moments),
        courses=tuple(_course(key, measured, labels) for key in keys),
        means=tuple(_means(measured)),
    )


def _label(file: Path, report: LatencyReport) -> str:
    if COMMIT.fullmatch(file.stem):
        return file.stem[:COMMIT_LENGTH]
    commit = report.harness.commit
    return printable(commit[:COMMIT_LENGTH]) if commit else report.created[:10]


def _course(
    key: tuple[str, ...], measured: Sequence[dict[tuple[str, ...], CellFact]], labels: Sequence[str]
) -> Course:
    present = [(place, cells[key]) for place, cells in enumerate(measured) if key in cells]
    # The last part of a key numbers cells that are otherwise alike: those of a second artifact.
    twin = "" if key[-1] == "0" else f" ({int(key[-1]) + 1})"
    cell = present[0][1]
    subject, batch = cell.subject, f" batch {cell.batch}" if cell.batch > 1 else ""
    last = present[-1][1]
    change = compare(cell.rounds_ns, last.rounds_ns, paired=False) if len(present) > 1 else None
    return Course(
        panel=printable(f"{subject.network} {subject.role} {cell.size.size()}{batch}"),
        series=printable(f"{subject.precision} {subject.target} on {cell.runner_label}{twin}"),
        precision=subject.precision,
        points=tuple(_point(place, labels[place], cell) for place, cell in present),
        change=change,
        steps=tuple(_steps(present, labels)),
    )


def _point(place: int, label: str, cell: CellFact) -> CoursePoint:
    figures = summarise(cell.rounds_ns)
    return CoursePoint(place, label, figures.median_ns, figures.low_ns, figures.high_ns)


def _steps(present: Sequence[tuple[int, CellFact]], labels: Sequence[str]) -> Iterator[Step]:
    for (_, before), (place, after) in itertools.pairwise(present):
        latency = compare(before.rounds_ns, after.rounds_ns, paired=False)
        if latency.verdict != "cannot be told apart":
            yield Step(place, labels[place], latency)


def _means(measured: Sequence[dict[tuple[str, ...], CellFact]]) -> Iterator[GeometricMean]:
    """Yield the mean of each report relative to the first, over the cells that all measured."""
    first = measured[0]
    common = [key for key in first if all(key in cells for cells in measured)]
    for number, cells in enumerate(measured):
        mean = geometric_mean([(first[key].rounds_ns, cells[key].rounds_ns) for key in common])
        if mean is not None:
            yield mean if number else GeometricMean(mean.cells, 1.0, 1.0, 1.0)
