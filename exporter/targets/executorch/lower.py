"""A program in ExecuTorch's format, by the partitioner of a delegate."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.fx import Node

from styleexport.core.errors import MissingExtra, UnsupportedOp, first_line
from styleexport.core.plugins import needs
from styleexport.core.quiet import quiet
from styleexport.core.versions import EXTRAS
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.targets._about import About
from styleexport.runtime_bench.formats._pte import ABOUT, INPUT_NAMES, OUTPUT_NAMES


@dataclass(frozen=True)
class LeftNode:
    """A node that XNNPACK leaves to ExecuTorch's own kernels.

    Attributes:
        name: name in the graph; ExecuTorch's own where a pass of its made it.
        operation: operation of ExecuTorch, such as ``aten.argmax.default``.
        shape: axis lengths of what it makes.
    """

    name: str
    operation: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} ({self.operation}, [{', '.join(map(str, self.shape))}])"


@dataclass(frozen=True)
class Lowered:
    """A file's bytes, and what of its graph XNNPACK does not compute, in order."""

    data: bytes
    left: tuple[LeftNode, ...]


def lowered(
    graph: Graph, about: About | None = None, partitioner: Callable[[], Any] | None = None
) -> Lowered:
    """Return a ``.pte`` file.

    What it takes and gives, and what it says of itself, are the results of methods of their own.

    Args:
        graph: graph of the file.
        about: description of the file; None leaves it out.
        partitioner: returns what chooses the nodes of a delegate; None takes XNNPACK's.

    Raises:
        MissingExtra: ExecuTorch is missing, or of a version whose interface is another.
        UnsupportedOp: an operation has no lowering.
    """
    with needs("executorch"), _interface():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower
    try:
        with quiet(), _unlogged():
            edge: Any = to_edge_transform_and_lower(
                graph.program,
                partitioner=[(partitioner or XnnpackPartitioner)()],
                constant_methods={
                    INPUT_NAMES: [fact.name for fact in graph.inputs],
                    OUTPUT_NAMES: [fact.name for fact in graph.outputs],
                    **({ABOUT: [x for pair in about.named.items() for x in pair]} if about else {}),
                },
            )
            left = tuple(_left(edge.exported_program().graph.nodes))
            return Lowered(bytes(edge.to_executorch().buffer), left)
    except Exception as error:
        raise UnsupportedOp(
            f"ExecuTorch cannot lower the network: {_reason(error)}; replace that "
            "operation, or export --target onnx or tflite"
        ) from error


def _left(nodes: Iterable[Node]) -> Iterator[LeftNode]:
    for node in nodes:
        overload = getattr(node.target, "_op", None)  # of an operation; delegates have none
        if node.op != "call_function" or overload is None:
            continue
        origin = next(iter(node.meta.get("from_node") or ()), None)
        while origin is not None and origin.from_node:
            origin = origin.from_node[-1]
        value = node.meta.get("val")
        shape = tuple(value.shape) if isinstance(value, Tensor) else ()
        yield LeftNode(node.name if origin is None else origin.name, str(overload), shape)


@contextlib.contextmanager
def _interface() -> Generator[None]:
    """Name the tested version where a name of ExecuTorch's interface is gone."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("executorch."):
            raise
        raise _moved(error) from error
    except (ImportError, AttributeError) as error:
        raise _moved(error) from error


def _moved(error: Exception) -> MissingExtra:
    tested = EXTRAS["executorch"]["executorch"]
    return MissingExtra(
        f"ExecuTorch {importlib.metadata.version('executorch')} has another interface "
        f"({first_line(error)}): pip install executorch=={tested}, which was tested"
    )


@contextlib.contextmanager
def _unlogged() -> Generator[None]:
    """Suppress the warnings that ExecuTorch and what it uses log on each lowering."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _reason(error: BaseException) -> str:
    """Return the first line of the error that began it: passes wrap one another's."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)
