"""Sessions of the int8 benchmark: the same threads in every runtime, any file that it can run."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from int8_environments import FOLDER, TOOLS, environment
from int8_report import Entry
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import DeviceError
from styleexport.runtime_bench.execution import describe_execution
from styleexport.runtime_bench.formats._onnx_macs import macs_by_node
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_graph import TfliteTensor
from styleexport.runtime_bench.runners._litert import load
from styleexport.runtime_bench.runners._litert_tensors import from_file
from styleexport.runtime_bench.runners._runner import RunOptions, Session, find_runner, runner_for
from styleexport.runtime_bench.runners.openvino import integer_mac_share

OPTIONS = RunOptions(threads=2)
# As OpenVINO calls what multiplies.

Array = NDArray[np.float32]


@dataclass(frozen=True)
class RemoteSession(Session):
    """A session in another process, which takes its own times.

    Attributes:
        sample_ns: returns ns of one run, the mean of some that follow one that is not counted.
    """

    sample_ns: Callable[[Arrays, int], int] = field(kw_only=True)


def _counts(path: Path) -> bool:
    """Whether a file's MACs can be counted: operations of a tool's own hide shapes."""
    return path.suffix != ".onnx" or any(macs_by_node(onnx.load(path)).values())


class _Process:
    """A process of ExecuTorch's environment that runs a file on request (int8_tools/run_pte.py).

    Args:
        process: process that answers a line of JSON with one.
        folder: folder for inputs, outputs and what the process says.
    """

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder
        self._inputs, self._outputs = str(folder / "in.npz"), str(folder / "out.npz")

    def session(self) -> RemoteSession:
        """Return its session, when the file is loaded.

        Raises:
            DeviceError: it cannot load the file.
        """
        self._answer()
        return RemoteSession(self.feed, lambda: None, self.fetch, sample_ns=self.sample_ns)

    def feed(self, inputs: Arrays) -> None:
        """Run the file on inputs."""
        np.savez(self._inputs, allow_pickle=False, **inputs)
        self._ask(self._outputs, 0)

    def fetch(self) -> dict[str, Array]:
        """Return the outputs of the last run."""
        with np.load(self._outputs) as stored:
            return {name: stored[name] for name in stored.files}

    def sample_ns(self, inputs: Arrays, repeats: int) -> int:
        """Return ns of one run; see `RemoteSession.sample_ns`."""
        np.savez(self._inputs, allow_pickle=False, **inputs)
        return self._ask("", repeats)

    def _ask(self, outputs: str, repeats: int) -> int:
        assert self._process.stdin is not None
        request = {"inputs": self._inputs, "outputs": outputs, "repeats": repeats}
        with contextlib.suppress(OSError):
            print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> int:
        """Return ns of the next answer.

        Raises:
            DeviceError: the process has ended; the message is its last line.
        """
        assert self._process.stdout is not None
        try:
            return json.loads(self._process.stdout.readline())["ns"]
        except json.JSONDecodeError as error:
            text = (self._folder / "log.txt").read_text(encoding="utf-8", errors="replace")
            lines = text.strip().splitlines()
            raise DeviceError(lines[-1][:200] if lines else "it ended without a word") from error


@contextlib.contextmanager
def _executorch(path: Path, folder: Path) -> Generator[RemoteSession]:
    """Yield a session on an ExecuTorch file.

    Raises:
        MissingExtra: ExecuTorch is not installed here.
        DeviceError: it cannot load or run the file.
    """
    python = environment("executorch", folder).python
    command = [str(python), "-I", str(TOOLS / "run_pte.py"), str(path.absolute())]
    with (
        tempfile.TemporaryDirectory() as temporary,
        (Path(temporary) / "log.txt").open("w") as log,
        subprocess.Popen(
            [*command, str(OPTIONS.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield _Process(process, Path(temporary)).session()
        finally:
            process.kill()


@contextlib.contextmanager
def opened(
    entry: Entry, environments_folder: Path = FOLDER
) -> Generator[tuple[Session, float | None]]:
    """Yield a session on a file and the share of its MACs that are computed in integers.

    Args:
        entry: file and runtime.
        environments_folder: folder of the environments of tools that have their own.
    """
    assert entry.file is not None
    if entry.runtime == "ExecuTorch":
        with _executorch(entry.file, environments_folder) as remote:
            yield remote, None
        return
    if entry.runtime == "PyTorch":
        with find_runner("torch").open(entry.file, OPTIONS) as session:
            yield session, None
        return
    if entry.runtime == "OpenVINO":
        yield _openvino(entry.file)
        return
    fact = describe_execution(entry.file) if _counts(entry.file) else None
    share = None if fact is None else fact.integer_mac_share
    if entry.kind == "peer" and entry.runtime == "LiteRT":
        yield _litert(entry.file), share
        return
    with runner_for(entry.file).open(entry.file, OPTIONS) as session:
        yield session, share


def _litert(path: Path) -> Session:
    """Return a session of LiteRT on a file that may take integers, as other tools' do."""
    graph = read_graph(path)
    interpreter = load(path, delegate=True, threads=OPTIONS.threads)

    def feed(inputs: Arrays) -> None:
        for name, index in graph.inputs.items():
            interpreter.set_tensor(index, _to_file(inputs[name], graph.tensors[index]))

    def fetch() -> dict[str, Array]:
        return {
            name: from_file(interpreter.get_tensor(index), graph.tensors[index])
            for name, index in graph.outputs.items()
        }

    return Session(feed, interpreter.invoke, fetch)


def _to_file(value: Array, tensor: TfliteTensor) -> NDArray[np.generic]:
    """Return an input as a file takes it: images channels-last, integers rounded and cut."""
    turned = value.transpose(0, 2, 3, 1) if value.ndim == 4 else value
    if tensor.dtype.startswith(("int", "uint")):
        limits = np.iinfo(tensor.dtype)
        steps = np.round(turned / np.float32(tensor.scales[0])) + tensor.zero_points[0]
        turned = steps.clip(limits.min, limits.max)
    return np.ascontiguousarray(turned, tensor.dtype)


def _openvino(path: Path) -> tuple[Session, float]:
    """Return a session of OpenVINO, float32 where the file is, and its share of integers."""
    import openvino

    compiled: Any = openvino.Core().compile_model(
        str(path),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": OPTIONS.threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        },
    )
    request = compiled.create_infer_request()
    names = [next(iter(output.names)) for output in compiled.outputs]
    share = integer_mac_share(compiled)
    fed: dict[str, Array] = {}

    def fetch() -> dict[str, Array]:
        return {
            name: np.array(request.get_output_tensor(number).data)
            for number, name in enumerate(names)
        }

    return Session(fed.update, lambda: request.infer(fed), fetch), round(share, 4)
