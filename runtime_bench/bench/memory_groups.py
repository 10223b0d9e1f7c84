"""Groups of cells whose workers fit into memory together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from styleexport.runtime_bench.contract.cell import Cell

# Share of the free memory for the workers of a group.
MEMORY_SHARE = 0.6
# Memory of a runtime before it has loaded a file; torch's, as an upper bound.
RUNTIME_BYTES = 400_000_000


def worker_bytes(cell: Cell) -> int:
    """Return the memory that the worker of a cell may take, an estimate on the safe side."""
    file = cell.file
    activations = file.peak_activation_bytes or 64 * 4 * cell.size.height * cell.size.width
    return RUNTIME_BYTES + 3 * (activations * cell.batch + 4 * file.parameters)


def memory_groups(
    cells: Sequence[Cell], together: int, free_bytes: int | None
) -> Iterator[tuple[Cell, ...]]:
    """Yield groups of cells of one size and role that fit into memory, as even as possible.

    Args:
        cells: cells; those of one size and role are adjacent.
        together: maximum number of cells in a group.
        free_bytes: free memory; None where it is unknown.
    """
    limit = math.inf if free_bytes is None else free_bytes * MEMORY_SHARE
    for _, alike in groupby(cells, key=lambda cell: (cell.size, cell.subject.role)):
        waiting = list(alike)
        even = math.ceil(len(waiting) / math.ceil(len(waiting) / together))
        while waiting:
            group = [waiting.pop(0)]
            while waiting and len(group) < even:
                if sum(map(worker_bytes, (*group, waiting[0]))) > limit:
                    break
                group.append(waiting.pop(0))
            yield tuple(group)
