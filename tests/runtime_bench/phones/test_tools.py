"""Benchmark programs of the runtimes on a phone: here shell scripts that print as they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from styleexport.core.errors import DeviceError, UsageError
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.contract.latency import read_report
from styleexport.runtime_bench.contract.remote import DeviceOptions, MeasureRequest
from styleexport.runtime_bench.phones.tools import BenchmarkModel, PerfTest, ToolCall, tool_of
from styleexport.runtime_bench.runners.android import RUNNER
from tests.cli.conftest import Cli, cli
from tests.runtime_bench.cells import cell_of

__all__ = ["cli"]

TFLITE = "colour-transfer_transform_8x12_fp32.tflite"
ONNX = "colour-transfer_encode_8x12_fp32.onnx"
PLAN = PlanFact(rounds=2, seconds=0.01, min_samples=3, threads=2)
STATISTICS = """INFO: Loaded model x.tflite
INFO: Initialized session in 17.187ms.
INFO: count=10 first=9000 curr=8000 min=7900 max=9000 avg=8100 std=100 p5=7900 median=8000 p95=9000

INFO: count={count} curr={took} p5=1 median=1 p95=1

INFO: Inference timings in us: Init: 17187, First inference: 9000, Warmup (avg): 8100, Inference
"""
MODEL = f"""#!/bin/sh
case "$*" in *use_nnapi*) echo "ERROR: NNAPI: the model graph will not be executed by it"; esac
case "$*" in *use_gpu*) echo "Explicitly applied GPU delegate, and the model graph will be \
partially executed by the delegate w/ 2 delegate kernels."; esac
cat <<END
{STATISTICS.format(count=1, took="8012.5")}
END
"""
PERF = """#!/bin/sh
shift; shift; shift; shift; runs=$1
while [ "$#" -gt 1 ]; do shift; done
echo "Setting intra_op_num_threads to 2"
i=0; while [ $i -lt $runs ]; do echo "encode,0.00${i}25,104857600,99,$i" >> "$1"; i=$((i+1)); done
"""


def program(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def measure(artifact, binary, *cells):
    asked = [cell_of(artifact, path, "android", **settings) for path, settings in cells]
    options = DeviceOptions(binary=binary)
    request = MeasureRequest(artifact, asked, PLAN, "styleexport bench", options)
    return RUNNER.measure(request, [].append)


def test_benchmark_model_is_called_once_a_sample(colour, plug, tmp_path):
    phone = plug()
    binary = program(tmp_path, "android_aarch64_benchmark_model", MODEL)
    cells = [(TFLITE, settings) for settings in ({}, {"delegate": "gpu"}, {"delegate": "nnapi"})]
    report = measure(colour, binary, *cells, (ONNX, {}))
    cpu, gpu, nnapi, other = report.cells
    assert (other.status, other.message) == ("unavailable", "benchmark_model runs .tflite files")
    assert (cpu.rounds_ns, cpu.first_ns) == (((8_012_500,) * 3,) * 2, 9_000_000)
    assert cpu.loads_ns == (17_187_000,) * 6
    assert (cpu.status, cpu.parity) == ("measured", None)
    assert cpu.message.startswith("nothing proves this cell")
    assert gpu.effective == {"delegate": "gpu", "delegated": "partially"}
    assert (nnapi.status, nnapi.rounds_ns) == ("unavailable", ())
    assert "does not say that nnapi runs the file" in nnapi.message
    assert (report.machine.device, report.machine.os) == ("Acme Phone 7", "Android 15 (API 35)")
    assert not list(phone.path("/data/local/tmp").glob("*"))
    assert any("--num_threads=2" in command for command in phone.commands)


def test_programs_have_no_settings_of_the_app(colour, plug, tmp_path):
    plug()
    binary = program(tmp_path, "benchmark_model", MODEL)
    (cell,) = measure(colour, binary, (TFLITE, {"delegate": "gpu", "precision": "fp32"})).cells
    assert cell.status == "unavailable"
    assert cell.message == "precision: settings of the app; benchmark_model takes delegate"


def test_perf_tests_result_file_holds_every_run(colour, plug, tmp_path):
    plug()
    binary = program(tmp_path, "onnxruntime_perf_test", PERF)
    (cell,) = measure(colour, binary, (ONNX, {})).cells
    assert cell.rounds_ns == ((250_000, 1_250_000, 2_250_000),) * 2
    assert cell.effective == {"provider": "cpu"}


def test_from_the_command_line(cli: Cli, colour, plug, tmp_path):
    plug()
    binary = program(tmp_path, "benchmark_model", MODEL)
    done = cli(
        "bench",
        colour,
        "--runner",
        "android",
        "--benchmark-binary",
        binary,
        "--rounds",
        2,
        "--role",
        "transform",
        "-o",
        "r.json",
    )
    assert done.code == 0, done.err
    assert "nothing proves this cell" in done.out
    statuses = {cell.subject.target: cell.status for cell in read_report(Path("r.json")).cells}
    assert statuses == {"onnx": "unavailable", "tflite": "measured"}
    assert cli("report", "r.json", "-o", "page.html").code == 0


def call(delegate: str = "cpu", samples: int = 1) -> ToolCall:
    return ToolCall("p", "f", delegate, None, samples, "r")


def test_statistics_of_several_runs_are_never_taken_for_samples():
    printed = STATISTICS.format(count=50, took="8000")
    with pytest.raises(DeviceError, match="benchmark_model timed no single run: INFO: Inference"):
        BenchmarkModel().parse(printed, call())
    with pytest.raises(DeviceError, match="it printed nothing"):
        BenchmarkModel().parse("", call())


def test_a_result_file_that_is_not_whole_is_refused():
    rows = "m,0.001,1,2,0\nm,0.002,1,2,1\n"
    assert PerfTest().parse(rows, call(samples=2)).samples_ns == (1_000_000, 2_000_000)
    with pytest.raises(DeviceError, match="perf_test timed 2 runs"):
        PerfTest().parse(rows, call(samples=3))
    with pytest.raises(UsageError, match="ONNX Runtime has no gpu delegate"):
        PerfTest().command(call("gpu"))


def test_a_program_that_is_not_known(tmp_path):
    with pytest.raises(UsageError, match="does not exist; type the path"):
        tool_of(tmp_path / "benchmark_model")
    with pytest.raises(UsageError, match="is no benchmark program that is known: expected"):
        tool_of(program(tmp_path, "geekbench", ""))


def test_a_program_for_other_files(colour, plug, tmp_path):
    plug()
    with pytest.raises(UsageError, match=r"benchmark_model runs \.tflite files, and none was"):
        measure(colour, program(tmp_path, "benchmark_model", MODEL), (ONNX, {}))
