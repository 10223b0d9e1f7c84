"""Layers of the operations that a runtime derives from an ONNX file, found by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import onnx

from styleexport.runtime_bench.formats._onnx_macs import macs_by_node
from styleexport.runtime_bench.profiles._profiler import TimedOperation, by_tensor

# The exporter names nodes after the operation of the captured network.
NODE = "node_"
# Suffix that the exporter appends to the names of quantized tensors.
QUANTIZED = re.compile(r"_u?int8(_[a-z_]+)?$")
# Where a runtime may have appended its own words. Numbers belong to the name.
END = re.compile(r"[_/](?!\d+(?:[_/]|$))")


class OnnxLayers:
    """The layers of one file.

    Args:
        model: the model.
        layers: layer of the captured network → tensor of the file.
    """

    def __init__(self, model: onnx.ModelProto, layers: Mapping[str, str]) -> None:
        self._layers = by_tensor(layers)
        self._known = dict(self._layers)
        for node in model.graph.node:
            for output in node.output:
                self._known.setdefault(output, self._own(node))
            self._known.setdefault(node.name, self._own(node))
        for node in model.graph.node:  # names of nodes whose tensor was quantized
            self._known.setdefault(node.name.removeprefix(NODE), self._own(node))
        self._readers = _readers(model)
        macs = macs_by_node(model)
        self._work = [(node, macs[node.name]) for node in model.graph.node if macs.get(node.name)]

    def _own(self, node: onnx.NodeProto) -> str:
        """Return the layer of a node: that of its output, or its own name."""
        named = [self._layers[output] for output in node.output if output in self._layers]
        return named[0] if named else QUANTIZED.sub("", node.name.removeprefix(NODE))

    def find(self, names: Iterable[str]) -> str | None:
        """Return the layer that one of these names is derived from; None where there is none.

        Runtimes append their own words, after ``_`` or ``/``, to names of nodes and tensors.
        """
        for name in names:
            ends = [len(name), *(match.start() for match in reversed([*END.finditer(name)]))]
            for end in ends:
                if name[:end] in self._known:
                    return self._known[name[:end]]
        return None

    def with_macs(self, operations: Iterable[TimedOperation]) -> tuple[TimedOperation, ...]:
        """Return operations with their MACs; those of a fused node count for a later layer.

        The longest operation of a layer gets its MACs: the others move or convert values.
        """
        rows = list(operations)
        longest: dict[str, int] = {}
        for number, row in enumerate(rows):
            best = longest.setdefault(row.layer, number)
            if sum(row.samples_ns) > sum(rows[best].samples_ns):
                longest[row.layer] = number
        for node, macs in self._work:
            if (layer := self._executed(node, longest)) is not None:
                number = longest[layer]
                rows[number] = replace(rows[number], macs=rows[number].macs + macs)
        return tuple(rows)

    def _executed(self, node: onnx.NodeProto, rows: Mapping[str, int]) -> str | None:
        """Return the layer under which a node was timed: its own, or that of a reader."""
        visited = set[str]()
        waiting = [node]
        while waiting:
            current = waiting.pop(0)
            layer = self._own(current)
            if layer in rows:
                return layer
            for output in current.output:
                if output not in visited:
                    visited.add(output)
                    waiting.extend(self._readers.get(output, ()))
        return None


def _readers(model: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    """Return tensor → nodes that read it."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers
