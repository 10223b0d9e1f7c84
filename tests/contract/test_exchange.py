"""Reports that Kotlin, Swift and JavaScript wrote, read by Python, and the other way round."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from styleexport.runtime_bench.contract.job import job_from_json
from styleexport.runtime_bench.contract.latency import read_report
from tests.contract import exchange

# What writes a report where it is missing.
CHECKS = {"kotlin": "make android-check", "swift": "make ios-check"}
IS_CI = os.environ.get("CI") == "true"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a copy of the exchange folder, so that tests can run beside the apps' checks."""
    copy = tmp_path / "exchange"
    for language in CHECKS:
        path = exchange.report_path(exchange.exchange_folder(), language)
        if path.is_file():
            exchange.report_path(copy, language).parent.mkdir(parents=True)
            shutil.copyfile(path, exchange.report_path(copy, language))
    exchange.write_python(copy)
    return copy


@pytest.mark.parametrize("language", CHECKS)
def test_python_reads_the_report_of_an_app(folder, language):
    path = exchange.report_path(folder, language)
    if not path.is_file():
        reason = f"no report of {language}: type `{CHECKS[language]}`"
        # A Swift compiler cannot be had everywhere; the Kotlin compiler can.
        if IS_CI and language == "kotlin":
            pytest.fail(reason)
        pytest.skip(reason)
    assert read_report(path) == exchange.expected_report()


def test_javascript_and_the_others_read_the_reports_of_each_other(folder):
    try:
        failure = exchange.run_javascript(folder)
    except FileNotFoundError as error:
        if IS_CI:
            raise
        pytest.skip(str(error))
    assert failure is None, failure
    report = read_report(exchange.report_path(folder, "javascript"))
    job_path = exchange.ROOT / "tests/contract/jobs/job.json"
    job = job_from_json(job_path.read_bytes(), "job")
    expected = exchange.expected_report()
    assert (report.harness.name, report.nonce) == ("browser", job.nonce)
    assert report.protocol.rounds == job.plan.rounds
    same = {name: getattr(report, name) for name in ("harness", "nonce", "command", "protocol")}
    assert msgspec.structs.replace(expected, **same) == report


def test_a_report_that_another_language_spoils_is_seen(folder):
    path = exchange.report_path(folder, "python")
    path.write_bytes(path.read_bytes().replace(b'"cores": 9', b'"cores": 8'))
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    failure = exchange.run_javascript(folder)
    assert failure and "python.cores" in failure
