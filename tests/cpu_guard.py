"""CPU time per test: printed by file, written to the JUnit report, and limited.

A test that is not marked ``slow`` and takes more than ``cpu_limit`` seconds of CPU (its process and
the children that ended during it, its own fixtures included) fails. CPU time, because the wall time
of a shared machine says little. What several tests share, fixtures of a module or session and what
runs in `shared_work`, is charged to its name and not to the test that came first.
"""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager

import pytest

LIMIT = "cpu_limit"
PROPERTY = "cpu_seconds"
SHARED = "cpu_shared"
FILES, TESTS = 20, 40

_shared: dict[str, float] = defaultdict(float)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, its threads, and its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@contextmanager
def shared_work(name: str) -> Generator[None]:
    """Charge what is done inside to a name in place of the test that runs."""
    start = cpu_seconds() - sum(_shared.values())
    try:
        yield
    finally:
        _shared[name] += cpu_seconds() - sum(_shared.values()) - start


@pytest.hookimpl(tryfirst=True)
def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(LIMIT, "Most CPU seconds of a test that is not marked slow.", default="20")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _shared.clear()
    item.stash[_START] = cpu_seconds()
    return (yield)


_START = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    if fixturedef.scope == "function":
        return (yield)
    with shared_work(f"{fixturedef.baseid or 'plugin'}: {fixturedef.argname}"):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    end = cpu_seconds()
    try:
        return (yield)
    finally:
        # The last test of a file tears down what all its tests shared: that is not its own.
        if nextitem is not None and nextitem.path == item.path:
            end = cpu_seconds()
        _judge(item, end - item.stash[_START] - sum(_shared.values()))


def _judge(item: pytest.Item, spent: float) -> None:
    """Note what a test spent, and fail it if that is over the limit."""
    limit = float(item.config.getini(LIMIT))
    item.user_properties.append((PROPERTY, round(spent, 2)))
    item.user_properties += [
        (SHARED, f"{seconds:.2f} {name}")
        for name, seconds in _shared.items()
        if seconds > limit / 100
    ]
    if spent > limit and item.get_closest_marker("slow") is None:
        pytest.fail(
            f"{item.nodeid} took {spent:.1f} s of CPU, at most {limit:g} s allowed: do less in "
            "it, share its artifacts (tests/zoo.py), or mark it slow",
            pytrace=False,
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tests: dict[str, float] = {}
    shared: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) != "teardown":
                continue
            for name, value in report.user_properties:
                if name == PROPERTY:
                    tests[report.nodeid] = value
                elif name == SHARED:
                    seconds, what = value.split(" ", 1)
                    shared[what] += float(seconds)
    files: dict[str, float] = defaultdict(float)
    for test, seconds in tests.items():
        files[test.partition("::")[0]] += seconds
    total = sum(tests.values()) + sum(shared.values())
    limit = float(terminalreporter.config.getini(LIMIT))
    if total < limit:
        return
    terminalreporter.section(f"CPU seconds: {total:.0f} in all")
    for title, counts, most in (
        ("files", files, FILES),
        ("tests", tests, TESTS),
        ("shared", shared, TESTS),
    ):
        terminalreporter.write_line(f"{title}: {sum(counts.values()):.0f}")
        for name, seconds in sorted(counts.items(), key=lambda item: -item[1])[:most]:
            if seconds < limit / 20:
                break
            terminalreporter.write_line(f"{seconds:8.1f}  {name}")
