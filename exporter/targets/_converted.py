"""Graphs in a format's own terms, kept from one export to the next.

A converter makes the same bytes of the same graph, and most of an export's time goes by until it
has been imported and has made them. What they depend on is the key: operations, weights, shapes and
names of the graph, the converter's version, and the code that calls it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from styleexport.core.cache import remembered
from styleexport.exporter.graph.graph import Graph

# A graph of more is not kept: the cache would hold few others.
MOST_PARAMETERS = 16_000_000


class _Converted(Struct, frozen=True):
    """Bytes of a converted graph."""

    content: bytes


def converted(
    graph: Graph, tools: Sequence[str], code: Sequence[Path], convert: Callable[[], bytes]
) -> bytes:
    """Return what a converter makes of a graph, from the cache if it made it before.

    A graph of open sizes is converted each time: the names of its sizes say nothing of them.

    Args:
        graph: float32.
        tools: packages whose versions tell what they make.
        code: files of ours that call them.
        convert: makes the bytes.
    """
    if graph.dynamic or graph.parameters > MOST_PARAMETERS:
        return convert()
    ends = msgspec.json.encode((graph.inputs, graph.outputs))
    parts = (graph.digest(), str(graph.size), *map(_version, ("torch", *tools)))
    key = hashlib.sha256(" ".join(parts).encode() + ends)
    for file in code:
        key.update(file.read_bytes())
    return remembered(
        "converted", key.hexdigest(), _Converted, lambda: _Converted(convert())
    ).content


def _version(tool: str) -> str:
    try:
        return f"{tool} {importlib.metadata.version(tool)}"
    except importlib.metadata.PackageNotFoundError:
        return tool
