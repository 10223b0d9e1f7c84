"""The table of a sweep: what it keeps, and files that are none."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from styleexport.core.errors import BadArtifact, DeviceError, UsageError
from styleexport.runtime_bench.sweep import SweepRequest, cells_of, read_plan, reports
from styleexport.runtime_bench.sweep.table import VERSION, open_table


@pytest.fixture
def cells(tmp_path: Path):
    (tmp_path / "sweep.toml").write_text('networks = ["a", "b"]\nsizes = [64]\n')
    plan = read_plan(tmp_path / "sweep.toml")
    return cells_of(SweepRequest(plan, tmp_path, tmp_path / "t.sqlite", {"onnx": ".onnx"}))


def test_rows_are_added_once_and_settled(cells, tmp_path: Path, small_report):
    path = tmp_path / "deep" / "t.sqlite"
    with open_table(path, create=True) as table:
        table.add(cells)
        table.settle(cells[0].key, "measured", host="h", report=small_report.encoded())
        table.add(cells)
    with open_table(path) as table:
        first, second = table.rows()
    assert (first.network, first.status, first.host) == ("a", "measured", "h")
    assert first.finished.endswith("Z")
    assert (second.network, second.status, second.finished) == ("b", "waiting", "")
    assert reports(path) == (small_report,)


def test_a_cell_that_is_tried_again_loses_its_reason(cells, tmp_path: Path, small_report):
    with open_table(tmp_path / "t.sqlite", create=True) as table:
        table.add(cells)
        table.settle(cells[0].key, "killed", message="twice")
        assert table.rows()[0].message == "twice"
        table.settle(cells[0].key, "measured", report=small_report.encoded())
        assert table.rows()[0].message == ""


def test_a_damaged_report_is_named_by_its_cell(cells, tmp_path: Path):
    path = tmp_path / "t.sqlite"
    with open_table(path, create=True) as table:
        table.add(cells)
        table.settle(cells[0].key, "measured", report=b"{}")
    with pytest.raises(
        BadArtifact, match=f"cell {cells[0].key[:8]} of .*t.sqlite is not a latency"
    ):
        reports(path)


def test_files_that_are_no_table_are_refused(tmp_path: Path):
    path = tmp_path / "t.sqlite"
    with pytest.raises(BadArtifact, match="does not exist; make one with `styleexport sweep"):
        reports(path)
    path.write_text("no table " * 100)
    with pytest.raises(BadArtifact, match="not the table of a sweep: file is not a database"):
        reports(path)
    with pytest.raises(BadArtifact, match="another file with -o"), open_table(path, create=True):
        pass
    with pytest.raises(UsageError, match="so it is kept"), open_table(path, restart=True):
        pass
    path.unlink()
    path.touch()
    with pytest.raises(BadArtifact, match="it is empty"):
        reports(path)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cells (x)")
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(BadArtifact, match=f"it is of version {VERSION + 1}, expected {VERSION}"):
        reports(path)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(DeviceError, match="choose another with -o"):  # noqa: SIM117
        with open_table(tmp_path / "file" / "t.sqlite", create=True):
            pass


def test_a_status_of_nobodys_is_refused(cells, tmp_path: Path):
    with pytest.raises(BadArtifact), open_table(tmp_path / "t.sqlite", create=True) as table:
        table.add(cells)
        table.settle(cells[0].key, "lost")  # type: ignore[arg-type]


def test_rows_are_json(cells, tmp_path: Path):
    with open_table(tmp_path / "t.sqlite", create=True) as table:
        table.add(cells)
        row = msgspec.json.decode(msgspec.json.encode(table.rows()[0]))
    assert row["runner"] == "all"
    assert "report" not in row
