"""Lines of progress of a long loop."""

from __future__ import annotations

import pickle

import pytest

from styleexport.core import counted as module
from styleexport.core.counted import Prefixed, Tally, counted


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_long_loop_says_what_is_done_and_left(clock):
    lines: list[str] = []
    for _ in counted(range(4), "pictures", lines.append):
        clock[0] += 0.75
    assert lines == [
        "pictures: 2 of 4, 0.8 s each, 2 s left",
        "pictures: 4 of 4, 0.8 s each, 0 s left",
    ]
    first = lines[0]
    assert isinstance(first, Tally)
    assert (first.what, first.done, first.total, first.seconds) == ("pictures", 2, 4, 1.5)


def test_a_short_loop_says_nothing(clock):
    lines: list[str] = []
    assert list(counted("abc", "pictures", lines.append)) == ["a", "b", "c"]
    assert lines == []


def test_a_tally_goes_to_another_process_and_behind_a_name():
    tally = Tally("pictures", 1, 4, 2.0)
    copy = pickle.loads(pickle.dumps(tally))
    assert copy == tally == "pictures: 1 of 4, 2.0 s each, 6 s left"
    assert (copy.what, copy.done, copy.total, copy.seconds) == ("pictures", 1, 4, 2.0)
    lines: list[str] = []
    progress = Prefixed(lines.append, "a.onnx")
    progress(tally)
    progress("write")
    assert lines == ["a.onnx: pictures: 1 of 4, 2.0 s each, 6 s left", "a.onnx: write"]
    assert isinstance(lines[0], Tally)
