"""The limit of CPU time per test, on test files that spend it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

BURN = """
import time, subprocess, sys, pytest
from tests.cpu_guard import shared_work

LOOP = "import time\\nwhile time.process_time() < 0.6: pass"

def burn(seconds=0.6):
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass
"""
LIMITED = ("-p", "tests.cpu_guard", "-o", "cpu_limit=0.5", "-o", "markers=slow", "-p", "no:xdist")


def outcomes(pytester: pytest.Pytester, body: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(BURN + body)
    return pytester.runpytest_inprocess(*LIMITED, *options)


@pytest.mark.parametrize(
    "body",
    [
        "def test_it(): burn()",
        "def test_it(): subprocess.run([sys.executable, '-c', LOOP])",
        "@pytest.fixture\ndef fixture(): burn()\ndef test_it(fixture): pass",
    ],
    ids=["itself", "child", "fixture"],
)
def test_more_cpu_than_the_limit_fails_the_run(pytester, body):
    result = outcomes(pytester, body)
    result.assert_outcomes(passed=1, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines([r".*::test_it took \d\.\d s of CPU, at most 0\.5 s allowed: .*"])


@pytest.mark.parametrize(
    "body",
    [
        "@pytest.mark.slow\ndef test_it(): burn()",
        "def test_it(): time.sleep(0.7)",
        "def test_it():\n    with shared_work('artifact'): burn()",
        "@pytest.fixture(scope='module')\ndef fixture(): burn()\ndef test_it(fixture): pass",
    ],
    ids=["marked slow", "waits", "makes what others share", "module fixture"],
)
def test_what_is_no_fault_of_the_test_passes(pytester, body):
    result = outcomes(pytester, body)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK


def test_the_report_lists_files_tests_and_shared_work(pytester):
    body = """
@pytest.mark.slow
def test_it():
    burn()
    with shared_work('an artifact'): burn(0.3)
"""
    result = outcomes(pytester, body, "--junitxml=junit.xml")
    result.stdout.re_match_lines_random(
        [r"=+ CPU seconds: \d in all =+", r" +0\.\d  test_\w+\.py$", r" +0\.3  an artifact"]
    )
    assert 'name="cpu_seconds"' in (pytester.path / "junit.xml").read_text()


def test_the_scheduler_reads_the_group_of_a_test(request):
    """Without, the tests of a file are dealt to all processes, which each make its fixtures."""
    if getattr(request.config.option, "loadgroup", False):
        assert request.node.nodeid.endswith("@test_cpu_guard.py")
