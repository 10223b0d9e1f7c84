"""Samples of tensors: a shape and some values, by which the same layer is known in two graphs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from styleexport.core.gains import with_least_squares_gains

# Values of each layer that are compared and kept.
SAMPLES = 4096
# Values that a channel needs to tell whether it is another times a gain.
LEAST_VALUES = 8


@dataclass(frozen=True)
class Sample:
    """Shape and some values of a tensor.

    Attributes:
        shape: [N, C, H, W], or that of a code.
        values: [C, number] for a map of batch 1, [1, number] for others.
    """

    shape: tuple[int, ...]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, array: NDArray[np.float32]) -> Sample:
        """Return the sample of an array, its values taken evenly."""
        channels = array.shape[1] if array.ndim == 4 and array.shape[0] == 1 else 1
        rows = np.ascontiguousarray(array).reshape(channels, -1)
        step = max(1, array.size // SAMPLES)
        return cls(tuple(array.shape), rows[:, ::step].astype(np.float32))

    def error(self, other: Sample) -> float:
        """Return the largest difference, of the largest value; infinite for other shapes."""
        if self.shape != other.shape:
            return float("inf")
        top = max(float(np.abs(other.values).max()), 1e-30)
        return float(np.abs(self.values - other.values).max()) / top

    def without_gains(self, other: Sample) -> Sample:
        """Return this sample, its channels multiplied to come as near to the other's as they can.

        Channels of a few values would come near to anything: they are left as they are.
        """
        if self.shape != other.shape or self.values.shape[-1] < LEAST_VALUES:
            return self
        return Sample(
            self.shape, with_least_squares_gains(self.values[None], other.values[None])[0]
        )


def run_and_sample(
    module: GraphModule, names: Collection[str], inputs: tuple[Tensor, ...]
) -> tuple[dict[str, Sample], tuple[Tensor, ...]]:
    """Return node → sample of what it makes, and the outputs, from one run.

    Args:
        module: captured module, float32.
        names: nodes to sample.
        inputs: tensors in the order of the module's placeholders.
    """
    found: dict[str, Sample] = {}

    class Keep(Interpreter):
        """Keeps a sample of each node."""

        def run_node(self, n: Node) -> object:
            value = super().run_node(n)
            if n.name in names and isinstance(value, Tensor):
                found[n.name] = Sample.of(value.numpy())
            return value

    with torch.inference_mode():
        outputs = Keep(module).run(*inputs)
    return found, tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
