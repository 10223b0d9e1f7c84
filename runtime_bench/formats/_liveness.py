"""An estimate of the memory that activations take: each is freed after its last reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class GraphStep:
    """One operation: the activations it reads, and those it writes with their bytes."""

    reads: tuple[str, ...]
    writes: Mapping[str, int]


def peak_bytes(
    steps: Sequence[GraphStep], inputs: Mapping[str, int], outputs: Sequence[str]
) -> int:
    """Return the most bytes that are alive at once.

    While a step runs, what it reads and what it writes are both alive; inputs live until their last
    reader, outputs to the end. A runtime that computes in place needs less, one that copies between
    layouts or tiles convolutions needs more.

    Args:
        steps: in the order they run.
        inputs: name → bytes.
        outputs: names.
    """
    last = {name: index for index, step in enumerate(steps) for name in step.reads}
    last |= dict.fromkeys(outputs, len(steps))
    alive = dict(inputs)
    most = sum(alive.values())
    for index, step in enumerate(steps):
        alive |= step.writes
        most = max(most, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last.get(name, -1) > index}
    return most
