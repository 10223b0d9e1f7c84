from __future__ import annotations

import csv
import io
import json

import pytest
from msgspec.structs import replace

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.runtime_bench.report.formats import format_of, read_reports, render
from styleexport.runtime_bench.stats import summarise


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_a_row_a_cell_with_units_in_its_names(desktop, phone):
    rows = table(render([desktop, phone], "csv"))
    assert len(rows) == len(desktop.cells) + len(phone.cells)
    first, summary = rows[0], summarise(desktop.cells[0].rounds_ns)
    assert float(first["median_ns"]) == summary.median_ns
    assert float(first["high_ns"]) == summary.high_ns
    assert (first["machine"], first["runner"], first["height"]) == (
        "ThinkPad X1",
        "onnxruntime",
        "64",
    )
    assert first["settings"] == "provider=cpu;threads=2"
    assert (first["load_cold_ns"], first["load_warm_ns"]) == ("31000000", "24000000.0")
    assert float(first["gmacs_per_second"]) == pytest.approx(4400 * 64 * 96 / summary.median_ns)


def test_csv_leaves_out_what_was_not_measured_and_says_why(desktop):
    row = table(render([desktop], "csv"))[-1]
    assert (row["status"], row["median_ns"], row["outliers"]) == ("out-of-memory", "", "")
    assert row["message"] == "the process was killed: memory ran out"


def test_json_holds_the_same_with_numbers_and_null(desktop):
    rows = json.loads(render([desktop], "json-table"))
    assert list(rows[0]) == list(table(render([desktop], "csv"))[0])
    assert rows[0]["median_ns"] == summarise(desktop.cells[0].rounds_ns).median_ns
    assert rows[-1]["median_ns"] is None


def test_no_text_is_a_formula_of_a_spreadsheet(desktop):
    cell = replace(desktop.cells[0], runner="=HYPERLINK(1)", message="@cmd")
    row = table(render([replace(desktop, cells=(cell,))], "csv"))[0]
    assert (row["runner"], row["message"]) == ("'=HYPERLINK(1)", "'@cmd")


def test_markdown_is_a_summary_and_a_table_for_each_network(desktop):
    lines = render([desktop], "md").splitlines()
    assert lines[0] == "|  | ThinkPad X1 |"
    assert lines[2].startswith("| fastest at 64x96 (adain-lite transform) | 2.2")
    assert ", onnxruntime onnx int8 (2.2" in lines[2]
    start = lines.index("| adain-lite transform | 64x96 | 128x128 | file | parity | quality |")
    assert lines[start + 1] == "| --- | ---: | ---: | ---: | ---: | ---: |"
    assert lines[start + 3].startswith("| onnxruntime onnx int8 | **2.2")
    assert lines[start + 3].endswith(" | 0.59 MB | 34.8 dB | 35.1 dB |")
    assert all(line.count("|") == 7 for line in lines[start : start + 6])
    assert "- adain-lite transform 128x128 on torch pt2 fp32: out-of-memory, the process was" in (
        "\n".join(lines)
    )


def test_machines_stand_side_by_side_in_markdown(desktop, phone):
    lines = render([desktop, phone], "md").splitlines()
    assert lines[0] == "|  | ThinkPad X1 | Google Pixel 8 (android) |"
    assert "| load before | 0.2 on 2 cores | unknown |" in lines
    assert "| failed the probes (without latency) | 1 cell | none |" in lines
    (row,) = [line for line in lines if line.startswith("| litert tflite int8 |")]
    assert row.startswith("| litert tflite int8 | 2.352 ms (2.343 to 2.364) | 6.043 ms (6.0")
    assert " | **9.159 ms** (9.105 to 9.805) | 0.59 MB | " in row
    assert any("64x96, ThinkPad X1 | 128x128, ThinkPad X1 | 128x128, Google" in s for s in lines)


def test_markdown_shows_harmful_text_as_text(harmful):
    text = render([harmful], "md")
    assert "<script" not in text
    assert "<img" not in text
    assert "[x](" not in text.replace("\\[", "(").replace("\\]", ")")
    assert "\x1b" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows
    assert {line.replace("\\|", "").count("|") for line in rows} <= {3, 6, 7}


@pytest.mark.parametrize("kind", ["html", "md", "csv", "json-table"])
def test_extreme_figures_break_no_format(harmful, desktop, kind):
    assert render([harmful, desktop], kind)


def test_an_unknown_base_names_those_there_are(desktop):
    with pytest.raises(UsageError) as caught:
        render([desktop], "html", "coreml")
    assert str(caught.value) == (
        "no cell was measured in fp32 on 'coreml': expected one of litert, onnxruntime; leave "
        "--base out"
    )


def test_a_suffix_stands_for_a_format(tmp_path):
    found = [format_of(tmp_path / name) for name in ("a.HTML", "a.md", "a.csv", "a.json", "a.txt")]
    assert found == ["html", "md", "csv", "json-table", None]


def test_a_bad_report_among_good_ones_is_named(tmp_path):
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(BadArtifact, match=r"bad\.json is not a latency report"):
        read_reports([tmp_path / "bad.json"])
