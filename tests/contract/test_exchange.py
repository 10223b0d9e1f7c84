"""Reports that Kotlin, Swift and JavaScript wrote, read by Python, and the other way round."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from styleexport.runtime_bench.contract.job import job_from_json
from styleexport.runtime_bench.contract.latency import read_report
from tests.contract import exchange
from tools.android_check.__main__ import locked
from tools.android_check.outcome import PieceMissing
from tools.android_check.pieces import Pieces, cache_folder
from tools.android_check.steps import BUILD, Steps

# The user's own, looked up before the tests are given theirs.
CACHE = cache_folder()
APPS = ("kotlin", "swift")
IS_CI = os.environ.get("CI") == "true"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a copy of the exchange folder, so that tests can run beside the apps' checks."""
    copy = tmp_path / "exchange"
    for language in APPS:
        path = exchange.report_path(exchange.exchange_folder(), language)
        if path.is_file():
            exchange.report_path(copy, language).parent.mkdir(parents=True)
            shutil.copyfile(path, exchange.report_path(copy, language))
    exchange.write_python(copy)
    return copy


def missing(reason: str) -> NoReturn:
    """Skip, or fail in CI, which has all that a report needs."""
    (pytest.fail if IS_CI else pytest.skip)(reason)


# `make android-check` may run beside the tests and hold the lock.
@pytest.mark.timeout(1800)
@pytest.mark.slow
def test_python_reads_the_report_of_kotlin():
    path = exchange.report_path(exchange.exchange_folder(), "kotlin")
    steps = Steps(Pieces(CACHE, offline=not IS_CI, say=print), BUILD)
    with locked(BUILD):
        try:
            if not path.is_file():
                steps.compile_contract()
                steps.test_contract()
        except PieceMissing as error:
            missing(f"no report of kotlin: {error}; type `make android-check`")
    assert read_report(path) == exchange.expected_report()


def test_python_reads_the_report_of_swift(folder):
    path = exchange.report_path(folder, "swift")
    if not path.is_file():
        # A Swift compiler cannot be had everywhere.
        pytest.skip("no report of swift: type `make ios-check`")
    assert read_report(path) == exchange.expected_report()


def test_javascript_and_the_others_read_the_reports_of_each_other(folder):
    try:
        failure = exchange.run_javascript(folder)
    except FileNotFoundError as error:
        missing(str(error))
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
