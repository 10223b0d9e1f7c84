"""LiteRT's interpreter on the CPU, the base of the runners of ``.tflite`` files."""

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
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_graph import MAX_IM2COL_VALUES, TfliteGraph
from styleexport.runtime_bench.runners._litert_tensors import (
    batched,
    from_file,
    native_quiet,
    to_file,
)
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

# Name of the node that stands for the nodes taken by a delegate.
DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class _Node:
    """One node of an interpreter's plan; inputs and outputs are tensor indices."""

    index: int
    op: str
    inputs: set[int]
    outputs: set[int]


class LitertRunner(Runner):
    """Runs ``.tflite`` files on the CPU; converts channels-last images from and to [1, 3, H, W].

    Args:
        name: name of the runner.
        delegate: whether XNNPACK runs the operations that it supports; otherwise LiteRT's own
            kernels run all.
    """

    suffixes = (".tflite",)

    def __init__(self, name: str, *, delegate: bool) -> None:
        self.name = name
        self.delegate = delegate
        self.choices = MappingProxyType({"delegate": ("xnnpack", "gpu")} if delegate else {})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return why the requested delegate is missing; None where it is available."""
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
        """Check that LiteRT's own kernels can load the file.

        Raises:
            DeviceError: a convolution would unfold too many values.
        """
        largest = max(map(graph.im2col_values, graph.operations), default=0)
        if not self.delegate and largest > MAX_IM2COL_VALUES:
            raise DeviceError(
                f"LiteRT's own kernels cannot load {path.name}: they would unfold {largest} values "
                f"in one convolution, at most {MAX_IM2COL_VALUES}; type --runner litert, which has "
                "XNNPACK"
            )

    def _interpreter(self, path: Path, graph: TfliteGraph, options: RunOptions) -> Interpreter:
        """Return the interpreter of a file, resized to the batch.

        Raises:
            UsageError: the file cannot be resized to it.
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
        """Return inner tensors, computed by LiteRT's own kernels; see `Runner.layers`."""
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
        path: path of a file that `read_graph` has validated.
        delegate: whether XNNPACK runs the operations that it supports.
        threads: number of threads; None leaves it to the runtime.
        keep_all: whether every activation is kept for reading.

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

    Args:
        interpreter: interpreter of the file.
        path: path of the file, for messages.
        graph: graph of the file.
        inputs: inputs by name, float32; images [N, 3, H, W] in 0..1.
        batch: number of pictures per inference.

    Raises:
        UsageError: an input is missing, or differs from the file's in shape.
    """
    for name, index in graph.inputs.items():
        interpreter.set_tensor(index, to_file(name, inputs, graph.tensors[index], path, batch))


def invoke(interpreter: Interpreter, path: Path) -> None:
    """Run a file once on its inputs.

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
    """Return the delegate with its numbers of nodes and partitions."""
    details: Any = interpreter._get_ops_details()  # pyright: ignore[reportPrivateUsage]
    nodes = [
        _Node(n["index"], n["op_name"], set(map(int, n["inputs"])), set(map(int, n["outputs"])))
        for n in details
    ]
    partitions = [node for node in nodes if node.op == DELEGATE]
    delegated = set[int]().union(*(_delegated(part, nodes) for part in partitions))
    return {
        "delegate": "XNNPACK" if partitions else "none",
        "nodes": f"{len(delegated)} of {len(nodes) - len(partitions)} delegated",
        "partitions": str(len(partitions)),
        "threads": str(options.threads) if options.threads else "chosen by LiteRT",
    }


def _delegated(partition: _Node, nodes: Sequence[_Node]) -> set[int]:
    """Return the nodes of a partition: those between its inputs and its outputs."""
    producers = {i: node for node in nodes if node.op != DELEGATE for i in node.outputs}
    members: set[int] = set()
    pending = set(partition.outputs)
    while pending:
        tensor = pending.pop()
        node = producers.get(tensor)
        if node is not None and tensor not in partition.inputs and node.index not in members:
            members.add(node.index)
            pending |= node.inputs
    return members
