"""`make ios-check`: the faults it finds, and its output where a tool is missing."""

from __future__ import annotations

import importlib.util
import plistlib
import re
import shutil
import stat
import subprocess
from pathlib import Path

import msgspec
import pytest

from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.contract.job import PlanFact, job_cells, new_job
from styleexport.runtime_bench.contract.latency import report_from_json
from styleexport.runtime_bench.phones import answer
from styleexport.runtime_bench.runners.coreml import UNITS
from tools.ios_check import (
    __main__,
    compiler,
    debian_swift,
    info_plist,
    project,
    sources,
    syntax,
)

HARNESS = sources.HARNESS
CONTRACT = sources.ROOT / "tests" / "contract"
ARTIFACT = CONTRACT / "artifacts" / "colour-transfer"


def _program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_compute_units_are_those_of_the_desktop():
    text = (HARNESS / "Sources/StyleHarnessCoreML/ComputeUnits.swift").read_text()
    cases = re.findall(r'^    case (\w+)(?: = "([^"]+)")?$', text, re.M)
    assert {raw or name for name, raw in cases} == set(UNITS)


def test_every_file_parses():
    outcome = syntax.check()
    assert outcome.status != "failed", outcome.lines


def test_a_file_that_is_cut_off_is_found():
    pytest.importorskip("tree_sitter_swift")
    whole = (HARNESS / "Sources/StyleHarness/Measuring/WarmUpRule.swift").read_bytes()
    assert syntax.parse_faults(whole) == []
    assert syntax.parse_faults(whole[: len(whole) // 2])
    assert syntax.parse_faults(b"struct A { let a: }\n")[0].startswith("1: ")


def test_conditions_are_balanced():
    assert syntax.conditions("#if canImport(CoreML)\nlet a = 1\n#endif\n") == []
    assert syntax.conditions("#if canImport(CoreML)\nlet a = 1\n") == ["1 #if and 0 #endif"]


def test_without_a_grammar_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    outcome = syntax.check()
    assert outcome.status == "not possible here"
    assert "pip install tree-sitter tree-sitter-swift" in outcome.lines[0]


def test_the_project_and_the_plist_fit():
    assert project.check().status != "failed", project.check().lines
    assert info_plist.check().status == "passed", info_plist.check().lines


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda p: p["targets"]["StyleExport"]["sources"][0].update(path="gone"),
            "gone is not there",
        ),
        (lambda p: p["options"]["deploymentTarget"].update(iOS="16.0"), "iOS 16.0 is not that of"),
        (lambda p: p["settings"]["base"].update(SWIFT_VERSION="5.0"), "SWIFT_VERSION must be 6.0"),
        (
            lambda p: p["targets"]["StyleExport"]["settings"]["base"].update(
                PRODUCT_BUNDLE_IDENTIFIER="org.other"
            ),
            "the host launches org.styleexport.harness",
        ),
        (
            lambda p: p["targets"]["StyleExport"]["dependencies"][0].update(product="Other"),
            "Package.swift has no library Other",
        ),
        (lambda p: p.update(extra=1), "unknown key extra"),
        (lambda p: p["targets"].pop("StyleExportTests"), "no target StyleExportTests"),
    ],
)
def test_a_project_that_does_not_fit_is_found(change, fault):
    yaml = pytest.importorskip("yaml")
    spec = yaml.safe_load((HARNESS / "project.yml").read_text())
    manifest = (HARNESS / "Package.swift").read_text()
    assert list(project.faults(spec, manifest)) == []
    change(spec)
    assert any(fault in line for line in project.faults(spec, manifest))


def test_a_plist_that_asks_for_more_is_found():
    keys = plistlib.loads(info_plist.PATH.read_bytes())
    assert info_plist.faults(keys) == []
    assert info_plist.faults({**keys, "NSUserTrackingUsageDescription": "x"}) == [
        "NSUserTrackingUsageDescription does not belong here",
        "asks for ['NSCameraUsageDescription', 'NSUserTrackingUsageDescription'], expected the "
        "camera alone",
    ]
    assert info_plist.faults({**keys, "NSCameraUsageDescription": "camera"}) == [
        "NSCameraUsageDescription gives no reason"
    ]


def test_another_program_that_is_called_swift_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("SWIFT", _program(tmp_path / "swift", "echo python-swiftclient 4.3"))
    assert compiler.swift() is None
    real = _program(tmp_path / "swift", "echo 'Swift version 6.0.3 (swift-6.0.3-RELEASE)'")
    assert compiler.swift() == real


@pytest.mark.parametrize(
    ("script", "status", "line"),
    [
        ("echo 'Executed 57 tests, with 0 failures (0 unexpected)'", "passed", "57 tests passed"),
        ("echo '/a.swift:1:2: error: no such type'; exit 1", "failed", "no such type"),
        (
            "echo '/a.swift:1:2: warning: unused'; echo 'Executed 1 test, with 0 failures'",
            "failed",
            "unused",
        ),
        ("echo nothing", "failed", "no test was run"),
    ],
)
def test_errors_warnings_and_missing_tests_fail_the_check(tmp_path, script, status, line):
    outcome = compiler.check_tests(_program(tmp_path / "swift", script), tmp_path)
    assert outcome.status == status
    assert line in outcome.lines[0]


def test_without_a_compiler_it_passes_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(compiler, "swift", lambda: None)
    assert __main__.main() == 0
    output = capsys.readouterr().out
    assert "swift test: not possible here\n  no Swift compiler: nothing was compiled." in output
    assert "Not covered by any of these: running the app" in output


def test_a_failure_is_the_exit_code(monkeypatch):
    monkeypatch.setattr(compiler, "swift", lambda: None)
    monkeypatch.setattr(info_plist, "faults", lambda _: ["broken"])
    assert __main__.main() == 1


def test_a_launcher_is_a_shell_script(tmp_path):
    debian_swift.write_launchers(tmp_path)
    for tool in ("swift", "swiftc"):
        subprocess.run(["sh", "-n", str(tmp_path / tool)], check=True)
        assert f" {tool} " in (tmp_path / tool).read_text()


@pytest.fixture(scope="module")
def swift():
    program = compiler.swift()
    if program is None:
        pytest.skip(compiler.NO_COMPILER)
    return program


def test_a_build_is_reused_until_a_source_changes(tmp_path, monkeypatch):
    digests = iter(("a", "a", "b"))
    monkeypatch.setattr(compiler, "package_digest", lambda: next(digests))
    assert not compiler.is_built(tmp_path)
    program = _program(tmp_path / "swift", "echo 'Executed 1 test, with 0 failures'")
    assert compiler.check_tests(program, tmp_path).status == "passed"
    assert compiler.is_built(tmp_path)
    assert not compiler.is_built(tmp_path)


@pytest.mark.slow
def test_the_report_of_a_job_is_the_one_that_the_host_expects(swift):
    scratch = __main__.SCRATCH / "jobs"
    scratch.mkdir(parents=True, exist_ok=True)
    cells = tuple(
        msgspec.structs.replace(wish, runner="ios", requested={"units": units})
        for wish in job_cells(read_manifest(ARTIFACT), (".mlpackage",))
        for units in ("all", "cpu")
    )
    plan = PlanFact(rounds=2, seconds=0.001, min_samples=2, warm_up_seconds=0.01)
    job = new_job(cells, plan, nonce="0123456789abcdef", command="styleexport bench x --runner ios")
    path, report_path = scratch / "job.json", scratch / "report.json"
    path.write_bytes(msgspec.json.encode(job))
    command = ("styleharness", "bench", str(ARTIFACT), "--fake", "--job", str(path))
    code, output = compiler.run_package(
        swift, "run", __main__.SCRATCH, *command, "-o", str(report_path)
    )
    assert code == 0, output
    report = answer.report_of(report_path.read_bytes(), job, "ios", "the command line")
    assert [cell.status for cell in report.cells] == ["measured"] * len(cells)
    assert [cell.requested for cell in report.cells] == [wish.requested for wish in cells]
    assert all(len(cell.rounds_ns) == 2 for cell in report.cells)
    assert (report.command, report.harness.version) == (job.command, job.version)
    assert {cell.effective["engine"] for cell in report.cells} == {"fake"}


@pytest.mark.slow
def test_swift_and_python_read_the_reports_of_each_other(swift):
    exchange = __main__.SCRATCH / "exchange"
    shutil.rmtree(exchange, ignore_errors=True)
    if compiler.EXCHANGE_FOLDER.is_dir():
        shutil.copytree(compiler.EXCHANGE_FOLDER, exchange)
    original = (CONTRACT / "reports" / "phone.json").read_bytes()
    (exchange / "python").mkdir(parents=True, exist_ok=True)
    (exchange / "python" / "report.json").write_bytes(report_from_json(original, "").encoded())
    code, output = compiler.run_package(
        swift, "test", __main__.SCRATCH, "--filter", "ExchangeTests", exchange=exchange
    )
    assert code == 0 and "Executed 2 tests, with 0 failures" in output, output
    written = (exchange / "swift" / "report.json").read_bytes()
    assert report_from_json(written, "swift") == report_from_json(original, "fixture")
