"""A graph as a runtime executes it, as far as counting needs it: steps that read and write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["quantize", "dequantize", "move", "other"]


@dataclass(frozen=True)
class Step:
    """One operation that is executed.

    Attributes:
        op: as the runtime calls it.
        kind: ``quantize`` makes integers of floats, ``dequantize`` floats of integers; ``move``
            copies, repeats, reorders or clamps values, so that integers would do; ``other`` is all
            else.
        reads: the tensors that it reads, constants left out.
        writes: the tensors that it writes.
        transposes: whether it copies a map from one layout to another.
    """

    op: str
    kind: Kind
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    transposes: bool = False


def float_round_trips(steps: Sequence[Step]) -> int:
    """Return how often values are dequantized, only moved, and quantized again.

    A way through arithmetic, such as a normalisation, is no round trip: it needs the floats.
    """
    makers = {name: step for step in steps for name in step.writes}
    return sum(_moved(step, makers) for step in steps if step.kind == "quantize")


def _moved(quantize: Step, makers: dict[str, Step]) -> bool:
    """Whether what a step quantizes comes from a dequantization by moves alone."""
    waiting, seen = list(quantize.reads), set[str]()
    while waiting:
        name = waiting.pop()
        step = makers.get(name)
        if step is None or name in seen:
            continue
        seen.add(name)
        if step.kind == "dequantize":
            return True
        if step.kind == "move":
            waiting.extend(step.reads)
    return False


def reorders(permutation: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a transposition copies: the order of the axes longer than 1 changes."""
    kept = [axis for axis in permutation if shape[axis] > 1]
    return kept != sorted(kept)
