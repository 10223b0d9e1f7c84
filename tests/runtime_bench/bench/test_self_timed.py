"""Cells of a browser in a report of the desktop: merged in their places, missing ones explained."""

from __future__ import annotations

import msgspec
import pytest

from styleexport.core.errors import DeviceError
from styleexport.core.types import Role
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice
from styleexport.runtime_bench.runners.browser import RUNNER, _drive

BOTH = (RunnerChoice("fake"), RunnerChoice("browser", {"backend": "webgpu"}))


@pytest.fixture
def page(bench, monkeypatch):
    """A browser that measures the first file that it is asked for, and notes what that was."""
    asked = []
    report = bench("fake")

    def measure(folder, wanted, plan, say):
        asked.append((folder, sorted((path, str(size)) for path, size in wanted), plan))
        (cell,) = report.cells
        return msgspec.structs.replace(report, cells=(cell,))

    monkeypatch.setattr(type(RUNNER), "unavailable", lambda self, settings=None: None)
    monkeypatch.setattr(_drive, "bench_in_browser", measure)
    return asked


def test_a_browsers_cells_stand_in_their_places(bench, page):
    cells = bench(runners=BOTH, roles=(Role.ENCODE, Role.TRANSFORM), sizes=()).cells
    labels = [(cell.subject.role.value, str(cell.size.size()), cell.runner) for cell in cells]
    assert labels == [
        (role, size, runner)
        for size in ("64x64", "64x96")
        for role in ("encode", "transform")
        for runner in ("fake", "browser")
    ]
    (measured,) = [c for c in cells if c.runner == "browser" and c.status == "measured"]
    assert measured.subject.path == "adain-lite_transform_64x96_fp32.onnx"
    assert measured.runner_label == "browser:backend=webgpu"
    missing = [c for c in cells if c.runner == "browser" and c.status != "measured"]
    assert {(c.status, c.message) for c in missing} == {("failed", "browser sent nothing of it")}


def test_a_browser_is_told_the_protocol_once_an_artifact(bench, page):
    bench(runners=BOTH, sizes=(), rounds=5, seconds=0.25, seed=3)
    ((folder, wanted, plan),) = page
    assert folder == bench.artifact
    assert wanted == [
        ("adain-lite_transform_64x64_fp32.onnx", "64x64"),
        ("adain-lite_transform_64x96_fp32.onnx", "64x96"),
    ]
    assert (plan.rounds, plan.seconds, plan.seed, plan.backend) == (5, 0.25, 3, "webgpu")


def test_a_browser_takes_one_picture(bench, page):
    cells = bench(runners=BOTH[1:], batches=(1, 2)).cells
    assert [(cell.batch, cell.status) for cell in cells] == [(1, "measured"), (2, "unavailable")]
    assert cells[1].message == "browser takes one picture at a time; type --batch 1"


def test_a_browser_that_fails_costs_only_its_cells(bench, page, monkeypatch):
    def broken(*_):
        raise DeviceError("Chromium ended with code 1")

    monkeypatch.setattr(_drive, "bench_in_browser", broken)
    ours, theirs = bench(runners=BOTH).cells
    assert ours.status == "measured"
    assert (theirs.status, theirs.message) == ("unavailable", "Chromium ended with code 1")


def test_without_a_browser_its_cells_say_why(bench, monkeypatch):
    monkeypatch.setattr(type(RUNNER), "unavailable", lambda self, settings=None: "no Chromium here")
    (_, theirs) = bench(runners=BOTH).cells
    assert (theirs.status, theirs.message) == ("unavailable", "no Chromium here")
