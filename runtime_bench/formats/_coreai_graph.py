"""A function of a Core AI asset: data flow and cost of its operations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from styleexport.runtime_bench.formats._coreai import (
    CONSTANT,
    Asset,
    AssetFunction,
    AssetOperation,
    AssetTensor,
)
from styleexport.runtime_bench.formats._liveness import GraphStep, peak_bytes

CONVOLUTIONS = ("conv2d", "conv3d")
TRANSPOSED = ("conv_transpose2d", "conv_transpose3d")
PRODUCTS = ("batch_matmul", "broadcasting_batch_matmul")
# Operation that makes a float of integers → which of its inputs they are.
FROM_INTEGERS = ("blockwise_shift_scale", "dequantize")
EIGHT_BITS = ("int8", "uint8")


@dataclass(frozen=True)
class CoreaiGraph:
    """One function of an asset: of several, that of the largest pictures.

    Attributes:
        function: the function.
        asset: asset that holds it.
    """

    function: AssetFunction
    asset: Asset

    @classmethod
    def of(cls, asset: Asset) -> CoreaiGraph:
        """Return the function of an asset that takes the largest inputs."""
        functions = asset.functions.values()
        return cls(max(functions, key=lambda f: sum(item.count for item in f.inputs)), asset)

    @cached_property
    def tensors(self) -> Mapping[str, AssetTensor]:
        """Tensors by name, inputs among them."""
        made = (item for operation in self.function.operations for item in operation.outputs)
        return {item.name: item for item in (*self.function.inputs, *made)}

    @cached_property
    def producers(self) -> Mapping[str, AssetOperation]:
        """Tensor → operation that makes it."""
        return {item.name: op for op in self.function.operations for item in op.outputs}

    @cached_property
    def weights(self) -> frozenset[str]:
        """Tensors that are constants, or computed from constants alone."""
        names: set[str] = set()
        for operation in self.function.operations:
            if names.issuperset(operation.inputs):
                names.update(item.name for item in operation.outputs)
        return frozenset(names)

    @cached_property
    def steps(self) -> tuple[AssetOperation, ...]:
        """Operations that depend on the inputs, in order."""
        return tuple(
            operation
            for operation in self.function.operations
            if not self.weights.issuperset(item.name for item in operation.outputs)
        )

    @cached_property
    def stored(self) -> Counter[str]:
        """Type → bytes of constants."""
        found: Counter[str] = Counter()
        for operation in self.function.operations:
            if operation.kind == CONSTANT:
                found.update({item.dtype: item.size_bytes for item in operation.outputs})
        return found

    def macs(self, operation: AssetOperation) -> int:
        """Return the multiply-accumulates of an operation."""
        if operation.kind in (*CONVOLUTIONS, *TRANSPOSED):
            x, weight = (self.tensors[name] for name in operation.inputs[:2])
            places = x if operation.kind in TRANSPOSED else operation.outputs[0]
            return places.count * math.prod(side or 0 for side in weight.shape[1:])
        if operation.calls in self.asset.composites:
            inner = CoreaiGraph(self.asset.composites[operation.calls], self.asset)
            return sum(map(inner.macs, inner.function.operations))
        if operation.kind in PRODUCTS:
            return operation.outputs[0].count * (self.tensors[operation.inputs[0]].shape[-1] or 0)
        return 0

    def int8_mac_share(self) -> float:
        """Return the share of the MACs whose operands are both dequantized integers, 0..1.

        That is as the file is written; whether a device computes them in integers, it decides.
        """
        total = sum(map(self.macs, self.steps))
        quantized = sum(self.macs(step) for step in self.steps if self._is_int8(step))
        return round(quantized / total, 4) if total else 0.0

    def _is_int8(self, operation: AssetOperation) -> bool:
        makers = [self.producers.get(name) for name in operation.inputs[:2]]
        return all(
            maker is not None
            and maker.kind in FROM_INTEGERS
            and self.tensors[maker.inputs[0]].dtype in EIGHT_BITS
            for maker in makers
        )

    def peak(self) -> int:
        """Return the peak of activation bytes."""
        steps = [
            GraphStep(
                tuple(name for name in operation.inputs if name not in self.weights),
                {item.name: item.size_bytes for item in operation.outputs},
            )
            for operation in self.steps
        ]
        inputs = {item.name: item.size_bytes for item in self.function.inputs}
        return peak_bytes(steps, inputs, list(self.function.results))
