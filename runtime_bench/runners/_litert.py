"""LiteRT's interpreter on the CPU: what the runners of ``.tflite`` files share."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import BadArtifact, DeviceError, UsageError, first_line
from styleexport.core.plugins import needs
from styleexport.runtime_bench.formats._tflite import (
    MAX_IM2COL_VALUES,
    TfliteGraph,
    read_graph,
)
from styleexport.runtime_bench.runners._litert_tensors import (
    batched,
    from_file,
    native_quiet,
    to_file,
)
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

# What LiteRT calls the node that stands for all that a delegate took.
DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class _Node:
    """One node of an interpreter's plan: what it reads and writes, by tensor index."""

    index: int
    op: str
    inputs: set[int]
    outputs: set[int]


class LitertRunner(Runner):
    """Runs ``.tflite`` files on the CPU, channels-last images from and to [1, 3, H, W].

    Args:
        name: the file's.
        delegate: whether XNNPACK runs what it can; else LiteRT's own kernels run everything.
    """

    suffixes = (".tflite",)

    def __init__(self, name: str, *, delegate: bool) -> None:
        self.name = name
        self.delegate = delegate
        self.choices = MappingProxyType({"delegate": ("xnnpack", "gpu")} if delegate else {})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return why the delegate asked for is not here; None where it is."""
        from styleexport.runtime_bench.runners._litert_gpu import gpu_missing

        return gpu_missing() if settings.get("delegate") == "gpu" else None

    def start(self) -> None:
        """Import LiteRT; see `Runner.start`."""
        with needs("LiteRT"):
            import ai_edge_litert.interpreter as _  # noqa: F401

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the file; see `Runner.open`."""
        from styleexport.runtime_bench.runners._litert_gpu import open_on_gpu

        graph = read_graph(path)
        if options.settings.get("delegate") == "gpu":
            with open_on_gpu(path, graph, options.batch) as session:
                yield session
            return
        self._check_unfolded(path, graph)
        interpreter = self._interpreter(path, graph, options)

        def fetch() -> dict[str, NDArray[np.float32]]:
            return {
                name: from_file(interpreter.get_tensor(index), graph.tensors[index])
                for name, index in graph.outputs.items()
            }

        yield Session(
            feed=lambda inputs: feed(interpreter, path, graph, inputs, options.batch),
            invoke=lambda: invoke(interpreter, path),
            fetch=fetch,
            effective=lambda: _effective(interpreter, options),
        )

    def _check_unfolded(self, path: Path, graph: TfliteGraph) -> None:
        """Refuse a file that the kernels cannot load.

        Raises:
            DeviceError: they would unfold too much.
        """
        most = max(map(graph.im2col_values, graph.operations), default=0)
        if not self.delegate and most > MAX_IM2COL_VALUES:
            raise DeviceError(
                f"LiteRT's own kernels cannot load {path.name}: they would unfold {most} values in "
                f"one convolution, at most {MAX_IM2COL_VALUES}; type --runner litert, which has "
                "XNNPACK"
            )

    def _interpreter(self, path: Path, graph: TfliteGraph, options: RunOptions) -> Interpreter:
        """Return the interpreter of a file, made to take the batch.

        Raises:
            UsageError: the file cannot be widened to it.
        """
        interpreter = load(path, delegate=self.delegate, threads=options.threads)
        if options.batch == 1:
            return interpreter
        try:
            with native_quiet():
                for index in graph.inputs.values():
                    shape = batched(graph.tensors[index].shape, options.batch)
                    interpreter.resize_tensor_input(index, shape)
                interpreter.allocate_tensors()
        except Exception as error:
            raise UsageError(
                f"LiteRT cannot run {path.name} on {options.batch} pictures at once: "
                f"{first_line(error)}; type --batch 1"
            ) from error
        return interpreter

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return tensors from inside the file, by LiteRT's own kernels; see `Runner.layers`."""
        graph = read_graph(path)
        interpreter = load(path, delegate=False, keep_all=True)
        feed(interpreter, path, graph, inputs)
        invoke(interpreter, path)
        return {
            tensor.name: from_file(interpreter.get_tensor(index), tensor)
            for index, tensor in enumerate(graph.tensors)
            if tensor.name in tensors and tensor.stored is None
        }


def load(
    path: Path, *, delegate: bool, threads: int | None = None, keep_all: bool = False
) -> Interpreter:
    """Return an interpreter with its tensors allocated.

    Args:
        path: of a file that `read_graph` found whole.
        delegate: whether XNNPACK runs what it can.
        threads: of the runtime; None leaves it to the runtime.
        keep_all: whether every activation is kept to be looked at.

    Raises:
        BadArtifact: the runtime cannot load the file.
        MissingExtra: the runtime is not installed.
    """
    with needs("LiteRT"):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    without = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        with native_quiet(), warnings.catch_warnings(action="ignore"):
            interpreter = Interpreter(
                model_path=str(path),
                num_threads=threads,
                experimental_op_resolver_type=OpResolverType.AUTO if delegate else without,
                experimental_preserve_all_tensors=keep_all,
            )
            interpreter.allocate_tensors()
    except Exception as error:
        raise BadArtifact(
            f"LiteRT cannot load {path}: {first_line(error)}; export the network again"
        ) from error
    return interpreter


def feed(
    interpreter: Interpreter, path: Path, graph: TfliteGraph, inputs: Arrays, batch: int = 1
) -> None:
    """Set the inputs of a file.

    Raises:
        UsageError: an input is missing or of another shape than the file's.
    """
    for name, index in graph.inputs.items():
        interpreter.set_tensor(index, to_file(name, inputs, graph.tensors[index], path, batch))


def invoke(interpreter: Interpreter, path: Path) -> None:
    """Run a file once, on what was fed.

    Raises:
        BadArtifact: an operation of the file fails.
    """
    try:
        interpreter.invoke()
    except Exception as error:
        raise BadArtifact(
            f"{path} does not run: {first_line(error)}; export the network again"
        ) from error


def _effective(interpreter: Interpreter, options: RunOptions) -> dict[str, str]:
    """Return what the delegate took: how many nodes, in how many partitions."""
    details: Any = interpreter._get_ops_details()  # pyright: ignore[reportPrivateUsage]
    nodes = [
        _Node(n["index"], n["op_name"], set(map(int, n["inputs"])), set(map(int, n["outputs"])))
        for n in details
    ]
    parts = [node for node in nodes if node.op == DELEGATE]
    taken = set[int]().union(*(_taken(part, nodes) for part in parts))
    return {
        "delegate": "XNNPACK" if parts else "none",
        "nodes": f"{len(taken)} of {len(nodes) - len(parts)} delegated",
        "partitions": str(len(parts)),
        "threads": str(options.threads) if options.threads else "chosen by LiteRT",
    }


def _taken(part: _Node, nodes: Sequence[_Node]) -> set[int]:
    """Return the nodes that a partition stands for: those between its inputs and its outputs."""
    makers = {i: node for node in nodes if node.op != DELEGATE for i in node.outputs}
    found: set[int] = set()
    wanted = set(part.outputs)
    while wanted:
        tensor = wanted.pop()
        maker = makers.get(tensor)
        if maker is not None and tensor not in part.inputs and maker.index not in found:
            found.add(maker.index)
            wanted |= maker.inputs
    return found
