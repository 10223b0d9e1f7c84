"""Course of cells over the reports of many commits, its charts and its pages."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from msgspec.structs import replace

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.runtime_bench.contract.latency import LatencyReport, read_report, write_report
from styleexport.runtime_bench.report.history import history_of, read_moments, report_files
from styleexport.runtime_bench.report.history_charts import document, mean_chart
from styleexport.runtime_bench.report.history_page import markdown, page, write_history
from styleexport.runtime_bench.report.suite import mean_text, suite_mean, suite_regression
from tests.runtime_bench.report.test_page import Elements

COMMITS = ("a1b2c3d4e5", "0f1e2d3c4b", "9876543210")


def scaled(report: LatencyReport, factor: float, **facts) -> LatencyReport:
    """A report whose times are multiplied."""
    cells = tuple(
        replace(c, rounds_ns=tuple(tuple(int(factor * s) for s in r) for r in c.rounds_ns))
        for c in report.cells
    )
    return replace(report, cells=cells, **facts)


@pytest.fixture
def folder(desktop, tmp_path) -> Path:
    """Three commits: the second a fifth faster, the third as the first."""
    for month, (commit, factor) in enumerate(zip(COMMITS, (1.0, 0.8, 1.0), strict=True), 1):
        created = f"2026-0{month}-01T00:00:00Z"
        write_report(scaled(desktop, factor, created=created), tmp_path / f"{commit}.json")
    return tmp_path


@pytest.fixture
def history(folder):
    return history_of(read_moments(report_files([folder])))


def test_reports_come_in_the_order_of_measuring_by_the_commit_of_their_file(history):
    assert history.labels == ("a1b2c3d4", "0f1e2d3c", "98765432")


def test_a_report_of_another_name_is_labelled_by_the_harness_or_its_date(desktop, tmp_path):
    harness = replace(desktop.harness, commit="feedbeef0123")
    write_report(replace(desktop, harness=harness), tmp_path / "nightly.json")
    dated = replace(desktop, created="2031-02-03T00:00:00Z", harness=replace(harness, commit=None))
    write_report(dated, tmp_path / "later.json")
    moments = read_moments(report_files([tmp_path]))
    assert [moment.label for moment in moments] == ["feedbeef", "2031-02-03"]


def test_a_course_has_its_medians_its_change_and_its_steps_beyond_noise(history):
    course = history.courses[0]
    assert (course.panel, course.series) == (
        "adain-lite transform 64x96",
        "fp32 onnx on onnxruntime",
    )
    first, second, third = (point.median_ns for point in course.points)
    assert second == pytest.approx(0.8 * first, rel=1e-3)
    assert third == first
    assert [(step.place, step.label) for step in course.steps] == [(1, "0f1e2d3c"), (2, "98765432")]
    assert course.steps[0].latency.ratio == pytest.approx(0.8, rel=1e-3)
    assert course.change is not None
    assert course.change.verdict == "cannot be told apart"


def test_the_mean_is_that_of_the_cells_that_every_report_measured(folder, desktop, history):
    assert [mean.ratio for mean in history.means] == pytest.approx([1.0, 0.8, 1.0], rel=1e-3)
    assert {mean.cells for mean in history.means} == {9}
    assert (history.means[1].verdict, history.means[2].verdict) == (
        "faster",
        "cannot be told apart",
    )
    gone = replace(desktop.cells[0], status="failed", rounds_ns=())
    report = replace(desktop, cells=(gone, *desktop.cells[1:]), created="2026-09-01T00:00:00Z")
    write_report(report, folder / "last.json")
    longer = history_of(read_moments(report_files([folder])))
    assert {mean.cells for mean in longer.means} == {8}
    assert [point.place for point in longer.courses[0].points] == [0, 1, 2]


def test_the_geometric_mean_of_two_reports(desktop):
    first, *others = scaled(desktop, 1.0).cells
    slower = replace(
        first, rounds_ns=tuple(tuple(2 * s for s in samples) for samples in first.rounds_ns)
    )
    mean = suite_mean(desktop, replace(desktop, cells=(slower, *others)))
    assert mean is not None
    assert mean.ratio == pytest.approx(math.exp(math.log(2) / 9), rel=1e-6)
    assert mean.low is not None
    assert mean.high is not None
    assert 1 < mean.low < mean.ratio < mean.high
    assert mean.verdict == "slower"
    assert suite_regression(mean, 0.1) == ()
    (line,) = suite_regression(mean, 0.05)
    assert line.startswith("geometric mean of 9 cells: +8.0 % (+")
    assert line.endswith("at most +5.0 % allowed")
    assert suite_regression(mean, None) == ()


def test_too_few_rounds_give_a_mean_without_an_interval(desktop):
    cell = replace(desktop.cells[0], rounds_ns=((100, 101), (100,)))
    one = replace(desktop, cells=(cell,))
    mean = suite_mean(one, scaled(one, 2.0))
    assert mean is not None
    assert (mean.low, mean.verdict) == (None, "cannot be told apart")
    assert mean_text(mean).startswith("1 cell: +100")
    assert (
        suite_mean(one, replace(one, cells=(replace(cell, status="failed", rounds_ns=()),))) is None
    )


def test_the_page_draws_every_panel_and_needs_nothing_else(history):
    elements = Elements(page(history))
    assert "script" not in {name for name, _ in elements.found}
    charts = [svg["aria-label"] for svg in elements.all("svg") if "aria-label" in svg]
    assert charts[0] == "Geometric mean of 9 cells by report; the figures are in the table below"
    assert len(charts) == 1 + len({course.panel for course in history.courses})
    for words in (
        "98765432: adain-lite transform 64x96 fp32",
        "+25.0 % at 98765432",
        "4 more cells",
    ):
        assert words in elements.text


def test_markdown_shows_its_picture_which_is_well_formed(history, tmp_path):
    files = write_history(history, tmp_path / "h.md")
    assert [file.name for file in files] == ["h.svg", "h.md"]
    text = (tmp_path / "h.md").read_text()
    assert "![Latency by commit](<h.svg>)" in text
    assert "| fp32 onnx on onnxruntime | " in text
    root = ElementTree.fromstring((tmp_path / "h.svg").read_text())
    texts = {element.text for element in root.iter() if element.tag.endswith("}text")}
    assert {"a1b2c3d4", "98765432", "adain-lite encode 128x128", "int8 tflite on litert"} <= texts
    assert write_history(history, tmp_path / "h.md") == files


def test_what_is_there_of_someone_else_is_kept(history, tmp_path):
    (tmp_path / "h.svg").write_text("<svg/>")
    with pytest.raises(UsageError, match=r"h\.svg is there already and is not a chart of styleexp"):
        write_history(history, tmp_path / "h.md")
    assert not (tmp_path / "h.md").exists()
    with pytest.raises(UsageError, match=r"expected a suffix \.html or \.md; type for example"):
        write_history(history, tmp_path / "h.csv")


def test_many_reports_name_a_few_of_them_along_the_axis(desktop):
    from styleexport.runtime_bench.report.history import Moment

    moments = [Moment(f"{n:08x}", f"2026-01-01T00:{n:02}:00Z", desktop) for n in range(23)]
    chart = mean_chart(history_of(moments))
    assert chart is not None
    shown = [place for place in chart.places if place]
    assert len(shown) <= 7
    assert (shown[0], shown[-1]) == ("00000000", "00000016")


def test_harmful_reports_stay_text(harmful):
    from styleexport.runtime_bench.report.history import Moment

    moments = [Moment("<script>", "2026-01-01T00:00:00Z", harmful)] * 2
    history = history_of(moments)
    assert "script" not in {name for name, _ in Elements(page(history)).found}
    ElementTree.fromstring(document(history))
    assert "<script>" not in markdown(history, "h.svg")


def test_reports_of_other_machines_and_no_reports_are_refused(desktop, phone, tmp_path):
    write_report(desktop, tmp_path / "a.json")
    write_report(phone, tmp_path / "b.json")
    moments = read_moments(report_files([tmp_path]))
    with pytest.raises(UsageError, match="the reports are of different machines"):
        history_of(moments)
    assert history_of(moments, across_machines=True).labels
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(BadArtifact, match="a history takes nothing but latency reports"):
        read_moments(report_files([tmp_path]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"empty holds no \.json file: expected latency reports"):
        report_files([tmp_path / "empty"])
    failed = replace(desktop, cells=(replace(desktop.cells[0], status="failed", rounds_ns=()),))
    write_report(failed, tmp_path / "a.json")
    with pytest.raises(UsageError, match="no cell of the reports was measured"):
        history_of(read_moments([tmp_path / "a.json"] * 2))
    assert read_report(tmp_path / "a.json")
