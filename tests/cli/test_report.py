from __future__ import annotations

import json
from pathlib import Path

import pytest

CONTRACT = Path(__file__).parents[1] / "contract" / "reports"
DESKTOP, PHONE = CONTRACT / "desktop.json", CONTRACT / "phone.json"


def test_markdown_is_printed_where_nothing_else_is_asked_for(cli):
    done = cli("report", DESKTOP)
    done.fine()
    assert "| fastest at 64x96 (adain-lite transform) | 2.2" in done.out


def test_a_page_of_several_machines_is_written(cli, tmp_path):
    done = cli("report", DESKTOP, PHONE, "-o", "latency.html", "--base", "litert")
    assert (done.code, done.out, done.talk) == (0, "", ["report: latency.html"])
    page = (tmp_path / "latency.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "Google Pixel 8" in page


@pytest.mark.parametrize("arguments", [("--json",), ("--format", "json-table")])
def test_programs_get_a_list_of_cells(cli, arguments):
    done = cli("report", DESKTOP, *arguments)
    done.fine()
    rows = json.loads(done.out)
    assert len(rows) == 12
    assert rows[0]["runner"] == "onnxruntime"


def test_csv_by_suffix_and_by_name_are_the_same(cli, tmp_path):
    cli("report", PHONE, "-o", "cells.csv")
    printed = cli("report", PHONE, "--format", "csv").out
    assert (tmp_path / "cells.csv").read_bytes().decode() == printed.replace("\n", "\r\n").replace(
        "\r\r\n", "\r\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no.json",), "no.json does not exist; make a report with"),
        ((CONTRACT / "other_version.json",), "has report schema version 2, expected 1"),
        ((CONTRACT / "cut_off.json",), "is not a latency report: Input data was truncated"),
        ((DESKTOP, "-o", "page.txt"), "page.txt says nothing of a format: expected a suffix"),
        ((DESKTOP, "-o", DESKTOP), "is one of the reports: choose another place with -o"),
        ((DESKTOP, "--base", "coreml"), "expected one of litert, onnxruntime; leave --base out"),
        ((DESKTOP, "--format", "pdf"), "'pdf' is not one of 'html', 'md', 'csv', 'json-table'"),
        ((), "Missing argument"),
    ],
)
def test_bad_calls_end_in_one_line_and_write_nothing(cli, tmp_path, arguments, message):
    before = DESKTOP.read_bytes()
    cli("report", *arguments).refused(2, message)
    assert list(tmp_path.iterdir()) == []
    assert DESKTOP.read_bytes() == before
