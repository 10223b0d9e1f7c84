"""Tables that no sweep wrote: refused in one line, bounded in time, and never written."""

import hashlib
import sqlite3
import time
from pathlib import Path

import pytest

from styleexport.core.errors import BadArtifact
from styleexport.runtime_bench.sweep.table import COLUMNS, SCHEMA, VERSION, open_table, reports

REPORT = (Path(__file__).parents[2] / "contract/reports/desktop.json").read_text()
ROW = ("k" * 64, "n", "onnx", "fp32", "", "64x64", "all", "measured", "", "", "", REPORT)
LOOSE = f"""
CREATE TABLE cells ({COLUMNS}, report);
PRAGMA user_version = {VERSION};
"""
# Endless, but for a bound.
COUNTING = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"


def table(path: Path, schema: str, *rows: tuple[object, ...]) -> Path:
    with sqlite3.connect(path) as connection:
        connection.executescript(schema)
        marks = ", ".join("?" * len(ROW))
        for row in rows:
            connection.execute(f"INSERT INTO cells VALUES ({marks})", row)
    connection.close()
    return path


def refused(path: Path) -> None:
    before, start = hashlib.sha256(path.read_bytes()).digest(), time.process_time()
    with pytest.raises(BadArtifact) as caught:
        reports(path)
    assert "is not the table of a sweep" in str(caught.value) or "is not a latency report" in str(
        caught.value
    )
    assert len(str(caught.value)) < 500
    assert time.process_time() - start < 15
    assert hashlib.sha256(path.read_bytes()).digest() == before


def test_a_table_as_a_sweep_writes_it_is_read(tmp_path):
    path = table(tmp_path / "t.sqlite", SCHEMA, ROW)
    assert len(reports(path)) == 1


@pytest.mark.parametrize(
    "row",
    [
        (*ROW[:-1], b"\x00\xff"),
        (b"\x00\xff", *ROW[1:]),
        (None, *ROW[1:]),
        (*ROW[:-1], 7),
        (*ROW[:-1], "{" * 100_000),
        (*ROW[:-1], "[" * 1_000_000),
        (*ROW[:-1], "nothing"),
    ],
    ids=["BLOB report", "BLOB key", "no key", "number", "braces", "brackets", "text"],
)
def test_values_of_another_type(tmp_path, row):
    refused(table(tmp_path / "t.sqlite", LOOSE, row))


def test_text_that_is_no_utf8(tmp_path):
    path = table(tmp_path / "t.sqlite", LOOSE, ROW)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE cells SET report = CAST(x'ff00fe' AS TEXT)")
    connection.close()
    refused(path)


def test_a_status_that_there_is_not(tmp_path):
    path = table(tmp_path / "t.sqlite", LOOSE, (*ROW[:7], "stolen", *ROW[8:]))
    with pytest.raises(BadArtifact, match="is not the table of a sweep"), open_table(path) as found:
        found.rows()


@pytest.mark.parametrize(
    "schema",
    [
        f"CREATE VIEW cells AS {COUNTING} hex(i) AS key, 'x' AS report FROM n;",
        f"CREATE VIEW cells AS {COUNTING} 'k' AS key, NULL AS report FROM n;",
        f"CREATE VIEW cells AS {COUNTING} 'k' AS key, hex(zeroblob(900000000)) AS report FROM n;",
        "CREATE TABLE cells (key, report AS (hex(zeroblob(90000000))));"
        "INSERT INTO cells (key) VALUES ('k');",
        "CREATE TABLE other (x);",
        "CREATE VIRTUAL TABLE cells USING fts5(key, report);",
    ],
    ids=["endless", "endless, no report", "large", "computed", "none", "virtual"],
)
def test_what_computes_is_refused_in_bounded_time(tmp_path, schema):
    path = tmp_path / "t.sqlite"
    try:
        table(path, f"{schema} PRAGMA user_version = {VERSION};")
    except sqlite3.OperationalError as error:
        pytest.skip(f"SQLite makes no such table: {error}")
    refused(path)


def test_a_trigger_runs_nothing(tmp_path):
    path = table(tmp_path / "t.sqlite", SCHEMA, ROW)
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE log (x); CREATE TRIGGER t AFTER UPDATE ON cells BEGIN "
            "INSERT INTO log VALUES (1); END;"
        )
    connection.close()
    with pytest.raises(BadArtifact, match="not authorized"), open_table(path, create=True) as found:
        found.settle(ROW[0], "failed", message="x")
    with open_table(path) as found:
        assert [row.status for row in found.rows()] == ["measured"]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"hello" * 1000, b"\0" * 4096])
def test_a_file_that_is_no_database(tmp_path, content):
    path = tmp_path / "t.sqlite"
    path.write_bytes(content)
    refused(path)
