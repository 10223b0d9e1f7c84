"""The emulated machine: what it says without one, what its runs become, and one real run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from styleexport.core import cache
from styleexport.core.errors import DeviceError
from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.contract.remote import MeasureRequest
from styleexport.runtime_bench.parity import read_probe
from styleexport.runtime_bench.runners.emulated_aarch64 import INSTRUCTIONS, RUNNER, machine
from tests.cli.conftest import Cli, cli
from tests.contract.arithmetic import ARTIFACT
from tests.runtime_bench.cells import cell_of

__all__ = ["cli"]

# The user's own, before the tests put a cache of theirs in its place.
REAL = cache.cache_folder() / "aarch64"
ENCODE = "colour-transfer_encode_8x12_fp32.onnx"


def measure(artifact, path):
    request = MeasureRequest(artifact, (cell_of(artifact, path),), PlanFact())
    (cell,) = RUNNER.measure(request, [].append).cells
    return cell


@pytest.fixture
def emulated(monkeypatch):
    """A machine that answers with the probe's own output, some of it wrong."""

    def answer(error: float = 0.0) -> None:
        def run(model, inputs):
            manifest = read_manifest(ARTIFACT)
            probe = next(p for p in manifest.probes if p.role.value in model.name)
            tensors = read_probe(ARTIFACT, probe)
            outputs = {k: v + np.float32(error) for k, v in tensors.items() if k not in inputs}
            return machine.GuestRun(outputs, 5_000_000, (1_500_000, 1_200_001, 1_200_000))

        monkeypatch.setattr(machine, "run", run)
        monkeypatch.setattr(machine, "missing", lambda: None)

    return answer


def test_a_run_becomes_parity_and_a_count_and_no_sample(emulated):
    emulated()
    cell = measure(ARTIFACT, ENCODE)
    assert cell.parity is not None
    assert (cell.status, cell.parity.passed, cell.rounds_ns) == ("unavailable", True, ())
    assert cell.message == "proven, 1.2 M guest instructions a run; emulated time is no latency"
    assert cell.effective[INSTRUCTIONS] == "1200000"
    assert cell.effective[f"{INSTRUCTIONS} of loading"] == "5000000"


def test_what_differs_is_wrong(emulated):
    emulated(error=0.1)
    cell = measure(ARTIFACT, ENCODE)
    assert cell.status == "wrong"
    assert "at least 90 dB allowed" in cell.message


def test_a_run_that_fails_says_why(monkeypatch):
    def fails(*_):
        raise DeviceError("x.onnx fails under emulation: no kernel")

    monkeypatch.setattr(machine, "run", fails)
    cell = measure(ARTIFACT, ENCODE)
    assert (cell.status, cell.message) == ("failed", "x.onnx fails under emulation: no kernel")


def test_large_pictures_are_left_out(monkeypatch):
    from styleexport.runtime_bench.runners import emulated_aarch64

    monkeypatch.setattr(emulated_aarch64, "MOST_PIXELS", 64)
    cell = measure(ARTIFACT, ENCODE)
    assert (cell.status, cell.parity) == ("unavailable", None)
    assert "at most" in cell.message


def test_bench_proves_and_never_times(cli: Cli, emulated):
    emulated()
    done = cli(
        "bench", ARTIFACT, "--runner", "emulated-aarch64", "--no-peak", "-o", "r.json", "--json"
    )
    assert done.code == 0, done.err
    for cell in json.loads(done.out)["cells"]:
        assert cell["effective"][INSTRUCTIONS] == "1200000"
        assert not cell.get("rounds_ns")


def test_bench_ends_in_3_where_it_proves_nothing(cli: Cli, emulated):
    emulated(error=0.1)
    done = cli("bench", ARTIFACT, "--runner", "emulated-aarch64", "--no-peak", "-o", "r.json")
    assert done.code == 3


def test_it_is_not_measured_where_it_is_not_named(cli: Cli, emulated):
    emulated()
    done = cli(
        "bench",
        ARTIFACT,
        "--role",
        "encode",
        "--rounds",
        1,
        "--seconds",
        0,
        "--warm-up",
        0,
        "--no-peak",
        "-o",
        "r.json",
        "--json",
    )
    assert done.code == 0, done.err
    assert "emulated-aarch64" not in {cell["runner"] for cell in json.loads(done.out)["cells"]}


def test_without_the_machine_it_says_what_to_type(monkeypatch, tmp_path):
    monkeypatch.setattr(machine.shutil, "which", lambda _: None)
    assert "apt-get install qemu-user" in (RUNNER.unavailable() or "")
    monkeypatch.setattr(machine.shutil, "which", lambda name: name)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    assert machine.PREPARE in (RUNNER.unavailable() or "")


@pytest.mark.slow
def test_the_wheel_for_arm_agrees_and_its_instructions_repeat(monkeypatch):
    monkeypatch.setattr(machine, "folder", lambda: REAL)
    if reason := machine.missing():
        pytest.skip(reason)
    cells = [measure(ARTIFACT, ENCODE) for _ in range(2)]
    for cell in cells:
        assert cell.parity is not None
        assert cell.parity.measured_db > 90, cell.message
    first, second = (int(cell.effective[INSTRUCTIONS]) for cell in cells)
    assert first == pytest.approx(second, rel=1e-2)
