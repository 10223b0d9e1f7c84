"""Executed operations in a form common to all runtimes, and the conversions counted on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

OpKind = Literal["quantize", "dequantize", "data movement", "other"]


@dataclass(frozen=True)
class RuntimeOp:
    """One executed operation.

    Attributes:
        op: operation type in the runtime's own spelling.
        kind: ``quantize`` converts floats to integers, ``dequantize`` integers to floats; ``data
            movement`` copies, repeats, reorders or clamps values and so needs no floats; ``other``
            is everything else.
        reads: names of the tensors read, without constants.
        writes: names of the tensors written.
        transposes: whether the operation copies a feature map into another memory layout.
    """

    op: str
    kind: OpKind
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    transposes: bool = False


def float_round_trips(ops: Sequence[RuntimeOp]) -> int:
    """Return the number of values that are dequantized, only moved, and quantized again.

    A path through arithmetic, such as a normalisation, is no round trip: it needs the floats.
    """
    producers = {name: op for op in ops for name in op.writes}
    return sum(_closes_round_trip(op, producers) for op in ops if op.kind == "quantize")


def _closes_round_trip(quantize: RuntimeOp, producers: dict[str, RuntimeOp]) -> bool:
    """Whether data movement alone lies between a dequantization and this quantization."""
    pending, visited = list(quantize.reads), set[str]()
    while pending:
        name = pending.pop()
        op = producers.get(name)
        if op is None or name in visited:
            continue
        visited.add(name)
        if op.kind == "dequantize":
            return True
        if op.kind == "data movement":
            pending.extend(op.reads)
    return False


def reorders(permutation: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a transposition copies data: the order of the axes longer than 1 changes."""
    kept = [axis for axis in permutation if shape[axis] > 1]
    return kept != sorted(kept)
