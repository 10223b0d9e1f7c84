"""Execution of an ``.onnx`` file by ONNX Runtime on this machine's CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from styleexport.core.manifest import ConvolutionFact, ExecutionFact
from styleexport.runtime_bench.execution.onnx_profile import (
    OnnxProfile,
    ProfiledNode,
    blank_inputs,
    macs_at,
    profile_model,
)
from styleexport.runtime_bench.execution.runtime_op import (
    OpKind,
    RuntimeOp,
    float_round_trips,
    reorders,
)
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.formats._onnx_macs import (
    INTEGER_OPS,
    macs_by_node,
    name_nodes,
    sources,
)

DATA_MOVEMENT = frozenset({
    "Pad", "Relu", "Clip", "MaxPool", "Concat", "Transpose", "Slice", "Split", "Reshape", "Squeeze",
    "Unsqueeze", "Flatten", "Identity", "Gather", "Tile", "Expand", "DepthToSpace", "SpaceToDepth",
    "ReorderInput", "ReorderOutput",
})  # fmt: skip
RESIZING = ("Resize", "Upsample")
REORDERING = ("ReorderInput", "ReorderOutput")
KINDS: dict[str, OpKind] = {"QuantizeLinear": "quantize", "DequantizeLinear": "dequantize"}


def describe_onnx_execution(path: Path) -> ExecutionFact:
    """Return what ONNX Runtime executes: its optimized graph and its profile of one run on zeros.

    Raises:
        BadArtifact: the file is damaged, or the runtime cannot run it.
    """
    stored = describe(path)
    model = name_nodes(onnx.load(path))
    inputs = blank_inputs(model)
    trace = profile_model(model, inputs)
    counted, macs = macs_at(model, inputs), macs_by_node(model)
    integer = sources((node.name for node in trace.nodes if node.op in INTEGER_OPS), macs)
    total = sum(counted.values())
    ops = tuple(_ops(trace))
    kinds = Counter(op.kind for op in ops)
    return ExecutionFact(
        runtime=f"onnxruntime {ort.__version__}",
        nodes=dict(Counter(node.op for node in trace.nodes).most_common()),
        integer_mac_share=round(sum(counted[n] for n in integer) / total, 4) if total else 0.0,
        convolutions=tuple(
            ConvolutionFact(layer=n.removeprefix("node_"), integer=n in integer, macs=count)
            for n, count in macs.items()
        ),
        float_round_trips=float_round_trips(ops),
        transposes=sum(op.transposes for op in ops),
        quantizes=kinds["quantize"],
        dequantizes=kinds["dequantize"],
        bytes_by_dtype=stored.bytes_by_dtype,
    )


def _ops(trace: OnnxProfile) -> Iterator[RuntimeOp]:
    """Yield the executed nodes of the optimized graph that read activations."""
    constant = {item.name for item in trace.graph.initializer}
    executed = {node.name: node for node in trace.nodes}
    for node in trace.graph.node:
        reads = tuple(name for name in node.input if name and name not in constant)
        if not reads or node.name not in executed:
            constant |= set(node.output)
            continue
        yield RuntimeOp(
            op=node.op_type,
            kind=_kind(node),
            reads=reads,
            writes=tuple(node.output),
            transposes=_transposes(node, executed[node.name]),
        )


def _kind(node: onnx.NodeProto) -> OpKind:
    if node.op_type in KINDS:
        return KINDS[node.op_type]
    nearest = node.op_type in RESIZING and _attribute(node, "mode") in (None, b"nearest")
    return "data movement" if nearest or node.op_type in DATA_MOVEMENT else "other"


def _transposes(node: onnx.NodeProto, executed: ProfiledNode) -> bool:
    if node.op_type != "Transpose":
        return node.op_type in REORDERING
    shape = executed.input_shapes[0]
    order = _attribute(node, "perm") or range(len(shape))[::-1]
    return reorders(order, shape)


def _attribute(node: onnx.NodeProto, name: str) -> Any:  # noqa: ANN401 - any type that ONNX stores
    """Return an attribute's value; None where the node omits it."""
    matches = [item for item in node.attribute if item.name == name]
    return onnx.helper.get_attribute_value(matches[0]) if matches else None
