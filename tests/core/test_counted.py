"""Lines of progress of a long loop."""

from __future__ import annotations

import pytest

from styleexport.core import counted as module
from styleexport.core.counted import counted


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_long_loop_says_what_is_done_and_left(clock):
    lines: list[str] = []
    for _ in counted(range(8), "pictures", lines.append):
        clock[0] += 2
    assert lines == [
        "pictures: 3 of 8, 2.0 s each, 10 s left",
        "pictures: 6 of 8, 2.0 s each, 4 s left",
    ]


def test_a_short_loop_says_nothing(clock):
    lines: list[str] = []
    assert list(counted("abc", "pictures", lines.append)) == ["a", "b", "c"]
    assert lines == []
