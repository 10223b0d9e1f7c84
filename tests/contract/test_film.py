"""Smoothed statistics: what the fixture holds is what `docs/reference/film.md` says."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from styleexport.runtime_bench.stylize import stability
from styleexport.runtime_bench.stylize.stability import SmoothedStatistics
from tests.contract import film, make

FIXTURE = json.loads((make.HERE / "film.json").read_text())
CASES = FIXTURE["cases"]


def test_the_constants_are_those_of_the_package():
    constants = (stability.LONGEST_S, stability.CUT, stability.FLOOR)
    assert (FIXTURE["longest_s"], FIXTURE["cut"], FIXTURE["floor"]) == constants


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_python_host_computes_them(case):
    facts = [
        film.fact(name, kind, len(case["frames"][0]["passes"][number if number else 0][name]))
        for number, (name, kind) in enumerate(case["kinds"].items())
    ]
    smoothed = SmoothedStatistics(facts, case["stability"])
    for frame in case["frames"]:
        before = smoothed.cuts
        smoothed.frame(frame["seconds"])
        for given, expected in zip(frame["passes"], frame["smoothed"], strict=True):
            found = smoothed({k: np.array([v], np.float32) for k, v in given.items()})
            for name, values in expected.items():
                scale = np.maximum(1, np.abs(values))
                assert np.abs((found[name][0] - values) / scale).max() < FIXTURE["tolerance"]
        assert (smoothed.cuts > before) == frame["cut"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_page_says_how(case):
    """The formulas of the page, written down once more."""
    averages, last, before = {}, None, None
    for frame in case["frames"]:
        constant = case["stability"] * FIXTURE["longest_s"]
        elapsed = math.inf if before is None else max(0.0, frame["seconds"] - before)
        weight = 1.0 if constant == 0 else 1 - math.exp(-elapsed / constant)
        first = frame["passes"][0]
        cut = last is not None and distance(last, first, case["kinds"]) > FIXTURE["cut"]
        assert cut == frame["cut"]
        weight = 1.0 if cut else weight
        for given, expected in zip(frame["passes"], frame["smoothed"], strict=True):
            for name, values in given.items():
                old = averages.get(name, values)
                averages[name] = [a + weight * (x - a) for a, x in zip(old, values, strict=True)]
                assert averages[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-5)
        last, before = first, frame["seconds"]


def distance(last, first, kinds):
    total = 0.0
    for name, new in first.items():
        old = last[name]
        if kinds[name] == "mean":
            lengths = math.hypot(*old) * math.hypot(*new)
            apart = sum((x - y) ** 2 for x, y in zip(old, new, strict=True))
            total += apart / lengths if lengths else float(apart > 0)
            continue
        half = len(new) // 2
        own, other = deviations(old[half:]), deviations(new[half:])
        total += (
            sum(
                (new[c] - old[c]) ** 2 / (own[c] * other[c]) + math.log(other[c] / own[c]) ** 2
                for c in range(half)
            )
            / half
        )
    return math.sqrt(total / len(first))


def deviations(variances):
    floor = FIXTURE["floor"] * math.sqrt(sum(variances) / len(variances))
    return [max(math.sqrt(v), floor) if floor else 1.0 for v in variances]


def test_each_case_tests_what_its_name_says():
    by_name = {case["name"]: case for case in CASES}
    cuts = {name: [f["cut"] for f in case["frames"]] for name, case in by_name.items()}
    assert cuts["a cut"] == [n == 4 for n in range(7)]
    assert cuts["means"] == [False, False, False, True, False, True]
    assert cuts["flat pictures"] == [False, False, True, True]
    alone = by_name["each by itself"]["frames"]
    assert all(frame["smoothed"] == approx(frame["passes"]) for frame in alone)
    # After a cut the first frame is painted by its own statistics, in every pass.
    after = by_name["a cut"]["frames"][4]
    assert after["smoothed"] == approx(after["passes"])
    # No time has passed between two of them.
    same = by_name["uneven times"]["frames"]
    assert same[3]["seconds"] == same[4]["seconds"]


def approx(passes):
    return [{name: pytest.approx(values) for name, values in one.items()} for one in passes]
