"""Cells of several formats on one runner: each is shown, by its format and precision."""

import re

import pytest
from msgspec.structs import replace

from styleexport.core.types import Precision
from styleexport.runtime_bench.report.comparison import compare_reports
from styleexport.runtime_bench.report.formats import render
from styleexport.runtime_bench.report.groups import machines_of
from styleexport.runtime_bench.report.latency_section import _comparisons_with_base
from styleexport.runtime_bench.report.summary import summary_table

FILES = [("onnx", "fp32"), ("onnx", "int8"), ("tflite", "fp32"), ("tflite", "int8")]
SERIES = [f"openvino {target} {precision}" for target, precision in FILES]


def four_cells(report):
    """A report of OpenVINO on two formats in two precisions; the later is the faster one."""
    first = report.cells[0]
    cells = []
    for number, (target, precision) in enumerate(FILES):
        subject = replace(
            first.subject,
            target=target,
            precision=Precision(precision),
            path=f"{precision}.{target}",
            sha256=str(number) * 64,
        )
        rounds = tuple(tuple(x // (number + 1) for x in samples) for samples in first.rounds_ns)
        cells.append(replace(first, subject=subject, runner="openvino", rounds_ns=rounds))
    return replace(report, cells=tuple(cells))


@pytest.mark.parametrize("reports", ["one report", "a report a format"])
def test_every_measured_cell_is_shown(desktop, reports):
    whole = four_cells(desktop)
    given = [whole]
    if reports != "one report":
        given = [replace(whole, cells=cells) for cells in (whole.cells[:2], whole.cells[2:])]
    text = render(given, "md")
    rows = [line.split(" | ")[0][2:] for line in text.splitlines() if line.startswith("| openvino")]
    assert rows == SERIES
    page = render(given, "html")
    assert all(name in page for name in SERIES)
    (_, fastest), *_ = summary_table(machines_of(given)).rows
    assert fastest.text.endswith(" ms, openvino tflite int8")


def test_format_and_precision_are_named_where_there_is_one_of_each_too(desktop):
    text = render([desktop], "md")
    assert "| onnxruntime onnx int8 |" in text
    cell = replace(desktop.cells[0], runner="coreml")
    named = replace(cell, subject=replace(cell.subject, target="coreml"))
    assert "| coreml fp32 |" in render([replace(desktop, cells=(named,))], "md")


def test_fp32_is_never_faster_than_itself(desktop):
    (machine,) = machines_of([four_cells(desktop)])
    (panel,) = machine.panels
    found = {name: c.ratio for (name, _), c in _comparisons_with_base(panel, None).items()}
    # Each int8 file is compared with the fp32 file of its format: 2 by 1, and 4 by 3.
    assert found == pytest.approx({SERIES[1]: 2, SERIES[3]: 4 / 3}, rel=0.01)
    named = {name: c.ratio for (name, _), c in _comparisons_with_base(panel, "openvino").items()}
    assert named == pytest.approx(found)


def test_the_second_artifact_has_its_own_fp32(desktop):
    whole = four_cells(desktop)
    cells = (*whole.cells[:2], *whole.cells[:2])
    (machine,) = machines_of([replace(whole, cells=cells)])
    (panel,) = machine.panels
    found = {name: c.ratio for (name, _), c in _comparisons_with_base(panel, None).items()}
    assert found == pytest.approx({"openvino onnx int8": 2, "openvino onnx int8 (2)": 2}, rel=0.01)


def test_an_unknown_interval_is_shown_as_unknown(desktop):
    cells = tuple(replace(cell, rounds_ns=cell.rounds_ns[:2]) for cell in four_cells(desktop).cells)
    report = replace(desktop, cells=cells)
    for kind in ("md", "html"):
        assert render([report], kind).count("interval unknown") >= 4
    assert not re.search(r"\(0\.000 to|>0\.000 to", render([report], "html"))
    rows = render([report], "csv").splitlines()
    header, first = rows[0].split(","), rows[1].split(",")
    assert first[header.index("low_ns")] == first[header.index("high_ns")] == ""
    compared = compare_reports(report, report)
    assert all(cell.latency is not None and cell.latency.too_few for cell in compared)


def test_parity_and_quality_are_two_figures(desktop):
    cell = desktop.cells[0]
    judged = replace(cell, subject=replace(cell.subject, quality_db=40.9))
    text = render([replace(desktop, cells=(judged,))], "md")
    assert "| file | parity | quality |" in text
    assert text.splitlines()[-1].endswith("| 121.4 dB | 40.9 dB |")
