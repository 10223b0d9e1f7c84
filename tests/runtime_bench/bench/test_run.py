"""A whole bench on a scripted clock: what is measured, in which order, and what a report says."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from styleexport.core.errors import BadArtifact, DeviceError, UsageError
from styleexport.core.types import Precision, Role, Size
from styleexport.runtime_bench.bench import BenchRequest, messages
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.contract.latency import report_from_json
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice
from styleexport.runtime_bench.report.comparison import compare_reports, regressions
from tests.runtime_bench.bench.conftest import MS, Fake, noisy


def test_every_sample_is_kept_and_inference_stands_apart(bench):
    (cell,) = bench("fake").cells
    assert cell.status == "measured"
    assert cell.rounds_ns == ((2 * MS,) * 9,) * 3  # 2.4 ms a run in 20 ms
    assert set(cell.pre_ns) == {300_000}
    assert set(cell.post_ns) == {100_000}
    assert len(cell.pre_ns) == len(cell.post_ns) == len(cell.samples_ns)
    assert cell.loads_ns == (40 * MS, 20 * MS)
    assert cell.first_ns == 2 * MS
    assert cell.idle_rss_bytes < cell.peak_rss_bytes
    assert cell.effective["threads"] == "1"
    assert (cell.parity.measured_db, cell.parity.allowed_db) == (200.0, 90.0)


def test_report_says_how_and_where_and_reads_back(bench):
    report = bench("fake", warm_up_seconds=4.0)
    assert report_from_json(report.encoded(), "a test") == report
    assert report.harness.name == "desktop"
    protocol = report.protocol
    assert (protocol.rounds, protocol.seconds, protocol.min_samples) == (3, 0.02, 5)
    assert protocol.interleaved
    assert protocol.own_process
    assert "within 3% of that of the 5 before" in protocol.warm_up
    assert "at most 4 s" in protocol.warm_up
    assert report.machine.cores > 0


def test_the_subject_is_the_manifests(bench):
    (cell,) = bench("fake").cells
    subject = cell.subject
    assert subject.path == "adain-lite_transform_64x96_fp32.onnx"
    assert (subject.target, subject.precision, subject.role) == ("onnx", "fp32", "transform")
    assert subject.macs == 125_673_472  # upsampled convolutions multiply at the lower resolution
    assert cell.size.size() == Size(64, 96)


@pytest.mark.slow
def test_cells_take_turns_in_an_order_that_changes(bench, clock):
    bench.runners |= {name: Fake(clock, name) for name in ("second", "third", "fourth")}
    bench("fake", "second", "third", "fourth", rounds=6)
    turns = [name for name, command in bench.asked if isinstance(command, messages.Turn)]
    rounds = [turns[i : i + 4] for i in range(0, len(turns), 4)]
    assert len(rounds) == 6
    assert all(sorted(names) == ["fake", "fourth", "second", "third"] for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1


@pytest.mark.slow
def test_same_seed_same_order(bench, clock):
    bench.runners["second"] = Fake(clock, "second")
    orders = []
    for seed in (1, 1, 2):
        bench.asked.clear()
        bench("fake", "second", rounds=8, seed=seed)
        orders.append([name for name, command in bench.asked if isinstance(command, messages.Turn)])
    assert orders[0] == orders[1] != orders[2]


def test_all_are_warm_before_the_first_turn_and_end_after_the_last(bench, clock):
    bench.runners["second"] = Fake(clock, "second")
    bench("fake", "second", rounds=2)
    kinds = [type(command).__name__ for _, command in bench.asked]
    assert kinds == ["Load", "CheckProbes", "Warm"] * 2 + ["Turn"] * 4 + ["Peak"] * 2
    assert all(worker.ended for worker in bench.workers)


def test_what_fails_its_probe_gets_no_latency(bench, clock):
    bench.runners["fake"] = Fake(clock, answer=lambda value: value + np.float32(0.1))
    bench.runners["right"] = Fake(clock)
    wrong, right = bench("fake", "right").cells
    assert wrong.status == "wrong"
    assert wrong.message == "differs from its network: psnr 20.0 dB measured, at least 90 allowed"
    assert wrong.parity.measured_db == 20.0
    assert (wrong.rounds_ns, wrong.loads_ns, wrong.first_ns) == ((), (), None)
    assert wrong.picture is not None
    assert right.status == "measured"
    asked = [type(command).__name__ for name, command in bench.asked if name == "fake"]
    assert asked == ["Load", "CheckProbes"]


def test_the_picture_is_what_was_painted(bench):
    (cell,) = bench("fake").cells
    image = Image.open(io.BytesIO(base64.b64decode(cell.picture)))
    assert image.size == (96, 64)
    (code,) = bench("fake", roles=(Role.ENCODE,)).cells
    assert code.picture is None


def test_memory_error_is_tried_again_alone_then_marked(bench, clock):
    bench.runners["fake"] = Fake(
        clock, trouble={n: MemoryError("std::bad_alloc") for n in (30, 40)}
    )
    bench.runners["other"] = Fake(clock, "other")
    hungry, other = bench("fake", "other").cells
    assert hungry.status == "out-of-memory"
    assert hungry.message == "MemoryError: std::bad_alloc"
    assert hungry.rounds_ns == ()
    assert other.status == "measured"
    assert len(other.rounds_ns) == 3
    loads = [name for name, command in bench.asked if isinstance(command, messages.Load)]
    assert loads == ["fake", "other", "fake"]
    assert any("once more, alone" in line for line in bench.lines)


def test_memory_that_suffices_alone_is_measured(bench, clock):
    bench.runners["fake"] = Fake(clock, trouble={30: MemoryError()})
    (cell,) = bench("fake").cells
    assert (cell.status, len(cell.rounds_ns)) == ("measured", 3)


def test_what_breaks_stops_nothing_else(bench, clock):
    bench.runners["fake"] = Fake(clock, trouble={25: RuntimeError("kernel panic\nat line 3")})
    bench.runners["other"] = Fake(clock, "other")
    broken, other = bench("fake", "other").cells
    assert (broken.status, broken.message) == ("failed", "RuntimeError: kernel panic")
    assert other.status == "measured"


def test_unavailable_says_why(bench, clock):
    bench.runners["fake"] = Fake(clock, reason="no such chip in here")
    bench.runners["other"] = Fake(clock, "other")
    missing, _ = bench("fake", "other").cells
    assert (missing.status, missing.message) == ("unavailable", "no such chip in here")
    assert [cell.runner for cell in bench().cells] == ["other"]
    assert "fake left out: no such chip in here" in bench.lines


def test_a_batch_that_cannot_be_run_is_unavailable(bench, clock):
    bench.runners["fake"] = Fake(clock, trouble={10: ValueError("reshape")})
    one, two = bench("fake", batches=(1, 2), rounds=1, together=1).cells
    assert (one.batch, two.batch) == (1, 2)
    assert one.status == "failed"
    bench.runners["fake"] = Fake(clock, answer=lambda value: value[:1])
    one, two = bench("fake", batches=(1, 2)).cells
    assert one.status == "measured"
    assert two.status == "unavailable"
    assert "does not run on 2 pictures at once" in two.message


def test_slowdown_of_15_percent_is_caught_and_the_same_twice_is_not(bench, clock):
    def measured(seed, cost_ms):
        bench.runners["fake"] = Fake(clock, cost_ms=noisy(seed, cost_ms))
        return bench("fake", rounds=7, seconds=0.05)

    before, again, slower = measured(1, 2.0), measured(2, 2.0), measured(3, 2.0 * 1.15)
    same = compare_reports(before, again, fail_above=0.10, across_machines=False)
    worse = compare_reports(before, slower, fail_above=0.10, across_machines=False)
    assert same[0].latency.verdict == "cannot be told apart"
    assert not regressions(same)
    assert worse[0].latency.verdict == "slower"
    assert worse[0].latency.ratio == pytest.approx(1.15, abs=0.02)
    assert len(regressions(worse)) == 1


def test_warm_up_is_kept_apart_from_the_samples(bench, clock):
    costs = iter([*[8.0] * 3, *[2.0] * 10_000])
    bench.runners["fake"] = Fake(clock, cost_ms=lambda: next(costs))
    (cell,) = bench("fake").cells
    assert cell.first_ns == 8 * MS
    assert cell.warm_up_ns[:3] == (8 * MS, 8 * MS, 2 * MS)
    assert set(cell.samples_ns) == {2 * MS}
    assert cell.effective["warm"] == f"after {len(cell.warm_up_ns)} runs"


def test_what_never_becomes_warm_says_so(bench, clock):
    costs = iter(1.1**n for n in range(10_000))
    bench.runners["fake"] = Fake(clock, cost_ms=lambda: next(costs))
    (cell,) = bench("fake", rounds=1, warm_up_seconds=0.5).cells
    assert cell.effective["warm"] == "no"
    assert cell.status == "measured"


def test_energy_of_each_cell_is_the_sum_of_its_turns(bench, monkeypatch):
    from styleexport.runtime_bench.machine import energy

    class Meter:
        def joules(self):
            return bench.clock.now / 1e9 * 10  # ten watts

    monkeypatch.setattr(energy, "meter", lambda **options: Meter())
    (cell,) = bench("fake").cells
    # Three turns of two untimed runs and nine samples, 2.4 ms each.
    assert cell.energy_joules == pytest.approx(3 * 11 * 0.0024 * 10)


def test_affinity_and_threads_are_passed_on(bench):
    (cell,) = bench("fake", threads=3).cells
    assert cell.effective["threads"] == "3"
    (load,) = [command for _, command in bench.asked if isinstance(command, messages.Load)]
    assert (load.cell.threads, load.plan.threads) == (3, 3)
    assert BenchRequest((bench.artifact,), affinity=(0,)).used_threads == 1


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"sizes": (Size(512, 512),)}, ["holds 64x64, 64x96, not 512x512", "adain-lite --size"]),
        ({"roles": (Role.STYLIZE,)}, ["--role transform", "--precision fp32"]),
        ({"precisions": (Precision.INT8,)}, ["no file has what was asked for", "--precision fp32"]),
        ({"runners": (RunnerChoice("coreml"),)}, ["coreml reads none of the files (.onnx, .pt2)"]),
        ({"runners": (RunnerChoice("coreml-reference"),)}, ["its time says nothing"]),
    ],
)
def test_bad_requests_say_what_there_is(bench, changes, parts):
    with pytest.raises(UsageError) as caught:
        bench("fake", **changes) if "runners" not in changes else bench(**changes)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plan": PlanFact(rounds=0)}, "--rounds is 0"),
        ({"batches": (1, 0)}, "--batch is 0"),
        ({"plan": PlanFact(threads=0)}, "--threads is 0"),
        ({"plan": PlanFact(seconds=-1.0)}, "it must be 0 to 86400 seconds"),
        ({"affinity": (4_000,)}, "processor 4000 is not there"),
    ],
)
def test_bad_figures_are_refused(artifact, changes, message):
    with pytest.raises(UsageError, match=message):
        BenchRequest((artifact,), **changes)


def test_a_folder_that_is_no_artifact(tmp_path, bench):
    bench.artifact = tmp_path
    with pytest.raises(BadArtifact, match="is not an artifact"):
        bench("fake")


def test_programs_are_files_too(bench, clock):
    fake = Fake(clock, "programs")
    fake.suffixes = (".pt2",)
    bench.runners["programs"] = fake
    (cell,) = bench("programs").cells
    subject = cell.subject
    assert subject.path == "programs/adain-lite_transform_64x96.pt2"
    assert (subject.target, subject.precision, subject.int8_mac_share) == ("torch", "fp32", 0.0)
    assert subject.size_bytes == (bench.artifact / subject.path).stat().st_size


def test_profile_follows_the_samples_and_its_failure_costs_none(bench, monkeypatch):
    from styleexport.runtime_bench import profiles
    from styleexport.runtime_bench.contract.latency import OperationFact

    found = OperationFact(layer="conv2d", op="Conv", time_ns=5)
    seen = []

    def operations(path, runner, options, inputs, layers):
        seen.append((path.name, runner, sorted(inputs), layers["conv2d"]))
        return (found,)

    monkeypatch.setattr(profiles, "operations", operations)
    (cell,) = bench("fake", profile=True).cells
    assert cell.operations == (found,)
    name, runner, inputs, _ = seen[0]
    assert (name, runner) == ("adain-lite_transform_64x96_fp32.onnx", "fake")
    assert inputs == ["content", "strength", "style_code"]

    def broken(*_):
        raise DeviceError("no profiler")

    monkeypatch.setattr(profiles, "operations", broken)
    (cell,) = bench("fake", profile=True).cells
    assert (cell.status, cell.message) == ("measured", "not profiled: no profiler")
    assert len(cell.rounds_ns) == 3


def test_messages_survive_the_wire(bench):
    bench("fake")
    for _, command in bench.asked:
        assert messages.decode_command(messages.encode(command)) == command
