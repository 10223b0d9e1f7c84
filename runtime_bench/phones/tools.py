"""Benchmark programs of the runtimes: their command lines, and parsers of their output."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.input_files import check_input


@dataclass(frozen=True)
class ToolCall:
    """One call of a program on the phone.

    Attributes:
        program: path of the program.
        file: path of the file that it runs.
        delegate: requested delegate.
        threads: number of threads; None leaves it to the program.
        samples: number of samples.
        result: path for a result file.
    """

    program: str
    file: str
    delegate: str
    threads: int | None
    samples: int
    result: str


@dataclass(frozen=True)
class ToolOutput:
    """Parsed output of a call, times in nanoseconds.

    Attributes:
        samples_ns: time of each timed inference.
        load_ns: load time; None where the program does not report it.
        first_ns: time of the first inference; None where the program does not report it.
        effective: settings as the program reports them.
    """

    samples_ns: tuple[int, ...]
    load_ns: int | None = None
    first_ns: int | None = None
    effective: Mapping[str, str] = field(default_factory=dict[str, str])


class Tool(Protocol):
    """A benchmark program.

    Attributes:
        name: part of the program's file name.
        suffix: suffix of the files that it runs.
        warm_up: warm-up before a sample, in words.
        at_once: number of samples per call; None is any number.
    """

    name: str
    suffix: str
    warm_up: str
    at_once: int | None

    def command(self, call: ToolCall) -> str:
        """Return the shell command of a call, whose output `parse` reads.

        Raises:
            UsageError: the program has no such delegate.
        """
        ...

    def parse(self, printed: str, call: ToolCall) -> ToolOutput:
        """Return the parsed output of a call.

        Raises:
            DeviceError: it failed, or did not run as requested.
        """
        ...


class BenchmarkModel:
    """TFLite's ``benchmark_model``, which prints statistics of its runs and not the runs.

    The statistics of a single run are that run: it is called once per sample, after ten warm-up
    runs. Documented in TensorFlow's ``lite/tools/benchmark/README.md``.
    """

    name = "benchmark_model"
    suffix = ".tflite"
    warm_up = "10 runs in the process of every sample"
    at_once: int | None = 1
    _flags: Mapping[str, str] = {
        "cpu": "",
        "xnnpack": "--use_xnnpack=true",
        "gpu": "--use_gpu=true",
        "nnapi": "--use_nnapi=true",
    }

    def command(self, call: ToolCall) -> str:
        """Return the command; see `Tool.command`."""
        threads = "" if call.threads is None else f" --num_threads={call.threads}"
        return (
            f"{call.program} --graph={shlex.quote(call.file)} --warmup_runs=10 "
            f"--warmup_min_secs=0 --num_runs=1 --min_secs=0{threads} {self._flags[call.delegate]} "
            "2>&1"
        )

    def parse(self, printed: str, call: ToolCall) -> ToolOutput:
        """Return the last run as a sample; see `Tool.parse`."""
        counts = re.findall(r"count=(\d+) (?:first=\S+ )?curr=([\d.e+]+)", printed)
        times = re.search(r"Init: ([\d.e+]+), First inference: ([\d.e+]+)", printed)
        if times is None or len(counts) < 2 or counts[-1][0] != "1":
            raise DeviceError(f"{self.name} timed no single run: {_last(printed)}")
        kept = re.search(r"will be (completely|partially) executed by the delegate", printed)
        if call.delegate in ("gpu", "nnapi") and kept is None:
            raise DeviceError(
                f"{self.name} does not say that {call.delegate} runs the file: {_last(printed)}"
            )
        effective = {"delegate": call.delegate} if call.delegate != "cpu" else {}
        if "XNNPACK delegate" in printed and call.delegate == "cpu":
            effective["delegate"] = "xnnpack"
        if kept:
            effective["delegated"] = kept[1]
        return ToolOutput((_ns(counts[-1][1]),), _ns(times[1]), _ns(times[2]), effective)


class PerfTest:
    """ONNX Runtime's ``onnxruntime_perf_test``, whose result file holds every run, in seconds.

    Documented in ONNX Runtime's ``onnxruntime/test/perftest/README.md``. It runs once before it
    times.
    """

    name = "perf_test"
    suffix = ".onnx"
    warm_up = "1 run in the process of every turn"
    at_once: int | None = None
    _providers: Mapping[str, str] = {"cpu": "cpu", "xnnpack": "xnnpack", "nnapi": "nnapi"}

    def command(self, call: ToolCall) -> str:
        """Return the command, which prints the result file at its end; see `Tool.command`."""
        provider = self._providers.get(call.delegate)
        if provider is None:
            raise UsageError(f"ONNX Runtime has no {call.delegate} delegate on Android")
        threads = "" if call.threads is None else f" -x {call.threads}"
        return (
            f"rm -f {call.result}; {call.program} -I -m times -r {call.samples} -e {provider}"
            f"{threads} {shlex.quote(call.file)} {call.result} 2>&1; echo; cat {call.result}"
        )

    def parse(self, printed: str, call: ToolCall) -> ToolOutput:
        """Return the runs of the result file, rows of name, seconds, memory, load, number."""
        rows = re.findall(r"^[^,\n]*,([\d.e+\-]+),\d+,\d+,(\d+)\s*$", printed, re.MULTILINE)
        if [int(number) for _, number in rows] != list(range(call.samples)):
            raise DeviceError(f"{self.name} timed {len(rows)} runs: {_last(printed)}")
        samples = tuple(round(float(seconds) * 1e9) for seconds, _ in rows)
        return ToolOutput(samples, effective={"provider": self._providers[call.delegate]})


TOOLS: tuple[Tool, ...] = (BenchmarkModel(), PerfTest())


def tool_of(binary: Path) -> Tool:
    """Return the tool of a program, by its file name.

    Raises:
        UsageError: there is no such file, or the program is unknown.
    """
    check_input(binary, remedy="type the path of a program for the phone")
    for tool in TOOLS:
        if tool.name in binary.name:
            return tool
    raise UsageError(
        f"{binary.name} is no benchmark program that is known: expected benchmark_model (TFLite) "
        "or onnxruntime_perf_test (ONNX Runtime) in its name"
    )


def _ns(microseconds: str) -> int:
    return round(float(microseconds) * 1000)


def _last(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it printed nothing"
