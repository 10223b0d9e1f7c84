"""Liveness analysis: estimated peak memory of activations, freed after their last reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class GraphStep:
    """One operation of a graph.

    Attributes:
        reads: names of the activations read.
        writes: name → bytes of the activations written.
    """

    reads: tuple[str, ...]
    writes: Mapping[str, int]


def peak_bytes(
    steps: Sequence[GraphStep], inputs: Mapping[str, int], outputs: Sequence[str]
) -> int:
    """Return the peak of the bytes that are alive at once.

    During a step both its inputs and its outputs are alive; graph inputs live until their last
    reader, graph outputs to the end. A runtime that computes in place needs less, one that copies
    between layouts or tiles convolutions needs more.

    Args:
        steps: operations in execution order.
        inputs: name → bytes of the graph's inputs.
        outputs: names of the graph's outputs.
    """
    last = {name: index for index, step in enumerate(steps) for name in step.reads}
    last |= dict.fromkeys(outputs, len(steps))
    alive = dict(inputs)
    peak = sum(alive.values())
    for index, step in enumerate(steps):
        alive |= step.writes
        peak = max(peak, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last.get(name, -1) > index}
    return peak
