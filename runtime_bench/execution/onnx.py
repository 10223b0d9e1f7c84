"""What ONNX Runtime executes of an ``.onnx`` file, on the CPU of this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from styleexport.core.manifest import ConvolutionFact, ExecutionFact
from styleexport.runtime_bench.execution.onnx_profile import (
    ExecutedNode,
    Profile,
    blank_inputs,
    profile,
)
from styleexport.runtime_bench.execution.steps import Kind, Step, float_round_trips, reorders
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.formats._onnx_macs import INTEGER_OPS, macs_by_node, sources

MOVES = frozenset({
    "Pad", "Relu", "Clip", "MaxPool", "Concat", "Transpose", "Slice", "Split", "Reshape", "Squeeze",
    "Unsqueeze", "Flatten", "Identity", "Gather", "Tile", "Expand", "DepthToSpace", "SpaceToDepth",
    "ReorderInput", "ReorderOutput",
})  # fmt: skip
RESIZING = ("Resize", "Upsample")
REORDERING = ("ReorderInput", "ReorderOutput")
KINDS: dict[str, Kind] = {"QuantizeLinear": "quantize", "DequantizeLinear": "dequantize"}


def executed(path: Path) -> ExecutionFact:
    """Return what ONNX Runtime executes: its optimized graph and its profile of one run on zeros.

    Raises:
        BadArtifact: the file is damaged, or the runtime cannot run it.
    """
    stored = describe(path)
    model = onnx.load(path)
    found = profile(model, blank_inputs(model))
    macs = macs_by_node(model)
    integer = sources((node.name for node in found.nodes if node.op in INTEGER_OPS), macs)
    total = sum(macs.values())
    steps = tuple(_steps(found))
    kinds = Counter(step.kind for step in steps)
    return ExecutionFact(
        runtime=f"onnxruntime {ort.__version__}",
        nodes=dict(Counter(node.op for node in found.nodes).most_common()),
        integer_mac_share=round(sum(macs[n] for n in integer) / total, 4) if total else 0.0,
        convolutions=tuple(
            ConvolutionFact(layer=n.removeprefix("node_"), integer=n in integer, macs=count)
            for n, count in macs.items()
        ),
        float_round_trips=float_round_trips(steps),
        transposes=sum(step.transposes for step in steps),
        quantizes=kinds["quantize"],
        dequantizes=kinds["dequantize"],
        bytes_by_dtype=stored.bytes_by_dtype,
    )


def _steps(found: Profile) -> Iterator[Step]:
    """Yield the nodes of the optimized graph that work on activations."""
    constant = {item.name for item in found.graph.initializer}
    ran = {node.name: node for node in found.nodes}
    for node in found.graph.node:
        reads = tuple(name for name in node.input if name and name not in constant)
        if not reads or node.name not in ran:
            constant |= set(node.output)
            continue
        yield Step(
            op=node.op_type,
            kind=_kind(node),
            reads=reads,
            writes=tuple(node.output),
            transposes=_transposes(node, ran[node.name]),
        )


def _kind(node: onnx.NodeProto) -> Kind:
    if node.op_type in KINDS:
        return KINDS[node.op_type]
    nearest = node.op_type in RESIZING and _attribute(node, "mode") in (None, b"nearest")
    return "move" if nearest or node.op_type in MOVES else "other"


def _transposes(node: onnx.NodeProto, ran: ExecutedNode) -> bool:
    if node.op_type != "Transpose":
        return node.op_type in REORDERING
    shape = ran.read[0]
    order = _attribute(node, "perm") or range(len(shape))[::-1]
    return reorders(order, shape)


def _attribute(node: onnx.NodeProto, name: str) -> Any:  # noqa: ANN401 - as the file has it
    """Return an attribute of a node, None where the node leaves it to its default."""
    found = [item for item in node.attribute if item.name == name]
    return onnx.helper.get_attribute_value(found[0]) if found else None
