"""The table of a sweep: an SQLite file with a row and a latency report per cell."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Generator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import msgspec

from styleexport.core.errors import BadArtifact, DeviceError
from styleexport.core.files import Product, check_replaceable
from styleexport.core.input_files import check_input, open_input
from styleexport.runtime_bench.contract.latency import LatencyReport, report_from_json
from styleexport.runtime_bench.sweep.plan import SweepCell

VERSION = 1
# Of a table from elsewhere; a sweep of thousands of cells is far below.
MAX_ROWS = 1_000_000
MAX_VALUE_BYTES = 256 << 20
MAX_STEPS = 500_000_000
STEPS = 100_000
# ``killed``: the process that worked on it died twice.
Status = Literal["waiting", "measured", "failed", "killed"]
SCHEMA = f"""
CREATE TABLE cells (
    key TEXT PRIMARY KEY,       -- digest over all that the result depends on
    network TEXT NOT NULL,
    target TEXT NOT NULL,
    precision TEXT NOT NULL,
    budget TEXT NOT NULL,       -- '' for the recipe's own
    size TEXT NOT NULL,         -- HEIGHTxWIDTH
    runner TEXT NOT NULL,       -- as in the sweep file, or 'all'
    status TEXT NOT NULL CHECK (status IN {get_args(Status)}),
    message TEXT NOT NULL,      -- why it was not measured
    host TEXT NOT NULL,         -- that measured it
    finished TEXT NOT NULL,     -- UTC, ISO 8601
    report TEXT                 -- the latency report, JSON
) STRICT;
PRAGMA user_version = {VERSION};
"""
MAKE = f"BEGIN; DROP TABLE IF EXISTS cells; {SCHEMA} COMMIT;"


class SweepRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row without its report; `SCHEMA` describes the columns."""

    key: str
    network: str
    target: str
    precision: str
    budget: str
    size: str
    runner: str
    status: Status
    message: str = ""
    host: str = ""
    finished: str = ""


COLUMNS = ", ".join(SweepRow.__struct_fields__)


def row_of(cell: SweepCell) -> SweepRow:
    """Return the row of a cell that is not measured yet."""
    recipe = cell.export.recipe
    return SweepRow(
        key=cell.key,
        network=cell.export.network.name,
        target=recipe.target,
        precision=recipe.precision.value,
        budget=recipe.budget or "",
        size=cell.export.size,
        runner=cell.runner,
        status="waiting",
    )


class Table:
    """An open table, written by one process; every write is a transaction.

    Args:
        connection: connection to the file.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, cells: Iterable[SweepCell]) -> None:
        """Add the cells that are not in the table yet."""
        with self._connection as connection:
            for cell in cells:
                row = msgspec.structs.astuple(row_of(cell))
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT OR IGNORE INTO cells ({COLUMNS}) VALUES ({marks})", row)

    def settle(
        self, key: str, status: Status, *, message: str = "", host: str = "", report: bytes = b""
    ) -> None:
        """Store the result of a cell."""
        finished = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = report.decode() if report else None
        with self._connection as connection:
            connection.execute(
                "UPDATE cells SET status = ?, message = ?, host = ?, finished = ?, report = ? "
                "WHERE key = ?",
                (status, message, host, finished, text, key),
            )

    def rows(self) -> tuple[SweepRow, ...]:
        """Return all rows, in the order in which they were added."""
        rows = self._all(f"SELECT {COLUMNS} FROM cells ORDER BY rowid")
        names = SweepRow.__struct_fields__
        return tuple(msgspec.convert(dict(zip(names, row, strict=True)), SweepRow) for row in rows)

    def reports(self, source: str) -> tuple[LatencyReport, ...]:
        """Return the report of every measured cell, in the order of the rows.

        Args:
            source: name of the table, for messages.

        Raises:
            BadArtifact: a report is damaged.
        """
        query = "SELECT key, report FROM cells WHERE report IS NOT NULL ORDER BY rowid"
        stored = msgspec.convert(self._all(query), list[tuple[str, str]])
        return tuple(
            report_from_json(text.encode(), f"cell {key[:8]} of {source}") for key, text in stored
        )

    def _all(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query.

        Raises:
            sqlite3.DataError: there are more than any sweep has.
        """
        rows = self._connection.execute(query).fetchmany(MAX_ROWS + 1)
        if len(rows) > MAX_ROWS:
            raise sqlite3.DataError(f"it holds more than {MAX_ROWS} rows")
        return rows


@contextlib.contextmanager
def open_table(path: Path, *, create: bool = False, restart: bool = False) -> Generator[Table]:
    """Return the table in a file, closed at the end of the block.

    Args:
        path: path of the file.
        create: whether to create a missing file.
        restart: whether to forget what an earlier sweep wrote.

    Raises:
        BadArtifact: the file is missing, or is not a table of this version.
        UsageError: it is to be begun anew and is not the table of a sweep.
        DeviceError: it cannot be written.
    """
    if restart:
        check_replaceable(path, TABLE)
    if not create or os.path.lexists(path):
        remedy = f"make one with `styleexport sweep sweep.toml -o {path}`"
        check_input(path, error=BadArtifact, remedy=remedy)
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path)
    except (OSError, sqlite3.Error) as error:
        raise DeviceError(f"cannot write {path}: {error}; choose another with -o") from error
    with contextlib.closing(connection):
        try:
            if restart:
                connection.executescript(MAKE)
            _check(connection, path, create)
            _restrict(connection, writable=create)
            yield Table(connection)
        except sqlite3.OperationalError as error:
            if str(error) == "interrupted":
                raise _not_a_table(path, "it takes too long to read") from error
            raise DeviceError(f"cannot use {path}: {error}; free some space or close it") from error
        except (sqlite3.DatabaseError, msgspec.ValidationError, UnicodeDecodeError) as error:
            raise _not_a_table(path, str(error)) from error


def _check(connection: sqlite3.Connection, path: Path, create: bool) -> None:
    connection.text_factory = _text
    connection.execute("PRAGMA trusted_schema = OFF")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if not tables and create:
        connection.executescript(MAKE)
    elif not tables:
        raise _not_a_table(path, "it is empty")
    elif version != VERSION and _has_cells(connection):
        raise BadArtifact(
            f"{path} is a sweep's table of version {version}, expected {VERSION}: choose another "
            "file, or begin anew with --restart"
        )
    elif version != VERSION:
        raise _not_a_table(path, f"it is of version {version}, expected {VERSION}")
    elif not _has_cells(connection):
        raise _not_a_table(path, "its cells are of something else")
    query = "SELECT type, substr(sql, 1, 13) FROM sqlite_master WHERE name = 'cells'"
    if connection.execute(query).fetchall() != [("table", "CREATE TABLE ")]:
        raise _not_a_table(path, "its cells are no table")


def _text(raw: bytes) -> str:
    return raw.decode()


def _restrict(connection: sqlite3.Connection, *, writable: bool) -> None:
    """Bound what a table from elsewhere can make SQLite do.

    Its views, triggers and generated columns run nothing, values and the work of all queries are
    limited, and a table that is only read is not written.
    """
    if not writable:
        connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    steps = iter(range(MAX_STEPS // STEPS))
    connection.set_progress_handler(lambda: next(steps, None) is None, STEPS)
    allowed = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}
    if writable:
        allowed |= {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_TRANSACTION}

    def authorize(
        action: int, first: str | None, _second: str | None, _name: str | None, inner: str | None
    ) -> int:
        is_ours = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_TRANSACTION) or first == "cells"
        permitted = action in allowed and is_ours and inner is None
        return sqlite3.SQLITE_OK if permitted else sqlite3.SQLITE_DENY

    connection.set_authorizer(authorize)


def _has_cells(connection: sqlite3.Connection) -> bool:
    columns = {row[1] for row in connection.execute("PRAGMA table_info(cells)")}
    return {"key", "network", "runner", "status", "report"} <= columns


def _is_table(path: Path) -> bool:
    with open_input(path) as file:
        if file.read(16) != b"SQLite format 3\0":
            return False
    # Open for writing: a killed process may have left a transaction to roll back.
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return _has_cells(connection)


TABLE = Product("the table of a sweep", _is_table)


def _not_a_table(path: Path, reason: str) -> BadArtifact:
    return BadArtifact(f"{path} is not the table of a sweep: {reason}; choose another file with -o")


def reports(path: Path) -> tuple[LatencyReport, ...]:
    """Return the reports of all measured cells of a table.

    Raises:
        BadArtifact: the file is no table of a sweep, or a report in it is damaged.
    """
    with open_table(path) as table:
        return table.reports(str(path))
