"""Execution of a ``.pte`` file by ExecuTorch, which runs partitions and kernels as stored.

XNNPACK fuses on its own what the file leaves apart, and changes no type: a convolution is computed
in integers where what it reads and its weights are.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from pathlib import Path

from styleexport.core.manifest import ConvolutionFact, ExecutionFact
from styleexport.core.plugins import needs
from styleexport.runtime_bench.execution.runtime_op import (
    OpKind,
    RuntimeOp,
    float_round_trips,
    reorders,
)
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.formats._pte import Partition, PteNode, read_pte

MOVEMENT = ("Static", "Concatenate", "Clamp", "MaxPooling2d", "Copy")


def describe_executorch_execution(path: Path) -> ExecutionFact:
    """Return what ExecuTorch executes.

    Raises:
        BadArtifact: the file is truncated or altered.
        MissingExtra: ExecuTorch is not installed.
    """
    with needs("ExecuTorch"):
        import executorch as _  # noqa: F401
    file, facts = read_pte(path), describe(path)
    ops = tuple(
        _op(place, part, node) for place, part in enumerate(file.partitions) for node in part.nodes
    )
    kinds = Counter(op.kind for op in ops)
    return ExecutionFact(
        runtime=f"executorch {importlib.metadata.version('executorch')}",
        nodes=facts.ops,
        integer_mac_share=facts.int8_mac_share,
        convolutions=tuple(
            ConvolutionFact(
                layer=f"{node.name} {number}", integer=part.is_int8(node), macs=node.macs
            )
            for part in file.partitions
            for number, node in enumerate(part.nodes)
            if node.macs
        ),
        float_round_trips=float_round_trips(ops),
        transposes=sum(op.transposes for op in ops),
        quantizes=kinds["quantize"],
        dequantizes=kinds["dequantize"],
        bytes_by_dtype=facts.bytes_by_dtype,
    )


def _op(place: int, part: Partition, node: PteNode) -> RuntimeOp:
    reads = [index for index in node.reads if part.values[index].constant is None]
    shape = part.values[node.reads[0]].shape
    return RuntimeOp(
        op=node.name,
        kind=_kind(part, node),
        reads=tuple(f"{place}:{index}" for index in reads),
        writes=tuple(f"{place}:{index}" for index in node.writes),
        transposes=bool(node.permutation) and reorders(node.permutation, shape),
    )


def _kind(part: Partition, node: PteNode) -> OpKind:
    if node.name == "Convert":
        integer = part.values[node.writes[0]].dtype == "int8"
        return "quantize" if integer else "dequantize"
    return "data movement" if node.name.startswith(MOVEMENT) else "other"
