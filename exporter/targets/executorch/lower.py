"""A program in ExecuTorch's format, by the partitioner of XNNPACK."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
from collections.abc import Generator
from typing import Any

from styleexport.core.errors import MissingExtra, UnsupportedOp, first_line
from styleexport.core.plugins import needs
from styleexport.core.quiet import quiet
from styleexport.core.versions import EXTRAS
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.targets._about import About
from styleexport.runtime_bench.formats._pte import ABOUT, INPUT_NAMES, OUTPUT_NAMES


def lowered(graph: Graph, about: About | None = None) -> bytes:
    """Return the bytes of a ``.pte`` file.

    What it takes and gives, and what it says of itself, are the results of methods of their own.

    Args:
        graph: graph of the file.
        about: description of the file; None leaves it out.

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
                partitioner=[XnnpackPartitioner()],
                constant_methods={
                    INPUT_NAMES: [fact.name for fact in graph.inputs],
                    OUTPUT_NAMES: [fact.name for fact in graph.outputs],
                    **({ABOUT: [x for pair in about.named.items() for x in pair]} if about else {}),
                },
            )
            return bytes(edge.to_executorch().buffer)
    except Exception as error:
        raise UnsupportedOp(
            f"ExecuTorch cannot lower the network: {_reason(error)}; replace that "
            "operation, or export --target onnx or tflite"
        ) from error


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
