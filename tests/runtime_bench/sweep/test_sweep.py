"""A sweep on a real cluster of two processes, with exports and measurements made up."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cloudpickle
import msgspec
import pytest

from styleexport.core import locks
from styleexport.core.errors import DeviceError, ParityFailure
from styleexport.runtime_bench.contract.latency import LatencyReport
from styleexport.runtime_bench.sweep import SweepRequest, engine, host_lock, read_plan, reports, run
from styleexport.runtime_bench.sweep.engine import Engine
from styleexport.runtime_bench.sweep.plan import PlannedArtifact, SweepCell
from styleexport.runtime_bench.sweep.run import current_rows, sweep

pytest.importorskip("distributed")
# The processes of the cluster cannot import this file.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Fake:
    """Exports and measures nothing, and writes down when: a line each, in one folder."""

    def __init__(self, folder: Path, report: LatencyReport) -> None:
        self.folder, self.answer = folder, report.encoded()
        self.together = 0
        self.failing = self.deadly = self.deadly_once = ""

    def log(self, what: str, name: str) -> None:
        with (self.folder / "log").open("a") as file:
            file.write(f"{what} {name} {os.getpid()}\n")

    def lines(self, what: str) -> list[str]:
        text = (self.folder / "log").read_text() if (self.folder / "log").exists() else ""
        return [line.split()[1] for line in text.splitlines() if line.startswith(what)]

    def export(self, item: PlannedArtifact, folder: Path) -> None:
        self.log("export", item.network.name)
        if item.network.name == self.failing:
            raise ParityFailure("it differs from its network")
        limit = time.monotonic() + 60
        while len(self.lines("export")) < self.together and time.monotonic() < limit:
            time.sleep(0.01)
        folder.mkdir(parents=True)
        (folder / "manifest.json").touch()
        self.log("made", item.network.name)

    def measure(self, cell: SweepCell, artifact: Path) -> bytes:
        name = cell.export.network.name
        assert (artifact / "manifest.json").exists()
        self.log("begin", name)
        mark = self.folder / "died"
        if name == self.deadly or (name == self.deadly_once and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)
        self.log("end", name)
        return self.answer


@pytest.fixture
def fake(tmp_path: Path, small_report: LatencyReport, monkeypatch: pytest.MonkeyPatch) -> Fake:
    monkeypatch.setattr(run.Path, "cwd", lambda: tmp_path)
    monkeypatch.setattr(run, "read_manifest", lambda folder: (folder / "manifest.json").read_text())
    monkeypatch.setattr(run, "BadArtifact", OSError)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return Fake(tmp_path, small_report)


@pytest.fixture
def request_of(tmp_path: Path) -> Callable[..., SweepRequest]:
    def make(*networks: str, **options: object) -> SweepRequest:
        named = ", ".join(f'"{name}"' for name in networks)
        (tmp_path / "sweep.toml").write_text(f"networks = [{named}]\nsizes = [64]\n")
        plan = read_plan(tmp_path / "sweep.toml")
        out = tmp_path / "out.sqlite"
        return SweepRequest(plan, tmp_path, out, {"onnx": ".onnx"}, workers=2, **options)  # type: ignore[arg-type]

    return make


def test_exports_run_together_and_measurements_alone_after_them(fake: Fake, request_of):
    fake.together = 2  # each waits for the other: alone, neither would end
    said: list[str] = []
    rows = sweep(request_of("a", "b", "c"), fake.export, said.append, measure=fake.measure)
    assert [row.status for row in rows] == ["measured"] * 3
    order = [line.split()[0] for line in (fake.folder / "log").read_text().splitlines()]
    assert order[-6:] == ["begin", "end"] * 3
    assert set(order[:-6]) == {"export", "made"}
    assert len(reports(fake.folder / "out.sqlite")) == 3
    assert said[0] == "3 of 3 cells to measure"
    assert sum("measured" in line for line in said) == 3


def test_a_killed_worker_is_tried_once_more_and_then_marked(fake: Fake, request_of):
    fake.deadly, fake.deadly_once = "b", "a"
    rows = sweep(request_of("a", "b", "c"), fake.export, list, measure=fake.measure)
    assert [row.status for row in rows] == ["measured", "killed", "measured"]
    assert "so was the one that tried again" in rows[1].message
    assert [fake.lines("begin").count(name) for name in "abc"] == [2, 2, 1]

    fake.deadly = ""
    said: list[str] = []
    rows = sweep(request_of("a", "b", "c"), fake.export, said.append, measure=fake.measure)
    assert said[0] == "1 of 3 cells to measure"
    assert [row.status for row in rows] == ["measured"] * 3
    assert fake.lines("begin").count("b") == 3
    assert len(fake.lines("export")) == 3  # the artifacts are there
    assert current_rows(request_of("a", "b", "c")) == rows


def test_an_export_that_fails_stops_no_other_and_restart_forgets(fake: Fake, request_of):
    fake.failing = "a"
    rows = sweep(request_of("a", "b"), fake.export, list, measure=fake.measure)
    assert [(row.status, row.message) for row in rows] == [
        ("failed", "export: it differs from its network"),
        ("measured", ""),
    ]
    assert fake.lines("begin") == ["b"]
    request = request_of("b", "c", restart=True)
    assert [row.status for row in current_rows(request)] == ["waiting", "waiting"]
    fake.folder.joinpath("out-artifacts").rename(fake.folder / "old")
    rows = sweep(request, fake.export, list, measure=fake.measure)
    assert [(row.network, row.status) for row in rows] == [("b", "measured"), ("c", "measured")]
    assert fake.lines("begin").count("b") == 2


def test_a_report_without_a_measured_cell_is_kept_and_tried_again(fake: Fake, request_of):
    decoded = msgspec.json.decode(fake.answer, type=LatencyReport)
    (cell,) = decoded.cells
    wrong = msgspec.structs.replace(cell, status="wrong", message="12 dB", rounds_ns=())
    good, fake.answer = fake.answer, msgspec.structs.replace(decoded, cells=(wrong,)).encoded()
    (row,) = sweep(request_of("a"), fake.export, list, measure=fake.measure)
    assert (row.status, row.message) == ("failed", "wrong: 12 dB")
    assert reports(fake.folder / "out.sqlite")[0].cells == (wrong,)
    fake.answer = good
    (row,) = sweep(request_of("a"), fake.export, list, measure=fake.measure)
    assert (row.status, row.message) == ("measured", "")


def test_a_plan_that_grew_keeps_what_is_measured(fake: Fake, request_of):
    sweep(request_of("a"), fake.export, list, measure=fake.measure)
    said: list[str] = []
    rows = sweep(request_of("b", "a"), fake.export, said.append, measure=fake.measure)
    assert said[0] == "1 of 2 cells to measure"
    assert {row.network for row in rows} == {"a", "b"}
    assert sweep(request_of("a", "b"), fake.export, said.append, measure=fake.measure)
    assert said[-1] == "0 of 2 cells to measure"


def test_a_host_does_all_of_a_group_one_task_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Engine, "hosts", lambda _: ("one", "two"))
    given: list[tuple[str, str]] = []
    running: set[str] = set()
    released: list[str] = []

    class Future:
        """Done as soon as it is asked."""

        def __init__(self, host: str) -> None:
            self.host = host

        def result(self) -> tuple[str, str]:
            running.discard(self.host)
            return "done", ""

        def release(self) -> None:
            released.append(self.host)

    class Client:
        """Takes tasks and notes where they went."""

        def submit(self, _: object, __: object, task: str, *, pure: bool, workers: list[str]):
            (host,) = workers
            assert host not in running, "two at once on one host"
            assert not pure
            running.add(host)
            given.append((task, host))
            return Future(host)

    class Completed(list):
        """`as_completed`, without a cluster."""

        add = list.append

        def __iter__(self):
            while self:
                yield self.pop(0)

    monkeypatch.setattr("distributed.as_completed", Completed)
    groups = [["a1", "a2"], ["b1"], ["c1", "c2"], []]
    outcomes = list(Engine(Client()).map_one_per_host(str, groups))
    assert sorted(item.task for item in outcomes) == ["a1", "a2", "b1", "c1", "c2"]
    assert len(released) == 5
    hosts = dict(given)
    assert hosts["a1"] == hosts["a2"]
    assert hosts["c1"] == hosts["c2"]
    assert set(hosts.values()) == {"one", "two"}


def test_a_host_is_held_by_one_who_measures_or_many_who_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("fcntl")
    monkeypatch.setattr(host_lock, "lock_path", lambda: tmp_path / "lock")
    monkeypatch.setattr(locks, "POLL_SECONDS", 0.001)
    got: list[str] = []

    def take(name: str, exclusive: bool) -> threading.Thread:
        def hold() -> None:
            with host_lock.host_lock(exclusive=exclusive):
                got.append(name)

        thread = threading.Thread(target=hold)
        thread.start()
        return thread

    with host_lock.host_lock(exclusive=False):
        take("export", exclusive=False).join(10)
        assert got == ["export"]
        waiting = take("measure", exclusive=True)
        waiting.join(0.05)
        assert got == ["export"]
    waiting.join(10)
    assert got == ["export", "measure"]
    with host_lock.host_lock(exclusive=True):
        others = [take("export", exclusive=False), take("measure", exclusive=True)]
        others[0].join(0.05)
        assert len(got) == 2
    for thread in others:
        thread.join(10)
    assert len(got) == 4


def test_no_scheduler_is_said(request_of, fake: Fake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 0.2)
    request = request_of("a", scheduler="tcp://127.0.0.1:1")
    with pytest.raises(DeviceError, match=r"no scheduler at tcp://127.0.0.1:1: .*dask scheduler"):
        sweep(request, fake.export, list, measure=fake.measure)


def test_what_dask_sets_for_its_workers_is_taken_back(
    fake: Fake, request_of, monkeypatch: pytest.MonkeyPatch
):
    for name in run.REMOVED_VARIABLES:
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(host_lock, "lock_path", lambda: fake.folder / "lock")
    (cell,) = run.cells_of(request_of("a"))
    seen = run._measure(
        lambda *_: str(set(run.REMOVED_VARIABLES) & set(os.environ)).encode(), Path(), cell
    )
    assert seen == b"set()"


@pytest.mark.slow
def test_a_network_is_really_exported_and_measured(tmp_path: Path):
    from styleexport.cli.sweep import export_one

    (tmp_path / "sweep.toml").write_text(
        'networks = ["adain-lite"]\nsizes = ["64x96"]\nrunners = ["onnxruntime", "torch"]\n'
        'roles = ["transform"]\nrounds = 1\nseconds = 0.01\nthreads = 1\n'
    )
    plan = read_plan(tmp_path / "sweep.toml")
    request = SweepRequest(plan, tmp_path, tmp_path / "o.sqlite", {"onnx": ".onnx"}, workers=2)
    rows = sweep(request, export_one, list)
    assert [(row.runner, row.status) for row in rows] == [
        ("onnxruntime", "measured"),
        ("torch", "measured"),
    ]
    cells = [cell for report in reports(request.out) for cell in report.cells]
    assert [cell.runner for cell in cells] == ["onnxruntime", "torch"]
    assert all(cell.parity is not None and cell.parity.passed for cell in cells)
    assert all(len(cell.samples_ns) >= 5 for cell in cells)
