"""`styleexport sweep`: what is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from styleexport.runtime_bench import sweep as engine
from styleexport.runtime_bench.sweep import SweepRequest, SweepRow

PLAN = """
networks = ["adain-lite"]
sizes = [64, 128]
runners = ["onnxruntime", "torch"]

[[recipes]]
precision = "int8"
"""


@pytest.fixture
def plan(cli) -> str:
    Path("sweep.toml").write_text(PLAN)
    return "sweep.toml"


def test_a_dry_run_prints_the_cells_and_writes_nothing(cli, plan):
    done = cli("sweep", plan, "--dry-run")
    done.fine()
    header, *rows = done.out.splitlines()
    assert header.split() == ["network", "target", "precision", "size", "runner", "status", "why"]
    assert [row.split()[3:] for row in rows] == [
        [size, runner, "waiting"]
        for size in ("64x64", "128x128")
        for runner in ("onnxruntime", "torch")
    ]
    assert sorted(p.name for p in Path.cwd().iterdir()) == [plan]


def test_json_holds_every_row(cli, plan):
    done = cli("sweep", plan, "--dry-run", "--json")
    done.fine()
    rows = json.loads(done.out)
    assert [row["runner"] for row in rows] == ["onnxruntime", "torch"] * 2
    assert {(row["target"], row["precision"], row["status"]) for row in rows} == {
        ("onnx", "int8", "waiting")
    }


def test_what_was_typed_reaches_the_sweep_and_missing_cells_fail(cli, plan, monkeypatch):
    seen: list[SweepRequest] = []

    def swept(request: SweepRequest, export: object, report: object) -> tuple[SweepRow, ...]:
        seen.append(request)
        facts = {"network": "a", "target": "onnx", "precision": "fp32", "budget": "", "size": "1x1"}
        return (
            SweepRow(key="1", runner="torch", status="measured", **facts),
            SweepRow(key="2", runner="litert", status="killed", message="gone", **facts),
        )

    monkeypatch.setattr(engine, "sweep", swept)
    done = cli("sweep", plan, "--restart", "--workers", 3, "--scheduler", "tcp://x:1", "-o", "t.db")
    assert done.code == 4
    assert done.talk == [
        "table: t.db",
        "error: 1 of 2 cells were not measured, the first on litert: gone; run the same command "
        "again to try those",
    ]
    assert "killed" in done.out
    (request,) = seen
    assert (request.restart, request.workers, request.scheduler) == (True, 3, "tcp://x:1")
    assert request.suffixes == {"onnx": ".onnx"}
    cli("sweep", plan)
    assert (seen[1].out, seen[1].restart) == (Path("sweep.sqlite"), False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("networks = 3", ("is not a sweep", "networks")),
        (f"colour = 1\n{PLAN}", ("unknown field `colour`",)),
        (PLAN.replace('"torch"', '"toch"'), ("unknown runner 'toch'", "did you mean torch")),
        (PLAN.replace("int8", "int7"), ("Invalid enum value 'int7'",)),
        (f'{PLAN}target = "onx"\n', ("unknown target 'onx'",)),
        (PLAN.replace("64,", "0,"), ("out of range",)),
    ],
)
def test_a_file_that_is_no_sweep_is_refused(cli, text: str, words: tuple[str, ...]):
    Path("bad.toml").write_text(text)
    cli("sweep", "bad.toml").refused(2, *words)
    assert sorted(p.name for p in Path.cwd().iterdir()) == ["bad.toml"]


def test_a_missing_file_and_a_foreign_table_are_refused(cli, plan):
    cli("sweep", "none.toml").refused(2, "none.toml does not exist")
    Path("sweep.sqlite").write_text("something else entirely " * 50)
    cli("sweep", plan).refused(2, "sweep.sqlite is not the table of a sweep", "choose another")
    cli("sweep", plan, "--dry-run").refused(2, "sweep.sqlite is not the table of a sweep")
    cli("sweep", plan, "--workers", 0).refused(2, "--workers is 0")
